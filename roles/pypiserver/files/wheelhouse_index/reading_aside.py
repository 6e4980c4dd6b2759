"""Many files are read by processes of their own, while this one keeps what they tell and writes pages."""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from .entry import Entry
from .reading import Told, read_files

log = logging.getLogger(__name__)
# Reading is less than half of the work: more of them would wait for this process.
_MOST = 2
_NICENESS = 10


def read_aside(packages: Path, chunks: Iterable[Sequence[Entry]]) -> Generator[Iterator[Told], None, None]:
    """Yield what files tell, chunk by chunk, reading ahead; in this process where there is no processor to spare.

    Each chunk has to be taken before the next one. No more of it is in memory than a pipe holds.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(_Reader(packages)) for _reader in range(min(_MOST, _processors() - 1))]
        asked: deque[_Reader] = deque()
        for chunk, reader in zip(chunks, itertools.cycle(readers or [None])):
            if reader is None:
                yield read_files(packages, chunk)
                continue
            if len(asked) == len(readers):
                yield asked.popleft().answer()
            reader.ask(chunk)
            asked.append(reader)
        for reader in asked:
            yield reader.answer()


def _processors() -> int:
    return len(os.sched_getaffinity(0))


class _Reader:
    """A process that reads files. It ends with this one, whatever ends this one, as its standard input is closed then."""

    def __init__(self, packages: Path) -> None:
        self._packages = packages
        self._asked: Sequence[Entry] = ()
        self._process: subprocess.Popen[bytes] | None = None
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, os.fspath(packages)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **path},
            )
        except OSError as error:
            log.warning("Files are read one after the other: %s", error)

    def ask(self, entries: Sequence[Entry]) -> None:
        """Have files read."""
        self._asked = entries
        if self._process and self._process.stdin:
            # A process that has ended says so when it is to answer.
            with suppress(OSError):
                pickle.dump(entries, self._process.stdin)
                self._process.stdin.flush()

    def answer(self) -> Iterator[Told]:
        """Yield what the files tell that were asked for; of a process that was killed, for want of memory for one, too."""
        done = 0
        if self._process and self._process.stdout:
            with suppress(OSError, EOFError, pickle.UnpicklingError):
                for _entry in self._asked:
                    told: Told = pickle.load(self._process.stdout)
                    done += 1
                    yield told
        yield from read_files(self._packages, self._asked[done:])

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process:
            # Also one that is reading, or writing what no one waits for.
            self._process.kill()
            with suppress(OSError):
                self._process.communicate()


def main() -> None:
    """Read files as standard input asks, until it is closed."""
    with suppress(OSError):
        os.nice(_NICENESS)
    with suppress(EOFError, BrokenPipeError):
        while True:
            for told in read_files(Path(sys.argv[1]), pickle.load(sys.stdin.buffer)):
                pickle.dump(told, sys.stdout.buffer)
                sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
