"""Large pages: read apart, within a memory that they cannot exceed, whatever is on them."""

from __future__ import annotations

import hashlib
import json
import resource
import time

import pytest
from wheelhouse_index.public import reading
from wheelhouse_index.public.policy import Patterns, Upstream
from wheelhouse_index.public.reading import read_apart
from wheelhouse_index.public.upstream_page import LARGEST_BYTES, LARGEST_HTML_BYTES, UnusableError, is_large, read

from tests.support.outlet import FILES_HOST, HOST, HTML, JSON, URL, Said, html, listed, page
from tests.support.public import Public

UPSTREAM = Upstream(URL, Patterns([]), frozenset([HOST, FILES_HOST]), False)
MB = 1024 * 1024


def files(entries: bytes) -> bytes:
    return b'{"meta":{"api-version":"1.1"},"name":"demo","files":[' + entries + b"]}"


def many(count: int) -> list[dict[str, object]]:
    return [
        listed(
            f"demo-1.{number}-py3-none-any.whl",
            f"packages/{hashlib.sha256(b'%d' % number).hexdigest()}/demo-1.{number}-py3-none-any.whl",
            requires_python=">=3.9 é \U0001f600",
            core_metadata={"sha256": "ab" * 32},
            yanked="broken" if number % 50 == 0 else False,
        )
        for number in range(count)
    ]


def test_a_large_page_is_read_as_a_small_one_is() -> None:
    said = page(
        "demo", *many(4000), {"filename": "other-1.0.tar.gz", "url": "x"}, project_status={"status": "archived"}
    )
    links = [f'<a href="{file["url"]}#sha256={"ab" * 32}">{file["filename"]}</a>' for file in many(4000)]
    for one in (said, html(*links)):
        began = time.monotonic()
        assert is_large(one.body, one.content_type)
        found = read_apart("demo", UPSTREAM, one.body, one.content_type)
        print(f"{len(one.body) / MB:.1f} MB of {one.content_type}: {time.monotonic() - began:.2f} s")
        assert len(found.files) == 4000
        assert found == read("demo", UPSTREAM, one.body, one.content_type)


def test_the_largest_page_that_is_accepted_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its memory and processor time are bounded as ever; how long that takes is up to what else runs here.
    monkeypatch.setattr(reading, "SECONDS", 300.0)
    some = page("demo", *many(100)).body
    count = int((LARGEST_BYTES - 1000) / (len(some) / 100) * 0.98)
    body = page("demo", *many(count)).body
    print(f"{len(body) / MB:.2f} MB, {count} files")
    assert LARGEST_BYTES * 0.9 < len(body) <= LARGEST_BYTES
    assert len(read_apart("demo", UPSTREAM, body, JSON).files) == count


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"<a " * (6 * MB // 3), HTML, id="6 MB of tags without an end"),
        pytest.param(b"<a " * (LARGEST_HTML_BYTES // 3), HTML, id="as many as fit"),
        pytest.param(b"<a " + b"x " * MB + b">", HTML, id="a tag of a million attributes"),
        pytest.param(b"<a " + b"x " * 300 + b">", HTML, id="a small one of 300"),
        pytest.param(b"<a >" * (MB - 10), HTML, id="a million links"),
        pytest.param(files(b"[]," * (5 * MB) + b"[]"), JSON, id="15 MB of arrays"),
        pytest.param(files(b"{}," * (5 * MB) + b"{}"), JSON, id="15 MB of objects"),
        pytest.param(b"[" * (8 * MB), JSON, id="8 MB of brackets"),
        pytest.param(files(b'{"filename":"a"},' * 60_000 + b"{}"), JSON, id="60,000 files"),
        pytest.param(files(b" " * (17 * MB)), JSON, id="17 MB"),
    ],
)
def test_what_takes_too_much_costs_the_page_alone(body: bytes, kind: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnusableError) as refused:
        read_apart("demo", UPSTREAM, body, kind)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{len(body) / MB:.1f} MB: {refused.value}; here {grown:.0f} MB more")
    assert grown < 3 * len(body) / MB + 30


def test_a_page_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(UnusableError, match="too much memory or time"):
        read_apart("demo", UPSTREAM, b"<!--" * (MB - 10), HTML)
    assert time.monotonic() - began < 10


def test_a_bomb_is_a_502_and_other_projects_are_served(public: Public) -> None:
    public.outlet.say("bomb", Said(files(b"[]," * (5 * MB) + b"[]")))
    public.outlet.serve("demo", listed("demo-1.0.tar.gz"))
    answer = public.ask("/page/bomb")
    assert getattr(answer, "status", 200) == 502
    assert "takes too much memory or time" in getattr(answer, "text", "")
    assert not hasattr(public.ask("/page/demo"), "status")


def test_pages_of_files_that_are_left_out_are_not_kept_without_bound(public: Public) -> None:
    entries = [{"filename": f"demo{number}.txt", "url": "x"} for number in range(1500)]
    for number in range(60):
        said = json.dumps({"meta": {"api-version": "1.1"}, "name": f"p{number}", "files": entries}).encode()
        public.outlet.say(f"p{number}", Said(said))
        public.ask(f"/why/p{number}")
    kept = len(public.gate._pages._known)
    print(kept, "pages are kept")
    assert 1 < kept < 40
