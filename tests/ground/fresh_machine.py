"""A machine where nothing is installed yet: Debian with Python, git and make, and this checkout as it is.

It is a container, with systemd or without, whose engine and control groups are its own affair. newcomer.py is who
uses it.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import capabilities, images
from .cleanup import LABEL
from .paths import LOGS, ROOT
from .recipes import Host
from .shell import GroundError, output, say, step

_TASK_SECONDS = 600
_CHECKOUT = "wheelhouse.pypi"
# What a machine has and a container lacks: writable kernel settings.
_BOOT = """
mount -o remount,rw /sys
mount -o remount,rw /proc/sys
"""
# Nor are control groups mounted there.
_WITHOUT_INIT = ["sleep", "infinity"]
_NO_CONTROL_GROUPS = "umount --recursive /sys/fs/cgroup\n"
# The machine's apt settings, such as proxies and how old lists may be: images that are built inside it need them, too.
_SETTINGS = 'printf "%s\\n" "$@" >/etc/apt/apt.conf.d/90machine'
# As for hosts, see .config/molecule/create.yml.
_SYSTEMD = ["/lib/systemd/systemd", "systemd.legacy_systemd_cgroup_controller=1"]
_SYSTEMD_OPTIONS = ["--env", "container=docker", "--env", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
_SYSTEMD_OPTIONS += ["--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run", "--tmpfs", "/run/lock"]
_BOOTED = "until systemctl is-system-running | grep -Eq 'running|degraded'; do sleep 0.5; done"


@dataclass
class Answer:
    """What a command on the machine did."""

    command: str
    code: int
    text: str
    seconds: float


@dataclass
class Machine:
    """A machine and its user; everything that it ever printed is kept."""

    name: str
    recipe: Host
    user: str
    home: str
    systemd: bool = False
    printed: list[str] = field(default_factory=list)

    @property
    def checkout(self) -> str:
        """Path of the checkout there."""
        return f"{self.home}/{_CHECKOUT}"

    def run(self, command: str, shell: str = "bash") -> Answer:
        """Run a command in the checkout as the user, and show what it prints."""
        began = time.monotonic()
        lines = []
        with (
            (LOGS / f"{self.name}.log").open("a", encoding="utf-8") as log,
            subprocess.Popen(
                ["docker", "exec", *self._options(), self.name, shell, "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            say(f"{self.name}$ {command}")
            for line in process.stdout:
                log.write(line)
                lines.append(line)
                say(f"  | {line.rstrip()}")
        answer = Answer(command, process.returncode, "".join(lines), time.monotonic() - began)
        self.printed.append(answer.text)
        say(f"  ({answer.seconds:.0f} s, code {answer.code})")
        return answer

    def _options(self) -> list[str]:
        return ["--user", self.user, "--env", f"HOME={self.home}", "--workdir", self.checkout]

    def ok(self, command: str, shell: str = "bash") -> Answer:
        """Run a command that has to succeed."""
        answer = self.run(command, shell)
        holds(f"'{command.strip().splitlines()[0]}' succeeds", answer.code == 0)
        return answer

    def kill(self, command: str, task: str) -> None:
        """Run a command in a session of its own, as a terminal does, and kill all of it within a task."""
        log = f"{self.checkout}/.cache/ground/logs/playbook-site.log"
        do("docker", "exec", self.name, "rm", "-f", log)
        say(f"{self.name}$ {command} &")
        started = f"echo $$ >/tmp/group; exec {command} >/tmp/killed.log 2>&1 </dev/null"
        do("docker", "exec", "--detach", *self._options(), self.name, "setsid", "sh", "-c", started)
        deadline = time.monotonic() + _TASK_SECONDS
        while not self.is_true(f"tail -n 1 {log} | grep -q '{task}'"):
            if time.monotonic() > deadline:
                raise GroundError(f"task '{task}' was not reached in {_TASK_SECONDS} s")
            time.sleep(0.2)
        self.ok("kill -KILL -- -$(cat /tmp/group); sleep 1; cat /tmp/killed.log")

    def is_true(self, command: str) -> bool:
        """Ask root a question, quietly."""
        return output(["docker", "exec", self.name, "sh", "-c", command]) is not None


def holds(sentence: str, truth: bool) -> None:
    """Say that a sentence holds, or fail with it."""
    if not truth:
        raise GroundError(f"does not hold: {sentence}")
    say(f"holds: {sentence}")


def make(machine: Machine) -> None:
    """Make the machine, and put the checkout there, with what is not committed yet."""
    images.build([machine.recipe.name])
    remove(machine)
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / f"{machine.name}.log").unlink(missing_ok=True)
    image = images.tag(machine.recipe, images.apt.archive())
    command = _SYSTEMD if machine.systemd else _WITHOUT_INIT
    options = [f"--cap-add={name}" for name in capabilities.machine()] + ["--cgroupns", "host"]
    options += ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
    # An overlay on an overlay is refused by the kernel.
    options += ["--volume", "/var/lib/docker", "--volume", "/var/lib/containerd"]
    options += _SYSTEMD_OPTIONS if machine.systemd else []
    with step(f"{machine.name}: making it"):
        do("docker", "run", "--detach", "--name", machine.name, "--hostname", machine.name, *options,
            "--label", f"{LABEL}={machine.name}", image, *command)  # fmt: skip
        do("docker", "exec", machine.name, "sh", "-ec", _BOOT + ("" if machine.systemd else _NO_CONTROL_GROUPS))
        do("docker", "exec", machine.name, "sh", "-ec", _SETTINGS, "sh", *images.apt.archive().settings)
        if machine.systemd:
            do("docker", "exec", machine.name, "timeout", "60", "sh", "-c", _BOOTED)
        if machine.user != "root":
            do("docker", "exec", machine.name, "sh", "-ec", _add_user(machine.user))
        with tempfile.TemporaryDirectory() as folder:
            clone = Path(folder, _CHECKOUT)
            _clone(clone)
            do("docker", "cp", str(clone), f"{machine.name}:{machine.home}/")
        do("docker", "exec", machine.name, "chown", "-R", f"{machine.user}:", machine.checkout)


def _add_user(name: str) -> str:
    sudoers = f"{name} ALL=(ALL) NOPASSWD: ALL"
    return f"useradd --create-home --shell /bin/bash {name}; echo '{sudoers}' >/etc/sudoers.d/{name}"


def _clone(target: Path) -> None:
    """Clone this checkout, and lay over it what differs from the last commit."""
    git = ["git", "-c", "safe.directory=*"]
    do(*git, "clone", "--quiet", "--no-local", str(ROOT), str(target))
    listed = do(*git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode & 0o777)
        else:
            copy.unlink(missing_ok=True)


def do(*command: str) -> str:
    """Run a command on this machine, and return what it prints; that it fails is a fault of ours."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GroundError(f"{' '.join(command)} failed with code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def remove(machine: Machine) -> None:
    """Remove the machine and all that is on it."""
    output(["docker", "rm", "--force", "--volumes", machine.name])
