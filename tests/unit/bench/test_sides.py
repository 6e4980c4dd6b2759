"""What is compared has to be right before it is timed."""

from __future__ import annotations

import pytest

from tests.bench import sides
from tests.bench.hosts import BenchError
from tests.bench.sides import READER, Side
from tests.support.clients import NOBODY, Answer, Index, Login

_DIGESTS = [f"{number:064x}" for number in range(10)]
_LINES = [f'<a href="../../packages/p-1.{n}.whl#sha256={digest}">p</a>' for n, digest in enumerate(_DIGESTS)]


def _answering(monkeypatch: pytest.MonkeyPatch, lines: list[str], opens: tuple[Login, ...]) -> Side:
    def request(index: Index, path: str, login: Login = NOBODY) -> Answer:
        return Answer(200 if login in opens else 401, {}, "".join(lines).encode())

    monkeypatch.setattr(Index, "request", request)
    return Side("ours", "http://192.0.2.1", READER)


def test_links_of_a_page_are_relative_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sides.files(_answering(monkeypatch, _LINES[:1], (READER,)))
    assert found == {"/packages/p-1.0.whl": _DIGESTS[0]}


def test_a_page_that_is_whole_and_shut_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    sides.check(_answering(monkeypatch, _LINES, (READER,)), set(_DIGESTS), closed=True)


@pytest.mark.parametrize(
    ("lines", "opens", "said"),
    [
        (_LINES[:9], (READER,), "has other files"),
        (_LINES, (), "answered with 401"),
        (_LINES, (READER, NOBODY), "a stranger's request"),
        (_LINES, (READER, Login("reader", "wrong")), "a wrong password"),
    ],
)
def test_what_is_not_right_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, lines: list[str], opens: tuple[Login, ...], said: str
) -> None:
    with pytest.raises(BenchError, match=said):
        sides.check(_answering(monkeypatch, lines, opens), set(_DIGESTS), closed=True)
