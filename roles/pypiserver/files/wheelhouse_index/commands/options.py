"""What the commands that list have in common: options, and what may be printed."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import NoReturn

from ..common import times
from ..files import names

# What other hands may have written into files and logs: a terminal would obey it.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Options(argparse.ArgumentParser):
    """Options, of which a bad one gets one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def project(text: str) -> str:
    """Return the normalised name of a project, in whatever spelling."""
    name = names.normalised(text)
    if not names.is_project(name):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not the name of a project")
    return name


def moment(text: str) -> int:
    """Return a day's beginning or a time, in ns since 1970."""
    try:
        found = times.moment(text)
        times.time_text(found)
    except (ValueError, OverflowError):
        wanted_form = "2026-11-20 or 2026-11-20T14:30:00Z"
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is not a day or a time; give one such as {wanted_form}"
        ) from None
    return found


def printable(text: str) -> str:
    """Return a line as it may be shown on a terminal."""
    return _UNPRINTABLE.sub("?", text)


def end_of_pipe() -> None:
    """Have what is left not written at the end: who read it has gone, as ``head`` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
