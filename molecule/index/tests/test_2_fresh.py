"""What has been uploaded or removed is on all pages when the upload or removal has been answered."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support import packages
from tests.support.clients import Answer, Index, Login
from tests.support.stack import Stack, eventually, traffic

UPLOADS = 120


def counted(index: Index, reader: Login) -> int:
    """Return how many files the front page says there are."""
    match = re.search(rb"This index has ([0-9,]+) distribution", index.request("/", reader).body)
    assert match
    return int(match[1].replace(b",", b""))


def test_no_page_is_stale_after_an_upload_under_load(
    index: Index,
    publisher: Login,
    reader: Login,
    page: Callable[[str], dict[str, Any]],
    files: Callable[[str], list[str]],
    tmp_path: Path,
    project: str,
) -> None:
    # To the same few projects at once, through both containers of pypiserver, so that they meet.
    names = [f"{project}-{number}" for number in range(3)]
    wheels = [packages.wheel(tmp_path, names[number % 3], f"1.{number}") for number in range(UPLOADS)]

    def upload(file: Path) -> list[str]:
        assert index.upload(publisher, file).status == 200
        name = re.sub(r"[-_.]+", "-", file.name.split("-")[0])
        missing = []
        if file.name not in files(name):
            missing.append(f"{file.name} is not on its page")
        if name not in {one["name"] for one in page("/simple/")["projects"]}:
            missing.append(f"{name} is not among the projects")
        return missing

    with traffic(index, reader, f"/simple/{names[0]}/", clients=1) as answers, ThreadPoolExecutor(4) as pool:
        stale = [line for missing in pool.map(upload, wheels) for line in missing]
    assert stale == []
    # Until its first file is there, a project is not.
    assert set(answers) <= {"200", "404"}, set(answers)
    assert [answer for answer in answers if answer == "404"] == answers[: answers.count("404")]
    assert sorted(name for one in names for name in files(one)) == sorted(file.name for file in wheels)


def test_uv_sees_an_upload_at_once_in_spite_of_its_cache(
    host: Any, index: Index, publisher: Login, reader: Login, stack: Stack, tmp_path: Path, project: str
) -> None:
    assert index.upload(publisher, packages.wheel(tmp_path, project, "1.0")).status == 200
    # Caches guess that an old page stays as it is, unless it says otherwise (findings/last-modified-keeps-a-page.sh).
    host.check_output(f"find {stack.home}/index -path '*/{project}/*' -exec touch --date '2024-01-01' {{}} +")
    assert " 2024 " in index.request(f"/simple/{project}/", reader).headers["last-modified"]

    def installed() -> list[str]:
        target = tmp_path / uuid4().hex
        done = index.uv_install(reader, target, project, cache=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        return [one.stem.rpartition("-")[2] for one in target.glob("*.dist-info")]

    assert installed() == ["1.0"]
    assert index.upload(publisher, packages.wheel(tmp_path, project, "2.0")).status == 200
    assert installed() == ["2.0"]


def test_the_front_page_counts_at_once(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, project: str, remove: Callable[[str, str], Answer]
) -> None:
    before = counted(index, reader)
    for number in range(1, 4):
        assert index.upload(publisher, packages.wheel(tmp_path, project, f"{number}.0")).status == 200
        assert counted(index, reader) == before + number
    assert remove(packages.escaped(project), "1.0").status == 200
    assert counted(index, reader) == before + 2


def test_what_was_removed_is_on_no_page(
    host: Any,
    index: Index,
    publisher: Login,
    reader: Login,
    page: Callable[[str], dict[str, Any]],
    files: Callable[[str], list[str]],
    tmp_path: Path,
    project: str,
    remove: Callable[[str, str], Answer],
    stack: Stack,
) -> None:
    wheels = [packages.wheel(tmp_path, project, version) for version in ("1.0", "2.0")]
    for file in wheels:
        assert index.upload(publisher, file).status == 200
    assert remove(packages.escaped(project), "1.0").status == 200
    assert files(project) == [wheels[1].name]
    assert index.request(f"/packages/{wheels[0].name}", reader).status == 404
    assert index.request(f"/packages/{wheels[0].name}.metadata", reader).status == 404
    assert remove(packages.escaped(project), "2.0").status == 200
    assert index.request(f"/simple/{project}/", reader).status == 404
    assert project not in {one["name"] for one in page("/simple/")["projects"]}
    # That it was not there is forgotten as soon as it is there again.
    assert index.upload(publisher, wheels[0]).status == 200
    assert files(project) == [wheels[0].name]
    assert not host.file(f"{stack.home}/index/packages/{wheels[1].name}.metadata").exists


def test_files_that_are_copied_in_show_within_the_time_that_the_variable_says(
    host: Any, files: Callable[[str], list[str]], tmp_path: Path, project: str, stack: Stack, variables: dict[str, Any]
) -> None:
    file = packages.wheel(tmp_path, project)
    content = file.read_bytes().hex()
    for folder in ("", "nested/deeper/"):
        name = f"{project}{folder.count('/')}"
        copy = f"{stack.home}/packages/{folder}{file.name.replace(packages.escaped(project), packages.escaped(name))}"
        host.check_output(f"install -d -o pypi {stack.home}/packages/{folder}")
        assert files(name) == []
        host.check_output(f"python3 -c \"open('{copy}', 'wb').write(bytes.fromhex('{content}'))\" && chown pypi {copy}")
        began = time.monotonic()
        eventually(lambda name=name: len(files(name)) == 1, "a copied file is on its page", 10)  # type: ignore[misc]
        # Two seconds for the way there and back, on a machine that has other things to do.
        assert time.monotonic() - began < int(variables["pypi_freshness"].rstrip("s")) + 2
        host.check_output(f"rm {copy}")
        began = time.monotonic()
        eventually(lambda name=name: files(name) == [], "a removed file is on no page", 10)  # type: ignore[misc]
        # Two seconds for the way there and back, on a machine that has other things to do.
        assert time.monotonic() - began < int(variables["pypi_freshness"].rstrip("s")) + 2


def test_pages_are_json_of_its_own_project_however_often_they_are_replaced(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, project: str
) -> None:
    # What is read while pages are replaced is a whole page.
    assert index.upload(publisher, packages.wheel(tmp_path, project, "1.0")).status == 200
    wheels = [packages.wheel(tmp_path, project, f"2.{number}") for number in range(30)]
    with ThreadPoolExecutor(3) as pool:
        going = [pool.submit(index.upload, publisher, file) for file in wheels]
        while not all(one.done() for one in going):
            answer = index.request(
                f"/simple/{project}/", reader, headers={"Accept": "application/vnd.pypi.simple.v1+json"}
            )
            assert (answer.status, json.loads(answer.body)["name"]) == (200, project)
    assert {one.result().status for one in going} == {200}
