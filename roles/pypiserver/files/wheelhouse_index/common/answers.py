"""Answers in one line. Most publishers show a status line's reason phrase, uv a body of plain text: both say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
# NGINX reads a status line into a buffer of 4 kB.
_REASON_LETTERS = 400
_UNPRINTABLE = re.compile(r"[^ -~]+")


def some(texts: Sequence[str], most: int = 5) -> str:
    """Return some of many texts as one, such as paths."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


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


@dataclass(frozen=True)
class Answer:
    """An answer in a line.

    Attributes:
        status: of HTTP.
        text: the line, however long, and of whatever letters.
        headers: what is to be said besides.
    """

    status: int
    text: str
    headers: Sequence[tuple[str, str]] = ()

    def parts(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status line, headers and body. The line is the reason phrase as well where the request is refused."""
        line = one_line(self.text)
        reason = line[:_REASON_LETTERS] if self.status >= HTTPStatus.BAD_REQUEST else HTTPStatus(self.status).phrase
        body = f"{line}\n".encode()
        kind = ("Content-Type", "text/plain; charset=utf-8")
        return f"{self.status} {reason}", [kind, ("Content-Length", str(len(body))), *self.headers], body


def answer(
    start_response: StartResponse, status: int, text: str, headers: Sequence[tuple[str, str]] = ()
) -> Iterable[bytes]:
    """Answer a request of WSGI in a line."""
    said, own, body = Answer(status, text, headers).parts()
    start_response(said, own)
    return [body]
