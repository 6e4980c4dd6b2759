"""What NGINX gets when it asks for a public page or file, and what clients read when it gets none."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.common.answers import Answer
from wheelhouse_index.public.gate import Reply
from wheelhouse_index.public.opening import Opening
from wheelhouse_index.public.verifying import Verifier
from wheelhouse_index.server.keeper import Keeper

from tests.support.index import Index
from tests.support.index_server import program
from tests.support.outlet import FILES_HOST, Said, listed, page
from tests.support.packages import file
from tests.support.public import Public
from tests.unit.wheelhouse_index.test_importing import imported

WHEEL = "demo-1.0-py3-none-any.whl"
PLACE = f"{FILES_HOST}/packages/{WHEEL}"
FILE = f"/file/demo/{PLACE}"


def status(answer: Answer | Reply) -> int:
    print(answer)
    return answer.status if isinstance(answer, Answer) else 200


def said(answer: Answer | Reply) -> tuple[int, str, dict[str, str]]:
    assert isinstance(answer, Answer), answer
    print(answer.status, answer.text)
    return answer.status, answer.text, dict(answer.headers)


def why(public: Public, project: str) -> str:
    answer = public.ask(f"/why/{project}")
    text = answer.body.decode() if isinstance(answer, Reply) else answer.text
    print(text)
    return text


def now(seconds: float = 0) -> str:
    return f"{datetime.fromtimestamp(time.time() + seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def forget(public: Public) -> None:
    public.gate._pages._known.clear()


def test_a_file_on_an_allowed_page_is_let_through_and_marked(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL, core_metadata={"sha256": "ab" * 32}))
    answer = public.ask(FILE)
    assert isinstance(answer, Reply)
    assert dict(answer.headers)["X-Accel-Redirect"] == f"/_public/demo/{PLACE}"
    assert status(public.ask(f"{FILE}.metadata")) == 200
    assert status(public.ask("/page/demo")) == 200
    assert public.marked() == {"demo/.page", f"demo/{PLACE}", f"demo/{PLACE}.metadata"}
    assert len(public.outlet.asked) == 1, "one page is asked for once"


def test_a_plus_sign_is_encoded_for_nginx(public: Public) -> None:
    public.outlet.serve("demo", listed("demo-1.0+cu1.tar.gz"))
    answer = public.ask(f"/file/demo/{FILES_HOST}/packages/demo-1.0%2Bcu1.tar.gz")
    assert isinstance(answer, Reply)
    assert dict(answer.headers)["X-Accel-Redirect"] == f"/_public/demo/{FILES_HOST}/packages/demo-1.0%2Bcu1.tar.gz"
    assert public.marked() == {f"demo/{FILES_HOST}/packages/demo-1.0+cu1.tar.gz"}


@pytest.mark.parametrize(
    "path",
    [
        f"/file/demo/{FILES_HOST}/packages/demo-9.0.tar.gz",
        f"/file/demo/evil.example.com/packages/{WHEEL}",
        f"{FILE}.metadata",
        f"/file/other/{PLACE}",
        f"/file/demo/{FILES_HOST}/../{WHEEL}",
        f"/file/demo/{FILES_HOST}/%2e%2e/{WHEEL}",
        f"/file/demo/{FILES_HOST}/packages/{WHEEL}%0a",
        "/page/Demo",
        "/page/demo/",
        "/page/demo-",
        "/kept/0/demo",
        "/",
    ],
)
def test_only_files_on_a_page_can_be_had(public: Public, path: str) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    assert said(public.ask(path))[0] == 404
    assert not public.marked()


def test_a_young_file_is_on_no_page_and_its_address_says_when_it_becomes_available(public: Public) -> None:
    young = "demo-2.0.tar.gz"
    public.put(minimum_age=3 * 86400)
    public.outlet.serve("demo", listed(WHEEL), listed(young, upload_time=now()))
    answer = public.ask("/page/demo")
    assert isinstance(answer, Reply)
    code, text, headers = said(public.ask(f"/file/demo/{FILES_HOST}/packages/{young}"))
    day = f"{datetime.fromtimestamp(time.time() + 3 * 86400, UTC):%Y-%m-%d}"
    assert (code, headers["X-Wheelhouse-Rule"], headers["X-Accel-Expires"]) == (403, "minimum-age", "0")
    assert day in text and "pypi_upstream_exempt: demo==2.0" in text
    assert f"demo 2.0: too young, available from {day}" in why(public, "demo")
    assert "demo 1.0" not in why(public, "demo")


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"denied": ["demo<2"]}, "denied"),
        ({"denied": ["demo"]}, "denied"),
        ({"allowed": ["other"]}, "not-allowed"),
        ({"minimum_age": 60}, "unknown-age"),
    ],
)
def test_a_refusal_names_its_rule_and_counts_for_files_that_were_let_through(
    public: Public, more: dict[str, Any], rule: str
) -> None:
    public.outlet.serve("demo", listed(WHEEL, upload_time=...))
    first = public.digest
    assert status(public.ask(FILE)) == 200
    public.put(**more)
    code, text, headers = said(public.ask(FILE))
    assert (code, headers["X-Wheelhouse-Rule"]) == (403, rule)
    assert "pypi_upstream_" in text
    assert "pypi_upstream_" in why(public, "demo")
    assert not (public.marks.folder / public.digest / "demo" / PLACE).exists()
    assert (public.marks.folder / first / "demo" / PLACE).exists(), "NGINX may not have the new policy yet"
    public.put(minimum_age=7)
    public.ask("/page/demo")
    assert not (public.marks.folder / first).exists(), "the last two policies are remembered"


def test_a_policy_that_is_in_no_file_is_waited_for(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    before = public.digest
    assert status(public.ask("/page/demo")) == 200
    code, _text, headers = said(public.ask("/page/demo", digest="0" * 12))
    assert (code, headers["Retry-After"]) == (503, "1")
    after = public.put(denied=["other"])
    assert [status(public.ask("/page/demo", digest=digest)) for digest in (before, after)] == [200, 200]
    public.file.write_text("{")
    assert status(public.ask("/page/demo", digest=after)) == 200


def test_what_upstream_removes_follows_with_the_page(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL), listed("demo-2.0.tar.gz"))
    public.ask("/page/demo")
    public.ask(FILE)
    public.ask(f"/file/demo/{FILES_HOST}/packages/demo-2.0.tar.gz")
    public.outlet.serve("demo", listed("demo-2.0.tar.gz"))
    forget(public)
    public.ask("/page/demo")
    assert public.marked() == {"demo/.page", f"demo/{FILES_HOST}/packages/demo-2.0.tar.gz"}
    assert said(public.ask(FILE))[0] == 404
    public.outlet.pages.clear()
    forget(public)
    assert said(public.ask("/page/demo"))[0] == 404
    assert not public.marked()


def test_an_upstream_that_is_slow_is_bridged_by_its_last_page(public: Public) -> None:
    public.restart(patience=0.3)
    slow = page("demo", listed(WHEEL))
    slow.wait = 20
    public.outlet.say("demo", slow, "kept", "unkept")
    public.outlet.say("demo", page("demo", listed(WHEEL)), "last")
    before = time.monotonic()
    answer = public.ask("/page/demo")
    assert isinstance(answer, Reply)
    assert dict(answer.headers)["X-Accel-Expires"] == "15"
    assert time.monotonic() - before < 10
    del public.outlet.pages["last", "demo"]
    forget(public)
    before = time.monotonic()
    assert said(public.ask("/page/demo"))[0] == 502
    assert time.monotonic() - before < 10


def test_a_disk_that_is_full_costs_caching_and_not_service(public: Public) -> None:
    broken = page("demo", listed(WHEEL))
    broken.fault = "half"
    public.outlet.say("demo", broken, "kept")
    public.outlet.say("demo", page("demo", listed(WHEEL)), "unkept")
    assert status(public.ask("/page/demo")) == 200
    assert [path.split("/")[1] for path in public.outlet.asked] == ["kept", "unkept"]


@pytest.mark.parametrize("wait", ["30", "Fri, 01 Jan 2100 00:00:00 GMT", "soon", ""])
def test_a_429_is_passed_on_and_kept_to_by_all_processes(public: Public, wait: str) -> None:
    many = Said(status=429, headers={"X-Upstream": "429", **({"Retry-After": wait} if wait else {})})
    public.outlet.say("demo", many, "kept")
    code, _text, headers = said(public.ask("/page/demo"))
    expected = {"30": 30, "soon": 10, "": 10}.get(wait, 3600)
    assert (code, headers["X-Wheelhouse-Rule"]) == (429, "busy")
    assert int(headers["Retry-After"]) == int(headers["X-Accel-Expires"]) == expected
    public.restart()
    asked = len(public.outlet.asked)
    code, _text, headers = said(public.ask("/page/demo"))
    assert code == 429 and expected - 5 < int(headers["Retry-After"]) <= expected
    assert [path.split("/")[1] for path in public.outlet.asked[asked:]] == ["last"]
    public.outlet.say("demo", page("demo", listed(WHEEL)), "last")
    forget(public)
    assert status(public.ask("/page/demo")) == 200


def test_those_who_wait_for_a_page_get_what_one_of_them_has_asked_for(public: Public) -> None:
    slow = page("demo", listed(WHEEL))
    slow.wait = 0.15
    public.outlet.say("demo", slow)
    away = Said(status=502, headers={"X-Upstream": "502"}, wait=0.15)
    public.outlet.say("away", away)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(public.ask, ["/page/demo", "/page/away"] * 8))
    assert [status(answer) for answer in found] == [200, 502] * 8
    assert sorted(public.outlet.asked) == ["/kept/0/away", "/kept/0/demo"]


def test_each_upstream_has_its_number(public: Public) -> None:
    other = {"url": "https://w.example.net/whl/", "names": ["torch*"], "hosts": [], "no_upload_time": "allow"}
    mine = {"url": "https://p.example.net/simple/", "names": ["demo"], "hosts": [], "no_upload_time": "allow"}
    public.put(upstreams=[other, mine])
    public.outlet.serve("torch", listed("torch-1.0.tar.gz", host="w.example.net"))
    public.outlet.serve("demo", listed("demo-1.0.tar.gz", host="p.example.net"))
    assert [status(public.ask(f"/page/{name}")) for name in ("torch", "demo", "other")] == [200, 200, 404]
    assert public.outlet.asked == ["/kept/0/torch", "/kept/1/demo"]
    assert "no upstream" in why(public, "other")


# What is private.


def private_by_upload(public: Public) -> None:
    assert public.index.upload(WHEEL, file(WHEEL)).status == 200


def private_by_copy(public: Public) -> None:
    (public.index.packages / WHEEL).write_bytes(file(WHEEL))
    public.index.look()


def private_by_broken_copy(public: Public) -> None:
    (public.index.packages / "demo-1.0.tar.gz").write_bytes(b"half")
    public.index.look()
    public.marks.close()
    public.open()
    assert public.index.store.facts.claims.has("demo")


def private_by_broken_copy_while_open(public: Public) -> None:
    (public.index.packages / "demo-1.0.tar.gz").write_bytes(b"half")
    for _ in range(2):
        # As at each look at all files, some seconds later.
        public.index.keeper._thorough_at = 0.0
        public.index.keeper.step()
    assert public.marks.is_open() and public.index.store.facts.claims.has("demo")


def private_ever(public: Public) -> None:
    private_by_upload(public)
    public.index.remove("demo", "1.0")


def private_with_lost_claim(public: Public) -> None:
    private_by_upload(public)
    (public.index.store.facts.claims.folder / "demo").unlink()


def reserved(public: Public) -> None:
    public.put(private=["de*"])


@pytest.mark.parametrize(
    "turn",
    [
        private_by_upload,
        private_by_copy,
        private_by_broken_copy,
        private_by_broken_copy_while_open,
        private_ever,
        private_with_lost_claim,
        reserved,
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_private_wins_also_where_it_was_public(public: Public, turn: Callable[[Public], None], restarts: bool) -> None:
    public.put(shadowed=["demo"])
    public.outlet.serve("demo", listed(WHEEL))
    assert [status(public.ask(path)) for path in ("/page/demo", FILE)] == [200, 200]
    turn(public)
    if restarts:
        public.restart()
    asked = len(public.outlet.asked)
    found = [said(public.ask(path)) for path in ("/page/demo", FILE, f"{FILE}.metadata")]
    assert [code for code, *_ in found] == [404, 404, 404]
    assert len(public.outlet.asked) == asked, "upstream was asked for a private name"
    own = {mark for mark in public.marked() if (public.marks.folder / public.digest / mark).exists()}
    assert not own
    text = why(public, "demo")
    assert "never asked upstream" in text and ("is reserved" in text) == (turn is reserved)
    assert "de*" not in text, "the pattern may name other projects"


def test_nothing_is_asked_while_claims_are_being_collected(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.ask("/page/demo")
    public.marks.close()
    assert not public.marked(), "what was marked is decided on once more"
    for path in ("/page/demo", FILE, "/why/demo"):
        code, _text, headers = said(public.ask(path))
        assert (code, int(headers["Retry-After"]) > 0) == (503, True)
    assert len(public.outlet.asked) == 1
    public.open()
    assert status(public.ask("/page/demo")) == 200


def test_a_store_that_is_away_closes_the_way_upstream(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.ask("/page/demo")
    public.index.packages.rename(public.index.folder / "away")
    public.index.packages.mkdir()
    assert said(public.ask("/page/demo"))[0] == 503
    assert len(public.outlet.asked) == 1
    (public.index.folder / "packages").rmdir()
    (public.index.folder / "away").rename(public.index.packages)
    assert status(public.ask("/page/demo")) == 200


def test_a_rebuild_closes_the_way_upstream_until_all_files_are_known(public: Public) -> None:
    public.index.store.forget()
    assert not public.marks.is_open()
    public.open()
    shutil.rmtree(public.index.pages / "json")
    public.index.store.mend()
    assert not public.marks.is_open()


def test_a_name_is_not_taken_from_upstream_by_mistake(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    answer = public.index.upload(WHEEL, file(WHEEL))
    print(answer)
    assert answer.status == 409 and "pypi_shadowed_names: demo" in answer.text
    by_twine = public.index.upload(WHEEL, file(WHEEL), {"User-Agent": "twine/6.2.0"})
    assert (by_twine.status, by_twine.text) == (403, answer.text), (
        "twine --skip-existing takes 409 for a file that is there"
    )
    assert not public.index.stored()
    public.put(shadowed=["demo"])
    assert public.index.upload(WHEEL, file(WHEEL)).status == 200
    public.put()
    # It is claimed by now.
    assert public.index.upload("demo-2.0-py3-none-any.whl", file("demo-2.0-py3-none-any.whl")).status == 200
    assert public.index.upload("fresh-1.0-py3-none-any.whl", file("fresh-1.0-py3-none-any.whl")).status == 200
    public.outlet.say("away", Said(status=500, headers={"X-Upstream": "500"}))
    answer = public.index.upload("away-1.0-py3-none-any.whl", file("away-1.0-py3-none-any.whl"))
    print(answer)
    assert answer.status == 503 and "pypi_private_names" in answer.text
    asked = len(public.outlet.asked)
    assert public.index.upload("acme_x-1.0-py3-none-any.whl", file("acme_x-1.0-py3-none-any.whl")).status == 200
    assert len(public.outlet.asked) == asked
    public.file.unlink()
    assert public.index.upload("away-1.0-py3-none-any.whl", file("away-1.0-py3-none-any.whl")).status == 200


def test_without_upstreams_there_is_nothing_in_the_index(in_memory: Path) -> None:
    index = Index(in_memory)
    index.look()
    index.upload(WHEEL, file(WHEEL))
    index.store.forget()
    index.look()
    assert not (index.pages / "public").exists()


def test_turning_upstreams_off_and_on_again_needs_no_restart(public: Public) -> None:
    content = public.file.read_text()
    public.file.unlink()
    public.index.look()
    assert not public.marks.is_open()
    public.file.write_text(content)
    public.index.keeper.step()
    assert public.marks.is_open()


def test_a_closing_while_the_keeper_looks_is_not_undone(public: Public) -> None:
    public.marks.close()
    seen = public.marks.closing()
    public.marks.close()
    assert not public.marks.open(seen)
    assert not public.marks.is_open()


# Hashes.


def test_a_file_is_compared_with_its_page_once(public: Public, caplog: pytest.LogCaptureFixture) -> None:
    content = b"content"
    right = hashlib.sha256(content).hexdigest()
    public.outlet.serve("demo", listed(WHEEL, hashes={"sha256": right}))
    public.outlet.files[PLACE] = Said(content)
    public.ask(FILE)
    public.ask(FILE)
    public.verifier.step(public.gate.is_private)
    assert not public.verifier._jobs
    assert not caplog.records
    assert status(public.ask(FILE)) == 200


def test_a_file_that_is_wrong_is_fetched_again_and_else_refused_for_a_minute(
    public: Public, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    content = b"content"
    public.outlet.serve("demo", listed(WHEEL, hashes={"sha256": hashlib.sha256(content).hexdigest()}))
    public.outlet.files[PLACE] = Said(b"others")
    public.ask(FILE)
    public.verifier.step(public.gate.is_private)
    assert not public.marked()
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 2
    public.restart()
    assert said(public.ask(FILE))[0] == 502
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert status(public.ask(FILE)) == 200
    public.outlet.files[f"!{PLACE}"] = Said(content)
    public.verifier.step(public.gate.is_private)
    assert not public.marked(), "NGINX asks again"
    assert status(public.ask(FILE)) == 200


def test_a_replaced_file_is_refused_until_it_was_fetched_again(public: Public) -> None:
    """What is in NGINX's cache is the one that it has replaced."""
    before, after = b"content", b"others"
    public.outlet.serve("demo", listed(WHEEL, hashes={"sha256": hashlib.sha256(before).hexdigest()}))
    public.outlet.files[PLACE] = Said(before)
    assert status(public.ask(FILE)) == 200
    public.verifier.step(public.gate.is_private)
    public.outlet.serve("demo", listed(WHEEL, hashes={"sha256": hashlib.sha256(after).hexdigest()}))
    public.outlet.files[f"!{PLACE}"] = Said(after)
    forget(public)
    assert said(public.ask(FILE))[0] == 502
    assert not public.marked()
    public.verifier.step(public.gate.is_private)
    assert status(public.ask(FILE)) == 200


def test_a_replaced_file_does_not_wait_behind_one_that_is_due_later(public: Public) -> None:
    verifier = Verifier(public.gate._outlet, public.marks, delay=30.0)
    other = PLACE.replace("demo", "other")
    public.outlet.files |= {PLACE: Said(b"content"), other: Said(b"content")}
    verifier.put("other", public.digest, other, "")
    stepping = threading.Thread(target=verifier.step, args=(lambda _project, _digest: False,), daemon=True)
    stepping.start()
    time.sleep(0.1)
    began = time.monotonic()
    verifier.put("demo", public.digest, PLACE, hashlib.sha256(b"content").hexdigest(), is_fresh=True)
    stepping.join(5)
    print(f"looked at after {time.monotonic() - began:.2f} s: {public.outlet.asked}")
    assert not stepping.is_alive() and public.outlet.asked[-1] == f"/file/{PLACE}"
    assert [job.place for job in verifier._jobs] == [other]


def test_nothing_is_compared_of_what_is_private_by_then(public: Public) -> None:
    public.put(shadowed=["demo"])
    public.outlet.serve("demo", listed(WHEEL))
    public.ask(FILE)
    private_by_upload(public)
    asked = len(public.outlet.asked)
    public.verifier.step(public.gate.is_private)
    assert len(public.outlet.asked) == asked


def test_other_programs_leave_the_way_upstream_open(public: Public, monkeypatch: pytest.MonkeyPatch) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.ask("/page/demo")
    before = public.marks.closing()
    print(program(public.index.folder, "yank", stdin="{}\n"))
    monkeypatch.setenv("WHEELHOUSE_UPSTREAMS", str(public.file))
    confirmed = json.dumps({"pypi_project": "demo", "pypi_give_back_confirm": "demo"}) + "\n"
    for words in (["list"], ["give-back", "--check"], ["give-back"]):
        print(program(public.index.folder, *words, stdin=confirmed))
    assert public.marks.is_open() and public.marks.closing() == before
    assert public.marked() == {"demo/.page"}
    print(program(public.index.folder, module="wheelhouse_index.rebuild"))
    assert public.marks.closing() != before and not public.marked()


def test_a_file_that_breaks_off_in_the_cache_is_fetched_from_upstream_at_once(public: Public) -> None:
    content = b"content" * 1000
    for fault in ("half", "reset"):
        name = f"demo-{len(fault)}.0.tar.gz"
        place = f"{FILES_HOST}/packages/{name}"
        public.outlet.serve("demo", listed(name, hashes={"sha256": hashlib.sha256(content).hexdigest()}))
        # As a part in the cache is of another version of the file.
        public.outlet.files[place] = Said(content, fault=fault)
        public.outlet.files[f"!{place}"] = Said(content)
        forget(public)
        assert status(public.ask(f"/file/demo/{place}")) == 200
        asked = len(public.outlet.asked)
        public.verifier.step(public.gate.is_private)
        assert public.outlet.asked[asked:] == [f"/file/{place}"] * 2
        assert not public.verifier._jobs
        forget(public)
        assert status(public.ask(f"/file/demo/{place}")) == 200, "it is whole now"
        public.verifier._jobs.pop()


def test_a_file_that_breaks_off_also_from_upstream_is_refused_and_tried_again(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.outlet.files[PLACE] = Said(b"content", fault="half")
    public.ask(FILE)
    public.verifier.step(public.gate.is_private)
    assert not public.marked()
    assert said(public.ask(FILE))[0] == 502
    assert public.verifier._jobs.pop().is_fresh


def test_an_upload_of_a_private_name_asks_nothing_also_where_its_claim_is_lost(public: Public) -> None:
    public.put(shadowed=["demo"])
    private_ever(public)
    (public.index.store.facts.claims.folder / "demo").unlink()
    public.put(shadowed=[])
    public.outlet.serve("demo", listed(WHEEL))
    asked = len(public.outlet.asked)
    name = "demo-2.0-py3-none-any.whl"
    assert public.index.upload(name, file(name)).status == 200
    assert len(public.outlet.asked) == asked


def test_an_upload_beside_the_facts_of_another_index_asks_nothing_and_claims_nothing(public: Public) -> None:
    public.put(shadowed=["demo"])
    private_by_upload(public)
    public.put(shadowed=[])
    public.outlet.serve("demo", listed(WHEEL))
    claims = public.index.store.facts.claims.folder
    (claims / "demo").unlink()
    (claims.parent / "format").write_text('{"format": 1, "id": "another"}')
    asked, name = len(public.outlet.asked), "demo-2.0-py3-none-any.whl"
    answer = public.index.upload(name, file(name))
    print(answer)
    assert answer.status == 503
    assert len(public.outlet.asked) == asked and not list(claims.iterdir())


def test_an_import_refuses_the_project_that_upstream_has_and_goes_on(
    public: Public, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHEELHOUSE_UPSTREAMS", str(public.file))
    monkeypatch.setenv("WHEELHOUSE_OUTLET", str(public.outlet.place))
    public.outlet.serve("demo", listed(WHEEL))
    own, later = "mine-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"
    files = [(name, file(name)) for name in (WHEEL, own, later)]
    done = imported(public.index, *files)
    print(done)
    assert [became for became, _why in done] == ["refused", "imported", "refused"]
    assert "pypi_shadowed_names: demo" in done[0][1]
    assert sorted(public.outlet.asked) == ["/kept/0/demo", "/kept/0/mine"], "each project is asked for once"
    assert not (public.index.packages / WHEEL).exists()
    public.put(shadowed=["demo"])
    assert [became for became, _why in imported(public.index, *files)] == ["imported", "present", "imported"]


def test_a_file_that_is_still_being_copied_makes_its_name_private_before_the_way_upstream_opens(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.marks.close()
    (public.index.packages / WHEEL).write_bytes(file(WHEEL))
    store = public.index.store
    # It looks at no file that has changed within the last 15 seconds.
    public.index.keeper = Keeper(store, 60.0, opening=Opening(store, public.file))
    public.open()
    assert store.facts.claims.has("demo")
    assert status(public.ask("/page/demo")) == 404
