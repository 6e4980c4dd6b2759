"""A run that changes nothing; an index leaves its host without taking packages and passwords along."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.long import only_long
from tests.support.playbook import run, site

STARTED = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' $(docker ps --quiet)"


@pytest.fixture(scope="module", autouse=True)
def published(index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = packages.wheel(tmp_path_factory.mktemp("dist"), "kept-project")
    done = index.twine_upload(publisher, file)
    assert done.returncode == 0, done.stdout + done.stderr
    return file


def test_an_unchanged_run_changes_nothing(
    host: Any,
    variables: Mapping[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # It packs its modules itself, as a user's does.
    monkeypatch.setenv("WHEELHOUSE_MODULES", str(tmp_path))
    started = host.check_output(STARTED)
    began = time.monotonic()
    assert site().changed == 0
    with capsys.disabled():
        print(f"\nan unchanged run with {len(variables['pypi_users'])} users: {time.monotonic() - began:.1f} s")
    assert host.check_output(STARTED) == started


def test_removing_keeps_packages_passwords_and_docker(host: Any, index: Index, home: str) -> None:
    before = packages.on_host(host, home)
    passwords = host.check_output(f"sha256sum {home}/authentication/.htpasswd")
    by_hand = f"{home}/nginx/tls/by-hand.pem"
    host.check_output(f"touch {by_hand}")
    refused = run("wheelhouse.pypi.uninstall", "--extra-vars", "pypi_remove_data=maybe")
    assert refused.code != 0 and refused.changed == 0, refused.output
    assert "pypi_remove_data: maybe is neither true nor false; give -e pypi_remove_data=true" in refused.output
    # As people write it on a command line: text, not a boolean.
    done = run("wheelhouse.pypi.uninstall", "--extra-vars", "pypi_remove_data=false")
    assert done.code == 0, done.output
    assert host.check_output(f"ls -A {home}").split() == ["authentication", "logs", "nginx", "packages"]
    assert host.check_output(f"find {home}/nginx -type f") == by_hand
    assert packages.on_host(host, home) == before
    assert host.check_output(f"sha256sum {home}/authentication/.htpasswd") == passwords
    assert host.check_output("docker ps --all --quiet") == ""
    assert not host.run("ls /etc/systemd/system/wheelhouse-* /etc/wheelhouse.pypi/*/*").stdout
    assert host.service("docker").is_running
    with pytest.raises(OSError):
        index.request("/")
    again = run("wheelhouse.pypi.uninstall")
    assert (again.code, again.changed) == (0, 0), again.output


def test_the_next_run_brings_the_index_back_with_its_packages(index: Index, reader: Login, published: Path) -> None:
    # With an engine, images and an account, and without folders: check mode copes.
    assert site("--check", "--diff").changed > 0
    site()
    assert index.request(f"/packages/{published.name}", reader).body == published.read_bytes()


def test_removing_with_the_data_leaves_nothing_of_ours(host: Any, home: str) -> None:
    host.check_output(f"rm {home}/nginx/tls/by-hand.pem")
    # Who removes needs no users, and no port.
    host.check_output("docker stop pypi-server-nginx-1")
    host.check_output("systemd-run --unit squatter python3 -m http.server 80 2>&1")
    host.check_output("timeout 20 sh -c 'until curl --silent http://127.0.0.1/ >/dev/null; do sleep 0.2; done'")
    for changed in (True, False):
        done = run("wheelhouse.pypi.uninstall", variables={"pypi_remove_data": True, "pypi_users": []})
        assert (done.code, done.changed > 0) == (0, changed), done.output
        assert not host.file(home).exists
    host.check_output("systemctl stop squatter")
    assert host.user("pypi").exists


@only_long
def test_an_index_may_have_a_number_for_a_name(index: Index, reader: Login, host: Any) -> None:
    site(pypi_instance="2024")
    assert index.request("/simple/", reader).status == 200
    assert host.check_output("docker compose ls --quiet") == "2024"
    done = run("wheelhouse.pypi.uninstall", variables={"pypi_instance": "2024", "pypi_remove_data": True})
    assert done.code == 0, done.output
