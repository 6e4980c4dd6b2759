"""Public pages and files are as modern as private ones: forms, hashes, HEAD, Range, ETag, compression."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from pypi_simple import ProjectPage

from tests.ground.public_index import OWN_MATTERS
from tests.support.clients import NOBODY, Index, Login
from tests.support.one_url import FOLLOWS, HTML, JSON, OneUrl, is_right, path_of
from tests.support.public_index import PublicIndex
from tests.support.stack import eventually

FORMS = {JSON: JSON, HTML: HTML, "text/html": "text/html"}


def test_a_page_says_what_upstream_says(one: OneUrl, public: PublicIndex) -> None:
    for project in ("click", "urllib3", "markupsafe", "local", "docopt-ng"):
        upstream = public.page(project)
        page = json.loads(one.page(project).body)
        assert page["meta"]["api-version"].startswith("1.") and page["name"] == project
        assert page["versions"] == upstream["versions"]
        # A page says nothing of what is normal.
        assert page.get("project-status", {"status": "active"}) == upstream["project-status"]
        for mine, theirs in zip(page["files"], upstream["files"], strict=True):
            for key in ("filename", "hashes", "size", "core-metadata"):
                assert mine[key] == theirs[key], (mine, theirs)
            assert mine.get("yanked", False) == theirs["yanked"]
            for key in ("requires-python", "provenance"):
                assert mine.get(key) == theirs.get(key), (mine, theirs)
            assert mine["upload-time"][:19] == theirs["upload-time"][:19]
            # Relative, so that a lock file holds on every index of this kind.
            assert mine["url"].startswith(f"../../public/{project}/files.example.org/packages/"), mine


def test_all_forms_of_a_page_say_the_same(one: OneUrl) -> None:
    document = json.loads(one.page("click").body)
    found = ProjectPage.from_json_data(document, base_url="http://pypi.example.com/simple/click/").packages
    wanted = [(file.filename, file.url, file.digests, file.is_yanked, file.requires_python) for file in found]
    for accept in (HTML, "text/html"):
        html = one.get("/simple/click/", {"Accept": accept}).body
        found = ProjectPage.from_html("click", html, base_url="http://pypi.example.com/simple/click/").packages
        assert [
            (file.filename, file.url, file.digests, file.is_yanked, file.requires_python) for file in found
        ] == wanted


@pytest.mark.parametrize("accept", FORMS)
def test_a_page_can_be_asked_for_in_all_ways(one: OneUrl, fresh: str, accept: str) -> None:
    path, wanted = f"/simple/{fresh}/", {"Accept": accept}
    head = one.get(path, wanted, "HEAD")
    assert head.status == 200 and not head.body, "HEAD, before anyone has read the page"
    plain = one.get(path, wanted)
    assert plain.status == 200 and plain.headers["content-type"].startswith(FORMS[accept]), plain
    assert "content-encoding" not in plain.headers
    packed = one.get(path, {**wanted, "Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body
    for answer in (plain, packed, head):
        assert "accept" in answer.headers["vary"].lower() and answer.headers["etag"]
    for answer in (plain, packed):
        coding = {"Accept-Encoding": "gzip"} if answer is packed else {}
        again = one.get(path, {**wanted, **coding, "If-None-Match": answer.headers["etag"]})
        assert again.status == 304 and not again.body
    assert one.get(path, {**wanted, "If-None-Match": '"another"'}).status == 200


def test_a_page_of_5000_files_is_whole(one: OneUrl, public: PublicIndex) -> None:
    files = one.files("many")
    assert [file["hashes"] for file in files] == [file["hashes"] for file in public.page("many")["files"]]
    assert is_right(one.get(path_of("many", files[2500])), files[2500])


def test_a_page_has_one_address(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    for path in (f"/simple/{fresh}", f"/simple/{fresh.upper()}/", f"/simple/{fresh.replace('-', '_')}/"):
        answer = one.get(path)
        assert answer.status in (301, 302, 303, 307, 308), (path, answer)
        target = urlsplit(answer.headers["location"]).path
        assert target == f"/simple/{fresh}/" or one.get(target).headers.get("location", "").endswith(
            f"/simple/{fresh}/"
        )
    assert one.page(fresh).status == 200


def test_what_no_index_has_is_404(one: OneUrl) -> None:
    for path in (
        "/simple/neither-here-nor-there/",
        "/public/click/files.example.org/packages/00/00/click-9.9-py3-none-any.whl",
    ):
        answer = one.get(path)
        assert answer.status == 404, (path, answer)
        assert answer.body.strip(), "it says why"


def test_a_file_can_be_asked_for_in_all_ways(one: OneUrl, fresh: str) -> None:
    entry = one.files(fresh)[-1]
    path = path_of(fresh, entry)
    head = one.get(path, method="HEAD")
    assert head.status == 200 and head.headers["content-length"] == str(entry["size"]) and not head.body
    whole = one.get(path)
    assert is_right(whole, entry)
    assert whole.headers["etag"] and whole.headers["accept-ranges"] == "bytes"
    for asked, part in (
        ("bytes=0-9", whole.body[:10]),
        ("bytes=100-", whole.body[100:]),
        ("bytes=-5", whole.body[-5:]),
    ):
        answer = one.get(path, {"Range": asked})
        assert answer.status == 206 and answer.body == part, asked
    assert one.get(path, {"Range": f"bytes={entry['size']}-"}).status == 416
    assert one.get(path, {"Range": "bytes=0-9", "If-Range": '"another"'}).status == 200
    assert one.get(path, {"If-None-Match": whole.headers["etag"]}).status == 304
    metadata = one.get(path + ".metadata")
    assert metadata.status == 200
    assert hashlib.sha256(metadata.body).hexdigest() == entry["core-metadata"]["sha256"]


def test_a_range_of_a_file_that_was_never_read(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    entry = one.files(fresh)[0]
    answer = one.get(path_of(fresh, entry), {"Range": "bytes=-22"})
    assert answer.status == 206 and answer.body == public.content(entry["filename"])[-22:]


def test_a_large_file_is_whole_and_comes_in_parts(host: Any, one: OneUrl, index: Index, reader: Login) -> None:
    (entry,) = one.files("big")
    path = path_of("big", entry)
    middle = 8 * 1024 * 1024
    # Around the edge of a slice, and within the last one.
    for first, length in ((middle - 100, 200), (entry["size"] - 300, 300), (0, 10), (250 * 1024 * 1024 + 7, 1000)):
        answer = one.get(path, {"Range": f"bytes={first}-{first + length - 1}"})
        command = f"tail --bytes +{first + 1} /srv/public/{entry['filename']} | head --bytes {length} | base64 --wrap 0"
        assert answer.status == 206 and answer.body == base64.b64decode(host.check_output(command))
    for state in ("cold", "cached"):
        address = urlsplit(index.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        connection.request("GET", path, headers=reader.header())
        answered, digest = connection.getresponse(), hashlib.sha256()
        while piece := answered.read(1 << 20):
            digest.update(piece)
        connection.close()
        assert digest.hexdigest() == entry["hashes"]["sha256"], state


def test_plus_signs_are_found_however_they_are_written(one: OneUrl) -> None:
    (entry,) = one.files("local")
    path = path_of("local", entry)
    for spelt in (
        path.replace("%2B", "+"),
        path.replace("%2B", "+").replace("+", "%2B"),
        path.replace("%2B", "+").replace("+", "%2b"),
    ):
        assert is_right(one.get(spelt), entry), spelt


def test_readers_alone_get_public_pages_and_files(one: OneUrl, index: Index, fresh: str) -> None:
    path = one.address(fresh)
    assert one.get(path).status == 200
    for address in (f"/simple/{fresh}/", path, path + ".metadata", f"/why/{fresh}/"):
        assert index.request(address, NOBODY).status == 401, address
        assert index.request(address, Login("reader", "wrong")).status == 401, address
        assert one.get(address, method="POST").status in (403, 405), address


def test_what_upstream_says_of_itself_rules_nothing_here(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    wheel = public.content(f"{fresh.replace('-', '_')}-1.0-py3-none-any.whl")
    with public.fault("headers", "pages"), public.fault("headers", "files"):
        # The second answer comes from the cache, which has upstream's headers as they came.
        for time in ("first", "second"):
            page = one.page(fresh)
            entry = next(file for file in json.loads(page.body)["files"] if "-1.0-" in file["filename"])
            file = one.get(path_of(fresh, entry))
            print(time, file.headers)
            assert file.status == 200 and file.body == wheel, f"{time} request: another file"
            assert file.headers["content-type"] == "application/octet-stream"
            for answer in (page, file):
                found = {name.lower() for name in OWN_MATTERS} & answer.headers.keys()
                assert not found, f"{time} request: {found}"


def test_upstream_hears_nothing_of_clients(one: OneUrl, public: PublicIndex, index: Index, fresh: str) -> None:
    said = {
        "Cookie": "session=secret",
        "X-Forwarded-For": "203.0.113.7",
        "Referer": "https://intranet.example.com/",
        "Forwarded": "for=203.0.113.7",
        "X-Api-Key": "secret",
        "User-Agent": "pip/26.3 of-a-person",
        "Accept": JSON,
    }
    entry = json.loads(one.get(f"/simple/{fresh}/", said).body)["files"][0]
    for path in (path_of(fresh, entry), path_of(fresh, entry) + ".metadata"):
        assert one.get(path, said).status == 200
    log = public.log()
    assert len(log) >= 3, log
    for entry in log:
        heard = json.dumps(entry["headers"])
        for word in ("secret", "203.0.113.7", "intranet", "of-a-person", one.reader.header()["Authorization"]):
            assert word not in heard, entry


def test_what_upstream_yanks_removes_and_quarantines_follows(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    path = one.address(fresh)
    assert one.get(path).status == 200
    public.publish(fresh, "2.0", yanked="does not work")
    eventually(lambda: one.files(fresh)[-1].get("yanked") == "does not work", "the yank is seen", FOLLOWS)
    public.withdraw(fresh, "2.0")
    eventually(lambda: len(one.files(fresh)) == 1, "the removal is seen", FOLLOWS)
    public.status(fresh, "quarantined")
    eventually(lambda: one.names(fresh) == [], "the quarantine is seen", FOLLOWS)
    public.status(fresh, "archived")
    eventually(
        lambda: json.loads(one.page(fresh).body)["project-status"]["status"] == "archived",
        "the status is seen",
        FOLLOWS,
    )


def test_an_upstream_with_html_alone_is_as_good(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    with public.fault("html", "pages"):
        files = one.files(fresh)
        assert [file["filename"] for file in files] == [
            file["filename"] for file in public.page(fresh)["files"]
        ] or not files
    # HTML has no upload times: with a minimum age, such files are held back where the operator has not allowed them.
    torch = one.files("torch")
    assert torch[0]["hashes"] == public.page("torch")["files"][0]["hashes"]
    assert is_right(one.get(path_of("torch", torch[0])), torch[0])
