"""Indexes on hosts that reach no network, set up with nothing but bundles."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import testinfra

from tests.support import packages, playbook
from tests.support.clients import Index, Login

HOSTS = ("pypi-airgap", "pypi-airgap-el9")
testinfra_hosts = [f"ansible://{name}" for name in HOSTS]


@pytest.fixture(scope="module")
def manifest(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What a bundle says of itself, and the names of its packages' files."""
    with tarfile.open(variables["pypi_bundle"]) as archive:
        stream = archive.extractfile("bundle.json")
        assert stream
        files = [
            unquote(name.removeprefix("packages/")) for name in archive.getnames() if name.endswith((".deb", ".rpm"))
        ]
        return {**json.load(stream), "files": files}


def test_the_host_reaches_nothing(host: Any) -> None:
    refresh = "dnf --quiet makecache" if host.exists("dnf") else "apt-get --quiet --error-on=any update"
    for command in (
        "curl --silent --show-error --max-time 5 https://download.docker.com/linux/",
        "getent ahosts deb.debian.org",
        f"timeout 60 {refresh}",
    ):
        done = host.run(command)
        assert done.rc != 0, f"{command}: {done.stdout}"


def test_what_is_published_can_be_installed(
    host: Any, index: Index, publisher: Login, reader: Login, tmp_path: Path
) -> None:
    uploaded = index.twine_upload(publisher, packages.wheel(tmp_path, "airtight"))
    assert uploaded.returncode == 0, uploaded.stdout + uploaded.stderr
    installed = index.pip_install(reader, tmp_path / "target", "airtight")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (tmp_path / "target" / "airtight" / "__init__.py").is_file()


def test_the_engine_is_the_bundles(host: Any, manifest: dict[str, Any]) -> None:
    # An installed package that is neither that of the bundle nor was there before is of somewhere else.
    for name in manifest["packages"]:
        version = host.package(name).version.rpartition(":")[2]
        files = [
            file
            for file in manifest["files"]
            if re.fullmatch(rf"{re.escape(name)}[-_][^-_]*{re.escape(version)}.*", file)
        ]
        assert len(files) == 1, f"{name} {version} is not one of {manifest['files']}"


def test_only_what_was_missing_was_installed_and_nothing_upgraded(host: Any) -> None:
    before = set(host.check_output("cat /root/installed").splitlines())
    after = set(host.check_output("rpm --query --all 2>/dev/null; dpkg-query --show 2>/dev/null; true").splitlines())
    assert len(before) > 10
    assert before <= after, f"these are gone or upgraded: {before - after}"
    assert 3 <= len(after - before) < 20, sorted(after - before)


def test_nothing_of_the_bundle_is_left_on_the_host(host: Any) -> None:
    assert not host.file("/var/cache/wheelhouse.pypi").exists
    large = "find / -xdev -path /var/lib/docker -prune -o -type f -size +20M -newer /etc/hostname -name '*.tar' -print"
    assert host.check_output(large) == ""
    assert (
        host.run(
            "grep --recursive --files-with-matches cache/wheelhouse.pypi /etc/apt /etc/yum.repos.d /etc/dnf"
        ).stdout
        == ""
    )


def second() -> playbook.Run:
    """Run again on both hosts at once, without the bundles."""
    return playbook.site(pypi_hosts=":".join(HOSTS), pypi_bundle="/srv/no-such.tar")


def test_a_second_run_changes_nothing_and_does_not_even_look_for_the_bundle() -> None:
    done = second()
    assert done.changed == 0, done.output


def test_packages_that_a_killed_run_left_are_removed() -> None:
    machines = [
        testinfra.get_host(f"ansible://{name}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
        for name in HOSTS
    ]
    for machine in machines:
        machine.check_output("mkdir -p /var/cache/wheelhouse.pypi/packages")
    done = second()
    assert done.changed == len(machines), done.output
    for machine in machines:
        assert not machine.file("/var/cache/wheelhouse.pypi").exists
