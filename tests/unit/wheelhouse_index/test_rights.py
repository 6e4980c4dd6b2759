"""Who may publish and who may delete, by what NGINX says."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.index.reserve import Reserve
from wheelhouse_index.requests import rights

from tests.support.index import Index, form, sha256
from tests.support.packages import file, wheel

WHEEL = "foo-1.0-py3-none-any.whl"
OTHER = "bar-1.0-py3-none-any.whl"
# Projects whose normalised names a pattern matches, and others.
PATTERNS = [
    ("acme", ["acme"], ["acme-x", "acm", "xacme", ""]),
    ("acme-*", ["acme-x", "acme-x-y", "acme-0"], ["acme", "acmex", "x-acme-y"]),
    ("*-plugin", ["a-plugin", "a-b-plugin"], ["plugin", "a-plugins"]),
    ("a*z", ["az", "a-z", "a-b-z"], ["a", "za", "azb"]),
    ("*", ["a", "a-b", "0"], []),
    ("**", ["a", "a-b"], []),
    ("a-*-b*", ["a-x-b", "a-x-y-bc"], ["a-b"]),
]


def limited(*words: str) -> dict[str, str]:
    """Return the headers of a login with these rights."""
    return {"X-Wheelhouse-Login": "ci-acme", "X-Wheelhouse-Rights": " ".join(words)}


@pytest.mark.parametrize(
    ("login", "said", "action", "allowed"),
    [
        ("ci", "publish", "file_upload", True),
        ("ci", "publish", "remove_pkg", False),
        ("ci", "publish delete", "remove_pkg", True),
        ("ci", "publish,delete", "remove_pkg", True),
        ("ci", "delete", "file_upload", False),
        ("ci", "", "file_upload", False),
        ("ci", "Publish", "file_upload", False),
        ("ci", "publisher", "file_upload", False),
        ("", "publish delete", "file_upload", False),
        ("", "publish delete", "remove_pkg", False),
    ],
)
def test_a_right_that_is_not_said_is_not_there(login: str, said: str, action: str, allowed: bool) -> None:
    headers = {rights.LOGIN: login, rights.RIGHTS: said}
    assert (rights.refusal(action, headers, False) == "") is allowed


@pytest.mark.parametrize(("end", "allowed"), [("", True), ("2000000000", True), ("1000000000", False), ("soon", False)])
def test_a_tokens_end_counts_while_its_form_arrives(
    index: Index, monkeypatch: pytest.MonkeyPatch, end: str, allowed: bool
) -> None:
    """NGINX has let it in, and its time is over when the form has arrived."""
    token = {rights.LOGIN: "ci", rights.RIGHTS: "publish", rights.KIND: "token", **({rights.END: end} if end else {})}
    monkeypatch.setattr(rights.time, "time", iter([9e8, *[1.5e9] * 9]).__next__)
    answer = index.upload(WHEEL, file(WHEEL), token, name="foo", version="1.0")
    assert answer.status == (200 if allowed else 403)
    assert allowed or answer.text == "The token ci has expired. Ask the operator of this index for another.\n"
    assert (index.packages / WHEEL).exists() is allowed


def test_a_refusal_says_whether_it_is_a_token() -> None:
    environ = {rights.LOGIN: "ci-acme", rights.RIGHTS: "publish:acme-*", rights.KIND: "token"}
    said = rights.refusal("file_upload", environ, False, "widgets")
    assert said.startswith("The token ci-acme has no right to publish widgets. Ask the operator"), said
    # Nothing else about it counts.
    assert rights.refusal("file_upload", environ, False, "acme-tools") == ""
    assert rights.refusal("file_upload", {rights.KIND: "token"}, False).startswith("Log in to publish")


def test_headers_that_are_missing_grant_nothing() -> None:
    assert rights.refusal("file_upload", {}, False) == "Log in to publish: this request came without a login."
    assert rights.refusal("remove_pkg", {}, True) == "Log in to delete: this request came without a login."


def test_uploads_that_are_open_to_everybody_open_nothing_else() -> None:
    assert rights.refusal("file_upload", {}, True) == ""
    assert "no right to delete" in rights.refusal("remove_pkg", {rights.LOGIN: "ci", rights.RIGHTS: "publish"}, True)


@pytest.mark.parametrize(("pattern", "inside", "outside"), PATTERNS)
def test_a_pattern_is_of_whole_normalised_names(pattern: str, inside: list[str], outside: list[str]) -> None:
    headers = {rights.LOGIN: "ci", rights.RIGHTS: f"yank delete:x publish:{pattern}"}
    for project in inside:
        assert rights.refusal("file_upload", headers, False, project) == "", project
        assert rights.refusal("remove_pkg", headers, False, project), project
    for project in filter(None, outside):
        said = rights.refusal("file_upload", headers, False, project)
        remedy = f"Ask the operator of this index for the right 'publish' on {project}."
        assert said == f"The login ci has no right to publish {project}. {remedy}"


@pytest.mark.parametrize(
    "said",
    [
        "publish:", ":publish", "publish:acme:x", "publish:Acme", "publish:acme--x", "publish:-", "publish:acme?", "publish: x",
        "publish:[a-z]*", "publish:*\xa0publish", "x\tpublish", "publish;", "*", "publish*", "publish:acm\xe9", "publish:acme\n",
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_read_grants_nothing(said: str) -> None:
    for project in ("", "acme", "x"):
        assert rights.refusal("file_upload", {rights.LOGIN: "ci", rights.RIGHTS: said}, False, project), project
        with_another = {rights.LOGIN: "ci", rights.RIGHTS: f"{said},publish:acme"}
        assert bool(rights.refusal("file_upload", with_another, False, project)) == (project == "x")


def test_a_long_pattern_is_matched_at_once() -> None:
    headers = {rights.LOGIN: "ci", rights.RIGHTS: "publish:" + "*a" * 1000 + "b"}
    # By the processor: a busy machine is no reason to fail.
    started = time.thread_time()
    assert rights.refusal("file_upload", headers, False, "a" * 5000)
    assert time.thread_time() - started < 1


@pytest.mark.parametrize("spelling", ["Foo", "f.o_o"])
def test_a_login_may_publish_to_the_projects_that_its_rights_name(in_memory: Path, spelling: str) -> None:
    index = Index(in_memory)
    name = f"{spelling.replace('.', '_')}-1.0-py3-none-any.whl"
    project = spelling.lower().replace(".", "-").replace("_", "-")
    for rights_on, status in ((f"publish:{project}-*", 403), (f"yank:{project}", 403), (f"publish:{project}", 200)):
        for fields in ({"name": spelling, "version": "1.0"}, {}):
            answer = index.upload(name, file(name), limited(rights_on), **fields)
            assert answer.status == status, (rights_on, fields, answer)
            assert status == 200 or answer.reason.startswith("The login ci-acme has no right to publish"), answer
    assert index.projects() == {project}


class Body(io.BytesIO):
    """A body that says how much was written to packages/.incoming while it was read."""

    def __init__(self, content: bytes, index: Index) -> None:
        super().__init__(content)
        self._folder = index.packages / ".incoming"
        self.kept = 0

    def readinto(self, buffer: Any) -> int:
        self.kept = max(self.kept, len(list(self._folder.iterdir())))
        return super().readinto(buffer)


@pytest.mark.parametrize(("first", "kept"), [("fields", 0), ("file", 1)])
def test_a_file_is_refused_before_it_is_kept_where_the_form_has_named_its_project(
    in_memory: Path, first: str, kept: int
) -> None:
    index = Index(in_memory)
    index.keeper.step()
    content = file(WHEEL) + bytes(1024 * 1024)
    fields, kind = form({":action": "file_upload", "name": "Foo", "version": "1.0"}, {})
    edge = fields.partition(b"\r\n")[0]
    sent = b'%s\r\nContent-Disposition: form-data; name="content"; filename="%s"\r\n\r\n%s\r\n' % (
        edge,
        WHEEL.encode(),
        content,
    )
    end = edge + b"--\r\n"
    body = fields.removesuffix(end) + sent + end if first == "fields" else sent + fields
    stream = Body(body, index)
    answer = index.send(stream, kind, limited("publish:acme-*"))
    assert (answer.status, answer.reason) == (
        403,
        "The login ci-acme has no right to publish foo. Ask the operator of this index for the right 'publish' on foo.",
    )
    assert stream.kept == kept
    # What is of no use is not read either.
    assert stream.tell() < len(body) / 2 if first == "fields" else stream.tell() == len(body)
    assert list((index.packages / ".incoming").iterdir()) == []
    assert (index.projects(), index.stored()) == (set(), {})


@pytest.mark.parametrize("names", [("acme-x", "foo"), ("foo", "acme-x")])
def test_a_form_that_names_two_projects_is_refused(in_memory: Path, names: tuple[str, str]) -> None:
    index = Index(in_memory)
    for before in (0, 1, 2):
        parts = [f'--edge\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'.encode() for name in names]
        head = f'--edge\r\nContent-Disposition: form-data; name="content"; filename="{WHEEL}"\r\n\r\n'.encode()
        parts.insert(before, head + file(WHEEL) + b"\r\n")
        parts.insert(0, b'--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n')
        body = b"".join(parts) + b"--edge--\r\n"
        answer = index.send(body, "multipart/form-data; boundary=edge", limited("publish:acme-*"))
        assert answer.status in (400, 403), answer
        assert index.stored() == {}


@pytest.mark.parametrize(
    "inside",
    [
        b"\r\n--edge--\r\n",
        b'\r\n--edge\r\nContent-Disposition: form-data; name="name"\r\n\r\nacme-x\r\n',
        b"\r\n--edgewise\r\n",
    ],
    ids=["end", "part", "longer"],
)
def test_a_file_with_the_forms_boundary_in_it_is_refused(in_memory: Path, inside: bytes) -> None:
    index = Index(in_memory)
    content = wheel(in_memory, "acme-x", padding=inside + bytes(1000)).read_bytes()
    assert inside in content
    head = b'--edge\r\nContent-Disposition: form-data; name="content"; filename="acme_x-1.0-py3-none-any.whl"\r\n\r\n'
    action = b'--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n'
    body = action + head + content + b"\r\n--edge--\r\n"
    answer = index.send(body, "multipart/form-data; boundary=edge", limited("publish:acme-*"))
    assert answer.status == 400, answer
    assert list((index.packages / ".incoming").iterdir()) == [] and index.stored() == {}


def test_a_file_that_the_form_calls_another_projects_is_refused(in_memory: Path) -> None:
    index = Index(in_memory)
    answer = index.upload(WHEEL, file(WHEEL), limited("publish:acme-*"), name="acme-x", version="1.0")
    assert answer.status == 400 and index.stored() == {}, answer


def test_a_login_changes_only_the_projects_that_its_rights_name(in_memory: Path) -> None:
    index = Index(in_memory)
    index.keeper.step()
    for name in (WHEEL, OTHER):
        assert index.upload(name, file(name)).status == 200
    before = index.stored()
    words = limited("publish", "delete:bar", "yank:bar", "yank:b-*")
    release, own_file = {"name": "Foo", "version": "1.0"}, {"filename": WHEEL}
    for action, right in (("remove_pkg", "delete"), ("yank", "yank"), ("unyank", "yank")):
        for fields in (release, own_file, {**release, **own_file}):
            answer = index.ask(action, words, **fields)
            assert (answer.status, answer.reason) == (
                403,
                f"The login ci-acme has no right to {right} foo. Ask the operator of this index for the right '{right}' on foo.",
            ), (action, fields)
    assert index.ask("set_status", words, name="foo", status="archived").status == 403
    assert index.stored() == before
    (listed,) = json.loads((index.pages / "simple/foo/index.json").read_text())["files"]
    assert not listed.get("yanked")
    for action, fields in (
        ("yank", {"name": "bar", "version": "1.0"}),
        ("unyank", {"name": "bar", "version": "1.0"}),
        ("set_status", {"name": "BAR", "status": "archived"}),
        ("set_status", {"name": "bar", "status": "active"}),
        ("remove_pkg", {"filename": OTHER}),
    ):
        assert index.ask(action, words, **fields).status == 200, action
    assert index.projects() == {"foo"}


def test_a_file_name_that_two_projects_have_needs_the_right_on_both(in_memory: Path) -> None:
    index = Index(in_memory)
    name = "x-2.0-1.zip"
    for folder, release in (("one", ("x", "2.0-1")), ("two", ("x-2.0", "1"))):
        (index.packages / folder).mkdir()
        (index.packages / folder / name).write_bytes(file(name, release=release))
    index.look()
    assert index.projects() == {"x", "x-2-0"}
    for action, right in (("remove_pkg", "delete"), ("yank", "yank")):
        for allowed, missing in (("x", "x-2-0"), ("x-2-0", "x")):
            answer = index.ask(action, limited(f"{right}:{allowed}"), filename=name)
            assert answer.status == 403 and f"no right to {right} {missing}." in answer.text, answer
    assert index.projects() == {"x", "x-2-0"} and len(index.stored()) == 2
    assert index.ask("remove_pkg", limited("delete:x", "delete:x-2-0"), filename=name).status == 200
    assert index.projects() == set()


@pytest.mark.parametrize("folder", ["", "sub"])
def test_the_right_to_publish_replaces_no_file_of_another_project(in_memory: Path, folder: str) -> None:
    index = Index(in_memory, overwrite=True)
    name = "x-2.0-1.zip"
    (index.packages / folder).mkdir(exist_ok=True)
    (index.packages / folder / name).write_bytes(file(name, release=("x-2.0", "1")))
    index.look()
    before = index.stored()
    answer = index.upload(name, file(name, release=("x", "2.0-1")), limited("publish:x"))
    assert (answer.status, answer.reason) == (
        409,
        f"{name} already exists as a file of x-2-0. Publish it under another version.",
    )
    assert (index.projects(), index.stored()) == ({"x-2-0"}, before)


@pytest.mark.parametrize("fields", [{"filename": "x-2.0-1.zip"}, {"name": "x", "version": "2.0-1"}])
@pytest.mark.parametrize(("action", "right"), [("remove_pkg", "delete"), ("yank", "yank")])
def test_a_file_that_was_just_copied_is_of_the_project_that_it_names_itself(
    in_memory: Path, action: str, right: str, fields: dict[str, str]
) -> None:
    index = Index(in_memory)
    index.keeper.step()
    name = "x-2.0-1.zip"
    (index.packages / name).write_bytes(file(name, release=("x-2.0", "1")))
    index.store.note([name], [])
    answer = index.ask(action, limited(f"{right}:x"), **fields)
    assert answer.status == (403 if "filename" in fields else 404), answer
    assert set(index.stored()) == {name}
    assert index.ask(action, limited(f"{right}:x-2-0"), filename=name).status == 200


REHEARSAL = {"X-Wheelhouse-Login": "_proof", "X-Wheelhouse-Rights": "rehearse", "X-Wheelhouse-Kind": "token"}


def test_a_rehearsal_goes_as_far_as_an_upload_and_a_removal_and_changes_nothing(index: Index) -> None:
    content = file(WHEEL)
    for answer in (
        index.upload(WHEEL, content, REHEARSAL),
        index.ask("remove_pkg", REHEARSAL, name="foo", version="1.0"),
    ):
        assert (answer.status, answer.text) == (200, "Nothing was changed, as this was a rehearsal.\n")
    assert index.upload(WHEEL, b"no archive", REHEARSAL).status == 400
    assert (index.projects(), index.stored()) == (set(), {})
    assert not index.store.facts.claims.has("foo")
    assert [path.name for path in index.logs.iterdir() if path.name.startswith("changes")] == []
    # What is there stays, whatever the rehearsal says.
    assert index.upload(WHEEL, content).status == 200
    for action in ("remove_pkg", "yank", "set_status"):
        assert index.ask(action, REHEARSAL, name="foo", version="1.0", status="archived").status == 200
    assert index.listed("foo") == {WHEEL: sha256(content)}
    assert index.ask("remove_pkg", {"X-Wheelhouse-Rights": "rehearse publish"}, name="foo", version="1.0").status == 403


@pytest.mark.parametrize(
    "fields", [{}, {"name": "wheelhouse-proof", "version": "0"}, {"name": "Wheelhouse_Proof", "version": "0"}]
)
@pytest.mark.parametrize("said", [{}, limited("publish")])
def test_what_would_be_rehearsed_is_never_published(
    in_memory: Path, said: dict[str, str], fields: dict[str, str]
) -> None:
    """As by a token that NGINX does not know, where uploads need no login."""
    index = Index(in_memory, anonymous_uploads=True)
    name = "wheelhouse_proof-0-py3-none-any.whl"
    assert index.upload(name, file(name), said, **fields).status == 403
    assert index.stored() == {}


@pytest.mark.parametrize("limit", [{"quotas": "1"}, {"reserve": Reserve.of_text("100%")}], ids=["quota", "reserve"])
def test_a_rehearsal_needs_no_room(in_memory: Path, limit: dict[str, Any]) -> None:
    index = Index(in_memory, **limit)
    for said, status in ({}, 507), (REHEARSAL, 200):
        assert index.upload(WHEEL, file(WHEEL), said, name="foo", version="1.0").status == status


def test_a_rehearsal_fails_where_an_upload_would(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable() -> None:
        raise OSError("read-only")

    monkeypatch.setattr(index.store, "check_facts", unusable)
    assert index.upload(WHEEL, file(WHEEL), REHEARSAL).status == 503
