"""What the modules of this scenario share: the stand-in for public indexes, and the rule that holds in all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import hosts, packages
from tests.support.clients import Index, Login
from tests.support.one_url import OneUrl
from tests.support.public_index import PublicIndex, forbidden

# As molecule.yml reserves them.
RESERVED = ("internal-tools",)
RESERVED_PREFIXES = ("acme-",)


@pytest.fixture(scope="module")
def public(host: Any) -> PublicIndex:
    """The stand-in on the host."""
    return PublicIndex(hosts.address(host))


@pytest.fixture(scope="module")
def one(index: Index, reader: Login) -> OneUrl:
    """The index, as the reader sees it."""
    return OneUrl(index, reader)


@pytest.fixture(autouse=True)
def private_stays_private(public: PublicIndex) -> Iterator[None]:
    """In no test is a private name, a login or a client's address heard upstream; faults end with the test."""
    public.heal()
    public.begin()
    yield
    public.heal()
    said = forbidden(public.log(), RESERVED, RESERVED_PREFIXES)
    assert not said, f"{len(said)} requests went upstream that must not: {said[:5]}"


@pytest.fixture
def fresh(public: PublicIndex) -> str:
    """A public project that no other test uses, old enough, with two releases."""
    name = f"fresh-{uuid4().hex[:10]}"
    for version in ("1.0", "2.0"):
        public.publish(name, version)
    return name


@pytest.fixture(scope="module")
def private(index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A private project, published."""
    name = f"acme-{uuid4().hex[:10]}"
    file = packages.wheel(tmp_path_factory.mktemp("private"), name)
    answer = index.upload(publisher, file)
    assert answer.status == 200, answer
    return name


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder for files that are published."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder
