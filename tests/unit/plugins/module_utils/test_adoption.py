# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a host belongs to a server that was set up by hand, and that nothing of it is lost."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import adoption

ROOT = Path(__file__).parents[4]
NOW = time.struct_time((2026, 11, 22, 18, 5, 9, 6, 326, 0))
LATER = time.struct_time((2026, 11, 22, 18, 7, 0, 6, 326, 0))
ME = (os.getuid(), os.getgid())


def inspected(home: Path, name: str = "pypi-server", **changes: Any) -> dict[str, Any]:
    """A container as ``docker inspect`` tells of it."""
    labels = {"com.docker.compose.project": "pypi-server", "com.docker.compose.project.working_dir": str(home)}
    mounts = [
        {"Type": "bind", "Source": f"{home}/authentication", "Destination": "/data/auth"},
        {"Type": "bind", "Source": f"{home}/packages", "Destination": "/data/packages"},
    ]
    found = {
        "Id": f"id-of-{name}",
        "Name": f"/{name}",
        "Args": ["-P", "/data/auth/.htpasswd", "-a", "update,download,list", "/data/packages"],
        "Config": {"Image": "pypiserver/pypiserver", "Labels": {**labels, **changes.pop("labels", {})}},
        "HostConfig": {"PortBindings": {"8080/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        "State": {"Running": True},
        "Mounts": mounts,
    }
    return {**found, **changes}


def container(home: Path, **changes: Any) -> adoption.Container:
    (found,) = adoption.by_hand([inspected(home, **changes)], "pypi-server", str(home))
    return found


@pytest.mark.parametrize(
    ("labels", "is_of_it"),
    [
        pytest.param({}, True, id="of the folder and the name"),
        pytest.param({"com.docker.compose.project": "pypiserver"}, True, id="of the folder, under another name"),
        pytest.param({"com.docker.compose.project.working_dir": ""}, True, id="version 1 does not tell the folder"),
        pytest.param(
            {"com.docker.compose.project.working_dir": "", "com.docker.compose.project": "x"},
            True,
            id="the mounts tell then",
        ),
        pytest.param({adoption.LABEL: "pypi-server"}, False, id="ours"),
        pytest.param(
            {"com.docker.compose.project": "other", "com.docker.compose.project.working_dir": "/srv/other"},
            False,
            id="another project that mounts the packages, such as a backup",
        ),
        pytest.param({"com.docker.compose.project": ""}, False, id="of no project"),
    ],
)
def test_which_containers_are_of_the_server(tmp_path: Path, labels: dict[str, str], is_of_it: bool) -> None:
    found = adoption.by_hand([inspected(tmp_path, labels=labels)], "pypi-server", str(tmp_path))
    assert bool(found) == is_of_it


def test_a_container_tells_its_ports_and_what_it_is(tmp_path: Path) -> None:
    server = container(tmp_path)
    assert (server.ports, server.running, server.is_pypiserver) == (("8080",), True, True)
    front = container(tmp_path, Mounts=[], Args=["nginx"], Config={**inspected(tmp_path)["Config"], "Image": "nginx"})
    assert not front.is_pypiserver


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (
            ["-P", "/data/auth/.htpasswd", "-a", "update,download,list", "/data/packages"],
            ("/data/auth/.htpasswd", ("update", "download", "list"), ("/data/packages",)),
        ),
        (["-P", ".", "-a", ".", "/data/packages"], ("", (), ("/data/packages",))),
        ([], ("", ("update",), ("/data/packages",))),
        (["run", "-p", "8080", "-P/x", "-aupdate"], ("/x", ("update",), ("/data/packages",))),
        (["run", "--passwords=/x", "--authenticate=list, update"], ("/x", ("list", "update"), ("/data/packages",))),
        (["--log-file", "/var/log/pypi", "--overwrite", "/a", "/b"], ("", ("update",), ("/a", "/b"))),
    ],
)
def test_what_pypiserver_was_told(arguments: list[str], settings: tuple[Any, ...]) -> None:
    assert adoption.settings(arguments) == settings


def tree(home: Path) -> None:
    for folder in ("packages", "authentication", "nginx/conf.d"):
        (home / folder).mkdir(parents=True)
    (home / "authentication/.htpasswd").write_text("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nbob:secret\n")


def test_what_is_where_the_index_looks_for_it_is_in_order(tmp_path: Path) -> None:
    tree(tmp_path)
    assert adoption.misplaced(container(tmp_path), str(tmp_path)) == []


def test_packages_elsewhere_are_told_until_they_are_copied(tmp_path: Path) -> None:
    tree(tmp_path)
    volume = tmp_path / "volume"
    (volume / "team").mkdir(parents=True)
    (volume / "team/a-1.0.tar.gz").write_text("content")
    mounts = [{"Type": "volume", "Name": "v", "Source": str(volume), "Destination": "/data/packages"}]
    server = container(tmp_path, Mounts=mounts, Args=[])
    (problem,) = adoption.misplaced(server, str(tmp_path))
    assert problem == (
        f"1 of its packages of pypi-server are in {volume}, and not in {tmp_path}/packages: copy them there before "
        f"(docker cp pypi-server:/data/packages/. {tmp_path}/packages/)"
    )
    (tmp_path / "packages/team").mkdir()
    (tmp_path / "packages/team/a-1.0.tar.gz").write_text("content")
    assert adoption.misplaced(server, str(tmp_path)) == []


def test_packages_in_the_container_itself_and_a_password_file_elsewhere_are_told(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "auth").mkdir()
    (tmp_path / "auth/.htpasswd").write_text("carol:secret\n")
    mounts = [{"Type": "bind", "Source": f"{tmp_path}/auth", "Destination": "/data/auth"}]
    lost, passwords = adoption.misplaced(container(tmp_path, Mounts=mounts), str(tmp_path))
    assert "/data/packages inside the container" in lost
    assert f"the password file of pypi-server is {tmp_path}/auth/.htpasswd" in passwords


def test_the_advice_about_a_password_file_can_be_followed_and_holds_in_mid_run(tmp_path: Path) -> None:
    """Copied as told; then a run removes a login that pypi_users has with state: absent."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "auth").mkdir()
    (tmp_path / "auth/.htpasswd").write_text("carol:secret\n")
    mounts = [
        *inspected(tmp_path)["Mounts"][1:],
        {"Type": "bind", "Source": f"{tmp_path}/auth", "Destination": "/data/auth"},
    ]
    server, home = container(tmp_path, Mounts=mounts), tmp_path / "authentication"
    (problem,) = adoption.misplaced(server, str(tmp_path))
    assert f"(mkdir --parents {home} && docker cp pypi-server:/data/auth/.htpasswd {home}/.htpasswd)" in problem
    home.mkdir()
    (problem,) = adoption.misplaced(server, str(tmp_path))
    assert f"before (docker cp pypi-server:/data/auth/.htpasswd {home}/.htpasswd)" in problem
    shutil.copy(tmp_path / "auth/.htpasswd", home)
    assert adoption.misplaced(server, str(tmp_path)) == []
    (home / ".htpasswd").write_text("")
    (home / "credentials.conf").touch()
    assert adoption.misplaced(server, str(tmp_path)) == []


@pytest.mark.parametrize(
    ("arguments", "legible"),
    [
        (["-c", "pypi-server run -P /data/auth/.htpasswd /srv"], False),
        (["-ec", "/start.sh"], False),
        (["bash", "-c", "pypi-server"], False),
        (["pypi-server -P /data/auth/.htpasswd"], False),
        (["-w4", "pypiserver:app(root='/srv',password_file='/data/auth/.htpasswd')"], False),
        (["run", "-p", "8080", "-a", "update, download", "--log-req-frmt", "%(bottle.request)s x"], True),
        (["-P", "/data/auth/.htpasswd", "--authenticate=list, update", "-o", "/data/my packages"], True),
        ([], True),
    ],
)
def test_arguments_that_do_not_tell_where_anything_is_are_a_problem(
    tmp_path: Path, arguments: list[str], legible: bool
) -> None:
    tree(tmp_path)
    assert adoption.legible(arguments) == legible
    server = container(tmp_path, Args=arguments)
    problems = adoption.misplaced(server, str(tmp_path))
    assert any("is a text for a shell or another program" in problem for problem in problems) == (not legible)


@pytest.mark.parametrize(
    ("source", "running", "told"),
    [("", True, True), ("/..", True, True), ("/packages", True, False), ("-2", True, False), ("", False, False)],
)
def test_a_mount_of_the_whole_folder_is_told(tmp_path: Path, source: str, running: bool, told: bool) -> None:
    mounts = [{"Type": "bind", "Source": f"{tmp_path}{source}", "Destination": "/data"}]
    problems = adoption.exposed(container(tmp_path, Mounts=mounts, State={"Running": running}), str(tmp_path))
    assert [f"pypi-server mounts {tmp_path}{source} as /data" in problem for problem in problems] == [True] * told


def test_files_of_others_are_told_from_ours(tmp_path: Path) -> None:
    tree(tmp_path)
    for name in ("docker-compose.yml", "compose.override.yml", ".env", "nginx/nginx.conf", "nginx/conf.d/more.conf"):
        (tmp_path / name).write_text("by hand")
    (tmp_path / "nginx/conf.d/pypi.conf").write_text("include /etc/pypi-auth/credentials.conf;")
    home = str(tmp_path)
    assert adoption.replaced(home) == ["docker-compose.yml", "nginx/nginx.conf", "authentication/.htpasswd"]
    assert adoption.in_the_way_of_compose(home) == ["compose.override.yml", ".env"]
    assert adoption.in_the_way_of_nginx(home) == ["nginx/conf.d/more.conf"]
    (tmp_path / "authentication/credentials.conf").touch()
    assert "authentication/.htpasswd" not in adoption.replaced(home)


@pytest.mark.parametrize(
    "template",
    [
        "stack/templates/docker-compose.yml.j2",
        "nginx/templates/nginx.conf.j2",
        "nginx/templates/pypi.conf.j2",
    ],
)
def test_what_the_roles_write_is_known_as_ours(template: str) -> None:
    assert re.search(adoption.OURS, (ROOT / "roles" / template).read_text())


def test_copies_are_whole_and_made_once(tmp_path: Path) -> None:
    tree(tmp_path)
    home = str(tmp_path)
    (tmp_path / "docker-compose.yml").write_text("by hand")
    names = ["docker-compose.yml", "authentication/.htpasswd"]
    # A run that was killed leaves this.
    (tmp_path / "adopted/.partial").mkdir(parents=True)
    would = adoption.keep(home, names, ME, NOW, dry=True)
    assert os.listdir(tmp_path / "adopted") == [".partial"]
    assert adoption.keep(home, names, ME, NOW, dry=False) == would
    assert would == [f"adopted/2026-11-22-180509/{name}" for name in names]
    assert (tmp_path / would[0]).read_text() == "by hand"
    assert (tmp_path / would[1]).stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path / "adopted") == ["2026-11-22-180509"]
    assert adoption.keep(home, names, ME, LATER, dry=False) == []
    (tmp_path / "docker-compose.yml").write_text("by hand, changed")
    assert adoption.keep(home, names, ME, LATER, dry=False) == ["adopted/2026-11-22-180700/docker-compose.yml"]
    assert (tmp_path / would[0]).read_text() == "by hand"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param(".env", "outside/file", id="a file, whose content the account is not to get"),
        pytest.param("nginx_cache", "outside", id="a tree, which the account is not to get"),
        pytest.param("nginx/conf.d", "outside", id="a folder on the way to a file"),
        pytest.param("adopted", "outside", id="the place of the copies"),
        pytest.param("packages", "nowhere", id="to nowhere"),
    ],
)
def test_links_are_followed_if_they_are_roots_alone(tmp_path: Path, link: str, target: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside").chmod(0o755)
    for name in ("file", "more.conf"):
        (tmp_path / "outside" / name).write_text("secret")
        (tmp_path / "outside" / name).chmod(0o400)
    home = tmp_path / "home"
    (home / link).parent.mkdir(parents=True)
    (home / link).symlink_to(tmp_path / target)
    names = [name for name in (".env", "nginx/conf.d/more.conf") if (home / name).is_file()]
    # Who runs this is in the place of root.
    assert adoption.linked(str(home)) == []
    adoption.keep(str(home), names, ME, NOW, dry=True)
    os.chown(home / link, 65534, 65534, follow_symlinks=False)
    (problem,) = adoption.linked(str(home))
    assert problem.startswith(f"{home}/{link} is a link of nobody to ")
    assert problem.endswith(f"(chown --no-dereference root {home}/{link})")
    for step in (
        lambda: adoption.give(str(home), adoption.TREES, ME),
        lambda: adoption.keep(str(home), names, ME, NOW, dry=False),
        lambda: adoption.begin(str(home), ME),
        lambda: adoption.close(str(home)),
    ):
        with suppress(OSError):
            step()
    assert not list(home.rglob("adopted/*/*"))
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o755
    assert sorted(os.listdir(tmp_path / "outside")) == ["file", "more.conf"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "outside").iterdir()} == {0o400}


def test_what_the_account_cannot_read_or_write_is_corrected_and_links_are_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("of somebody else")
    outside.chmod(0o400)
    disk = tmp_path / "disk"
    (disk / "team").mkdir(parents=True)
    (disk / "team/closed").write_text("x")
    (disk / "team/closed").chmod(0o040)
    (disk / "good").write_text("x")
    (disk / "good").chmod(0o644)
    (disk / "link").symlink_to(outside)
    home = tmp_path / "home"
    home.mkdir()
    # The store itself may lie on a larger disk.
    (home / "packages").symlink_to(disk)
    assert sum(adoption.strangers(str(home), ["packages", "none"], ME)["packages"].values()) == 1
    assert adoption.give(str(home), ["packages", "none"], ME) == 1
    assert [(disk / name).stat().st_mode & 0o777 for name in ("team/closed", "good")] == [0o640, 0o644]
    assert outside.stat().st_mode & 0o777 == 0o400
    assert adoption.strangers(str(home), ["packages"], ME) == {}


def test_logins_tell_what_is_weak_and_no_hash(tmp_path: Path) -> None:
    tree(tmp_path)
    assert adoption.logins(f"{tmp_path}/authentication/.htpasswd") == {"alice": "{SHA}", "bob": "plain text"}
    assert adoption.logins(f"{tmp_path}/none") == {}


def test_closing_leaves_other_files_alone(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "authentication/note").touch(0o644)
    (tmp_path / "authentication").chmod(0o755)
    adoption.close(str(tmp_path))
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("authentication", "authentication/.htpasswd")]
    assert modes == [0o750, 0o640]
    assert (tmp_path / "authentication/note").stat().st_mode & 0o777 == 0o644
