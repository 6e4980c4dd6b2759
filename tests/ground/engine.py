"""The machine's own Docker engine: used when it runs, else started, and stopped again if we started it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import apt, cgroups
from .paths import CACHE, LOGS
from .shell import GroundError, as_root, output, run_logged, say, step, tail

_STATE = CACHE / "engine.json"
_LOG = LOGS / "dockerd.log"
_SOCKET = "/var/run/docker.sock"
_DAEMONS = ("/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd")
_START_SECONDS = 90
_STOP_SECONDS = 90
# Left over by engines that died with their machine, each with the process whose number it should hold.
_PID_FILES = {"/var/run/docker.pid": "dockerd", "/var/run/docker/containerd/containerd.pid": "containerd"}


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


def answers() -> bool:
    """Say whether a Docker engine can be used by us right now."""
    return bool(output(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=20))


def parse_ticks(stat: str) -> int:
    """Return the start time in clock ticks from the text of ``/proc/<pid>/stat``."""
    return int(stat.rpartition(")")[2].split()[19])


def _ticks(pid: int) -> int | None:
    try:
        return parse_ticks(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError):
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def started() -> Started | None:
    """Return the engine that we started, if it is still the one that runs; a stale note is removed."""
    try:
        noted = Started(**json.loads(_STATE.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        noted = Started("", 0, 0)
    if noted.boot == _boot() and (noted.pid == 0 or _ticks(noted.pid) == noted.ticks):
        return noted
    _STATE.unlink()
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
    with step("engine: starting"):
        pid = _start_with_systemd() if _has_systemd() else _start_directly()
        noted = Started(_boot(), pid, _ticks(pid) or 0 if pid else 0)
        CACHE.mkdir(parents=True, exist_ok=True)
        _STATE.write_text(json.dumps(asdict(noted)), encoding="utf-8")


def down() -> None:
    """Stop the engine if we started it, and wait until it is gone."""
    noted = started()
    if noted is None:
        say("engine: not started by the proving ground, left as it is")
        return
    with step("engine: stopping"):
        if noted.pid == 0:
            command = as_root(["systemctl", "stop", "docker.service", "docker.socket"])
            run_logged(command, LOGS / "systemctl.log", "See 'journalctl -u docker'.")
        else:
            subprocess.run(as_root(["kill", f"-{signal.SIGTERM.value}", str(noted.pid)]), check=False)
            _wait_until_gone(noted)
    _STATE.unlink(missing_ok=True)


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
    if os.path.exists(_SOCKET) and not os.access(_SOCKET, os.R_OK | os.W_OK) and _daemon_runs():
        raise GroundError("a Docker engine runs, closed to this user: 'sudo adduser $USER docker', then log in again")


def _daemon_runs() -> bool:
    for stat in Path("/proc").glob("[0-9]*/comm"):
        try:
            if stat.read_text(encoding="utf-8").strip() == "dockerd":
                return True
        except OSError:
            continue
    return False


def _start_with_systemd() -> int:
    run_logged(as_root(["systemctl", "start", "docker.service"]), LOGS / "systemctl.log", "See 'journalctl -u docker'.")
    if os.geteuid() != 0:  # group docker takes effect at the next login only
        subprocess.run(as_root(["chgrp", str(os.getgid()), _SOCKET]), check=False)
    _wait_until_answers(None)
    return 0


def _start_directly() -> int:
    """Run dockerd in a session of its own, as `service docker start` needs rights that not every machine gives."""
    cgroups.ensure()
    _remove_stale_pid_files()
    daemon = next(path for path in _DAEMONS if os.path.exists(path))
    LOGS.mkdir(parents=True, exist_ok=True)
    with _LOG.open("wb") as log:
        process = subprocess.Popen(
            as_root([daemon, "--group", str(os.getgid())]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    _wait_until_answers(process)
    return int(Path("/var/run/docker.pid").read_text(encoding="utf-8"))


def _remove_stale_pid_files() -> None:
    for path, name in _PID_FILES.items():
        try:
            pid = int(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        comm = Path(f"/proc/{pid}/comm")
        if not comm.exists() or comm.read_text(encoding="utf-8").strip() != name:
            subprocess.run(as_root(["rm", "-f", path]), check=False)


def _wait_until_answers(process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if process is not None and process.poll() is not None:
            raise GroundError(f"dockerd ended with code {process.returncode}. Its log ({_LOG}) ends:\n{tail(_LOG)}")
        if time.monotonic() > deadline:
            where = f"Its log ({_LOG}) ends:\n{tail(_LOG)}" if process else "See 'journalctl -u docker'."
            raise GroundError(f"the Docker engine does not answer after {_START_SECONDS} s. {where}")
        time.sleep(0.5)


def _wait_until_gone(noted: Started) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while _ticks(noted.pid) == noted.ticks:
        if time.monotonic() > deadline:
            raise GroundError(f"dockerd ({noted.pid}) does not end. Its log ({_LOG}) ends:\n{tail(_LOG)}")
        time.sleep(0.3)
