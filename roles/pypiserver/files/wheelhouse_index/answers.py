"""Answers in one line. Most publishers show a status line's reason phrase, uv a body of plain text: both say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
# NGINX reads a status line into a buffer of 4 kB.
_REASON_LETTERS = 400
_UNPRINTABLE = re.compile(r"[^ -~]+")


class Refusal(Exception):
    """What a client asked for is not done.

    Attributes:
        status: of the answer.
        reason: what is wrong, and the remedy, in one line.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = one_line(reason)


def one_line(text: str) -> str:
    """Return a text, parts of which a client has sent, as one line of printable ASCII."""
    return _UNPRINTABLE.sub("?", " ".join(text.split()))


def answer(
    start_response: StartResponse, status: int, text: str, headers: Sequence[tuple[str, str]] = ()
) -> Iterable[bytes]:
    """Answer with a line of text, which is the reason phrase as well where the request is refused."""
    line = one_line(text)
    reason = line[:_REASON_LETTERS] if status >= HTTPStatus.BAD_REQUEST else HTTPStatus(status).phrase
    body = f"{line}\n".encode()
    kind = ("Content-Type", "text/plain; charset=utf-8")
    start_response(f"{status} {reason}", [kind, ("Content-Length", str(len(body))), *headers])
    return [body]
