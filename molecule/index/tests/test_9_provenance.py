"""What a file was published with is served beside it, by the rights of files, and lasts as its record does (PEP 740)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.support import packages
from tests.support.attestations import attestation
from tests.support.clients import NOBODY, Answer, Index, Login, form, upload_form
from tests.support.stack import Stack

Removed = Callable[[Login, str, str], Answer]


def attested(file: Path, name: str = "") -> dict[str, Any]:
    """Return an attestation of a file, which lies beside it where publishers look for it."""
    made = attestation(name or file.name, file.read_bytes())
    file.with_name(f"{file.name}.publish.attestation").write_text(json.dumps(made))
    return made


def beside(file: Path) -> str:
    return f"/packages/{file.name}.provenance"


def published(index: Index, client: str, login: Login, file: Path) -> CompletedProcess[str]:
    """Have a client publish a file and what is beside it."""
    files = sorted(map(str, file.parent.glob(f"{file.name}*")))
    assert len(files) == 2
    return index.twine_upload(login, "--attestations", *files) if client == "twine" else index.uv_publish(login, *files)


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_publishers_send_it_and_readers_get_it_at_once(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, project: str, client: str
) -> None:
    file = packages.wheel(tmp_path, project)
    made = attested(file)
    done = published(index, client, publisher, file)
    assert done.returncode == 0, done.stdout + done.stderr
    # Each may be answered by another process.
    for _ in range(10):
        answer = index.request(beside(file), reader)
        assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
    assert answer.headers["cache-control"] == "no-cache"
    bundle = {"publisher": {"kind": "wheelhouse.pypi", "claims": {}}, "attestations": [made]}
    assert json.loads(answer.body) == {"version": 1, "attestation_bundles": [bundle]}
    again = index.request(beside(file), reader, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    assert index.request(beside(file), NOBODY).status == 401
    for install in (index.pip_install, index.uv_install):
        done = install(reader, tmp_path / install.__name__, project)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_one_of_another_file_is_refused_and_the_client_says_why(
    index: Index,
    publisher: Login,
    reader: Login,
    tmp_path: Path,
    project: str,
    files: Callable[[str], list[str]],
    client: str,
) -> None:
    file = packages.wheel(tmp_path, project)
    attested(file, f"{packages.escaped(project)}-2.0-py3-none-any.whl")
    done = published(index, client, publisher, file)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0 and "another file. Send attestations that were made for this file, or none." in said, (
        said
    )
    assert files(project) == []
    assert index.request(beside(file), reader).status == 404


def test_it_goes_with_its_file_and_comes_back_with_it(
    host: Any,
    stack: Stack,
    index: Index,
    publisher: Login,
    reader: Login,
    tmp_path: Path,
    project: str,
    remove_as: Removed,
) -> None:
    file = packages.wheel(tmp_path, project)
    body, headers = upload_form(file, attestations=json.dumps([attested(file)]))
    assert index.request("/", publisher, "POST", body, headers).status == 200
    kept = f"{stack.home}/packages/.wheelhouse/files/{project}/{file.name}.attestations"
    text = host.check_output(f"cat {kept}")
    assert json.loads(text)["login"] == "publisher"
    before = index.request(beside(file), reader).body

    def status(wanted: str) -> Answer:
        content, kind = form({":action": "set_status", "name": project, "status": wanted})
        return index.request("/", publisher, "POST", content, kind)

    assert status("quarantined").status == 200
    assert index.request(beside(file), reader).status == 404
    assert status("active").status == 200
    assert index.request(beside(file), reader).body == before

    assert remove_as(publisher, project, "1.0").status == 200
    assert index.request(beside(file), reader).status == 404
    # What the file was published with lasts, and is that of the same file again.
    assert index.upload(publisher, file).status == 200
    assert index.request(beside(file), reader).body == before
    assert host.check_output(f"cat {kept}") == text


def test_a_list_of_wheel_variants_is_a_file(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, project: str, files: Callable[[str], list[str]]
) -> None:
    file = tmp_path / f"{packages.escaped(project)}-1.0-variants.json"
    file.write_text('{"variants": {"null": {}}}', encoding="utf-8")
    assert index.upload(publisher, file).status == 200
    assert files(project) == [file.name]
    answer = index.request(f"/packages/{file.name}", reader)
    assert (answer.status, answer.body) == (200, file.read_bytes())
    assert answer.headers["content-type"] == "application/json"
