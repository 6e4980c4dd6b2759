"""The index is back after a restart of its host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support import hosts, packages
from tests.support.clients import Index, Login
from tests.support.stack import eventually

HOST = "pypi-default"


def test_the_index_is_back_with_its_packages_after_a_restart_of_the_host(
    host: Any, index: Index, publisher: Login, reader: Login, home: str, tmp_path: Path
) -> None:
    done = index.twine_upload(publisher, packages.wheel(tmp_path, "restarted-project"))
    assert done.returncode == 0, done.stdout + done.stderr
    before = packages.on_host(host, home)
    hosts.restart(HOST)
    # Other hosts of the proving ground come and go: the address may be another one.
    index = Index(f"http://{hosts.address(host)}")
    # The whole index, pypiserver included.
    eventually(lambda: index.request("/simple/", reader).status == 200, f"{index.url} answers", 120)
    assert packages.on_host(host, home) == before
    done = index.pip_install(reader, tmp_path, "restarted-project")
    assert done.returncode == 0, done.stderr
