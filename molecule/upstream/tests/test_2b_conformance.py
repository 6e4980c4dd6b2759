"""The checks by which docs/one-url.md compares this index with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.checks import CHECKS, CLIENTS, Case
from tests.conformance.subject import Subject
from tests.support.clients import Index, Login
from tests.support.one_url import EXPIRED, OneUrl
from tests.support.public_index import PublicIndex

# What other modules of this scenario wait for: how long an altered file stays, and how clients install.
ELSEWHERE = ("a public file that comes altered", *CLIENTS)


@pytest.fixture(scope="module")
def case(
    index: Index, publisher: Login, one: OneUrl, public: PublicIndex, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    def put(file: Path) -> None:
        answer = index.upload(publisher, file)
        assert answer.status == 200, answer

    subject = Subject(f"{index.url}/simple/", one.reader, put, public, "acme-reserved", EXPIRED)
    return Case(subject, tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("title", [title for title in CHECKS if not title.startswith(ELSEWHERE)])
def test_conformance(case: Case, title: str) -> None:
    CHECKS[title](case)
