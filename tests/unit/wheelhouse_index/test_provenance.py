"""Attestations come with an upload, are of its file, last as its record does, and are served as provenance (PEP 740)."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pypi_simple import ProjectPage
from wheelhouse_index.common import disk
from wheelhouse_index.fact_store import recording
from wheelhouse_index.fact_store.history import Wanted, events
from wheelhouse_index.index.folders import Options
from wheelhouse_index.index.store import Store

from tests.support import packages as made
from tests.support.attestations import SLSA, attestation, encoded, statement
from tests.support.index import BASE, Index, form, sha256

ONE, TWO, SDIST = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl", "foo-1.0.tar.gz"
CONTENT, OTHER = made.file(ONE, b"one"), made.file(ONE, b"other")
ATTESTATION = attestation(ONE, CONTENT)
FIELD = json.dumps([ATTESTATION])
URL = "https://pypi.example.com"


@pytest.fixture
def index(in_memory: Path) -> Index:
    found = Index(in_memory, url=URL)
    found.keeper.step()
    return found


def stored(index: Index, name: str = ONE) -> Path:
    return index.packages / f".wheelhouse/files/foo/{name}.attestations"


def served(index: Index, path: str = ONE) -> Any:
    """Return what NGINX serves beside a file; None for nothing."""
    place = index.pages / f"packages/{path}.provenance"
    return json.loads(place.read_text()) if place.exists() else None


def bundled(*found: dict[str, Any]) -> dict[str, Any]:
    publisher = {"kind": "wheelhouse.pypi", "claims": {}}
    return {"version": 1, "attestation_bundles": [{"publisher": publisher, "attestations": list(found)}]}


def on_page(index: Index, project: str = "foo") -> dict[str, str | None]:
    """Return the address of the provenance of each file, on which both pages agree."""
    folder = index.pages / "simple" / project
    document, html = json.loads((folder / "index.json").read_text()), (folder / "index.html").read_text()
    base = BASE.format(project=project)
    found = [ProjectPage.from_json_data(document, base_url=base), ProjectPage.from_html(project, html, base_url=base)]
    by_json, by_html = ({file.filename: file.provenance_url for file in page.packages} for page in found)
    assert by_json == by_html
    return by_json


def noted(index: Index) -> list[tuple[str, dict[str, str]]]:
    """Return action and files of each line of the change log."""
    lines = [json.loads(line) for file in sorted(index.logs.iterdir()) for line in file.read_text().splitlines()]
    return [(line["action"], line["files"]) for line in lines]


def listed(index: Index) -> list[tuple[str, str, str, str]]:
    """Return action, login, file and address of what ``list`` lists."""
    damaged: list[str] = []
    found = events(index.store.facts, index.logs, Wanted(), damaged)
    assert not damaged
    return [(event.action, event.login, event.file, event.address) for event in found]


def test_they_are_kept_and_served(index: Index) -> None:
    answer = index.upload(ONE, CONTENT, attestations=FIELD)
    assert (answer.status, answer.text.strip()) == (200, f"Published {ONE}.")
    kept = json.loads(stored(index).read_text())
    assert kept.pop("upload-time")
    assert kept == {"sha256": sha256(CONTENT), "login": "publisher", "attestations": [ATTESTATION]}
    assert stored(index).stat().st_mode & 0o777 == 0o600
    assert served(index) == bundled(ATTESTATION)
    assert on_page(index) == {ONE: f"{URL}/packages/{ONE}.provenance"}
    index.look()
    assert served(index) == bundled(ATTESTATION)


def test_a_file_without_has_none_on_its_page(index: Index) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    assert index.upload(TWO, made.file(TWO)).status == 200
    assert on_page(index) == {ONE: f"{URL}/packages/{ONE}.provenance", TWO: None}
    assert "provenance" not in json.loads((index.pages / "simple/foo/index.json").read_text())["files"][1]
    assert served(index, TWO) is None and not stored(index, TWO).exists()


def test_without_an_address_of_its_own_pages_name_none(in_memory: Path) -> None:
    index = Index(in_memory)
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    assert on_page(index) == {ONE: None}
    assert served(index) == bundled(ATTESTATION)


def test_with_another_address_pages_are_written_again(index: Index) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    for url, named in (("http://pypi.example.org:8080", True), ("", False)):
        later = Store(index.settings.packages, index.pages, Options(url=url))
        later.prepare()
        later.write_pending()
        assert on_page(index) == {ONE: f"{url}/packages/{ONE}.provenance" if named else None}
    # Who does not know it changes nothing.
    Store(index.settings.packages, index.pages).prepare()
    assert on_page(index) == {ONE: None}


def test_pages_that_disk_lacks_name_it_as_well(index: Index) -> None:
    assert index.upload("foo-1.0+a.zip", made.file("foo-1.0+a.zip"), attestations=of("foo-1.0+a.zip")).status == 200
    answer = index.get("/simple/foo/")
    print(answer.text)
    assert f'data-provenance="{URL}/packages/foo-1.0+a.zip.provenance"' in answer.text
    assert index.get("/pypi/foo/json").status == 200


def of(name: str, content: bytes | None = None) -> str:
    return json.dumps([attestation(name, made.file(name) if content is None else content)])


def changed(**keys: Any) -> str:
    return json.dumps([{**ATTESTATION, **keys}])


def with_statement(content: bytes) -> str:
    return changed(envelope={**ATTESTATION["envelope"], "statement": encoded(content)})


def with_material(**keys: Any) -> str:
    return changed(verification_material={**ATTESTATION["verification_material"], **keys})


def stated(**keys: Any) -> str:
    return json.dumps([attestation(ONE, CONTENT, **keys)])


_SUBJECT = statement(ONE, CONTENT)["subject"][0]
_DEEP = "[" * 51 + "]" * 51
BAD = {
    "no JSON": ("nonsense", "are not JSON"),
    "cut off": (FIELD[:-1], "are not JSON"),
    "nested too deep": (_DEEP, "are nested deeper than 50 levels"),
    "nested too deep in an entry": (
        json.dumps([attestation(ONE, CONTENT)]).replace('"logIndex": "1"', f'"logIndex": {_DEEP}'),
        "are nested deeper than 50 levels",
    ),
    "no JSON number": ('[{"version": NaN}]', "are not JSON"),
    "a number out of range": (FIELD.replace('"logIndex": "1"', '"logIndex": -1e999'), "number that is out of range"),
    "an object": (json.dumps(ATTESTATION), "are not a JSON array"),
    "none": ("[]", "are not a JSON array with at least one"),
    "a number": ("1", "are not a JSON array"),
    "of texts": ('["a"]', "Attestation 1 of foo-1.0-py3-none-any.whl lacks version"),
    "another version": (changed(version=2), "is not of version 1"),
    "true for 1": (changed(version=True), "is not of version 1"),
    "no envelope": (changed(envelope=None), "lacks signature"),
    "no signature": (changed(envelope={"statement": ATTESTATION["envelope"]["statement"]}), "lacks signature"),
    "an empty signature": (changed(envelope={**ATTESTATION["envelope"], "signature": ""}), "lacks signature"),
    "no base64": (changed(envelope={**ATTESTATION["envelope"], "signature": "a*b="}), "a signature that is not base64"),
    "no certificate": (with_material(certificate=7), "lacks certificate"),
    "a certificate of letters": (with_material(certificate="ä"), "a certificate that is not base64"),
    "no transparency": (with_material(transparency_entries=[]), "has no transparency_entries"),
    "odd transparency": (with_material(transparency_entries=[1]), "has no transparency_entries"),
    "a statement of bytes": (with_statement(b"\xff\xfe"), "has a statement that is not JSON"),
    "a deep statement": (with_statement(_DEEP.encode()), "has a statement that is nested deeper than 50 levels"),
    "a statement of text": (with_statement(b'"a"'), "lacks _type"),
    "another statement": (stated(_type="https://in-toto.io/Statement/v0.1"), "has a statement that is no"),
    "another predicate": (stated(predicateType="https://example.com/v1"), "has another predicateType than"),
    "no subject": (stated(subject=[]), "has not exactly one subject"),
    "two subjects": (stated(subject=[_SUBJECT, _SUBJECT]), "has not exactly one subject"),
    "another file": (json.dumps([attestation(TWO, CONTENT)]), f"is of '{TWO}', another file"),
    "another project": (json.dumps([attestation("bar-1.0-py3-none-any.whl", CONTENT)]), "another file"),
    "other tags": (json.dumps([attestation("foo-1.0-py2-none-any.whl", CONTENT)]), "another file"),
    "the sdist": (json.dumps([attestation(SDIST, CONTENT)]), "another file"),
    "its signature": (json.dumps([attestation(f"{ONE}.asc", CONTENT)]), "another file"),
    "a path": (json.dumps([attestation(f"../{ONE}", CONTENT)]), "another file"),
    "no name": (stated(subject=[{**_SUBJECT, "name": None}]), "is of 'None', another file"),
    "other content": (of(ONE, OTHER), "is of a file with the SHA-256"),
    "no digest": (stated(subject=[{**_SUBJECT, "digest": {"sha512": "0"}}]), "lacks sha256"),
    "one that is right, one that is not": (
        json.dumps([ATTESTATION, attestation(TWO, CONTENT)]),
        f"Attestation 2 of {ONE} is of",
    ),
    "1.2 MB": (json.dumps([{**ATTESTATION, "more": "a" * 1_200_000}]), "bytes; this index takes 1048576"),
    "5 MB": (json.dumps([{**ATTESTATION, "more": "a" * 5_000_000}]), "field attestations is too large"),
}


@pytest.mark.parametrize("why", BAD)
def test_what_is_none_or_of_another_file_is_refused_and_nothing_stored(index: Index, why: str) -> None:
    field, said = BAD[why]
    answer = index.upload(ONE, CONTENT, attestations=field)
    print(answer.text)
    assert answer.status == 400 and said in answer.text
    assert len(answer.text.splitlines()) == 1 and len(answer.text) < 600
    assert index.stored() == {} and index.projects() == set()
    assert not (index.packages / ".wheelhouse/files/foo").exists()
    assert not (index.packages / ".wheelhouse/names/foo").exists()
    # The same upload, put right.
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200


def test_two_fields_are_refused(index: Index) -> None:
    twice = f'{FIELD}\r\n--edge\r\nContent-Disposition: form-data; name="attestations"\r\n\r\n[]'
    body = (
        '--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n'
        f'--edge\r\nContent-Disposition: form-data; name="attestations"\r\n\r\n{twice}\r\n'
        f'--edge\r\nContent-Disposition: form-data; name="content"; filename="{ONE}"\r\n\r\n'
    ).encode()
    answer = index.send(body + CONTENT + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge")
    assert answer.status == 400 and "more than one field attestations" in answer.text
    assert index.stored() == {}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (ONE, "Foo-1.0.0-py3-none-any.whl"),
        ("foo_bar-1.0-py2.py3-none-any.whl", "Foo.Bar-1.0-py3.py2-none-any.whl"),
        ("foo-1.0-1-py3-none-any.whl", "foo-1.0-01-py3-none-any.whl"),
        ("Foo-Bar-1.0.tar.gz", "foo_bar-1.0.tar.gz"),
        ("foo-1.0-py3-none-any-x86_64_v3.whl", "foo-1.0-py3-none-any-x86_64_v3.whl"),
    ],
)
def test_a_subject_may_be_spelt_otherwise(index: Index, name: str, subject: str) -> None:
    content = made.file(name)
    answer = index.upload(name, content, attestations=json.dumps([attestation(subject, content)]))
    print(answer.text)
    assert answer.status == 200
    assert served(index, name) == bundled(attestation(subject, content))


def test_several_and_unknown_keys_are_served_as_they_are(index: Index) -> None:
    more = {**attestation(ONE, CONTENT, predicateType=SLSA, predicate={"builder": "ü"}), "timestamps": ["AAAA"]}
    assert index.upload(ONE, CONTENT, attestations=json.dumps([ATTESTATION, more])).status == 200
    assert served(index) == bundled(ATTESTATION, more)


@pytest.mark.parametrize("more", [json.loads("[" * 45 + "]" * 45), "[" * 100, '\\"' + "{" * 100, 1e300])
def test_what_is_as_deep_as_the_limit_is_served_as_it_is(index: Index, more: Any) -> None:
    own = {**ATTESTATION, "more": more}
    assert index.upload(ONE, CONTENT, attestations=json.dumps([own])).status == 200
    assert served(index) == bundled(own)


def remove(index: Index) -> None:
    assert index.remove("foo", "1.0").status == 200


def remove_by_hand(index: Index) -> None:
    (index.packages / ONE).unlink()
    index.look()


def quarantine(index: Index) -> None:
    assert index.ask("set_status", name="foo", status="quarantined").status == 200


def upload(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200


def copy(index: Index) -> None:
    (index.packages / ONE).write_bytes(CONTENT)
    index.look()


def activate(index: Index) -> None:
    assert index.ask("set_status", name="foo", status="active").status == 200
    index.look()


@pytest.mark.parametrize(
    ("away", "back"),
    [(remove, upload), (remove, copy), (remove_by_hand, upload), (remove_by_hand, copy), (quarantine, activate)],
)
def test_they_are_served_with_their_file_and_last_without_it(
    index: Index, away: Callable[[Index], None], back: Callable[[Index], None]
) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    before = stored(index).read_bytes()
    away(index)
    assert served(index) is None and stored(index).read_bytes() == before
    back(index)
    assert served(index) == bundled(ATTESTATION) and stored(index).read_bytes() == before
    assert on_page(index) == {ONE: f"{URL}/packages/{ONE}.provenance"}


def rebuilt(index: Index) -> Index:
    index.store.forget()
    index.store.check_pages()
    index.keeper.step()
    return index


def restored(index: Index) -> Index:
    """A backup of packages/ on another host."""
    target = index.packages.parent / "restored"
    target.mkdir()
    shutil.copytree(index.packages, target / "packages")
    (target / "index").mkdir()
    again = Index(target, url=URL)
    again.keeper.step()
    return again


def lost(index: Index) -> Index:
    (index.pages / f"packages/{ONE}.provenance").unlink()
    index.store.check_pages()
    index.keeper.step()
    return index


def altered(index: Index) -> Index:
    (index.pages / f"packages/{ONE}.provenance").write_text("{}")
    index.store.check_written()
    index.keeper.step()
    return index


@pytest.mark.parametrize("how", [rebuilt, restored, lost, altered])
def test_what_is_served_is_derived(index: Index, how: Callable[[Index], Index]) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    again = how(index)
    assert served(again) == bundled(ATTESTATION)
    assert on_page(again) == {ONE: f"{URL}/packages/{ONE}.provenance"}


def test_it_is_served_in_each_folder_that_has_the_file(index: Index) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    (index.packages / "old").mkdir()
    (index.packages / "old" / ONE).write_bytes(CONTENT)
    index.look()
    assert served(index, f"old/{ONE}") == bundled(ATTESTATION)
    (index.packages / "old" / ONE).unlink()
    index.look()
    assert served(index, f"old/{ONE}") is None and served(index) == bundled(ATTESTATION)


def test_a_file_may_get_them_later_once(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    record = index.record("foo", ONE)
    answer = index.upload(ONE, CONTENT, attestations=FIELD)
    assert (answer.status, answer.text.strip()) == (
        200,
        f"Added its attestations to {ONE}, which already exists with this content.",
    )
    assert served(index) == bundled(ATTESTATION) and index.record("foo", ONE) == record
    before = stored(index).read_bytes()
    for field in (FIELD, json.dumps([attestation(ONE, CONTENT, b"made again")])):
        answer = index.upload(ONE, CONTENT, attestations=field)
        print(answer.text)
        assert answer.status == 200
        assert answer.text.startswith(f"Nothing to do: {ONE} already exists with this content.")
        assert "Its attestations stay as they are." in answer.text
    assert stored(index).read_bytes() == before and served(index) == bundled(ATTESTATION)
    assert noted(index) == [("file_upload", {ONE: sha256(CONTENT)}), ("attest", {ONE: sha256(CONTENT)})]


def test_those_that_are_dropped_as_the_file_comes_back_are_spoken_of(index: Index) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    remove(index)
    answer = index.upload(ONE, CONTENT, attestations=json.dumps([attestation(ONE, CONTENT, b"made again")]))
    assert (answer.status, answer.text.strip()) == (200, f"Published {ONE}. Its attestations stay as they are.")
    assert served(index) == bundled(ATTESTATION)
    assert [action for action, _ in noted(index)] == ["file_upload", "attest", "remove_pkg", "file_upload"]


def test_who_attested_is_listed_with_and_without_the_change_log(index: Index) -> None:
    first = {"X-Wheelhouse-Login": "ci", "X-Forwarded-For": "192.0.2.7"}
    assert index.upload(ONE, CONTENT, first).status == 200
    second = {"X-Wheelhouse-Login": "signer", "X-Forwarded-For": "192.0.2.8"}
    assert index.upload(ONE, CONTENT, second, attestations=FIELD).status == 200
    assert listed(index) == [("published", "ci", ONE, "192.0.2.7"), ("attested", "signer", ONE, "192.0.2.8")]
    for log in index.logs.iterdir():
        log.unlink()
    assert listed(index) == [("published", "ci", ONE, ""), ("attested", "signer", ONE, "")]


def test_a_signature_that_follows_is_not_listed_as_its_file(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    body, kind = form(
        {":action": "file_upload"}, {"content": (ONE, CONTENT), "gpg_signature": (f"{ONE}.asc", b"signed")}
    )
    assert index.send(body, kind).status == 200
    assert noted(index) == [("file_upload", {ONE: sha256(CONTENT)}), ("file_upload", {f"{ONE}.asc": sha256(b"signed")})]
    assert listed(index) == [("published", "publisher", ONE, "")]


def test_while_an_upload_waits_they_take_no_more_memory_than_they_have_bytes(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small objects, which take many times their bytes once they are parsed.
    field = json.dumps([{**ATTESTATION, "more": [{}] * 60_000}])
    body, kind = form({":action": "file_upload", "attestations": field}, {"content": (ONE, CONTENT)})
    held: list[int] = []
    add = Store.add

    def waiting(*args: Any) -> Any:
        held.append(tracemalloc.get_traced_memory()[0])
        return add(*args)

    monkeypatch.setattr(Store, "add", waiting)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert index.send(body, kind).status == 200
    finally:
        tracemalloc.stop()
    print(f"{held[0] - before} bytes are held for {len(field)}")
    # As they came with the form, as they are to be kept, and in the body that the test sends.
    assert held[0] - before < 4 * len(field)
    assert served(index) == bundled(json.loads(field)[0])


def test_what_cannot_be_synced_is_taken_back(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    with failing_to_sync(monkeypatch, stored(index)):
        assert index.upload(ONE, CONTENT, attestations=FIELD).status == 503
    assert not stored(index).exists() and served(index) is None
    with failing_to_sync(monkeypatch, stored(index, TWO)):
        content = made.file(TWO)
        assert index.upload(TWO, content, attestations=of(TWO, content)).status == 503
    assert not stored(index, TWO).exists() and index.stored().keys() == {ONE}


def test_what_was_there_is_put_back_where_other_content_cannot_be_synced(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(in_memory, overwrite=True)
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    before = stored(index).read_bytes()
    with failing_to_sync(monkeypatch, stored(index)):
        assert index.upload(ONE, OTHER, attestations=of(ONE, OTHER)).status == 503
    assert stored(index).read_bytes() == before and served(index) == bundled(ATTESTATION)
    assert index.stored() == {ONE: CONTENT}


@contextmanager
def failing_to_sync(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[None]:
    """Have the disk fail where a file is synced by its name."""
    sync = disk.sync

    def fail(paths: Collection[Path | str], one_by_one: bool = False) -> None:
        if place in map(Path, paths):
            raise OSError(5, "broken")
        sync(paths, one_by_one)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync", fail)
        yield


def test_an_operator_takes_them_back(index: Index) -> None:
    """As docs/releases.md has it."""
    planted = json.dumps([attestation(ONE, CONTENT, b"planted")])
    assert index.upload(ONE, CONTENT, attestations=planted).status == 200
    stored(index).unlink()
    (index.pages / f"packages/{ONE}.provenance").unlink()
    again = Index(index.packages.parent, url=URL)
    for _ in range(2):
        again.look()
    assert not stored(again).exists() and served(again) is None
    assert on_page(again) == {ONE: None} and again.listed("foo") == {ONE: sha256(CONTENT)}
    assert again.upload(ONE, CONTENT, attestations=FIELD).status == 200
    again.look()
    assert served(again) == bundled(ATTESTATION)
    assert on_page(again) == {ONE: f"{URL}/packages/{ONE}.provenance"}


def test_a_copied_file_may_get_them_later(index: Index) -> None:
    copy(index)
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    index.look()
    assert served(index) == bundled(ATTESTATION)
    assert index.record("foo", ONE)["source"] == "copied"


def test_a_project_that_takes_no_uploads_gets_none(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    assert index.ask("set_status", name="foo", status="archived").status == 200
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 403
    assert served(index) is None and not stored(index).exists()


def test_where_files_may_be_replaced_they_go_with_the_content(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    assert index.upload(ONE, OTHER).status == 200
    assert served(index) is None
    assert index.upload(ONE, OTHER, attestations=of(ONE, OTHER)).status == 200
    assert served(index) == bundled(attestation(ONE, OTHER))
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    assert served(index) == bundled(ATTESTATION)


def test_they_are_synced_before_the_file_gets_its_name(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []
    sync = disk.sync

    def noted(paths: Any, one_by_one: bool = False) -> None:
        synced.extend((Path(path).name, (index.packages / ONE).exists()) for path in paths)
        sync(paths, one_by_one)

    monkeypatch.setattr(disk, "sync", noted)
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    assert (stored(index).name, False) in synced


def test_what_is_not_published_leaves_none(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **_more: object) -> None:
        raise OSError(5, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(index.store, "_stage", fail)
        assert index.upload(ONE, CONTENT, attestations=FIELD).status == 503
    assert index.stored() == {} and not stored(index).exists()
    assert index.upload(ONE, CONTENT).status == 200
    with monkeypatch.context() as patch:
        patch.setattr(index.store, "_stage", fail)
        assert index.upload(ONE, CONTENT, attestations=FIELD).status == 503
    assert not stored(index).exists() and served(index) is None
    index.look()
    assert on_page(index) == {ONE: None}


def test_damaged_ones_are_not_served_and_not_replaced(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    stored(index).write_text('{"sha256": ')
    again = rebuilt(index)
    assert served(again) is None and on_page(again) == {ONE: None}
    assert f"{ONE} is served without its provenance" in caplog.text
    assert again.upload(ONE, CONTENT, attestations=FIELD).status == 503
    assert stored(again).read_text() == '{"sha256": '


def test_empty_ones_of_a_loss_of_power_count_as_none(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    stored(index).write_text("")
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    assert served(index) == bundled(ATTESTATION)


def test_they_may_come_with_a_signature(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    body, kind = form(
        {":action": "file_upload", "attestations": FIELD},
        {"content": (ONE, CONTENT), "gpg_signature": (f"{ONE}.asc", b"signature")},
    )
    assert index.send(body, kind).status == 200
    assert served(index) == bundled(ATTESTATION)
    assert index.stored().keys() == {ONE, f"{ONE}.asc"}


def wheelhouse(index: Index) -> Path:
    return index.packages / ".wheelhouse"


@pytest.mark.parametrize("later", [True, False])
def test_what_an_older_copy_of_the_store_lacks_is_put_back(index: Index, tmp_path: Path, later: bool) -> None:
    if later:
        assert index.upload(ONE, CONTENT).status == 200
    shutil.copytree(wheelhouse(index), tmp_path / "backup")
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    shutil.rmtree(wheelhouse(index))
    shutil.copytree(tmp_path / "backup", wheelhouse(index))
    again = Index(index.packages.parent, url=URL)
    again.keeper.step()
    kept = json.loads(stored(again).read_text())
    assert kept.pop("upload-time")
    assert kept == {"sha256": sha256(CONTENT), "login": "", "attestations": [ATTESTATION]}
    assert served(again) == bundled(ATTESTATION)
    assert served(rebuilt(again)) == bundled(ATTESTATION)


def test_a_backup_of_the_store_may_come_after_the_files(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    (tmp_path / "other").mkdir()
    other = Index(tmp_path / "other", url=URL)
    other.keeper.step()
    (other.packages / ONE).write_bytes(CONTENT)
    other.keeper.step()
    assert on_page(other) == {ONE: None}
    shutil.rmtree(wheelhouse(other))
    shutil.copytree(wheelhouse(index), wheelhouse(other))
    # The files are no longer such as may still be written.
    monkeypatch.setattr(recording, "SETTLED_SECONDS", 0.0)
    for _ in range(2):
        other.look()
    assert served(other) == bundled(ATTESTATION)
    assert on_page(other) == {ONE: f"{URL}/packages/{ONE}.provenance"}


def test_provenance_that_is_damaged_and_lost_in_the_store_is_served_no_more(index: Index) -> None:
    assert index.upload(ONE, CONTENT, attestations=FIELD).status == 200
    stored(index).unlink()
    (index.pages / f"packages/{ONE}.provenance").write_text("{}")
    again = Index(index.packages.parent, url=URL)
    again.look()
    again.look()
    assert served(again) is None and on_page(again) == {ONE: None}
