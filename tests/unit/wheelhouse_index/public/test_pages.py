"""Pages of public projects: what upstream's say is read, judged and said again with addresses of this index."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from pypi_simple import ProjectPage
from wheelhouse_index.common.answers import Answer
from wheelhouse_index.public.gate import Reply

from tests.support.outlet import FILES_HOST, HOST, JSON, Said, html, listed, page
from tests.support.public import Public

WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"
SHA = "ab" * 32


def got(answer: Answer | Reply) -> Reply:
    assert isinstance(answer, Reply), answer
    return answer


def refused(answer: Answer | Reply) -> tuple[int, str, dict[str, str]]:
    assert isinstance(answer, Answer), answer
    print(answer.status, answer.text)
    return answer.status, answer.text, dict(answer.headers)


def document(answer: Answer | Reply) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(got(answer).body)))


def files(answer: Answer | Reply) -> list[str]:
    return [file["filename"] for file in document(answer)["files"]]


def test_all_that_upstream_says_is_passed_on_and_addresses_lead_here(public: Public) -> None:
    meta = "cd" * 32
    public.outlet.serve(
        "demo",
        listed(WHEEL, "packages/a/b/" + WHEEL, core_metadata={"sha256": meta}, requires_python=">=3.8"),
        listed("demo-1.1+cu1.tar.gz", "x/demo-1.1%2Bcu1.tar.gz", yanked="broken <b>", size=...),
        listed("Demo-2.0-py3-none-any.whl", host=HOST, provenance=f"https://{HOST}/integrity/x", yanked=True),
        **{"project-status": {"status": "deprecated", "reason": "use\nother"}},
    )
    reply = got(public.ask("/page/demo"))
    headers = dict(reply.headers)
    assert headers["Content-Type"] == JSON
    assert (headers["Content-Encoding"], headers["X-Accel-Expires"]) == ("gzip", "600")
    found = document(reply)
    assert found["project-status"] == {"status": "deprecated", "reason": "use other"}
    assert found["versions"] == ["1.0", "1.1+cu1", "2.0"]
    first, second, third = found["files"]
    assert first["url"] == f"../../public/demo/{FILES_HOST}/packages/a/b/{WHEEL}"
    assert (first["core-metadata"], first["requires-python"]) == ({"sha256": meta}, ">=3.8")
    assert (first["upload-time"], first["size"]) == ("2020-01-01T00:00:00.000000Z", len(WHEEL))
    assert second["url"] == f"../../public/demo/{FILES_HOST}/x/demo-1.1+cu1.tar.gz"
    assert second["yanked"] == "broken <b>"
    assert (third["yanked"], third["provenance"]) == (True, f"https://{HOST}/integrity/x")
    both = ProjectPage.from_json_data(found, base_url="https://own/simple/demo/")
    text = gzip.decompress(got(public.ask("/page/demo", form="html")).body)
    parsed = ProjectPage.from_html("demo", text, base_url="https://own/simple/demo/")
    for one, other in zip(both.packages, parsed.packages, strict=True):
        assert (one.filename, one.url, one.digests) == (other.filename, other.url, other.digests)
        assert (one.requires_python, one.is_yanked, one.metadata_digests) == (
            other.requires_python,
            other.is_yanked,
            other.metadata_digests,
        )
    types = [dict(got(public.ask("/page/demo", form=form)).headers)["Content-Type"] for form in ("html", "text")]
    assert types == ["application/vnd.pypi.simple.v1+html", "text/html; charset=utf-8"]


def test_an_html_upstream_says_the_same_as_far_as_it_can(public: Public) -> None:
    public.outlet.say(
        "demo",
        html(
            f'<a href="../../files/{WHEEL}#sha256={SHA}" data-requires-python="&gt;=3.8" data-core-metadata="sha256={SHA}">'
            f"{WHEEL}</a>",
            f'<a href="https://{FILES_HOST}/{SDIST}#sha256={SHA.upper()}" data-yanked>{SDIST}</a>',
            f'<a href="{WHEEL}">no hash</a>',
            f'<a href="https://{FILES_HOST}/demo-2.0.zip#md5=00">demo-2.0.zip</a>',
            '<a href="/">home</a>',
            head='<meta name="pypi:repository-version" content="1.3"><base href="/simple/demo/">',
        ),
    )
    found = document(public.ask("/page/demo"))["files"]
    assert [(file["filename"], file["url"]) for file in found] == [
        (WHEEL, f"../../public/demo/{HOST}/files/{WHEEL}"),
        (SDIST, f"../../public/demo/{FILES_HOST}/{SDIST}"),
    ]
    assert [file["hashes"]["sha256"] for file in found] == [SHA, SHA]
    assert (found[0]["requires-python"], found[0]["core-metadata"]) == (">=3.8", {"sha256": SHA})
    assert found[1]["yanked"] is True


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (listed(SDIST, host="evil.example.com"), "file_hosts"),
        (listed(SDIST, hashes={}), "no sha256"),
        (listed(SDIST, hashes={"sha256": "z" * 64}), "no sha256"),
        (listed(SDIST, hashes=...), "no sha256"),
        (listed(SDIST, url=f"https://{FILES_HOST}/a/../{SDIST}"), "characters"),
        (listed(SDIST, url=f"https://{FILES_HOST}/a/%2e%2e/{SDIST}"), "characters"),
        (listed(SDIST, url=f"https://{FILES_HOST}/a%2F{SDIST}"), "encoded slash"),
        (listed(SDIST, url=f"https://{FILES_HOST}/a%0a/{SDIST}"), "characters"),
        (listed(SDIST, url=f"https://{FILES_HOST}/.a/{SDIST}"), "characters"),
        (listed(SDIST, url=f"https://{FILES_HOST}/{SDIST}?token=1"), "query"),
        (listed(SDIST, url=f"https://user:pw@{FILES_HOST}/{SDIST}"), "login"),
        (listed(SDIST, url=f"http://{FILES_HOST}/{SDIST}"), "not https"),
        (listed(SDIST, url=f"https://{FILES_HOST}:8443/{SDIST}"), "file_hosts"),
        (listed(SDIST, url="https://[/"), ""),
        (listed(SDIST, url=7), "no name or address"),
        (listed(SDIST, "a/" * 600 + SDIST), "characters"),
        (listed(SDIST, "a" * 250 + "/" + SDIST), "more than"),
        (listed(SDIST, f"packages/{WHEEL}"), "not the one in its address"),
        (listed("demo-1.0.exe"), "ends with none"),
        (listed("acme-secret-1.0-py3-none-any.whl"), "not a file of demo"),
        (listed("demo-extra-1.0.tar.gz"), "not a file of demo"),
        (listed(SDIST, filename=["x"]), "no name or address"),
    ],
)
def test_a_file_that_cannot_be_offered_is_left_out_and_logged_once(
    public: Public, caplog: pytest.LogCaptureFixture, file: dict[str, Any], reason: str
) -> None:
    public.outlet.serve("demo", listed(WHEEL), file)
    assert files(public.ask("/page/demo")) == [WHEEL]
    public.gate._pages._known.clear()
    assert files(public.ask("/page/demo")) == [WHEEL]
    lines = [record.getMessage() for record in caplog.records if "Left out" in record.getMessage()]
    print(lines)
    assert len(lines) == 1 and reason in lines[0]


BAD_PAGES = {
    "no JSON": Said(b"<html>"),
    "cut off": Said(page("demo", listed(WHEEL)).body[:-5]),
    "no object": Said(b"[]"),
    "no UTF-8": Said(b'{"name": "\xff"}'),
    "nested": Said(b"[" * 100_000),
    "NaN": Said(b'{"meta": {"api-version": "1.0"}, "name": "demo", "files": [], "x": NaN}'),
    "api 2": page("demo", version="2.0"),
    "no api": Said(b'{"name": "demo", "files": []}'),
    "other name": page("other", listed("other-1.0.tar.gz")),
    "no files": Said(json.dumps({"meta": {"api-version": "1.0"}, "name": "demo"}).encode()),
    "files are text": page("demo", files="x"),
    "a file is text": page("demo", files=["x"]),
    "wrong type": Said(page("demo").body, content_type="application/json"),
    "api 2 by type": Said(page("demo").body, content_type="application/vnd.pypi.simple.v2+json"),
    "no type": Said(page("demo").body, content_type=""),
    "html of other": html(f'<a href="other-1.0.tar.gz#sha256={SHA}">other-1.0.tar.gz</a>'),
    "html api 2": html(
        f'<a href="{SDIST}#sha256={SHA}">{SDIST}</a>', head='<meta name="pypi:repository-version" content="2">'
    ),
    "html without links": html(),
    "too large": Said(b" " * (40 * 1024 * 1024 + 1)),
    "500": Said(status=500, headers={"X-Upstream": "500"}),
    "401": Said(status=401, headers={"X-Upstream": "401"}),
    "redirect": Said(status=302, headers={"X-Upstream": "302", "Location": "https://evil.example.com/"}),
    "half": Said(page("demo", listed(WHEEL)).body, fault="half"),
    "reset": Said(page("demo", listed(WHEEL)).body, fault="reset"),
}


@pytest.mark.parametrize("name", BAD_PAGES)
def test_a_page_that_cannot_be_used_is_a_502_with_its_cause_and_no_other_project_is_affected(
    public: Public, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    public.outlet.serve("other", listed("other-1.0.tar.gz"))
    public.outlet.say("demo", BAD_PAGES[name])
    status, text, headers = refused(public.ask("/page/demo"))
    assert (status, headers["X-Accel-Expires"], headers["X-Wheelhouse-Rule"]) == (502, "5", "upstream")
    assert "demo" in text and "\n" not in text
    assert any("demo" in record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert files(public.ask("/page/other")) == ["other-1.0.tar.gz"]
    assert not [mark for mark in public.marked() if mark.startswith("demo/")]


def test_a_project_that_upstream_does_not_have_is_a_404_and_one_that_nginx_refuses_is_not(public: Public) -> None:
    status, _text, headers = refused(public.ask("/page/demo"))
    assert (status, headers["X-Accel-Expires"]) == (404, "60")
    public.outlet.say("closed", Said(status=503))
    public.outlet.say("claimed", Said(status=404, headers={"X-Cache": ""}))
    assert refused(public.ask("/page/closed"))[0] == 503
    assert refused(public.ask("/page/claimed"))[0] == 503


def test_a_quarantined_project_has_no_files(public: Public) -> None:
    status = {"project-status": {"status": "quarantined"}}
    public.outlet.serve("demo", listed(WHEEL), **status)
    found = document(public.ask("/page/demo"))
    assert (found["files"], found["project-status"]) == ([], {"status": "quarantined"})


def test_a_page_of_5000_files_is_judged_whole(public: Public) -> None:
    many = []
    for number in range(2500):
        stem = f"demo-{number // 50}.{number % 50}"
        for name in (f"{stem}-cp311-cp311-manylinux_2_17_x86_64.whl", f"{stem}.tar.gz"):
            place = f"packages/{number % 100:02}/{number:04x}/{'ab' * 30}/{name}"
            many.append(listed(name, place, core_metadata={"sha256": SHA}, requires_python=">=3.8"))
    public.outlet.serve("demo", *many)
    public.put(minimum_age=86400, denied=["demo<3"], exempt=["demo==5.*"])
    assert len(files(public.ask("/page/demo"))) == 5000 - 300


def test_another_wheelhouse_index_is_an_upstream(public: Public) -> None:
    """Its addresses are relative: those of its private files, and those of what it has from its own upstream."""
    own, other = f"../../packages/{WHEEL}", f"../../public/demo/{FILES_HOST}/a/b/{SDIST}"
    public.outlet.serve(
        "demo", listed(WHEEL, url=own), listed(SDIST, url=other), listed("demo-3.0.zip", url="demo-3.0.zip")
    )
    assert [file["url"] for file in document(public.ask("/page/demo"))["files"]] == [
        f"../../public/demo/{HOST}/packages/{WHEEL}",
        f"../../public/demo/{HOST}/public/demo/{FILES_HOST}/a/b/{SDIST}",
        f"../../public/demo/{HOST}/simple/demo/demo-3.0.zip",
    ]
    place = f"{HOST}/public/demo/{FILES_HOST}/a/b/{SDIST}"
    got(public.ask(f"/file/demo/{place}"))
    assert f"demo/{place}" in public.marked()


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("2024-03-01T10:00:00.5Z", "2024-03-01T10:00:00.500000Z"),
        ("2024-03-01T10:00:00+02:00", "2024-03-01T08:00:00.000000Z"),
        ("20240301T100000", "2024-03-01T10:00:00.000000Z"),
        ("yesterday", None),
        ("1066-10-14T00:00:00Z", None),
        ("9999-12-31T23:59:59-23:00", None),
        (None, None),
        (5, None),
    ],
)
def test_upload_times_are_written_in_our_own_form_or_not_at_all(
    public: Public, said: object, written: str | None
) -> None:
    public.outlet.serve("demo", listed(WHEEL, upload_time=said))
    file = document(got(public.ask("/page/demo")))["files"][0]
    print(file)
    assert file.get("upload-time") == written
    assert ("upload-time" in file) == (written is not None)
