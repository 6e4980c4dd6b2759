"""Public dependencies beside private packages, as the README says: copied into the index, which stays the only one.

A stand-in for the public index has a dependency, and a release 99.0 that a stranger has registered under a private name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.clients import BIN, Index, Login


@pytest.fixture(scope="module")
def public_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a public index; yield its address."""
    folder = tmp_path_factory.mktemp("public")
    for name, version in (("public-thing", "1.0"), ("private-app", "99.0")):
        page = folder / "simple" / name
        page.mkdir(parents=True)
        file = packages.wheel(page, name, version)
        (page / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>', encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run a program in a folder and return what it said; fail with that if it does."""
    machine = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}
    environment = {**machine, "NO_PROXY": "*", "no_proxy": "*", "PIP_CONFIG_FILE": os.devnull, **variables}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_dependencies_are_copied_once_and_installed_from_one_index(
    index: Index, publisher: Login, reader: Login, public_index: str, tmp_path: Path
) -> None:
    app = packages.wheel(tmp_path, "private-app", "1.0", more="Requires-Dist: public-thing\n")
    assert index.twine_upload(publisher, app).returncode == 0

    (tmp_path / "public.txt").write_text("public-thing\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip")
    download = (
        "download",
        "--index-url",
        public_index,
        "--only-binary",
        ":all:",
        "--dest",
        "wheels",
        "-r",
        "public.txt",
    )
    run(tmp_path, *pip, *download)

    (tmp_path / "uv.toml").write_text(
        f'[[index]]\nname = "company"\nurl = "{index.url}/simple/"\npublish-url = "{index.url}/"\ndefault = true\n',
        encoding="utf-8",
    )
    publish = (
        str(BIN / "uv"),
        "publish",
        "--index",
        "company",
        "--no-cache",
        "wheels/public_thing-1.0-py3-none-any.whl",
    )
    logins = {
        "UV_PUBLISH_USERNAME": publisher.name,
        "UV_PUBLISH_PASSWORD": publisher.password,
        "UV_INDEX_COMPANY_USERNAME": reader.name,
        "UV_INDEX_COMPANY_PASSWORD": reader.password,
    }
    assert "Uploading" in run(tmp_path, *publish, **logins)
    assert "already exists, skipping" in run(tmp_path, *publish, **logins)

    for name, install in (("pip", index.pip_install), ("uv", index.uv_install)):
        done = install(reader, tmp_path / name, "private-app")
        assert done.returncode == 0, done.stdout + done.stderr
        found = {path.name.removesuffix(".dist-info") for path in (tmp_path / name).glob("*.dist-info")}
        assert found == {"private_app-1.0", "public_thing-1.0"}


def test_a_second_index_is_the_danger_that_the_readme_names(
    index: Index, reader: Login, public_index: str, tmp_path: Path
) -> None:
    """What the copying avoids: with extra-index-url, the stranger's release wins."""
    done = index.pip_install(reader, tmp_path, "--extra-index-url", public_index, "private-app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "private_app-99.0.dist-info").is_dir()
