# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hands files to the import of a running index, by a pipe into its container."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import IO, Any, Iterator, Tuple, cast

from ansible.module_utils.basic import AnsibleModule

_CHUNK = 1024 * 1024
# So long a file must not have changed before it is read: longer than the clock of any file system takes to move on.
_SETTLED_SECONDS = 1.0
# A warning names no more files than this, and counts the rest.
_NAMED = 20
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# A file's path below the folder, what became of it, and why.
Done = Tuple[str, str, str]


class Stopped(Exception):
    """The import cannot go on; says why."""


def container_of(module: AnsibleModule, instance: str) -> str:
    """Return the id of the container that takes uploads; raise Stopped where none runs."""
    labels = {"com.docker.compose.project": instance, "com.docker.compose.service": "pypi-server"}
    filters = ["--filter=label=%s=%s" % label for label in (*labels.items(), ("com.docker.compose.oneoff", "False"))]
    status, text, _stderr = module.run_command(
        ["docker", "ps", "--quiet", "--no-trunc", "--filter=status=running", *filters]
    )
    if status != 0 or not text.split():
        raise Stopped("the index %s does not run on this host; run wheelhouse.pypi.site first" % instance)
    return text.split()[0]


def shown(path: str) -> str:
    """Return a path for a message: others may have put anything into a name."""
    return _UNPRINTABLE.sub("?", path)


def some(lines: list[str]) -> str:
    """Return lines for a warning: not all, where there are thousands."""
    more = ["and %d more" % (len(lines) - _NAMED)] if len(lines) > _NAMED else []
    return "".join("\n- %s" % line for line in [*lines[:_NAMED], *more])


class Index:
    """The import of the running index, which takes files one after the other."""

    def __init__(self, container: str, check: bool) -> None:
        command = ["docker", "exec", "--interactive", container, "python3", "-m", "wheelhouse_index", "import"]
        # Not a pipe: it is read at the end only.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command + (["--check"] if check else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)

    def take(self, path: str, file: IO[bytes]) -> list[Done]:
        """Offer an open file; return what became of files, this one or those before it."""
        # One that is being written in place may hold still in the middle of it, and look whole.
        mtime = os.fstat(file.fileno()).st_mtime_ns
        age = time.time() - mtime / 1e9
        if 0 <= age < _SETTLED_SECONDS:
            time.sleep(_SETTLED_SECONDS - age)
        digest = hashlib.sha256()
        size = 0
        for data in iter(lambda: file.read(_CHUNK), b""):
            digest.update(data)
            size += len(data)
        if os.fstat(file.fileno()).st_mtime_ns != mtime:
            return [(path, "refused", "it is being written; import it once it is complete")]
        offer = {"path": path, "size": size, "mtime_ns": mtime, "sha256": digest.hexdigest()}
        answer = self._ask([json.dumps(offer).encode() + b"\n"])
        if answer.get("send"):
            file.seek(0)
            answer = self._ask(_exactly(file, size))
        return answer["done"]

    def finish(self) -> list[Done]:
        """Tell it that this was the last file; return what became of the rest."""
        self._close()
        answer = self._ask([])
        if self._process.wait() != 0:
            raise Stopped(self._trouble())
        return answer["done"]

    def kill(self) -> None:
        """End it, finished or not."""
        self._close()
        self._process.kill()
        self._process.wait()

    def _close(self) -> None:
        # What is still to be written goes nowhere where it has ended.
        with suppress(OSError):
            self._input.close()

    def _ask(self, chunks: Iterator[bytes] | list[bytes]) -> dict[str, Any]:
        # Where it has stopped reading, it has said why.
        with suppress(BrokenPipeError):
            for chunk in chunks:
                self._input.write(chunk)
            if chunks:
                self._input.flush()
        line = self._output.readline()
        if not line:
            self._process.wait()
            raise Stopped(self._trouble())
        answer: dict[str, Any] = json.loads(line)
        if "stop" in answer:
            raise Stopped(answer["stop"])
        return answer

    def _trouble(self) -> str:
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", "replace").strip()
        return "pypi-server ended it: %s" % (text.splitlines() or ["without a word"])[-1]


def _exactly(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield so many bytes of a file; zeros where they cannot be read any more, which its digest then tells."""
    while size:
        data = b""
        with suppress(OSError):
            data = file.read(min(_CHUNK, size))
        data = data or bytes(min(_CHUNK, size))
        size -= len(data)
        yield data
