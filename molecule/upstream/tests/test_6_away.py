"""Upstream, the extension or both are away: what is known is served, private projects feel nothing."""

from __future__ import annotations

import hashlib
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.long import only_long
from tests.support.one_url import EXPIRED, FOLLOWS, JSON, OneUrl, is_right, path_of, timed, together
from tests.support.public_index import PublicIndex, forbidden
from tests.support.stack import Stack, eventually

# What a private page may take while upstream is away, in seconds, on a machine that is busy with other tests.
QUICK = 1.0


@contextmanager
def stopped(host: Any, public: PublicIndex, *units: str) -> Iterator[None]:
    """Units of the stand-in do not run."""
    host.check_output(f"systemctl stop {' '.join(units)}")
    try:
        yield
    finally:
        host.check_output(f"systemctl start {' '.join(units)}")
        eventually(
            lambda: host.run("curl --silent http://127.0.0.1:8099/log?since=999999999").rc == 0, "it answers", 20
        )
        # With an empty log.
        public.since = 0


@pytest.fixture
def known(one: OneUrl, fresh: str) -> tuple[str, dict[str, Any]]:
    """A public project whose page and newest file have been read, and the file's entry."""
    entry = one.files(fresh)[-1]
    assert is_right(one.get(path_of(fresh, entry)), entry)
    return fresh, entry


@pytest.mark.parametrize("way", ["stopped", pytest.param("without names", marks=only_long), "hanging"])
def test_upstream_is_away(
    host: Any, one: OneUrl, public: PublicIndex, private: str, known: tuple[str, dict[str, Any]], way: str
) -> None:
    name, entry = known
    unknown = public.publish(f"unknown-{name}")
    units = {"stopped": ["public-index"], "without names": ["public-index", "public-names"], "hanging": []}[way]
    if not units:
        context: Any = public.fault("hang", "pages")
        public.break_("hang", "files")
    else:
        context = stopped(host, public, *units)
    with context:
        time.sleep(EXPIRED)
        for accept in (JSON, "text/html"):
            answer, seconds = timed(lambda accept=accept: one.get(f"/simple/{name}/", {"Accept": accept}))  # type: ignore[misc]
            assert answer.status == 200 and entry["filename"].encode() in answer.body, answer
            print(f"{way}: a known page takes {seconds:.1f} s")
        assert is_right(one.get(path_of(name, entry)), entry)
        answer, seconds = timed(lambda: one.page(unknown))
        assert answer.status == 502 and answer.body.strip(), "never 404"
        print(f"{way}: an unknown page takes {seconds:.1f} s: {answer.body.decode().strip()}")
        answer = one.get(path_of(name, one.files(name)[0]))
        assert answer.status == 502, "a file that was not read yet"
        took = [timed(lambda: one.page(private))[1] for _try in range(20)]
        assert max(took) < QUICK, took
        assert one.page("acme-never").status == 404
    if units:
        # It has forgotten what was made up.
        for version in ("1.0", "2.0"):
            public.publish(name, version)
        public.publish(unknown)
    public.heal()
    eventually(lambda: one.page(unknown).status == 200, "upstream is asked again", 30)


def test_private_pages_are_as_fast_while_clients_hang_on_upstream(
    one: OneUrl, public: PublicIndex, private: str
) -> None:
    names = [public.publish(f"hang-{number}-{time.time_ns()}") for number in range(30)]

    def seconds() -> list[float]:
        return [timed(lambda: one.page(private))[1] for _try in range(60)]

    without = seconds()
    with public.fault("hang", "pages"):
        waiting = [threading.Thread(target=one.page, args=(name,)) for name in names]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        during = seconds()
        assert any(thread.is_alive() for thread in waiting), "they do hang"
        for thread in waiting:
            thread.join(60)
    print(f"median without {statistics.median(without) * 1000:.1f} ms, with {statistics.median(during) * 1000:.1f} ms")
    assert statistics.median(during) < max(3 * statistics.median(without), 0.1)
    assert max(during) < QUICK


def test_one_request_goes_upstream_for_20_clients(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    public.latency(0.3)
    pages = together([lambda: one.page(fresh)] * 20)
    assert {answer.status for answer in pages} == {200}
    assert len(public.asked(f"/simple/{fresh}/")) == 1, public.asked(fresh)
    entry = json.loads(pages[0].body)["files"][-1]
    files = together([lambda: one.get(path_of(fresh, entry))] * 20)
    assert all(is_right(answer, entry) for answer in files)
    assert len(public.asked(entry["filename"])) == 1, public.asked(fresh)


def test_what_is_cached_asks_nothing(one: OneUrl, public: PublicIndex, known: tuple[str, dict[str, Any]]) -> None:
    name, entry = known
    before = len(public.asked(entry["filename"]))
    time.sleep(EXPIRED)
    for _try in range(5):
        assert is_right(one.get(path_of(name, entry)), entry)
    assert len(public.asked(entry["filename"])) == before == 1
    # An expired page is asked for with its ETag.
    before = len(public.asked(f"/simple/{name}/"))
    eventually(
        lambda: one.page(name).status == 200 and len(public.asked(f"/simple/{name}/")) > before,
        "it is renewed",
        FOLLOWS,
    )


def test_a_project_that_upstream_removes_is_404(
    one: OneUrl, public: PublicIndex, known: tuple[str, dict[str, Any]]
) -> None:
    name, entry = known
    public.withdraw(name)
    eventually(lambda: one.page(name).status == 404, "its page is removed here as well", FOLLOWS)
    eventually(lambda: one.get(path_of(name, entry)).status == 404, "and its file", FOLLOWS)


@pytest.mark.parametrize("how", [pytest.param("stop --timeout 1", marks=only_long), "kill"])
def test_the_extension_is_away(
    host: Any,
    one: OneUrl,
    index: Index,
    publisher: Login,
    stack: Stack,
    public: PublicIndex,
    private: str,
    work: Path,
    known: tuple[str, dict[str, Any]],
    how: str,
) -> None:
    name, entry = known
    unknown = public.publish(f"unknown-{name}-{how[:4]}")
    (file,) = one.files(private)
    # What is expired needs the extension.
    assert one.page(name).status == 200
    stack.compose(f"{how} pypi-server")
    try:
        for _try in range(5):
            assert one.page(private).status == 200
            assert is_right(one.get(path_of(private, file)), file)
            assert is_right(one.get(path_of(name, entry)), entry)
            page, new = one.page(name), one.page(unknown)
            assert page.status in (200, 502, 503), page
            assert new.status in (502, 503) and new.body.strip(), new
            assert one.page("acme-never").status in (404, 502, 503)
            time.sleep(1)
        assert index.upload(publisher, packages.wheel(work, "acme-no", "1.0")).status in (502, 503, 504)
    finally:
        stack.compose("start pypi-server")
    stack.wait_until_healthy("pypi-server")
    eventually(lambda: one.page(unknown).status == 200, "the extension answers for public projects again", 60)
    assert one.page(private).status == 200


def test_public_projects_wait_until_all_private_names_are_known(
    host: Any, one: OneUrl, stack: Stack, public: PublicIndex, private: str, known: tuple[str, dict[str, Any]]
) -> None:
    name, entry = known
    host.check_output(f"find {stack.home}/index -mindepth 1 -delete || true")
    host.check_output(f"rm -rf {stack.home}/index/public")
    statuses = []
    for _try in range(20):
        answer = one.get(path_of(name, entry))
        statuses.append(answer.status)
        assert answer.status in (200, 503), answer
    print("while the index is rebuilt:", statuses)
    eventually(lambda: is_right(one.get(path_of(name, entry)), entry), "public files are served again", 60)
    eventually(lambda: one.page(name).status == 200 and one.page(private).status == 200, "and pages", 60)
    assert not forbidden(public.log(), [private])


def test_nginx_restarts_with_its_cache(
    one: OneUrl, stack: Stack, public: PublicIndex, known: tuple[str, dict[str, Any]]
) -> None:
    name, entry = known
    stack.compose("restart --timeout 1 nginx")
    stack.wait_until_healthy("nginx")
    before = len(public.asked(entry["filename"]))
    eventually(lambda: is_right(one.get(path_of(name, entry)), entry), "the file is served", 20)
    assert len(public.asked(entry["filename"])) == before, "from the cache"


@pytest.mark.usefixtures("small_cache")
def test_a_full_disk_of_the_cache_costs_caching_alone(
    host: Any, one: OneUrl, stack: Stack, private: str, fresh: str
) -> None:
    cache = f"{stack.home}/nginx_cache"
    host.run(f"dd if=/dev/zero of={cache}/full bs=4k status=none")
    assert host.check_output(f"df --output=avail {cache}").split()[-1] == "0"
    assert one.page(fresh).status == one.page(private).status == 200
    assert is_right(one.get(one.address(fresh)), one.files(fresh)[-1])
    (entry,) = one.files("big")
    # Of three slices, each of which is larger than the disk.
    part = one.get(path_of("big", entry), {"Range": "bytes=8000000-17999999"})
    whole = f"tail --bytes +8000001 /srv/public/{entry['filename']} | head --bytes 10000000 | sha256sum"
    assert part.status == 206 and hashlib.sha256(part.body).hexdigest() == host.check_output(whole).split()[0]
