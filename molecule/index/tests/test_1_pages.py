"""What pip, uv and others get: pages that are compressed ahead, and metadata instead of files. Forms: scenario access."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.support import packages
from tests.support.clients import BIN, NOBODY, Index, Login
from tests.support.stack import Stack, eventually

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"


def test_pages_are_compressed_ahead_and_asked_for_again_by_their_etag(
    index: Index, reader: Login, uploaded: Path, project: str
) -> None:
    for accept in (JSON, HTML):
        path = f"/simple/{project}/"
        plain = index.request(path, reader, headers={"Accept": accept})
        packed = index.request(path, reader, headers={"Accept": accept, "Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        for one in (plain, packed):
            headers = {"Accept": accept, "If-None-Match": one.headers["etag"]}
            if one is packed:
                headers["Accept-Encoding"] = "gzip"
            assert index.request(path, reader, headers=headers).status == 304
            assert index.request(path, NOBODY, headers=headers).status == 401


def test_a_new_version_of_a_page_has_another_etag_however_soon_it_comes(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, project: str
) -> None:
    # All names are of one length, and so are the pages but for their number of files.
    seen = set()
    for version in range(10, 20):
        assert index.upload(publisher, packages.wheel(tmp_path, project, f"1.{version}")).status == 200
        seen.add(index.request(f"/simple/{project}/", reader).headers["etag"])
    assert len(seen) == 10


def test_files_have_their_type_ranges_and_validators(index: Index, reader: Login, uploaded: Path) -> None:
    path, content = f"/packages/{uploaded.name}", uploaded.read_bytes()
    whole = index.request(path, reader)
    assert (whole.status, whole.headers["content-type"], whole.body) == (200, "application/zip", content)
    part = index.request(path, reader, headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])
    assert index.request(path, reader, headers={"If-None-Match": whole.headers["etag"]}).status == 304


def test_metadata_are_served_beside_the_file_with_the_digest_that_the_page_tells(
    index: Index, reader: Login, page: Callable[[str], dict[str, Any]], uploaded: Path, project: str
) -> None:
    (file,) = page(f"/simple/{project}/")["files"]
    assert file["hashes"] == {"sha256": hashlib.sha256(uploaded.read_bytes()).hexdigest()}
    assert (file["size"], file["url"]) == (uploaded.stat().st_size, f"../../packages/{uploaded.name}")
    where = urljoin(f"/simple/{project}/", file["url"]) + ".metadata"
    answer = index.request(where, reader)
    assert (answer.status, answer.body) == (200, packages.metadata(project, "1.0"))
    assert file["core-metadata"] == {"sha256": hashlib.sha256(answer.body).hexdigest()}
    # pip 22.3 to 23.1 stops at the name from before PEP 714.
    assert "dist-info-metadata" not in file
    assert index.request(where, NOBODY).status == 401


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_installers_resolve_without_downloading_what_they_do_not_install(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack, project: str, client: str
) -> None:
    needed = f"{project}-needed"
    for version in ("1.0", "2.0", "3.0"):
        assert index.upload(publisher, packages.wheel(tmp_path, needed, version)).status == 200
    # The newest release needs a Python that does not exist, the one before it the oldest `needed`.
    for version, more in (
        ("1.0", ""),
        ("2.0", f"Requires-Dist: {needed}<2\n"),
        ("3.0", f"Requires-Python: >=9\nRequires-Dist: {needed}\n"),
    ):
        file = packages.wheel(tmp_path, project, version, more=more)
        assert index.upload(publisher, file).status == 200
    wanted = tmp_path / "requirements.in"
    wanted.write_text(f"{project}\n", encoding="utf-8")
    done = resolve(client, index.with_login(reader), wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{project}-2.0" in done.stdout.replace("==", "-"), done.stdout
    assert f"{needed}-1.0" in done.stdout.replace("==", "-"), done.stdout
    metadata = f"/packages/{packages.escaped(project)}-2.0-py3-none-any.whl.metadata"
    eventually(lambda: bool(stack.requests(metadata)), "the client has read metadata", 10)
    # Each of NGINX's processes writes its lines once a second.
    time.sleep(1.5)
    log = [
        json.loads(line) for line in stack.log("nginx") if line.startswith("{") and packages.escaped(project) in line
    ]
    loaded = {line["uri"] for line in log if line["method"] == "GET" and line["uri"].endswith(".whl")}
    # pip fetches what it would install, even when it only says so.
    names = ((project, "2.0"), (needed, "1.0"))
    would = {f"/packages/{packages.escaped(name)}-{version}-py3-none-any.whl" for name, version in names}
    assert loaded <= (would if client == "pip" else set()), loaded


def resolve(client: str, address: str, wanted: Path) -> subprocess.CompletedProcess[str]:
    """Have a client say what it would install."""
    if client == "uv":
        uv = shutil.which("uv", path=str(BIN))
        assert uv
        command = [uv, "pip", "compile", "--no-cache", "--no-config", "--python", sys.executable, str(wanted)]
        settings = {"UV_DEFAULT_INDEX": address}
    else:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-cache-dir", "--no-input"]
        command += ["--trusted-host", address.split("@")[-1].split(":")[0], "--ignore-installed", "-r", str(wanted)]
        settings = {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": os.devnull}
    without = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS")
    environment = {key: value for key, value in os.environ.items() if key not in without}
    environment |= {**settings, "NO_PROXY": "*", "no_proxy": "*"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
