"""An index comes up beside the tutorial's server, imports its packages while both serve, and takes its address."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.fleet import Client, gaps, reading
from tests.support.hosts import untouched
from tests.support.playbook import Run, applied, refused, says, site
from tests.support.stack import traffic

NAME = "pypi-import"
testinfra_hosts = [f"ansible://{NAME}"]

IMPORT = "wheelhouse.pypi.import"
OLD = "/home/deploy/pypi-server"
SOURCE = f"{OLD}/packages"
LOGIN = Login("pypi-user", "sha-password")
WHEEL = "{}-1.0-py3-none-any.whl"
# Beside the tutorial's server, which has 80.
PORT = 8081


@pytest.fixture(scope="module")
def home() -> str:
    return "/home/pypi/internal"


@pytest.fixture(scope="module")
def old(index: Index) -> Index:
    """pypiserver itself, which the tutorial's clients use."""
    return Index(f"{index.url}:8080")


@pytest.fixture(scope="module")
def beside(index: Index) -> Index:
    """The index before the switch."""
    return Index(f"{index.url}:{PORT}")


def files_of(host: Any, folder: str) -> list[str]:
    """Return mode, owner, time and checksum of every file below a folder; links as what they are."""
    listing = r"find . ! -type d -printf '%p %m %U:%G %T@ %l\n'"
    lines = host.check_output(f"cd {folder} && {listing} && find . -type f -print0 | xargs -0 sha256sum").splitlines()
    return sorted(lines)


@pytest.fixture(scope="module")
def source(host: Any, old: Index, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What people have put in: by twine, so that pypiserver's account owns it, and as root, in a folder, and by a link."""
    folder = tmp_path_factory.mktemp("dist")
    uploaded, copied, nested = (packages.wheel(folder, name) for name in ("uploaded", "copied", "nested"))
    done = old.twine_upload(LOGIN, uploaded)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = folder / "broken-1.0.tar.gz"
    broken.write_bytes(packages.sdist(folder, "other").read_bytes()[:200])
    for file, where in ((copied, ""), (broken, ""), (nested, "team/")):
        subprocess.run(["docker", "cp", str(file), f"{NAME}:{SOURCE}/{where}"], check=True, capture_output=True)
    host.check_output(f"cd {SOURCE} && chown -R root:root team {copied.name} && chmod 0600 {copied.name}")
    host.check_output(f"cd {SOURCE} && touch --date=@1500000000 {copied.name} && touch notes.txt")
    host.check_output(f"cd {SOURCE} && ln -s /etc/shadow linked-1.0.tar.gz")
    return files_of(host, SOURCE)


def imported(*arguments: str, **variables: Any) -> Run:
    return applied(IMPORT, *arguments, pypi_import_from=SOURCE, **variables)


def counted(done: Run) -> tuple[int, ...]:
    """Return what the report of an import says: imported, there already, conflicts, refused, no distribution files."""
    match = re.search(
        r"mport(?:ed)? (\d+) files\. Already on the index: (\d+)\. Conflicts: (\d+)\. Refused: (\d+)\. "
        r"No distribution files: (\d+)\.",
        done.message(),
    )
    assert match, done.output
    return tuple(map(int, match.groups()))


def longest_gap(client: Client) -> float:
    """Return the longest time, in seconds, without a good answer."""
    assert client.reads[-1].good, f"it does not answer any more: {client.reads[-5:]}"
    return max((gap.seconds for gap in gaps(client.reads)), default=0.0)


def test_the_folder_the_name_and_the_port_of_the_other_server_are_refused_with_the_remedy(
    host: Any, source: list[str]
) -> None:
    with untouched(host):
        here = {"pypi_system_user": "deploy", "pypi_instance": "pypi-server"}
        says(
            refused(**here),
            f"{OLD} holds another server (docker-compose.yml, nginx/nginx.conf, nginx/conf.d/pypi.conf, ",
            "with another pypi_instance than pypi-server (and another pypi_home and pypi_http_port",
            f"wheelhouse.pypi.import with pypi_import_from={SOURCE} (docs/import.md)",
        )
        says(
            refused(playbook="wheelhouse.pypi.uninstall", **here),
            "this playbook removes only what wheelhouse.pypi.site",
        )
        says(
            refused(pypi_instance="pypi-server"),
            f"pypi_instance: pypi-server is the name of the Compose project in {OLD}",
            "Give the index another pypi_instance and pypi_http_port",
        )
        says(
            refused(),
            "pypi_http_port: port 80 on 0.0.0.0 is taken by the container pypi-server-nginx-1",
            "set up this one on another port, import the packages, then switch (docs/import.md)",
        )


def test_an_index_comes_up_beside_it_and_a_check_says_what_an_import_would_bring(
    host: Any, source: list[str], index: Index, beside: Index
) -> None:
    with traffic(index, LOGIN, "/simple/uploaded/") as answers:
        site(pypi_http_port=PORT)
    assert set(answers) == {"200"}
    assert beside.request("/simple/", LOGIN).status == 200
    with untouched(host):
        done = imported("--check", "--diff", pypi_http_port=PORT)
    assert counted(done) == (3, 0, 0, 2, 1)
    says(done.message(), "Would import 3 files.", f"+ {WHEEL.format('copied')}")
    assert beside.request("/simple/copied/", LOGIN).status == 404


def test_packages_come_in_while_both_servers_serve_and_the_old_folder_is_only_read(
    host: Any, source: list[str], index: Index, beside: Index, home: str
) -> None:
    with traffic(index, LOGIN, "/simple/uploaded/") as before, traffic(beside, LOGIN, "/simple/") as after:
        done = imported(pypi_http_port=PORT)
    assert (set(before), set(after)) == ({"200"}, {"200"})
    assert counted(done) == (3, 0, 0, 2, 1)
    assert done.changed == 1
    says(done.message(), "- broken-1.0.tar.gz: broken-1.0.tar.gz cannot be opened as a compressed tar")
    says(done.message(), "- linked-1.0.tar.gz: a symbolic link, which is not followed")
    assert files_of(host, SOURCE) == source
    assert host.check_output(f"stat --format '%U %a %Y' {home}/packages/{WHEEL.format('copied')}") == (
        "pypi 600 1500000000"
    )


@pytest.mark.parametrize("name", ["uploaded", "copied", "nested"])
def test_packages_from_before_are_installed(beside: Index, tmp_path: Path, name: str) -> None:
    done = beside.pip_install(LOGIN, tmp_path, name)
    assert done.returncode == 0, done.stderr


def test_again_it_brings_in_only_what_is_new_and_overwrites_nothing(
    old: Index, beside: Index, publisher: Login, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    ours, theirs = packages.wheel(tmp_path, "both", "1.0"), packages.wheel(tmp_path / "old", "both", "1.0", b"other")
    assert beside.upload(publisher, ours).status == 200
    for file in (theirs, packages.wheel(tmp_path, "meanwhile")):
        assert old.upload(LOGIN, file).status == 200
    done = imported(pypi_http_port=PORT)
    assert counted(done) == (1, 3, 1, 2, 1)
    says(done.message(), f"- {theirs.name}: the index has a file of this name with other content")
    assert beside.request(f"/packages/{ours.name}", LOGIN).body == ours.read_bytes()
    again = imported(pypi_http_port=PORT)
    assert (counted(again), again.changed) == ((0, 4, 1, 2, 1), 0)


def test_the_index_takes_the_address_with_a_short_gap_and_nothing_is_lost(
    host: Any, old: Index, index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old.upload(LOGIN, packages.wheel(tmp_path, "last")).status == 200
    file = f"/packages/{WHEEL.format('uploaded')}"
    with reading(index, LOGIN, "/simple/uploaded/") as pages, reading(index, LOGIN, file) as files:
        time.sleep(0.5)
        host.check_output(f"cd {OLD} && docker compose --ansi never stop nginx")
        site("--tags", "stack")
        host.check_output(f"cd {OLD} && docker compose --ansi never down")
        time.sleep(0.5)
    with capsys.disabled():
        print(f"\nswitched with a gap of {longest_gap(files):.1f} s for files, {longest_gap(pages):.1f} s for pages")
    # Longer than that is no switch, but an outage; the machine may be busy with other tests.
    assert longest_gap(files) < 60 and longest_gap(pages) < 60
    # The folder is where it was.
    assert counted(imported())[0] == 1
    assert index.request("/simple/last/", LOGIN).status == 200
    done = site()
    assert done.changed == 0, done.output
    with pytest.raises(OSError):
        old.request("/")
