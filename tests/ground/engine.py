"""The machine's own Docker engine: used when it runs, else started, and stopped again if we started it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import apt, cgroups
from .paths import CACHE, LOGS
from .shell import GroundError, as_root, output, proxies, run_logged, say, step, tail

_STATE = CACHE / "engine.json"
_LOG = LOGS / "dockerd.log"
_SOCKET = "/var/run/docker.sock"
_DAEMON_PID = Path("/var/run/docker.pid")
_DAEMONS = ("/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd")
_START_SECONDS = 90
_STOP_SECONDS = 90
# Left over by engines that died with their machine, each with the process whose number it should hold.
_PID_FILES = {_DAEMON_PID: "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}
# Where the kernel confines containers by AppArmor, the engine cannot start one without this tool.
_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_APPARMOR_PARSERS = ("/usr/sbin/apparmor_parser", "/sbin/apparmor_parser")


@dataclass(frozen=True)
class Started:
    """An engine that we started: which process, in which life of the machine.

    Attributes:
        boot: the kernel's id of this boot.
        pid: the daemon's process; 0 when systemd looks after it.
        ticks: that process's start in clock ticks since boot, as a pid may be used again.
    """

    boot: str
    pid: int
    ticks: int


@dataclass(frozen=True)
class Process:
    """What the kernel says of a process: its name, its state (Z: dead, not yet reaped) and its start in ticks."""

    name: str
    state: str
    ticks: int


def answers() -> bool:
    """Say whether a Docker engine can be used by us right now."""
    return bool(output(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=20))


def parse_stat(text: str) -> Process:
    """Read the text of ``/proc/<pid>/stat``; a name may hold blanks and brackets."""
    before, _, after = text.rpartition(")")
    fields = after.split()
    return Process(before.partition("(")[2], fields[0], int(fields[19]))


def _process(pid: int) -> Process | None:
    """Return a process that is alive."""
    try:
        found = parse_stat(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError):
        return None
    return None if found.state in "ZX" else found


def _named(pid_file: Path, name: str) -> int:
    """Return the process that a pid file names, 0 if that is gone or another one by now."""
    try:
        text = pid_file.read_text(encoding="utf-8")
    except PermissionError:
        text = output(as_root(["cat", str(pid_file)])) or ""
    except OSError:
        text = ""
    process = _process(int(text)) if text.strip().isdigit() else None
    return int(text) if process and process.name == name else 0


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def is_current(noted: Started, boot: str, process: Process | None) -> bool:
    """Say whether a note still speaks of the engine that it was made for.

    Args:
        noted: the note.
        boot: the kernel's id of this boot.
        process: what has the noted pid now.
    """
    if noted.boot != boot:
        return False
    return noted.pid == 0 or (process is not None and (process.name, process.ticks) == ("dockerd", noted.ticks))


def started() -> Started | None:
    """Return the engine that we started, if it is still the one that runs; a stale note is removed."""
    try:
        found = json.loads(_STATE.read_text(encoding="utf-8"))
        noted = Started(found["boot"], found["pid"], found["ticks"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        noted = Started("", 0, 0)
    if is_current(noted, _boot(), _process(noted.pid)):
        return noted
    _STATE.unlink(missing_ok=True)
    return None


def up() -> None:
    """Make sure that an engine answers.

    Raises:
        GroundError: when none can be installed or started.
    """
    if answers():
        say("engine: using the one that runs" + (" (started by the proving ground)" if started() else ""))
        return
    _refuse_foreign_socket()
    apt.ensure({"docker.io": _DAEMONS})
    if not shutil.which("docker"):  # a package of its own since Debian 13
        apt.ensure({"docker-cli": ("/usr/bin/docker",)})
    if _APPARMOR.is_file() and _APPARMOR.read_text(encoding="utf-8").strip() == "Y":
        apt.ensure({"apparmor": _APPARMOR_PARSERS})
    with step("engine: starting"):
        pid = _start_with_systemd() if _has_systemd() else _start_directly()
        process = _process(pid)
        CACHE.mkdir(parents=True, exist_ok=True)
        noted = Started(_boot(), pid, process.ticks if process else 0)
        _STATE.write_text(json.dumps(asdict(noted)), encoding="utf-8")


def down() -> None:
    """Stop the engine if we started it, whatever runs on it, and wait until it is gone."""
    noted = started()
    if noted is None:
        say("engine: not started by the proving ground, left as it is")
        return
    with step("engine: stopping"):
        if noted.pid == 0:
            command = as_root(["systemctl", "stop", "docker.service", "docker.socket"])
            run_logged(command, LOGS / "systemctl.log", "See 'journalctl -u docker'.")
        else:
            # The shell's own: a program of that name is not on every machine.
            subprocess.run(as_root(["sh", "-c", f"kill -TERM {noted.pid}"]), check=False)
            _wait_until_gone(noted)
    _STATE.unlink(missing_ok=True)


def retire() -> None:
    """Stop the engine if we started it and nothing runs on it."""
    if not started():
        if answers():
            say("engine: ran before, left as it is")
        return
    names = output(["docker", "ps", "--format", "{{.Names}}"]) or ""
    if names:
        say(f"engine: left running for {', '.join(names.split())}; 'python3 -m tests.ground engine down' stops it")
    else:
        down()


def status() -> str:
    """Return one line on the engine."""
    version = output(["docker", "info", "--format", "{{.ServerVersion}} ({{.Driver}}, cgroup v{{.CgroupVersion}})"])
    if not version:
        return "engine: none answers"
    return f"engine: {version}, {'started by the proving ground' if started() else 'not ours'}"


def _refuse_foreign_socket() -> None:
    """Fail where an engine is there but closed to this user: starting a second one would not help."""
    if os.environ.get("DOCKER_HOST"):
        raise GroundError(f"no engine answers at DOCKER_HOST ({os.environ['DOCKER_HOST']}): start it, or unset that")
    closed = os.path.exists(_SOCKET) and not os.access(_SOCKET, os.R_OK | os.W_OK)
    if closed and _named(_DAEMON_PID, "dockerd"):
        raise GroundError("a Docker engine runs, closed to this user: 'sudo adduser $USER docker', then log in again")


def _start_with_systemd() -> int:
    run_logged(as_root(["systemctl", "start", "docker.service"]), LOGS / "systemctl.log", "See 'journalctl -u docker'.")
    _open_socket()
    _wait_until_answers(0)
    return 0


def _open_socket() -> None:
    """Let this user in: membership of group docker would take effect at the next login only."""
    if os.geteuid() != 0:
        subprocess.run(as_root(["chgrp", str(os.getgid()), _SOCKET]), check=False)


def _start_directly() -> int:
    """Run dockerd in a session of its own, as `service docker start` needs rights that not every machine gives."""
    pid = _named(_DAEMON_PID, "dockerd")
    if pid:  # where Debian's init script has the rights, installing docker.io started it
        _open_socket()
    else:
        cgroups.ensure()
        _remove_stale_pid_files()
        pid = _launch()
    _wait_until_answers(pid)
    return pid


def _launch() -> int:
    """Start dockerd, and return its process; sudo asks its questions before, on the terminal that it knows."""
    daemon = next(path for path in _DAEMONS if os.path.exists(path))
    command = ["setsid", "--fork", "sh", "-c", 'echo $$; exec "$@" >&2', "sh", daemon, "--group", str(os.getgid())]
    LOGS.mkdir(parents=True, exist_ok=True)
    with _LOG.open("wb") as log:
        done = subprocess.run(
            as_root(command, proxies()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            text=True,
            check=False,
        )
    if not done.stdout.strip():
        raise GroundError(f"dockerd could not be started. Its log ({_LOG}) ends:\n{tail(_LOG)}")
    return int(done.stdout)


def _remove_stale_pid_files() -> None:
    for path, name in _PID_FILES.items():
        if not _named(path, name) and subprocess.call(as_root(["test", "-e", str(path)])) == 0:
            subprocess.run(as_root(["rm", "-f", str(path)]), check=False)


def _wait_until_answers(pid: int) -> None:
    """Wait for an engine; pid: its process, 0 when systemd looks after it."""
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if pid and not _process(pid):
            raise GroundError(f"dockerd has ended. Its log ({_LOG}) ends:\n{tail(_LOG)}")
        if time.monotonic() > deadline:
            where = f"Its log ({_LOG}) ends:\n{tail(_LOG)}" if pid else "See 'journalctl -u docker'."
            raise GroundError(f"the Docker engine does not answer after {_START_SECONDS} s. {where}")
        time.sleep(0.5)


def _wait_until_gone(noted: Started) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while is_current(noted, noted.boot, _process(noted.pid)):
        if time.monotonic() > deadline:
            raise GroundError(f"dockerd ({noted.pid}) does not end. Its log ({_LOG}) ends:\n{tail(_LOG)}")
        time.sleep(0.3)
