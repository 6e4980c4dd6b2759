"""A stranger's release of a private name never takes its place: no request for such a name leaves the index."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.one_url import JSON, OneUrl, installed, remove
from tests.support.public_index import PublicIndex, forbidden
from tests.support.stack import Stack, eventually

FOLDERS = ("simple", "+simple", "%2Bsimple", "simple/x/..", "simple/.", "simple//", "SIMPLE", "pypi", "why")
SPELLINGS = (
    *("acme-secret", "Acme_Secret", "acme.secret", "ACME-SECRET", "acme--secret", "acme_.-secret", "%61cme-secret"),
    *(
        "acme%2Dsecret",
        "acme%2dsecret",
        "acme%252Dsecret",
        "%41cme%5Fsecret",
        "acme-secret%00",
        "acme-secret%0a",
        "acme-secret%20",
    ),
    *(
        "acme-secret%2F",
        "./acme-secret",
        "x/../acme-secret",
        "x%2F..%2Facme-secret",
        "acme-secret;a",
        "acme-secret?x=1",
    ),
    *("internal-tools", "Internal.Tools", "internal__tools", "%69nternal-tools", "acme-", "acme-."),
)
# What a stranger's file says of itself; no answer may have it.
STRANGE = b"99.0"


def stranger_file(public: PublicIndex, name: str) -> str:
    """Return the path that a stranger's file has upstream."""
    (entry,) = public.page(name)["files"]
    return urlsplit(entry["url"]).path


def test_strangers_do_have_these_names(public: PublicIndex) -> None:
    for name in ("acme-secret", "internal-tools", "acme-anything"):
        assert public.page(name)["versions"] == ["99.0"], name
        assert b"99.0" in public.content(stranger_file(public, name).rpartition("/")[2])


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_page_of_a_private_name_in_any_spelling(one: OneUrl, public: PublicIndex, folder: str) -> None:
    statuses = []
    for name in SPELLINGS:
        for end in ("/", "", "/json"):
            answer = one.get(f"/{folder}/{name}{end}", {"Accept": JSON})
            statuses.append(answer.status)
            assert STRANGE not in answer.body and answer.status < 500, (folder, name, end, answer)
    print(folder, {status: statuses.count(status) for status in set(statuses)})
    assert not public.asked(), "nothing at all goes upstream"


def test_a_made_up_address_of_a_private_file(one: OneUrl, public: PublicIndex) -> None:
    path = stranger_file(public, "acme-secret")
    of_page = one.address("click")
    statuses = []
    for name in (*SPELLINGS, "click", "click/..", "click/../acme-secret", "click%2F..%2Facme-secret"):
        for place in (
            *(
                f"files.example.org{path}",
                f"FILES.example.org{path}",
                f"files.example.org:443{path}",
                f"files.example.org/{path}",
            ),
            *(
                f"public.example.org{path}",
                f"elsewhere.example.net{path}",
                f"files.example.org@elsewhere.example.net{path}",
            ),
            *(
                f"127.0.0.1{path}",
                f"files.example.org/packages/..{path}",
                f"files.example.org%2F{path}",
                f"x/files.example.org{path}",
            ),
            *(
                "public.example.org/simple/acme-secret/",
                f"files.example.org/packages/{of_page.rpartition('/')[2]}/../..{path}",
            ),
        ):
            for end in ("", ".metadata", "?x"):
                answer = one.get(f"/public/{name}/{place}{end}")
                statuses.append(answer.status)
                assert answer.status >= 300 and STRANGE not in answer.body.replace(b"secret-99.0", b""), (
                    name,
                    place,
                    answer,
                )
    print({status: statuses.count(status) for status in set(statuses)})


def test_the_insides_of_the_way_out_are_not_reached(one: OneUrl, public: PublicIndex) -> None:
    path = stranger_file(public, "acme-secret")
    for address in (
        *(
            "/kept/0/acme-secret",
            "/last/0/acme-secret",
            "/unkept/0/acme-secret",
            "/kept/0/click",
            "/page/acme-secret",
            "/page/click",
        ),
        *(
            f"/file/files.example.org{path}",
            f"/_public/acme-secret/files.example.org{path}",
            f"/_public/click/files.example.org{path}",
        ),
    ):
        for spelt in (address, f"/simple/..{address}", address.replace("/_", "/%5F")):
            answer = one.get(spelt)
            assert answer.status in (301, 302, 307, 308, 400, 403, 404), (spelt, answer)
            assert STRANGE not in answer.body.replace(b"secret-99.0", b"")
    assert not public.asked()


def test_raw_requests_that_no_client_sends(index: Index, reader: Login, public: PublicIndex) -> None:
    place, login = urlsplit(index.url), reader.header()["Authorization"]
    for target in (
        *(
            "http://public.example.org/simple/acme-secret/",
            "https://files.example.org/x",
            "/simple/acme-secret/ HTTP/1.0\r\nX: y",
        ),
        *(
            "/simple/click/\r\nHost: public.example.org",
            "/simple/acme-secret/#",
            "//public.example.org/simple/acme-secret/",
        ),
    ):
        lines = [f"GET {target} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: {login}", "", ""]
        with socket.create_connection((place.hostname or "", place.port or 80), timeout=20) as connection:
            connection.sendall("\r\n".join(lines).encode())
            body = b"".join(iter(lambda: connection.recv(65536), b""))
        assert STRANGE not in body, target
    assert not [line for line in public.asked() if "click" not in line]


def test_installers_take_ours_although_theirs_is_newer(
    one: OneUrl, index: Index, publisher: Login, reader: Login, public: PublicIndex, work: Path
) -> None:
    for name in ("acme-ours", "internal-tools"):
        assert index.upload(publisher, packages.wheel(work, name)).status == 200
        assert public.page(name)["versions"] == ["99.0"]
        for client in (index.pip_install, index.uv_install):
            target = work / f"{name}-{client.__name__}"
            done = client(reader, target, name.title())
            assert installed(target) == {f"{packages.escaped(name)}-1.0"}, done.stdout + done.stderr
            refused = client(reader, work / "none", f"{name}==99.0")
            assert refused.returncode, "the stranger's release is nowhere"


def test_a_name_that_was_free_is_private_from_its_first_release_on_for_good(
    host: Any, stack: Stack, one: OneUrl, index: Index, publisher: Login, public: PublicIndex, work: Path
) -> None:
    name = f"later-{uuid4().hex[:10]}"
    assert one.page(name).status == 404
    assert index.upload(publisher, packages.wheel(work, name)).status == 200
    assert one.names(name) == [f"{packages.escaped(name)}-1.0-py3-none-any.whl"], "at once"
    since = len(public.log(0))
    # Now a stranger takes it.
    public.publish(name, "99.0")
    try:
        path = urlsplit(public.page(name)["files"][-1]["url"]).path

        def only_ours() -> None:
            assert STRANGE not in one.page(name).body
            assert one.get(f"/public/{name}/files.example.org{path}").status in (403, 404, 503)
            assert one.get(f"/public/{name.upper()}/files.example.org{path}.metadata").status >= 300

        only_ours()
        assert remove(index, publisher, name, "1.0").status == 200
        assert one.page(name).status == 404, "removed, and still ours"
        only_ours()
        host.check_output(f"find {stack.home}/index -mindepth 1 -delete || true")
        for _try in range(10):
            only_ours()
        eventually(lambda: one.page("click").status == 200, "public pages are there again", 60)
        only_ours()
        assert one.page(name).status == 404
        stack.compose("restart --timeout 1 pypi-server")
        for _try in range(20):
            only_ours()
        stack.wait_until_healthy("pypi-server")
        eventually(lambda: one.page("click").status == 200, "public pages are there again", 60)
        only_ours()
        assert not forbidden(public.log(since), [name])
    finally:
        public.withdraw(name)


def test_reserved_names_are_private_without_a_file(one: OneUrl, public: PublicIndex) -> None:
    assert public.page("acme-never-published")["versions"] == ["99.0"]
    answer = one.page("acme-never-published")
    assert answer.status == 404 and b"acme-never-published" in answer.body
    assert not public.asked()


def test_a_stranger_without_a_rival_is_as_public_as_anyone(one: OneUrl) -> None:
    assert one.names("stranger") == ["stranger-99.0-py3-none-any.whl"]
