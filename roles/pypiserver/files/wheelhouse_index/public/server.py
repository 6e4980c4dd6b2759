"""Where NGINX asks about public projects: threads of its own, so that an upstream that hangs holds up nothing else."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Mapping
from functools import partial
from urllib.parse import unquote

from ..common.answering import Answering
from ..common.answers import Answer
from .declining import Declined, crowded
from .gate import MOST, Gate, Reply
from .rendering import FORMS
from .upstream_page import FILE_PATH

log = logging.getLogger(__name__)
BUSY = "This index takes no more requests for public projects at the moment. Try again in a second."
_PROJECT = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_REQUEST = re.compile(r"GET (\S+) HTTP/1\.[01]\r\n")
_PAGE_OR_WHY = re.compile(rf"/(page|why)/({_PROJECT})")
_FILE = re.compile(rf"/file/({_PROJECT})/([a-z0-9.-]+(?::[0-9]+)?)/({FILE_PATH.pattern}(?:\.metadata)?)")


class PublicServer(Answering):
    """Answers about public projects.

    Args:
        listening: where NGINX connects. Several processes may share it.
        gate: decides.
        stopping: whether it takes no more.
        most: how many requests it takes at once.
    """

    def __init__(self, listening: socket.socket, gate: Gate, stopping: threading.Event, most: int = MOST) -> None:
        super().__init__(listening, partial(answer, gate), crowded(BUSY).answer(), stopping, most, "public")


def answer(gate: Gate, line: str, headers: Mapping[str, str]) -> Answer | Reply:
    """Return what NGINX gets.

    Args:
        gate: decides.
        line: that the request begins with.
        headers: of the request.
    """
    try:
        request = _REQUEST.fullmatch(line)
        path = unquote(request[1]) if request else ""
        digest = headers.get("X-Policy", "")
        if found := _PAGE_OR_WHY.fullmatch(path):
            if found[1] == "why":
                text = gate.why(found[2], digest).encode()
                return Reply([("Content-Type", "text/plain; charset=utf-8"), ("X-Accel-Expires", "0")], text)
            form = headers.get("X-Form", "")
            return gate.page(found[2], digest, form if form in FORMS else "html")
        if found := _FILE.fullmatch(path):
            return gate.file(found[1], f"{found[2]}/{found[3]}", digest)
        raise Declined(404, "There is no such address on this index.")
    except Declined as error:
        return error.answer()
    except Exception:
        # A bug of ours.
        log.exception("A request for a public project failed: %s", line.strip())
        return Answer(500, "This index failed on that request; the log of pypi-server names the reason.")
