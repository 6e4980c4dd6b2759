"""A server that was set up by hand is left alone unless asked, then taken over with all that is the user's."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.hosts import untouched
from tests.support.playbook import SITE, refused, running, says, site
from tests.support.stack import Stack, eventually

NAME = "pypi-adopt"
testinfra_hosts = [f"ansible://{NAME}"]

BY_HAND = Path(__file__).parents[1] / "by-hand"
# Logins that the inventory does not name, each with a password in another scheme.
SHA, PLAIN, CRYPT, APR = (
    Login("pypi-user", "sha-password"),
    Login("plain", "plain-password"),
    Login("crypt", "des-pass"),
    Login("apr", "apr-password"),
)
UNLISTED = (SHA, PLAIN, CRYPT, APR)
CONTAINERS = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' $(docker ps --all --quiet)"


@pytest.fixture(scope="module")
def home() -> str:
    return "/home/deploy/pypi-server"


@pytest.fixture(scope="module")
def old_index(index: Index) -> Index:
    """pypiserver itself, which the tutorial's clients use."""
    return Index(f"{index.url}:8080")


def packages_on(host: Any, home: str) -> dict[str, str]:
    """Return the checksum of every file below packages/, links included."""
    lines = host.check_output(f"cd {home}/packages && find . ! -type d -print0 | xargs -0 sha256sum").splitlines()
    return {name: checksum for checksum, _spaces, name in (line.partition("  ") for line in lines)}


@pytest.fixture(scope="module")
def published(host: Any, home: str, old_index: Index, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What people have put in: by twine, so that pypiserver's account owns it, and as root, in a folder, and by a link."""
    folder = tmp_path_factory.mktemp("dist")
    uploaded, copied, nested = (packages.wheel(folder, name) for name in ("uploaded", "copied", "nested"))
    done = old_index.twine_upload(SHA, uploaded)
    assert done.returncode == 0, done.stdout + done.stderr
    for file, where in ((copied, "packages/"), (nested, "packages/team/")):
        subprocess.run(["docker", "cp", str(file), f"{NAME}:{home}/{where}"], check=True, capture_output=True)
    host.check_output(f"cd {home}/packages && chown -R root:root team {copied.name} && chmod 0600 {copied.name}")
    host.check_output(f"cd {home}/packages && ln -s team/{nested.name} linked-1.0-py3-none-any.whl")
    return packages_on(host, home)


@contextmanager
def asking(index: Index, login: Login, path: str) -> Iterator[list[tuple[float, str]]]:
    """Ask for something all the time; yields a list that fills with the time and the status of each answer."""
    answers: list[tuple[float, str]] = []
    done = Event()

    def ask() -> None:
        while not done.is_set():
            try:
                status = str(index.request(path, login).status)
            except (OSError, HTTPException) as error:
                status = repr(error)
            answers.append((time.monotonic(), status))
            done.wait(0.02)

    thread = Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


def gap(answers: list[tuple[float, str]]) -> float:
    """Return the longest time, in seconds, between two good answers."""
    good = [when for when, status in answers if status == "200"]
    assert answers[-1][1] == "200", f"it does not answer any more: {answers[-5:]}"
    return max(after - before for before, after in itertools.pairwise(good))


def test_a_run_that_is_not_told_lists_what_it_would_change_and_changes_nothing(
    host: Any, published: dict[str, str], home: str
) -> None:
    with untouched(host):
        message = refused()
    says(
        message,
        f"{home} holds a server that was set up by hand. Nothing was changed.",
        "stop and remove the containers pypi-server-nginx-1 (nginx, port 80) and "
        "pypi-server-pypi-server-1 (pypiserver/pypiserver, port 8080), and start new ones",
        "close port 8080: the index answers on port 80 alone (pypi_http_port)",
        "replace the files docker-compose.yml, nginx/nginx.conf, nginx/conf.d/pypi.conf and authentication/.htpasswd",
        "take away the files docker-compose.override.yml and nginx/conf.d/team.conf",
        f"copies of all these stay in {home}/adopted",
        "remove the network pypi-server_default, unless another container is in it",
        f"close {home}, packages/, authentication/, nginx/ and nginx_cache/ to everybody but root and deploy",
        "give what is in packages/ to deploy and its group: 3 of root and 2 of uid 9898",
        "keep the logins pypi-user, plain, crypt and apr, which pypi_users does not name; they may upload as before",
        "make readers of reader, who may upload so far",
        "weak hashes, of pypi-user ({SHA}), plain (plain text) and crypt (crypt)",
        "set pypi_adopt: true and run again",
    )
    assert "plain-password" not in message
    assert packages_on(host, home) == published


def test_a_part_of_a_run_and_a_removal_are_refused_too(host: Any) -> None:
    with untouched(host):
        says(refused("--tags", "users", pypi_adopt=True), "by a whole run only, without --tags and --skip-tags")
        says(refused(playbook="wheelhouse.pypi.remove"), "remove.yml removes what site.yml has made")


def test_an_index_of_the_same_name_elsewhere_does_not_take_its_containers(host: Any) -> None:
    with untouched(host):
        message = refused(pypi_user="pypi", pypi_adopt=True)
    says(
        message,
        "pypi_instance: pypi-server is the name of the Compose project in /home/deploy/pypi-server",
        "set pypi_user: deploy, pypi_home: /home/deploy/pypi-server and pypi_adopt: true",
    )


def test_a_check_says_what_would_happen(host: Any) -> None:
    with untouched(host):
        done = site("--check", "--diff", pypi_adopt=True)
    says(done.message(), "- container pypi-server-nginx-1", "- container pypi-server-pypi-server-1")


def test_a_run_that_is_killed_in_the_middle_leaves_the_old_server_serving(
    host: Any, published: dict[str, str], index: Index, old_index: Index, home: str, tmp_path: Path
) -> None:
    before = host.check_output(CONTAINERS)
    with running(SITE, pypi_adopt=True):
        eventually(lambda: host.file(f"{home}/authentication/credentials.conf").exists, "the users are written", 120)
    assert host.check_output(CONTAINERS) == before
    for login in UNLISTED:
        assert index.request("/simple/", login).status == 200, login.name
    assert old_index.upload(SHA, packages.wheel(tmp_path, "meanwhile")).status == 200
    says(refused(), "set pypi_adopt: true and run again")


def test_the_next_run_takes_over_with_a_short_gap(
    host: Any,
    published: dict[str, str],
    index: Index,
    home: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = packages_on(host, home)
    assert before.keys() > published.keys()
    with (
        asking(index, SHA, "/simple/uploaded/") as pages,
        asking(index, SHA, "/packages/uploaded-1.0-py3-none-any.whl") as files,
    ):
        done = site(pypi_adopt=True)
    with capsys.disabled():
        print(f"\ntaken over with a gap of {gap(files):.1f} s for files, {gap(pages):.1f} s for pages")
    says(
        done.message(),
        "apr, crypt, plain, pypi-user stay as they were before this server was taken over",
        "All may upload. Weak hashes: crypt (crypt), plain ({SHA}), pypi-user ({SHA}).",
    )
    # Longer than that is no replacement, but an outage; the machine may be busy with other tests.
    assert gap(files) < 20 and gap(pages) < 30
    assert packages_on(host, home) == before


def test_packages_belong_to_the_account_and_what_nginx_trusts_to_root(host: Any, home: str) -> None:
    data = [f"{home}/{name}" for name in ("packages", "index", "nginx_cache", "logs")]
    assert host.check_output(f"find {' '.join(data)} ! -user deploy ! -type l") == ""
    assert set(host.check_output(f"stat --format %a {' '.join(data)}").split()) == {"700"}
    pruned = " -o ".join(f"-path {path}" for path in data)
    rest = host.check_output(f"find {home} \\( {pruned} \\) -prune -o -printf '%u:%g %m\n'").splitlines()
    # Copies of before, with passwords, are for the account to read as well; the mark of a take-over is removed.
    assert set(rest) == {"root:deploy 750", "root:deploy 640"}


def test_every_login_can_do_what_it_could(index: Index, reader: Login, publisher: Login, tmp_path: Path) -> None:
    for login in (*UNLISTED, publisher):
        assert index.request("/simple/copied/", login).status == 200, login.name
        assert index.upload(login, packages.wheel(tmp_path, f"by-{login.name}")).status == 200, login.name
    assert index.request("/simple/copied/", reader).status == 200
    assert index.upload(reader, packages.wheel(tmp_path, "by-a-reader")).status == 403
    assert index.request("/simple/", Login("plain", "wrong")).status == 401


@pytest.mark.parametrize("name", ["uploaded", "copied", "nested"])
def test_packages_from_before_are_installed(index: Index, tmp_path: Path, name: str) -> None:
    done = index.pip_install(SHA, tmp_path, name)
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_users_is_lost_and_nothing_of_it_is_in_the_way(host: Any, home: str, old_index: Index) -> None:
    (kept,) = host.file(f"{home}/adopted").listdir()
    for file in BY_HAND.rglob("*"):
        if file.is_file():
            name = file.relative_to(BY_HAND)
            assert host.file(f"{home}/adopted/{kept}/{name}").content_string == file.read_text(), name
    assert set(host.file(f"{home}/nginx/conf.d").listdir()) == {"http.conf", "maps.conf", "pypi.conf", "refusals.conf"}
    assert not host.file(f"{home}/docker-compose.override.yml").exists
    networks = host.check_output("docker network ls --format '{{.Name}}'").split()
    assert sorted(set(networks) - {"bridge", "host", "none"}) == ["pypi-server_back", "pypi-server_front"]
    with pytest.raises(OSError):
        old_index.request("/")


@pytest.mark.parametrize("adopt", [True, False])
def test_a_second_run_changes_nothing(host: Any, index: Index, stack: Stack, adopt: bool) -> None:
    before = stack.running()
    done = site(pypi_adopt=adopt)
    assert done.changed == 0, done.output
    assert stack.running() == before
    assert index.request("/simple/", PLAIN).status == 200


def test_the_inventory_replaces_a_weak_hash_and_takes_a_login_out(
    host: Any, index: Index, home: str, variables: Any
) -> None:
    users = [*variables["pypi_users"], {"name": PLAIN.name, "password": "plain-password"}]
    users += [{"name": CRYPT.name, "state": "absent"}]
    done = site("--tags", "users", "--diff", pypi_users=users)
    says(done.message(), "~ plain: hash changed from {SHA} to bcrypt of cost 10", "- crypt")
    logins = dict(
        line.split(":", 1) for line in host.file(f"{home}/authentication/.htpasswd").content_string.splitlines()
    )
    assert logins.keys() == {"publisher", "reader", "pypi-user", "plain", "apr"}
    assert logins["plain"].startswith("$2y$10$")
    assert (index.request("/simple/", PLAIN).status, index.request("/simple/", CRYPT).status) == (200, 401)
    # From now on it is the inventory's, and goes with it; the others stay.
    site("--tags", "users")
    assert [index.request("/simple/", login).status for login in (PLAIN, SHA, APR)] == [401, 200, 200]
