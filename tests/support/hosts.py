"""What a host looks like, to tell that nothing on it has changed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Every file of the root file system, which leaves out /run, /tmp and what the engine keeps on volumes. A run may
# leave Ansible's own folder, systemd writes what it likes, and rpm's database has an index that readers write to, as has the
# catalogue of an index, which pypiserver locks and reads by itself. Who asks for a page is logged.
_FILES = (
    r"find / -xdev \( -path /root/.ansible -o -path /var/log -o -path /var/lib/systemd -o -path /var/backups"
    r" -o -name rpmdb.sqlite-shm -o -path '*/logs/access.log'"
    r" -o -path '*/index/catalogue*' -o -path '*/index/.*lock' \) -prune"
    r" -o -type d -printf '%p/ %m %U:%G\n' -o -printf '%p %y %m %U:%G %s %T@ %l\n'"
)
_ENGINE = (
    "systemctl show --property MainPID,ActiveEnterTimestamp docker",
    "docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.State}}'",
    "docker image ls --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}'",
)


def snapshot(host: Any) -> set[str]:
    """Return a line for every file of a host, its engine's process, containers and images."""
    # A bare host has no engine to be asked.
    files = host.run(_FILES).stdout.splitlines()
    assert len(files) > 1000, "the files of the host could not be listed"
    return {*files, *(line for question in _ENGINE for line in host.run(question).stdout.splitlines())}


@contextmanager
def untouched(host: Any) -> Iterator[None]:
    """Nothing on the host changes meanwhile: no file, image or container, and the engine is not restarted."""
    before = snapshot(host)
    yield
    after = snapshot(host)
    changes = [f"- {line}" for line in sorted(before - after)] + [f"+ {line}" for line in sorted(after - before)]
    assert not changes, "the host was changed:\n" + "\n".join(changes[:50])


ALPINE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n'


@contextmanager
def pretending(host: Any, release: str, debian_version: str = "") -> Iterator[None]:
    """The host says that it is another distribution, in the files that Ansible's facts are made of.

    Args:
        host: a Debian.
        release: content of /etc/os-release.
        debian_version: content of /etc/debian_version; without it there is none.
    """
    files = ("/usr/lib/os-release", "/etc/debian_version")
    for file in files:
        host.check_output("mv %s %s.true", file, file)
    host.check_output("printf %%s %s > %s", release, files[0])
    if debian_version:
        host.check_output("echo %s > %s", debian_version, files[1])
    try:
        yield
    finally:
        for file in files:
            host.check_output("mv %s.true %s", file, file)


def address(host: Any) -> str:
    """Return a host's address in its own network, as others reach it: engines inside it have more."""
    return str(host.check_output("ip -4 -o address show dev eth0 | awk '{print $4}' | cut -d/ -f1"))


def wait_for_boot(name: str, seconds: int = 60) -> None:
    """Wait until systemd in a host has done its part."""
    command = ["docker", "exec", name, "timeout", str(seconds), "sh", "-c"]
    command += ["until systemctl is-system-running | grep -qE 'running|degraded'; do sleep 0.2; done"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name} has not booted within {seconds} s: {done.stdout}{done.stderr}"


def restart(name: str, *, power_cut: bool = False) -> None:
    """Shut a host down, or cut its power, and wait until it has booted again."""
    subprocess.run(["docker", "kill" if power_cut else "stop", name], stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["docker", "start", name], stdout=subprocess.DEVNULL, check=True)
    wait_for_boot(name)
