"""What people do all day: twine uploads, pip and uv install."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login

PROJECT = "My.Pkg_Name"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dist")


@pytest.fixture(scope="module", autouse=True)
def uploaded(index: Index, publisher: Login, dist: Path) -> None:
    files = [packages.wheel(dist, PROJECT, version) for version in ("1.0", "1.1", "2.0")]
    done = index.twine_upload(publisher, *files, packages.sdist(dist, PROJECT, "2.0"))
    assert done.returncode == 0, done.stdout + done.stderr


def installed(target: Path) -> str:
    """Return the version of the project that stands in a folder."""
    (found,) = target.glob("my_pkg_name-*.dist-info")
    return found.name.removesuffix(".dist-info").split("-")[1]


def test_the_page_lists_wheels_and_sdists_with_their_hashes(index: Index, reader: Login, dist: Path) -> None:
    page = index.request("/simple/my-pkg-name/", reader).body.decode()
    for file in dist.iterdir():
        assert f"{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}" in page


def test_pip_and_uv_install_by_name(index: Index, reader: Login, tmp_path: Path) -> None:
    # Both ask by the normalised name, however it is spelt.
    for name, install in (("pip", index.pip_install), ("uv", index.uv_install)):
        done = install(reader, tmp_path / name, PROJECT)
        assert done.returncode == 0, done.stderr
        assert installed(tmp_path / name) == "2.0"
        assert reader.password not in done.stdout + done.stderr


def test_pip_and_uv_install_by_version(index: Index, reader: Login, tmp_path: Path) -> None:
    for name, install in (("pip", index.pip_install), ("uv", index.uv_install)):
        done = install(reader, tmp_path / name, f"{PROJECT}==1.1")
        assert done.returncode == 0, done.stderr
        assert installed(tmp_path / name) == "1.1"


def test_pip_and_uv_install_with_hashes(index: Index, reader: Login, dist: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((dist / "my_pkg_name-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    for name, install in (("pip", index.pip_install), ("uv", index.uv_install)):
        lock = tmp_path / f"{name}.txt"
        lock.write_text(f"my-pkg-name==1.0 --hash=sha256:{digest}\n")
        assert install(reader, tmp_path / name, "--require-hashes", "-r", str(lock)).returncode == 0
        lock.write_text(f"my-pkg-name==1.0 --hash=sha256:{'0' * 64}\n")
        assert install(reader, tmp_path / f"{name}-wrong", "--require-hashes", "-r", str(lock)).returncode != 0


def test_the_tutorials_command_works_with_credentials_in_the_address(
    index: Index, reader: Login, tmp_path: Path
) -> None:
    done = index.pip_install(reader, tmp_path, "my_pkg_name", path="")
    assert done.returncode == 0, done.stderr
    assert installed(tmp_path) == "2.0"


@pytest.mark.parametrize("login", [NOBODY, Login("reader", "wrong")])
def test_strangers_install_nothing(index: Index, tmp_path: Path, login: Login) -> None:
    assert index.pip_install(login, tmp_path / "pip", PROJECT).returncode != 0
    assert index.uv_install(login, tmp_path / "uv", PROJECT).returncode != 0
    assert index.twine_upload(login, packages.wheel(tmp_path, "stranger")).returncode != 0


def test_a_file_cannot_be_uploaded_twice_and_the_old_one_stays(
    index: Index, publisher: Login, dist: Path, tmp_path: Path
) -> None:
    name = "my_pkg_name-1.0-py3-none-any.whl"
    other = packages.wheel(tmp_path, PROJECT, "1.0", padding=b"another content")
    assert other.name == name
    done = index.twine_upload(publisher, other)
    assert done.returncode != 0
    assert "400 Bad Request" in " ".join(done.stdout.split())
    assert index.request(f"/packages/{name}", publisher).body == (dist / name).read_bytes()


def test_an_unknown_project_is_no_redirect_to_the_public_index(index: Index, reader: Login, tmp_path: Path) -> None:
    assert index.request("/simple/requests/", reader).status == 404
    assert index.pip_install(reader, tmp_path, "requests").returncode != 0


def test_200_megabytes_up_and_down_byte_for_byte(index: Index, publisher: Login, tmp_path: Path) -> None:
    file = packages.wheel(tmp_path, "large-project", padding=os.urandom(200 * 1024 * 1024))
    done = index.twine_upload(publisher, "--verbose", file)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = index.request(f"/packages/{file.name}", publisher)
    assert answer.status == 200
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(file.read_bytes()).digest()
    part = index.request(f"/packages/{file.name}", publisher, headers={"Range": "bytes=100-199"})
    assert (part.status, part.body) == (206, file.read_bytes()[100:200])


def test_the_front_page_leads_to_the_projects(index: Index, reader: Login) -> None:
    page = index.request("/", reader)
    assert page.status == 200
    assert b"This index has" in page.body
    assert b'<a href="simple/">' in page.body


def test_requests_at_the_same_time_do_not_get_into_each_others_way(
    index: Index, publisher: Login, tmp_path: Path
) -> None:
    """With gunicorn's gevent workers they did: pypiserver's request object is one per thread."""
    files = [packages.wheel(tmp_path, f"busy-{n}", padding=os.urandom(10 * 1024 * 1024)) for n in range(8)]
    with ThreadPoolExecutor(16) as pool:
        uploads = [pool.submit(index.upload, publisher, file) for file in files]
        reads = [pool.submit(index.request, f"/no-project-{n}/json", publisher) for n in range(200)]
    assert [upload.result().status for upload in uploads] == [200] * len(files), [u.result().body for u in uploads]
    assert {read.result().status for read in reads} == {404}
    for file in files:
        assert index.request(f"/packages/{file.name}", publisher).body == file.read_bytes()
