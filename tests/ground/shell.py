"""Running commands, saying what goes on, and failing in a way that helps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ALIVE_SECONDS = 15.0
_TAIL_LINES = 25
_print_lock = threading.Lock()


class GroundError(Exception):
    """Something that a person has to mend; the message says what and how."""


def say(text: str) -> None:
    """Print one line of progress, whole, also from several threads."""
    with _print_lock:
        print(text, file=sys.stderr, flush=True)


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log, indented, or a word that there are none."""
    try:
        kept = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        kept = []
    return "\n".join(f"  | {line}" for line in kept) or "  | (empty)"


def as_root(command: Sequence[str], keep: Mapping[str, str] | None = None) -> list[str]:
    """Return the command as root runs it: unchanged for root, through sudo for others.

    Args:
        command: program and arguments.
        keep: variables that the command shall see, sudo or not.
    """
    variables = [f"{key}={value}" for key, value in (keep or {}).items()]
    prefix = ["env", *variables] if variables else []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            raise GroundError(f"{command[0]} needs root, and there is no sudo: run this as root")
        prefix = ["sudo", *prefix]
    return [*prefix, *command]


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
        raise GroundError(f"{command[0]} failed with code {code}. {mend} Its log ({log}) ends:\n{tail(log)}")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say that a step begins, that it is alive, and how long it took, in seconds."""
    began = time.monotonic()
    ended = threading.Event()

    def heartbeat() -> None:
        while not ended.wait(ALIVE_SECONDS):
            say(f"{title} … still at it after {time.monotonic() - began:.0f} s")

    say(f"{title} …")
    threading.Thread(target=heartbeat, daemon=True).start()
    try:
        yield
    except BaseException:
        say(f"{title} … failed after {time.monotonic() - began:.0f} s")
        raise
    finally:
        ended.set()
    say(f"{title} … {time.monotonic() - began:.0f} s")
