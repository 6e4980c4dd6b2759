"""Whose name it is: the first private release of a name that upstream has is refused, unless the operator says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.one_url import OneUrl, remove
from tests.support.public_index import PublicIndex, forbidden
from tests.support.stack import eventually


def short(body: bytes) -> str:
    """Return the one line of an answer."""
    text = body.decode()
    assert 0 < len(text) < 500 and text.count("\n") <= 1, text
    return text


@pytest.mark.parametrize("name", ["taken", "click", "Stranger"])
def test_a_name_that_upstream_has_is_refused_in_one_line(
    one: OneUrl, index: Index, publisher: Login, public: PublicIndex, work: Path, name: str
) -> None:
    before = one.names(name.lower())
    answer = index.upload(publisher, packages.wheel(work, name, "100.0"))
    assert answer.status == 409, answer
    line = short(answer.body)
    assert "pypi_shadowed_names" in line and name.lower() in line.lower(), line
    assert one.names(name.lower()) == before, "it is as public as it was"


def test_twine_shows_the_reason(index: Index, publisher: Login, work: Path) -> None:
    done = index.twine_upload(publisher, packages.wheel(work, "taken", "100.0"))
    assert done.returncode and "pypi_shadowed_names" in "".join((done.stdout + done.stderr).split()), done.stdout


def test_a_shadowed_name_is_private_from_its_first_release_on(
    one: OneUrl, index: Index, publisher: Login, public: PublicIndex, work: Path
) -> None:
    name = public.publish("shadowed", "5.0")
    entry = one.files(name)[-1]
    path = f"/public/{name}/files.example.org" + entry["url"].partition("files.example.org")[2]
    assert one.get(path).status == 200, "until then it is public"
    answer = index.upload(publisher, packages.wheel(work, name))
    assert answer.status == 200, answer
    public.begin()
    assert one.names(name) == ["shadowed-1.0-py3-none-any.whl"], "files of both are never on one page"
    assert one.get(path).status in (403, 404) and one.get(path + ".metadata").status in (403, 404)
    # As long as it takes until new files are hashed.
    time.sleep(20)
    assert remove(index, publisher, name, "1.0").status == 200
    assert one.page(name).status == 404 and one.get(path).status in (403, 404)
    assert not forbidden(public.log(), [name])


def test_a_new_private_name_is_private_at_once_and_for_good(
    one: OneUrl, index: Index, publisher: Login, public: PublicIndex, work: Path
) -> None:
    name = "acme-new"
    assert one.page(name).status == 404
    assert index.upload(publisher, packages.wheel(work, name)).status == 200
    assert one.names(name) == ["acme_new-1.0-py3-none-any.whl"]
    assert remove(index, publisher, name, "1.0").status == 200
    for _try in range(5):
        assert one.page(name).status == 404
        time.sleep(0.5)
    assert not public.asked()


def test_a_reserved_name_is_published_while_upstream_is_away_and_another_one_is_not(
    one: OneUrl, index: Index, publisher: Login, public: PublicIndex, work: Path
) -> None:
    other = f"neither-{time.time_ns()}"
    with public.fault("500", "pages"):
        assert index.upload(publisher, packages.wheel(work, "acme-while-away")).status == 200
        answer = index.upload(publisher, packages.wheel(work, other))
        assert answer.status == 503, answer
        print(short(answer.body))
        assert one.page(other).status in (404, 502)
    eventually(
        lambda: index.upload(publisher, packages.wheel(work, other)).status == 200,
        "it is published, as upstream lacks it",
        20,
    )
    assert one.names(other)


def test_more_releases_of_a_private_name_ask_nobody(
    index: Index, publisher: Login, public: PublicIndex, work: Path
) -> None:
    name = f"mine-{time.time_ns()}"
    assert index.upload(publisher, packages.wheel(work, name)).status == 200
    public.publish(name, "99.0")
    public.begin()
    with public.fault("hang", "pages"):
        for version in ("1.1", "1.2"):
            assert index.upload(publisher, packages.wheel(work, name, version)).status == 200
    assert not public.asked(name)


def test_a_token_gets_the_same_answer(index: Index, variables: dict[str, object], work: Path) -> None:
    (entry,) = variables["pypi_tokens"]  # type: ignore[misc]
    token = Login("__token__", entry["secret"])  # type: ignore[has-type]
    assert index.upload(token, packages.wheel(work, "acme-by-token")).status == 200
    refused = index.upload(token, packages.wheel(work, "taken", "100.0"))
    assert refused.status == 403, "without the right it does not even learn that upstream has it"
