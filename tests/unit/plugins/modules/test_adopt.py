# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which a server is taken over, and what a run finds that comes after one that was killed."""

from __future__ import annotations

import errno
import getpass
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import adoption
from ansible_collections.wheelhouse.pypi.plugins.modules import adopt, adopt_info

Run = Callable[..., dict[str, Any]]

# A Docker that notes what it is asked for, knows two containers, and fails at what the file "fails" names.
DOCKER = """#!/bin/sh
here={here}
echo "$*" >>$here/asked
case "$*" in "$(cat $here/fails 2>/dev/null || echo nothing)"*) echo 'no space left' >&2; exit 1 ;; esac
case "$*" in
ps*) echo back front ;;
inspect*) cat $here/containers ;;
*auth) [ ! -e $here/afterwards ] || mv $here/afterwards $here/containers ;;
"network ls --quiet"*) echo old-network ;;
"network ls"*) printf 'index_default\\nindex_front\\nindex_back\\n' ;;
"network inspect"*) echo 0 ;;
esac
"""


def container(home: Path, name: str, image: str, port: str) -> dict[str, Any]:
    labels = {"com.docker.compose.project": "index", "com.docker.compose.project.working_dir": str(home)}
    return {
        "Id": name,
        "Name": f"/{name}",
        "Args": ["-P", "/data/auth/.htpasswd", "/data/packages"] if image == "pypiserver" else [],
        "Config": {"Image": image, "Labels": labels},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": port}]}},
        "State": {"Running": True},
        "Mounts": [
            {"Type": "bind", "Source": f"{home}/authentication", "Destination": "/data/auth"},
            {"Type": "bind", "Source": f"{home}/packages", "Destination": "/data/packages"},
        ]
        if image == "pypiserver"
        else [],
    }


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server that was set up by hand, and its home."""
    home = tmp_path / "home"
    for name in ("nginx/conf.d/pypi.conf", "docker-compose.yml", ".env", "authentication/.htpasswd", "packages/a.whl"):
        (home / name).parent.mkdir(0o755, parents=True, exist_ok=True)
        (home / name).write_text("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    (home / "packages/a.whl").chmod(0o000)
    (tmp_path / "containers").write_text(
        json.dumps([container(home, "back", "pypiserver", "8080"), container(home, "front", "nginx", "80")])
    )
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(DOCKER.format(here=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return home


def asked(home: Path) -> list[str]:
    """What Docker was asked to change."""
    lines = (home.parent / "asked").read_text().splitlines()
    return [line for line in lines if not line.startswith(("ps", "inspect", "network ls", "network inspect"))]


def arguments(home: Path, state: str) -> dict[str, str]:
    return {"path": str(home), "instance": "index", "owner": getpass.getuser(), "state": state}


def test_what_is_there_is_told(run_module: Run, server: Path) -> None:
    found = run_module(adopt_info, path=str(server), instance="index", owner=getpass.getuser())
    assert [one["name"] for one in found["containers"]] == ["back", "front"]
    assert found["replaced"] == ["docker-compose.yml", "nginx/conf.d/pypi.conf", "authentication/.htpasswd"]
    assert (found["aside"], found["logins"], found["problems"]) == ([".env"], {"alice": "{SHA}"}, [])
    assert found["owners"] == {"packages": {getpass.getuser(): 1}}
    assert found["needs_login"] == ["update"]
    assert found["networks"] == ["index_default"]
    assert found["open"] == [".", "packages", "authentication", "nginx"]


def test_copies_are_made_before_anything_is_touched(run_module: Run, server: Path) -> None:
    for _ in range(2):
        result = run_module(adopt, **arguments(server, "kept"))
    assert not result["changed"]
    (folder,) = (path for path in (server / "adopted").iterdir() if path.is_dir())
    copies = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert copies == {"docker-compose.yml", "nginx/conf.d/pypi.conf", "authentication/.htpasswd", ".env"}
    assert (server / ".env").exists()


def test_a_server_without_containers_is_known_until_all_of_it_is_done(run_module: Run, server: Path) -> None:
    """Between the two steps, roles replace every file of before."""
    (server.parent / "containers").write_text("[]")
    run_module(adopt, check=True, **arguments(server, "kept"))
    assert not (server / adoption.UNFINISHED).exists()
    run_module(adopt, **arguments(server, "kept"))
    assert (server / adoption.UNFINISHED).stat().st_mode & 0o777 == 0o600
    (server.parent / "fails").write_text("network")
    assert run_module(adopt, **arguments(server, "replaced"))["failed"]
    assert run_module(adopt_info, path=str(server), instance="index", owner=getpass.getuser())["unfinished"]
    (server.parent / "fails").unlink()
    run_module(adopt, **arguments(server, "replaced"))
    assert not (server / adoption.UNFINISHED).exists()
    assert (server / "packages/a.whl").stat().st_mode & 0o777 == 0o600


def test_everything_is_ready_before_the_old_containers_stop(run_module: Run, server: Path) -> None:
    assert run_module(adopt, check=True, **arguments(server, "replaced"))["removed"] == ["back", "front"]
    assert asked(server) == []
    assert (server / ".env").exists()
    result = run_module(adopt, **arguments(server, "replaced"))
    assert (result["changed"], result["removed"]) == (True, ["back", "front"])
    up = f"compose --project-name index --project-directory {server} --env-file /dev/null --file - up --detach --pull never"
    assert asked(server) == [
        f"{up} --no-deps auth",
        "stop -t 10 front",
        "kill back",
        "rm --force back front",
        f"{up} --remove-orphans",
        "network rm old-network",
    ]
    assert not (server / ".env").exists()
    assert (server / "packages/a.whl").stat().st_mode & 0o777 == 0o600
    assert (server / "authentication").stat().st_mode & 0o777 == 0o750


def test_an_old_service_that_compose_replaces_by_its_name_is_not_stopped_again(run_module: Run, server: Path) -> None:
    back, front = json.loads((server.parent / "containers").read_text())
    (server.parent / "afterwards").write_text(json.dumps([back, front]))
    (server.parent / "containers").write_text(json.dumps([container(server, "auth", "nginx", "81"), back, front]))
    assert run_module(adopt, **arguments(server, "replaced"))["removed"] == ["auth", "back", "front"]
    assert asked(server)[1:4] == ["stop -t 10 front", "kill back", "rm --force back front"]


@pytest.mark.parametrize(("fails", "last"), [("compose", "compose"), ("stop", "start"), ("rm", "rm")])
def test_a_step_that_failed_is_done_again(run_module: Run, server: Path, fails: str, last: str) -> None:
    (server.parent / "fails").write_text(fails)
    result = run_module(adopt, **arguments(server, "replaced"))
    assert result["failed"] and "no space left. Run again to go on." in result["msg"]
    assert asked(server)[-1].startswith(last)
    # A server that has been stopped, and of which nothing is removed yet, goes on.
    assert ("start back front" in asked(server)) == (fails == "stop")
    (server.parent / "fails").unlink()
    assert run_module(adopt, **arguments(server, "replaced"))["removed"] == ["back", "front"]


def refusing(where: Path) -> Callable[..., None]:
    """A chown that a file system refuses."""

    def chown(path: Any, *_ids: int, **_options: Any) -> None:
        name = path if isinstance(path, str) else f"/proc/self/fd/{path}"
        if Path(name).resolve().is_relative_to(where):
            raise OSError(errno.EPERM, "Operation not permitted", path if isinstance(path, str) else None)

    return chown


def test_a_tree_that_cannot_be_given_away_is_told_while_the_old_server_serves(
    run_module: Run, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchown", refusing(server / "packages"))
    result = run_module(adopt, **arguments(server, "kept"))
    assert result["failed"] and f"{server}/packages: root cannot give it to another account" in result["msg"]
    assert not (server / "adopted").exists()


def test_the_old_server_goes_on_where_a_file_cannot_be_given_away_after_all(
    run_module: Run, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchown", refusing(server / "packages/a.whl"))
    result = run_module(adopt, **arguments(server, "replaced"))
    assert (
        result["failed"] and f"{server}/packages/a.whl: Operation not permitted. Run again to go on." in result["msg"]
    )
    assert result["warnings"] == ["The old containers were stopped, and started again."]
    assert asked(server)[-3:] == ["stop -t 10 front", "kill back", "start back front"]
