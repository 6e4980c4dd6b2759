"""Quotas: what counts, which one decides, what is refused when, and in which words."""

from __future__ import annotations

import io
import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.fact_store.change_log import ChangeLog
from wheelhouse_index.fact_store.recording import Origin
from wheelhouse_index.files import incoming
from wheelhouse_index.files.entry import Entry, Facts, Stamp
from wheelhouse_index.files.names import Release
from wheelhouse_index.index import quotas
from wheelhouse_index.index.quotas import Quotas
from wheelhouse_index.requests import changes

from tests.support import packages as made
from tests.support.attestations import attestation
from tests.support.index import Answer, Index, form
from tests.support.index_server import Server

MEGABYTE = 1024 * 1024
ADVICE = (
    " Nothing was stored. Remove files that are not needed, or ask the operator of this index to raise pypi_quotas."
)


def wheel(project: str, version: str, size: int) -> tuple[str, bytes]:
    """Return the name of a wheel, and its content of this size in bytes."""
    name = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    content = made.file(name, os.urandom(size - len(made.file(name))))
    assert len(content) == size
    return name, content


def upload(index: Index, project: str, version: str, size: int) -> Answer:
    return index.upload(*wheel(project, version, size), None, name=project, version=version)


def sent(project: str, version: str) -> dict[str, str]:
    return {"name": project, "version": version}


def set_quotas(index: Index, text: str) -> None:
    """Set other quotas, as a start of pypi-server does."""
    own = index.settings
    log = ChangeLog(index.logs)
    limits = Quotas.of_text(text)
    index.changes = changes.Changes(index.store, own.overwrite, own.anonymous_uploads, log, quotas=limits)


def refused(answer: Answer, words: str) -> None:
    """Say that a quota was the reason."""
    assert (answer.status, answer.reason) == (507, words + ADVICE), answer
    assert answer.text == answer.reason + "\n"


def summed(index: Index) -> tuple[int, dict[str, int]]:
    """Return what the catalogue says of sizes: of all files, and of each project."""
    with index.store.catalogue.reading() as known:
        return known.size(), {name: known.size(name) for name in known.all_projects()}


def there(index: Index) -> tuple[int, dict[str, int]]:
    """Return what is so."""
    found: dict[str, int] = {}
    with index.store.catalogue.reading() as known:
        for entry in known.all():
            size = (index.packages / entry.path).stat().st_size
            found[entry.project] = found.get(entry.project, 0) + size
    return sum(found.values()), found


def test_a_file_that_fits_to_the_byte_is_taken_and_one_that_is_a_byte_longer_is_not(in_memory: Path) -> None:
    index = Index(in_memory, quotas="*:1m")
    assert upload(index, "foo", "1.0", MEGABYTE - 5000).status == 200
    refused(
        upload(index, "foo", "2.0", 5001),
        "foo-2.0-py3-none-any.whl does not fit into the quota of the project foo (*): 1019.1 KiB of 1 MiB are used.",
    )
    assert upload(index, "foo", "2.0", 5000).status == 200
    refused(
        upload(index, "foo", "3.0", 800),
        "foo-3.0-py3-none-any.whl does not fit into the quota of the project foo (*): 1 MiB of 1 MiB are used.",
    )
    # Each project has one of its own.
    assert upload(index, "bar", "1.0", MEGABYTE).status == 200
    assert summed(index) == there(index) == (2 * MEGABYTE, {"foo": MEGABYTE, "bar": MEGABYTE})
    assert list((index.packages / ".incoming").iterdir()) == []


def test_the_first_pattern_that_matches_counts_and_the_index_for_all(in_memory: Path) -> None:
    index = Index(in_memory, quotas="3m big:2m nightly-*:1m *:100k")
    assert upload(index, "foo", "1.0", 100_000).status == 200
    refused(
        upload(index, "foo", "2.0", 10_000),
        "foo-2.0-py3-none-any.whl does not fit into the quota of the project foo (*): 97.6 KiB of 100 KiB are used.",
    )
    assert upload(index, "nightly-x", "1.0", 1_000_000).status == 200
    refused(
        upload(index, "nightly-x", "2.0", 100_000),
        "nightly_x-2.0-py3-none-any.whl does not fit into the quota of the project nightly-x (nightly-*): 976.5 KiB of 1 MiB"
        " are used.",
    )
    assert upload(index, "big", "1.0", 2_000_000).status == 200
    refused(
        upload(index, "big", "2.0", 100_000),
        "big-2.0-py3-none-any.whl does not fit into the quota of the project big: 1.9 MiB of 2 MiB are used.",
    )
    refused(
        upload(index, "other", "1.0", 50_000),
        "other-1.0-py3-none-any.whl does not fit into the quota of this index: 2.9 MiB of 3 MiB are used.",
    )


def test_what_is_removed_makes_room_and_what_was_copied_in_counts_and_stays(in_memory: Path) -> None:
    index = Index(in_memory, quotas="*:100k")
    assert upload(index, "foo", "1.0", 60_000).status == 200
    assert upload(index, "foo", "2.0", 60_000).status == 507
    assert index.remove("foo", "1.0").status == 200
    assert upload(index, "foo", "2.0", 60_000).status == 200
    for version in ("3.0", "4.0"):
        name, content = wheel("foo", version, 90_000)
        (index.packages / name).write_bytes(content)
    index.look()
    assert len(index.listed("foo")) == 3
    assert summed(index) == there(index) == (240_000, {"foo": 240_000})
    assert upload(index, "foo", "5.0", 1_000).status == 507
    (index.packages / name).unlink()
    index.look()
    assert summed(index) == there(index) == (150_000, {"foo": 150_000})


def test_an_import_counts_and_is_not_refused(in_memory: Path) -> None:
    index = Index(in_memory, quotas="*:10k")
    name, content = wheel("foo", "1.0", 60_000)
    folder = index.packages / ".incoming"
    with incoming.arriving(index.store.incoming) as arriving:
        arriving.write(content)
        facts = Facts(arriving.sha256, Release("foo", "1.0"))
        assert index.store.add([incoming.Upload(name, arriving, facts)], False, Origin("import")).files == {name}
    assert not list(folder.iterdir())
    assert upload(index, "foo", "2.0", 1_000).status == 507
    assert summed(index) == (60_000, {"foo": 60_000})


def test_a_quota_below_what_is_used_refuses_what_is_new_and_removes_nothing(in_memory: Path) -> None:
    index = Index(in_memory)
    name, content = wheel("foo", "1.0", 50_000)
    assert index.upload(name, content, None, name="foo", version="1.0").status == 200
    for text in ("10k", "foo:10k", "0"):
        set_quotas(index, text)
        assert upload(index, "foo", "2.0", 1_000).status == 507
        index.look()
        assert list(index.listed("foo")) == [name]
        # What is there already adds nothing, in any spelling, and with what belongs to it.
        again = index.upload(name, content, None, name="foo", version="1.0")
        assert (again.status, again.text) == (200, f"Nothing to do: {name} already exists with this content.\n")
        spelt = index.upload("Foo-1.0-py3-none-any.whl", content, None, name="Foo", version="1.0")
        assert (spelt.status, spelt.text[:13]) == (200, "Nothing to do"), spelt
        # What is there with other content is a conflict, as without a quota.
        assert index.upload(name, made.file(name, b"other"), None, name="foo", version="1.0").status == 409
    field = json.dumps([attestation(name, content)])
    attested = index.upload(name, content, None, name="foo", version="1.0", attestations=field)
    assert (attested.status, attested.text[:22]) == (200, "Added its attestations"), attested
    assert index.remove("foo", "1.0").status == 200


def test_a_signature_counts(in_memory: Path) -> None:
    index = Index(in_memory)
    name, content = wheel("foo", "1.0", 50_000)
    assert index.upload(name, content).status == 200
    for quota, status in ((50_050, 507), (50_100, 200)):
        set_quotas(index, str(quota))
        files = {"content": (name, content), "gpg_signature": (f"{name}.asc", b"s" * 100)}
        answer = index.send(*form({":action": "file_upload", "name": "foo", "version": "1.0"}, files))
        assert answer.status == status, answer
    assert summed(index) == there(index) == (50_100, {"foo": 50_100})


def test_a_file_that_is_replaced_makes_room_for_its_successor(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True, quotas="*:100k")
    assert upload(index, "foo", "1.0", 90_000).status == 200
    assert upload(index, "foo", "1.0", 102_400).status == 200
    assert upload(index, "foo", "1.0", 102_401).status == 507
    assert upload(index, "foo", "1.0", 50_000).status == 200
    assert summed(index) == there(index) == (50_000, {"foo": 50_000})
    set_quotas(index, "10k")
    assert upload(index, "foo", "1.0", 40_000).status == 200, "less is used than before"


def test_who_may_not_publish_learns_nothing_of_quotas(in_memory: Path) -> None:
    index = Index(in_memory, quotas="0")
    name, content = wheel("foo", "1.0", 1_000)
    for fields in ({"name": "foo", "version": "1.0"}, {}):
        answer = index.upload(name, content, {"X-Wheelhouse-Rights": "publish:bar"}, **fields)
        assert (answer.status, "quota" in answer.text) == (403, False), answer


class Stream(io.BytesIO):
    """A body that notes how many bytes were in packages/.incoming at most while it was read."""

    def __init__(self, body: bytes, index: Index) -> None:
        super().__init__(body)
        self._folder = index.packages / ".incoming"
        self.kept = 0

    def readinto(self, buffer: Any) -> int:
        self.kept = max([self.kept, *(path.stat().st_size for path in self._folder.iterdir())])
        return super().readinto(buffer)


@pytest.mark.parametrize(
    ("size", "length", "kept", "read"),
    [
        # Its length leaves no doubt: the file is not begun.
        (40 * MEGABYTE, "known", 0, MEGABYTE),
        # Its fields might be as large: it ends where there is no room.
        (10 * MEGABYTE, "known", 2 * MEGABYTE, 3 * MEGABYTE),
        (40 * MEGABYTE, "unknown", 2 * MEGABYTE, 3 * MEGABYTE),
        # It may just fit.
        (2 * MEGABYTE + 1, "known", 2 * MEGABYTE, 3 * MEGABYTE),
    ],
)
def test_a_file_that_cannot_fit_is_refused_before_it_is_kept_or_where_the_room_ends(
    in_memory: Path, size: int, length: str, kept: int, read: int
) -> None:
    index = Index(in_memory, quotas="*:3m")
    assert upload(index, "foo", "1.0", MEGABYTE).status == 200
    fields = {":action": "file_upload", "name": "Foo", "version": "2.0"}
    body, kind = form(fields, {"content": wheel("foo", "2.0", size)})
    stream = Stream(body, index)
    answer = index.send(stream, kind, {} if length == "known" else {"Content-Length": ""})
    refused(
        answer,
        "foo-2.0-py3-none-any.whl does not fit into the quota of the project foo (*): 1 MiB of 3 MiB are used.",
    )
    print(f"of {len(body)} bytes {stream.tell()} were read, and {stream.kept} kept")
    assert stream.kept <= kept
    assert stream.tell() <= read
    assert list((index.packages / ".incoming").iterdir()) == []


def test_what_was_there_before_quotas_were_set_counts_at_once(in_memory: Path) -> None:
    index = Index(in_memory)
    assert upload(index, "foo", "1.0", MEGABYTE).status == 200
    set_quotas(index, "*:2m")
    body, kind = form({":action": "file_upload", **sent("foo", "2.0")}, {"content": wheel("foo", "2.0", 30 * MEGABYTE)})
    stream = Stream(body, index)
    refused(
        index.send(stream, kind),
        "foo-2.0-py3-none-any.whl does not fit into the quota of the project foo (*): 1 MiB of 2 MiB are used.",
    )
    assert (stream.kept, stream.tell() < MEGABYTE) == (0, True)
    assert summed(index) == there(index) == (MEGABYTE, {"foo": MEGABYTE})


def test_a_form_that_does_not_name_its_project_first_is_decided_on_at_its_end(in_memory: Path) -> None:
    index = Index(in_memory, quotas="*:100k")
    assert upload(index, "foo", "1.0", 60_000).status == 200
    name, content = wheel("foo", "2.0", 60_000)
    answer = index.upload(name, content)
    refused(answer, f"{name} does not fit into the quota of the project foo (*): 58.5 KiB of 100 KiB are used.")
    assert index.upload(*wheel("foo", "2.0", 30_000)).status == 200


def test_large_fields_do_not_count_as_a_file(in_memory: Path) -> None:
    index = Index(in_memory, quotas="*:1m")
    assert upload(index, "foo", "1.0", 500_000).status == 200
    head, kind = form(
        {":action": "file_upload", "name": "foo", "version": "2.0"}, {"content": wheel("foo", "2.0", 5000)}
    )
    edge = head.partition(b"\r\n")[0]
    more = b'%s\r\nContent-Disposition: form-data; name="description"\r\n\r\n%s\r\n' % (edge, b"x" * 16_700_000)
    body = head.removesuffix(edge + b"--\r\n") + more + edge + b"--\r\n"
    assert index.send(body, kind).status == 200


def test_uploads_at_once_do_not_exceed_a_quota_together(tmp_path: Path) -> None:
    with Server(tmp_path, environment={"WHEELHOUSE_QUOTAS": "10m nightly-*:1m"}) as server:
        answers: list[Answer] = []

        def publish(version: int) -> None:
            fields = {"name": "nightly-x", "version": f"1.{version}"}
            answers.append(server.upload(*wheel("nightly-x", f"1.{version}", 300_000), None, **fields))

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [200] * 3 + [507] * 9, answers
        assert len(list(server.packages.glob("*.whl"))) == 3
        (reason,) = {answer.reason.partition(": ")[2] for answer in answers if answer.status == 507}
        assert reason == "878.9 KiB of 1 MiB are used." + ADVICE
        assert not list((server.packages / ".incoming").iterdir())


def test_sums_are_right_after_whatever_happens(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True, quotas="1g")
    assert upload(index, "foo", "1.0", 2_000).status == 200
    chosen = random.Random(1)
    for step in range(80):
        project, version = chosen.choice(("foo", "bar", "a-b")), f"1.{chosen.randrange(4)}"
        name, content = wheel(project, version, chosen.randrange(1_000, 9_000))
        action = chosen.choice(
            ("upload", "upload", "copy", "unlink", "remove", "quarantine", "active", "look", "rebuild")
        )
        if action == "upload":
            index.upload(name, content, None, name=project, version=version)
        elif action == "copy":
            folder = index.packages / chosen.choice((".", "more"))
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        elif action == "unlink":
            (index.packages / name).unlink(missing_ok=True)
        elif action == "remove":
            index.remove(project, version)
        elif action in ("quarantine", "active"):
            status = "quarantined" if action == "quarantine" else "active"
            index.ask("set_status", name=project, status=status)
        elif action == "rebuild":
            (index.pages / "catalogue-4.sqlite").unlink()
            assert upload(index, "foo", f"2.{step}", 1_000).status in (200, 403)
        index.look()
        with index.store.catalogue.reading() as known:
            if not known.has_sizes():
                # Made again with the next upload.
                continue
        assert summed(index) == there(index), (step, action, name)


def test_one_of_a_hundred_thousand_files_costs_no_scan(index: Index) -> None:
    with index.store.catalogue.writing() as known:
        known._db.execute(
            "INSERT INTO files (path, name, project, size, mtime_ns, inode, unreadable)"
            " WITH RECURSIVE one(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM one WHERE n < 99999)"
            " SELECT 'p' || (n % 1000) || '-1.' || n || '.tar.gz', n, 'p' || (n % 1000), 1000, 1, n, 0 FROM one"
        )
        began = time.perf_counter()
        known.sum_sizes()
        print(f"summed up in {time.perf_counter() - began:.3f} s")
    with index.store.catalogue.writing() as known:
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        known._db.set_progress_handler(step, 1)
        found = Quotas.of_text("1g p1:1m *:1k").of(known, "p1")
        asked, steps = steps, 0
        known.put(Entry("p1-2.0.tar.gz", Stamp(5, 1, 1), Facts("0" * 64, Release("p1", "2.0"))))
        noted = steps
        known._db.set_progress_handler(None, 0)
    assert [(quota.size, quota.used) for quota in found] == [(MEGABYTE, 100_000), (1024 * MEGABYTE, 100_000_000)]
    print(f"{asked} steps of SQLite to ask for both sums, {noted} to note a file")
    assert asked < 1000
    assert noted < 1000
    assert summed(index)[0] == 100_000_005


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Quotas()),
        ("500g", Quotas(500 * 1024**3)),
        (" a-*:1k *:2T", Quotas(None, (("a-*", 1024), ("*", 2 * 1024**4)))),
        ("7 a:8", Quotas(7, (("a", 8),))),
    ],
)
def test_quotas_are_read_as_compose_passes_them(text: str, found: Quotas) -> None:
    assert Quotas.of_text(text) == found
    assert bool(found) is bool(text)


@pytest.mark.parametrize("text", ["a", "a:", "1x", "-1", ":"])
def test_quotas_that_cannot_be_read_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        Quotas.of_text(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (20 * 1024**3, "20 GiB"),
        (20 * 1024**3 - 1, "19.9 GiB"),
        (5000 * 1024**4, "5000 TiB"),
    ],
)
def test_sizes_are_shown_and_never_rounded_up(size: int, text: str) -> None:
    assert quotas.shown(size) == text
