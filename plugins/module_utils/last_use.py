# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When logins and tokens were last used, by the access log of the index.

The service account owns the folder, so nothing in it is trusted: files are opened without following links, and lines that
NGINX has not written are no lines. Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import zlib
from typing import IO, Iterable, Iterator

from ansible_collections.wheelhouse.pypi.plugins.module_utils import nofollow

# In the order of time, but for the current one; roles/stack/templates/rotate.sh.j2 gives them their names.
_CURRENT = "access.log"
_ROTATED = re.compile(r"access-[0-9T:Z-]+\.log(?:\.gz)?\Z")
# As log_format in roles/nginx/templates/nginx.conf.j2. NGINX escapes quotes in what clients send.
_LINE = re.compile(
    rb'\{"time":"(?P<time>[0-9T:+Z-]{19,32})","client":"[^"]*","user":"(?P<user>(?:[^"\\]|\\.)+)",'
    rb'.*?","status":[0-9]{3},"bytes":.*?"verdict":"(?P<verdict>[0-9]*)","agent":'
)
_TIME = re.compile(rb'\{"time":"([0-9T:+Z-]{19,32})"')
# The login was accepted; 403: it may not read. Without a verdict it was not looked at, and what the client says is logged.
_ACCEPTED = (b"200", b"204", b"403")
_LINE_BYTES = 256 * 1024


def last_use(folder: str, names: Iterable[str]) -> tuple[dict[str, str], str]:
    """Return when each name was last used, and when the log begins; raise OSError where the folder cannot be read.

    Args:
        folder: with the access log.
        names: of logins and ids of tokens.

    Returns:
        Name -> time, as NGINX writes it (ISO 8601), without names that the log does not have. The beginning is empty where
        there is no log, or where it did not matter because all names were found.
    """
    missing = set(names)
    found: dict[str, str] = {}
    begins = ""
    with nofollow.folder(folder) as here:
        rotated = sorted(filter(_ROTATED.match, os.listdir(here)), reverse=True)
        for name in (_CURRENT, *rotated):
            if not missing:
                return found, ""
            here_found, first = _uses(_lines(name, here), missing)
            found.update(here_found)
            missing -= here_found.keys()
            begins = first or begins
    return found, begins


def _uses(lines: Iterable[bytes], names: set[str]) -> tuple[dict[str, str], str]:
    """Return the last use of each name in the lines of a file, and the time of the first line."""
    found: dict[bytes, bytes] = {}
    first = b""
    for line in lines:
        began = None if first else _TIME.match(line)
        first = began[1] if began else first
        match = _LINE.match(line)
        if match and match["verdict"] in _ACCEPTED:
            found[match["user"]] = match["time"]
    uses = {_text(user): time.decode("ascii") for user, time in found.items()}
    return {name: time for name, time in uses.items() if name in names}, first.decode("ascii")


def _text(user: bytes) -> str:
    """Return a name without NGINX's escapes; empty for what is none."""
    try:
        return str(json.loads(b'"%s"' % user))
    except ValueError:
        return ""


def _lines(name: str, folder: int) -> Iterator[bytes]:
    """Lines of a file of the log; none where it is no file, and no more where it is damaged."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return
    with os.fdopen(descriptor, "rb") as raw:
        file: IO[bytes] = gzip.GzipFile(fileobj=raw) if name.endswith(".gz") else raw  # type: ignore[assignment]
        try:
            # No line is longer: NGINX takes lines of 8 KiB, and an escaped letter has six.
            yield from iter(lambda: file.readline(_LINE_BYTES), b"")
        except (OSError, EOFError, zlib.error):
            return
