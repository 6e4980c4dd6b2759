"""The playbook give_back.yml: a name that was taken by mistake is upstream's again, and what it had is shown before."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.one_url import OneUrl, remove
from tests.support.playbook import applied, refused, says
from tests.support.public_index import PublicIndex, forbidden

GIVE_BACK = "wheelhouse.pypi.give_back"
CONFIRM = "pypi_give_back_confirm"


@pytest.fixture
def taken(index: Index, publisher: Login, public: PublicIndex, work: Path) -> str:
    """A private project that upstream has since."""
    name = f"taken-{uuid4().hex[:10]}"
    answer = index.upload(publisher, packages.wheel(work, name))
    assert answer.status == 200, answer
    public.publish(name, "9.0")
    public.begin()
    return name


def test_a_name_is_given_back_once_it_has_no_files(
    one: OneUrl, index: Index, publisher: Login, public: PublicIndex, taken: str
) -> None:
    wheel = f"{packages.escaped(taken)}-1.0-py3-none-any.whl"
    assert one.names(taken) == [wheel]
    says(
        refused(playbook=GIVE_BACK, pypi_project=taken, **{CONFIRM: taken}),
        f"{taken} still has files: {wheel}. Remove them first (docs/releases.md#remove), then run this again",
    )
    assert remove(index, publisher, taken, "1.0").status == 200
    checked = applied(GIVE_BACK, "--check", "--diff", pypi_project=taken, **{CONFIRM: taken})
    says(checked.message(), f"{taken} would be given back", "by publisher, removed")
    # NGINX and both replicas know it as private.
    assert {one.page(taken).status for _try in range(6)} == {404}
    assert not forbidden(public.log(), [taken])
    done = applied(GIVE_BACK, pypi_project=taken, **{CONFIRM: taken.upper()})
    says(done.message(), f"{taken} was given back: https://public.example.org/simple/ answers for it.")
    assert done.changed == 1
    for _try in range(6):
        (entry,) = one.files(taken)
        assert "-9.0" in entry["filename"], entry
    assert one.get(one.address(taken)).status == 200
