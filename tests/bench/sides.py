"""The sides that are compared, all on one host: where each is, and who may read there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from tests.support.clients import NOBODY, Index, Login

from .hosts import SERVING, BenchError
from .store import MEASURED, MEASURED_FILES


def token(number: int) -> str:
    """Return a token as wheelhouse.pypi.token makes it, of equal digits."""
    text = "wheelhouse_" + str(number) * 64
    return text + hashlib.sha256(text.encode()).hexdigest()[:8]


READER = Login("reader", "bench-reader")
PUBLISHER = Login("publisher", "bench-publisher")
# Of eight jobs, as logins and as tokens.
PUBLISHERS = tuple(Login(f"job-{number}", f"bench-job-{number}") for number in range(8))
TOKENS = tuple(Login("__token__", token(number)) for number in range(8))
_LINK = re.compile(r'href="([^"#]+)#sha256=([0-9a-f]{64})"')


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        name: what it is called.
        url: its address, without a slash at the end.
        login: who reads there.
        simple: where its simple pages are.
        authority: the file with the certificate that it is known by, where it speaks TLS.
        uploads: where releases are published.
        publishers: eight logins that may publish.
        host: where it runs.
        headers: what its clients send beside the login.
    """

    name: str
    url: str
    login: Login = field(default=NOBODY)
    simple: str = "/simple/"
    authority: str = ""
    uploads: str = "/"
    publishers: tuple[Login, ...] = PUBLISHERS
    host: str = SERVING
    headers: Mapping[str, str] = field(default_factory=dict)

    def page(self, project: str = MEASURED) -> str:
        """Return the path of a project's page."""
        return f"{self.simple}{project}/"

    @property
    def index(self) -> Index:
        """It, as clients see it."""
        return Index(self.url, self.authority)


def files(side: Side, project: str = MEASURED) -> dict[str, str]:
    """Return the paths of the files on a project's page, each with the SHA-256 that the page says.

    Raises:
        BenchError: if the page is not there.
    """
    path = side.page(project)
    answer = side.index.request(path, side.login)
    if answer.status != 200:
        raise BenchError(f"{side.name}: {path} is answered with {answer.status}")
    return {urljoin(path, link): digest for link, digest in _LINK.findall(answer.body.decode())}


def check(side: Side, digests: set[str], *, closed: bool) -> None:
    """Find out whether a side is right: the measured page whole, and shut for strangers where it has to be.

    Args:
        side: the side.
        digests: of the measured project's files.
        closed: whether strangers are to be refused.

    Raises:
        BenchError: with what is wrong.
    """
    found = files(side)
    if set(found.values()) != digests or len(found) != MEASURED_FILES:
        raise BenchError(f"{side.name}: the page of {MEASURED} has other files: {sorted(found)}")
    stranger = side.index.request(side.page()).status
    if (stranger == 401) != closed:
        raise BenchError(f"{side.name}: a stranger's request for the page is answered with {stranger}")
    if closed and side.index.request(side.page(), Login(side.login.name, "wrong")).status not in (401, 403):
        raise BenchError(f"{side.name}: a wrong password opens the page")
