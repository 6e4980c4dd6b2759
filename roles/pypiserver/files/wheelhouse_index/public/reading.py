"""Large pages are read in a process of their own, whose memory is limited: some bytes can be made to take hundreds when parsed.

What is wrong with such a page costs that page, and not the container with all its uploads. ``python3 -m
wheelhouse_index.public.reading`` gets a line of JSON and the page, and says in JSON what the page is, or what is wrong with it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from .policy import Patterns, Upstream
from .upstream_page import File, Page, UnusableError, is_large, read

# Of address space, of processor time, and until it is ended. A page of 16 MB of JSON with 23,500 files takes 120 MB and a second.
MEMORY_BYTES, _CPU_SECONDS, SECONDS = 192 * 1024 * 1024, 8, 20.0
_NICENESS = 10
_TOO_MUCH = "it takes too much memory or time to be read"


def read_apart(project: str, upstream: Upstream, body: bytes | bytearray, content_type: str) -> Page:
    """Return upstream's page of a project, as ``upstream_page.read`` does; a large one at a bounded cost.

    Raises:
        UnusableError: if it is no page of that project, or costs too much.
    """
    if not is_large(body, content_type):
        return read(project, upstream, body, content_type)
    said = {"project": project, "url": upstream.url, "hosts": sorted(upstream.hosts), "content_type": content_type}
    folder = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH", ""))))
    try:
        with subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        ) as process:
            try:
                output, _nothing = process.communicate(json.dumps(said).encode() + b"\n" + body, SECONDS)
            except BaseException:
                process.kill()
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnusableError(f"{_TOO_MUCH} ({type(error).__name__})") from error
    if process.returncode:
        raise UnusableError(_TOO_MUCH)
    found = json.loads(output)
    if "error" in found:
        raise UnusableError(found["error"])
    return Page(*found["page"])._replace(files=tuple(File(*row) for row in found["files"]))


def _limit() -> None:
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer() -> dict[str, Any]:
    said = json.loads(sys.stdin.buffer.readline())
    upstream = Upstream(said["url"], Patterns([]), frozenset(said["hosts"]), False)
    try:
        page = read(said["project"], upstream, sys.stdin.buffer.read(), said["content_type"])
    except UnusableError as error:
        return {"error": str(error)}
    return {"page": page._replace(files=()), "files": page.files}


def main() -> int:
    """Read the page on standard input; return the exit code, which is not 0 if that takes too much."""
    _limit()
    try:
        # Piece by piece: the text as a whole would be one copy more.
        for piece in json.JSONEncoder(ensure_ascii=True).iterencode(_answer()):
            sys.stdout.write(piece)
        sys.stdout.flush()
    except MemoryError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
