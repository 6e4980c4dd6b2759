"""Uploads that wait for the lock of the index are published together; what becomes of one is not the others' concern."""

from __future__ import annotations

import errno
import io
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.common import disk
from wheelhouse_index.common.times import time_text
from wheelhouse_index.fact_store.journal import Nodes
from wheelhouse_index.fact_store.records import COPIED, FactsError, Record
from wheelhouse_index.files import incoming
from wheelhouse_index.index.output import Staged

from tests.support import packages as made
from tests.support.index import BY_NGINX, Answer, Index, form, in_a_child, sha256

from .test_crashes import LOOKED_AT, NEED_ROOM, STEPS, steps

OLD = "foo-1.0-py3-none-any.whl"
# Of an old project and of new ones, two of them of the same.
NAMES = ["foo-2.0-py3-none-any.whl", *(f"new-{number}.0-py3-none-any.whl" for number in (1, 2)), "bar-1.0.tar.gz"]
PROJECTS = {"foo", "new", "bar"}
Upload = Callable[[Index], Answer]


def upload(name: str, content: bytes = b"new") -> Upload:
    return lambda index: index.upload(name, made.file(name, content))


ALL = [upload(name) for name in NAMES]


def together(index: Index, uploads: Sequence[Upload], begin: Callable[[], None]) -> list[Answer]:
    """Have uploads wait for the lock until all of them do; what begins with them is done before."""
    with ThreadPoolExecutor(len(uploads)) as pool:
        with index.store._alone():
            begin()
            answers = [pool.submit(one, index) for one in uploads]
            until = time.monotonic() + 60
            while len(index.store._waiting) < len(uploads) and not any(answer.done() for answer in answers):
                assert time.monotonic() < until
                time.sleep(0.001)
        return [answer.result() for answer in answers]


def statuses(index: Index, uploads: Sequence[Upload], begin: Callable[[], None] = lambda: None) -> list[int]:
    answers = together(index, uploads, begin)
    print(*answers, sep="\n")
    return [answer.status for answer in answers]


def check(index: Index) -> None:
    """Check that pages and packages/ say the same, and nothing else is left."""
    assert index.said() == index.truth()
    assert index.projects() == set(index.truth())
    assert not list(index.store.incoming.iterdir())
    assert not list((index.pages / ".staging").iterdir())


@pytest.fixture(params=["", "a b"], ids=["a host alone", "nodes"])
def any_index(request: pytest.FixtureRequest, tmp_path: Path) -> Index:
    nodes = request.param
    index = Index(tmp_path, nodes=Nodes.of_text("a" if nodes else "", nodes))
    if nodes:
        index.store.catch_up()
    return index


def linking(monkeypatch: pytest.MonkeyPatch, ending: str, before: OSError | None, after: OSError | None) -> None:
    """Have the call that gives a file its name fail, before or after it has done so."""
    link = os.link

    def linked(source: Any, target: Any, **options: Any) -> None:
        own = str(target).endswith(ending)
        if own and before:
            raise before
        link(source, target, **options)
        if own and after:
            raise after

    monkeypatch.setattr(os, "link", linked)


def test_a_name_that_cannot_be_given_refuses_no_other_upload(any_index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        linking(patch, f"/packages/{NAMES[2]}", OSError(errno.EIO, "Input/output error"), None)
        assert statuses(any_index, ALL) == [200, 200, 503, 200]
    assert set(NAMES) - {NAMES[2]} <= {Path(path).name for files in any_index.truth().values() for path in files}
    check(any_index)
    assert ALL[2](any_index).status == 200


def test_a_record_that_was_made_although_the_call_failed_is_no_other_ones(
    any_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        linking(patch, f"{OLD}.json", None, OSError(errno.ENOTCONN, "Transport endpoint is not connected"))
        assert upload(OLD)(any_index).status == 200
    assert upload(OLD, b"other")(any_index).status == 409
    assert any_index.record("foo", OLD)["sha256"] == sha256(made.file(OLD, b"new"))


def test_a_record_that_keeps_its_other_name_is_made(any_index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def unlinked(path: Any, **options: Any) -> None:
        if str(path).startswith("/proc/self/fd/") and len(Path(path).name) == 16:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlinked)
        assert upload(OLD)(any_index).status == 200
    assert any_index.record("foo", OLD)["sha256"] == sha256(made.file(OLD, b"new"))
    any_index.store.prepare()
    check(any_index)


def test_the_disk_is_waited_for_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", noted)
        assert statuses(index, ALL) == [200] * len(ALL)
    print(synced)
    assert [synced.count(str(place)) for place in (index.packages, index.packages / ".wheelhouse/names")] == [1, 1]
    assert {name: index.record(name.split("-")[0], name)["sha256"] for name in NAMES} == {
        name: sha256(made.file(name, b"new")) for name in NAMES
    }
    assert index.projects() == PROJECTS
    check(index)


def test_of_two_contents_of_a_name_one_is_published_and_what_is_sent_twice_is_there(index: Index) -> None:
    other = upload(NAMES[0], b"other")
    found = statuses(index, [*ALL, other, ALL[0], ALL[1]])
    assert found == [200] * len(ALL) + [409, 200, 200] or found == [409, *[200] * len(ALL), 409, 200]
    assert set(index.stored()) == set(NAMES)
    check(index)


def test_what_the_index_has_is_refused_alone(index: Index) -> None:
    assert upload(OLD, b"old")(index).status == 200
    assert statuses(index, [upload(OLD), *ALL]) == [409, *[200] * len(ALL)]
    assert set(index.stored()) == {OLD, *NAMES}
    check(index)


def test_what_cannot_get_its_name_is_refused_alone(index: Index) -> None:
    (index.packages / NAMES[1]).mkdir()
    assert statuses(index, ALL) == [200, 409, 200, 200]
    assert not (index.packages / ".wheelhouse/files/new" / f"{NAMES[1]}.json").exists()
    (index.packages / NAMES[1]).rmdir()
    check(index)
    assert ALL[1](index).status == 200


def test_a_client_that_hangs_up_while_it_waits_publishes_nothing(index: Index) -> None:
    def hung_up(index: Index) -> Answer:
        body, kind = form({":action": "file_upload"}, {"content": (OLD, made.file(OLD, b"old"))})
        said = index.changes.answer({**BY_NGINX, "Content-Type": kind}, io.BytesIO(body), lambda: False)
        return Answer(int(said.parts()[0][:3]), {}, said.parts()[2].decode())

    assert statuses(index, [*ALL, hung_up]) == [*[200] * len(ALL), 400]
    assert set(index.stored()) == set(NAMES)
    check(index)


def test_a_quota_counts_what_is_published_together(in_memory: Path) -> None:
    size = len(made.file(NAMES[1], b"new"))
    index = Index(in_memory, quotas=f"new:{size + size // 2}")
    index.keeper.step()
    found = statuses(index, ALL)
    assert sorted(found) == [200, 200, 200, 507] and 507 in found[1:3]
    check(index)


def test_what_fails_after_its_record_was_made_harms_no_other(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    attestations = index.store.facts.attestations
    publishing = attestations.publishing

    def refusing(project: str, *arguments: Any) -> Any:
        if project == "bar":
            raise FactsError("its attestations cannot be read")
        return publishing(project, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(attestations, "publishing", refusing)
        assert statuses(index, ALL) == [200, 200, 200, 503]
    assert set(index.stored()) == set(NAMES[:3])
    assert not list((index.packages / ".wheelhouse/files/bar").glob("*.json"))
    check(index)
    assert ALL[3](index).status == 200


def test_many_wait_for_no_other_file_of_the_disk(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    many = [upload(f"many{number}-1.0.tar.gz") for number in range(20)]
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_sync_file_system", asked.append)
        assert statuses(index, many) == [200] * len(many)
    assert asked == []
    check(index)


def test_pages_that_cannot_be_written_are_no_success_and_follow(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_staged: Staged) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Staged, "publish", failing)
        assert statuses(index, ALL) == [503] * len(ALL)
    index.keeper.step()
    assert set(index.stored()) == set(NAMES)
    check(index)


def test_what_may_be_replaced_is_published_one_by_one(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    index.keeper.step()
    contents = [b"one", b"two", b"three"]
    assert statuses(index, [upload(OLD, content) for content in contents]) == [200] * 3
    assert index.stored()[OLD] in [made.file(OLD, content) for content in contents]
    check(index)


def prepared(folder: Path) -> Index:
    folder.mkdir()
    index = Index(folder)
    assert upload(OLD, b"old")(index).status == 200
    index.keeper.step()
    return index


def test_whatever_is_killed_at_whatever_step_the_next_start_mends(in_memory: Path) -> None:
    for step in LOOKED_AT:
        index = prepared(in_memory / str(step))

        def killed(index: Index = index, step: int = step) -> int:
            begin = partial(steps, step, STEPS, partial(os.kill, os.getpid(), signal.SIGKILL))
            return 0 if statuses(index, ALL, begin) == [200] * len(ALL) else 1

        code = in_a_child(killed)
        again = Index(index.folder)
        again.keeper.step()
        check(again)
        assert OLD in again.stored()
        # The clients had no answer, and send it again.
        assert statuses(again, ALL) == [200] * len(ALL), f"step {step}"
        assert set(again.stored()) == {OLD, *NAMES}
        if code == 0:
            assert step > 5
            return
        assert code == -signal.SIGKILL
    raise AssertionError("they have more steps than are looked at")


def test_whatever_the_disk_has_no_room_for_what_is_answered_with_200_is_there(in_memory: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    codes = []
    for step in LOOKED_AT:
        index = prepared(in_memory / str(step))

        def refused(index: Index = index, step: int = step) -> int:
            def raising() -> None:
                raise full

            found = statuses(index, ALL, partial(steps, step, NEED_ROOM, raising))
            stored = index.stored()
            assert set(found) <= {200, 507}, found
            assert [name in stored for name in NAMES] == [status == 200 for status in found], f"step {step}: {found}"
            check(index)
            return 0 if found == [200] * len(ALL) else 1

        codes.append(in_a_child(refused))
    assert codes[0] == 1 and set(codes) <= {0, 1}, codes


def test_a_record_that_was_made_meanwhile_stays_though_the_upload_fails(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, records = index.store._recorder, index.store.facts.records
    compare = recorder._compare_elsewhere
    content = made.file("new-1.0.zip")

    def compared(upload: Any) -> None:
        compare(upload)
        # Such as the keeper of another process, for a copy of the same file.
        records.make("new", {"new-1.0.zip": Record(sha256(content), len(content), 1, COPIED)}, {})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "_compare_elsewhere", compared)
        patch.setattr("wheelhouse_index.files.incoming.Upload.published", full)
        assert index.upload("new-1.0.zip", content).status == 507
    record = records.at("new", "new-1.0.zip")
    assert record and record.source == COPIED
    assert index.upload("new-1.0.zip", content).status == 200
    assert index.times("new")["new-1.0.zip"].startswith("1970")


def test_what_does_not_fit_claims_no_name(any_index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert upload(OLD)(any_index).status == 507
    for _ in range(3):
        any_index.look()
    store = any_index.packages / ".wheelhouse"
    assert [list((store / name).iterdir()) for name in ("names", "files")] == [[], []]
    assert not any_index.store.claimed("foo")
    assert not list(any_index.store.incoming.iterdir())


@contextmanager
def waiting(index: Index) -> Iterator[None]:
    """An upload waits for the lock meanwhile, and is accepted then."""
    with ThreadPoolExecutor(1) as pool:
        with index.store._alone():
            answer = pool.submit(upload(OLD), index)
            while not index.store._waiting:
                assert not answer.done()
                time.sleep(0.01)
            yield
        assert answer.result().status == 200


def test_what_has_waited_is_published_when_it_is(any_index: Index) -> None:
    with waiting(any_index):
        time.sleep(1.2)
        assert not any_index.listed("foo")
        looked = time_text(time.time_ns())
    assert any_index.times("foo")[OLD] > looked


def test_a_process_that_starts_takes_nothing_away(any_index: Index) -> None:
    with waiting(any_index):
        incoming.prepare(any_index.store.incoming)
    check(any_index)
    assert not list(any_index.store.incoming.iterdir())
