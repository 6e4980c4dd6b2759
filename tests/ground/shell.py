"""Running commands, saying what goes on, and failing in a way that helps."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ALIVE_SECONDS = 15.0
# What root needs of the environment to reach the world; sudo drops it.
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_TAIL_LINES = 25


class GroundError(Exception):
    """Something that a person has to mend; the message says what and how."""


class Step:
    """Something that takes time.

    Attributes:
        title: what is done.
        detail: what of it is done right now.
        result: what came of it, said when it ends.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.result = ""
        self._began = time.monotonic()

    def line(self, text: str = "") -> str:
        """Return one line: the title, a text, and how long it took until now."""
        return f"{self.title}{': ' if text else ''}{text} … {time.monotonic() - self._began:.0f} s"


_one_writer = threading.Lock()


def say(text: str) -> None:
    """Print a line, whole, whichever thread it comes from."""
    with _one_writer:
        print(text, flush=True)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Say that something is being done, that it is alive, and how long it took, in seconds."""
    begun, ended = Step(title), threading.Event()

    def beat() -> None:
        while not ended.wait(ALIVE_SECONDS):
            say(begun.line(begun.detail or "still at it"))

    threading.Thread(target=beat, daemon=True).start()
    result = "FAILED"
    try:
        yield begun
        result = begun.result
    except KeyboardInterrupt:
        result = "interrupted"
        raise
    finally:
        ended.set()
        say(begun.line(result))


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log, indented, or a word that there are none."""
    try:
        kept = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        kept = []
    return "\n".join(f"  | {line}" for line in kept) or "  | (empty)"


@functools.cache
def _sudo_is_open() -> bool:
    """Ask for the password once, while nothing else is on the screen."""
    if subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL) == 0:
        return True
    return subprocess.call(["sudo", "-v"]) == 0


def as_root(command: Sequence[str], keep: Mapping[str, str] | None = None) -> list[str]:
    """Return the command as root runs it: unchanged for root, through sudo for others.

    Args:
        command: program and arguments.
        keep: variables that the command shall see, sudo or not.

    Raises:
        GroundError: where nobody may become root.
    """
    variables = [f"{key}={value}" for key, value in (keep or {}).items()]
    prefix = ["env", *variables] if variables else []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            raise GroundError(f"{command[0]} needs root, and there is no sudo: run this as root")
        if not _sudo_is_open():
            raise GroundError(f"{command[0]} needs root, and sudo refuses: run this as root, or as somebody with sudo")
        prefix = ["sudo", *prefix]
    return [*prefix, *command]


def proxies() -> dict[str, str]:
    """Return this environment's proxies, for commands that run as root."""
    return {name: os.environ[name] for name in PROXIES if os.environ.get(name)}


def output(command: Sequence[str], timeout: float | None = 60) -> str | None:
    """Return what a command prints, stripped; None when it fails, is missing or takes longer (seconds)."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def run_logged(command: Sequence[str], log: Path, mend: str, stdout: Path | None = None) -> None:
    """Run a command to its end with its output in a log.

    Args:
        command: program and arguments.
        log: file that takes what it prints.
        mend: what a person can do when it fails, a sentence.
        stdout: file that takes standard output instead, for commands whose output is their product.

    Raises:
        GroundError: with the command, the mend and the log's tail.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        target = stdout.open("wb") if stdout else None
        try:
            code = subprocess.call(
                command, stdin=subprocess.DEVNULL, stdout=target or sink, stderr=sink if target else subprocess.STDOUT
            )
        except OSError as error:
            raise GroundError(f"{command[0]} could not be started: {error}. {mend}") from error
        finally:
            if target:
                target.close()
    if code:
        name = next(word for word in command if word not in ("sudo", "env") and "=" not in word)
        raise GroundError(f"{name} failed with code {code}. {mend} Its log ({log}) ends:\n{tail(log)}")
