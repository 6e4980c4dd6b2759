"""What a run is refused for once the host has been looked at."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.wheelhouse.pypi.plugins.action import preflight
from ansible_collections.wheelhouse.pypi.plugins.action.preflight import (
    ActionModule,
    problem_of,
    python_problem,
    target_pythons,
)
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import run_lock
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import Host, Neighbour

GOOD: dict[str, Any] = {
    "python": "/usr/bin/python3", "python_version": (3, 13), "system": "Debian GNU/Linux 13 (trixie)",
    "account": "998:997", "account_home": "/home/pypi",
}  # fmt: skip
ARGUMENTS = {
    "instance": "pypi-server", "bind_address": "0.0.0.0", "port": 80, "user": "pypi", "home": "/home/pypi/pypi-server"
}  # fmt: skip
INDEX = (Neighbour("pypi-server", "a", "", "pypi-server", "/home/deploy/pypi-server"),)
TAKEN = (Neighbour("other", "web-1", "0.0.0.0:80->80/tcp", "", ""),)


@pytest.mark.parametrize(
    ("found", "arguments", "said"),
    [
        ({}, {}, ""),
        ({"account": "", "account_home": ""}, {}, ""),
        ({"account": "0:0"}, {}, "pypi_system_user: pypi is root by another name (uid 0)"),
        ({}, {"home": "/home/pypi"}, "pypi_home: /home/pypi is the home of the account pypi itself"),
        ({"neighbours": TAKEN}, {}, "pypi_http_port: port 80 on 0.0.0.0 is taken by the container web-1"),
        ({"neighbours": TAKEN}, {"port": None}, ""),
        ({"free": 100}, {}, "pypi_home: no space left on the file system of /home/pypi/pypi-server (100 kB are free"),
        ({"free": 4096}, {}, ""),
        ({"store": 1}, {}, ""),
        ({"store": 2}, {}, "/home/pypi/pypi-server/packages/.wheelhouse/ has format 2, and this release of"),
        ({"store": 2}, {"port": None, "removing": True}, ""),
        (
            {"nodes": ("b", "a", "key")},
            {},
            "pypi_nodes: /home/pypi/pypi-server/packages is shared by several hosts (b, a), and this host has no pypi_nodes.",
        ),
        (
            {"nodes": ("key",)},
            {},
            "pypi_nodes: /home/pypi/pypi-server/packages is shared by several hosts (none is known)",
        ),
        ({"nodes": ("a", "key")}, {"nodes": "eu"}, ""),
        ({"nodes": ("a", "key")}, {"port": None, "removing": True}, ""),
        ({"nodes": ("a", "key")}, {"port": None}, ""),
        ({"neighbours": INDEX}, {}, "pypi-server is the name of the index in /home/deploy/pypi-server"),
        pytest.param({"neighbours": INDEX}, {"port": None}, "", id="a bundle is made beside an index"),
        (
            {"neighbours": INDEX},
            {"port": None, "removing": True},
            "pypi-server is the name of the index in /home/deploy",
        ),
    ],
)
def test_problem(found: dict[str, Any], arguments: dict[str, Any], said: str) -> None:
    problem = problem_of(Host(**{**GOOD, **found}), {**ARGUMENTS, **arguments})
    assert said in problem
    assert bool(said) == bool(problem)


def test_the_format_of_the_store_is_that_of_the_extension() -> None:
    source = Path(preflight.__file__).parents[2] / "roles/pypiserver/files/wheelhouse_index/fact_store/facts.py"
    assert f"\nFORMAT = {preflight._STORE_FORMAT}\n" in source.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("python", "oldest", "newest", "said"),
    [
        ((3, 8), (3, 8), (3, 13), ()),
        ((3, 13), (3, 8), (3, 13), ()),
        ((3, 99), (3, 9), (), ()),
        ((), (3, 8), (3, 13), ("Debian GNU/Linux 13 (trixie) has no python3, and modules", "need Python 3.8 or newer")),
        ((3, 6), (3, 8), (3, 13), ("has Python 3.6 as /usr/bin/python3", "Take a newer Python on the host")),
        (
            (3, 8),
            (3, 9),
            (3, 14),
            ("has Python 3.8 as", "need Python 3.9 or newer", "Take an older ansible-core on the controller, or"),
        ),
        (
            (3, 14),
            (3, 8),
            (3, 13),
            ("has Python 3.14 as", "run on Python 3.8 to 3.13. Take a newer ansible-core on the controller"),
        ),
    ],
)
def test_pythons_of_hosts(
    python: tuple[int, ...], oldest: tuple[int, ...], newest: tuple[int, ...], said: tuple[str, ...]
) -> None:
    host = Host(**{**GOOD, "python_version": python, "python": "/usr/bin/python3" if python else ""})
    found = python_problem(host, ["python3.13", "python3"], oldest, newest)
    assert bool(found) == bool(said)
    assert all(words in found for words in said), found


def test_ansible_core_says_itself_which_pythons_its_modules_run_on() -> None:
    """Its support matrix: 2.18 and 2.19 have 3.8 to 3.13 on hosts, 2.20 and 2.21 have 3.9 to 3.14."""
    from ansible.release import __version__

    older, newer = ((3, 8), (3, 13)), ((3, 9), (3, 14))
    known = {"2.18": older, "2.19": older, "2.20": newer, "2.21": newer}
    assert target_pythons() == known[".".join(__version__.split(".")[:2])]


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        pytest.param("port: 80", True, id="an index"),
        pytest.param("removing: true", True, id="a removal"),
        pytest.param("", False, id="a bundle"),
    ],
)
def test_another_server_is_in_the_way_of_an_index_and_not_of_a_bundle(
    playbook: Any, tmp_path: Path, variables: str, refused: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "docker-compose.yml").write_text("services: {}")
    done = playbook(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        f"    - wheelhouse.pypi.preflight: {{instance: x, user: nobody-of-that-name, home: {home}, {variables}}}\n"
    )
    assert ("holds another server (docker-compose.yml)" in done.stdout + done.stderr) == refused, done.stdout
    assert (done.returncode != 0) == refused


def test_a_run_that_cannot_hold_the_index_is_refused(playbook: Any, tmp_path: Path) -> None:
    play = (
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - wheelhouse.pypi.preflight:\n"
        f"        {{instance: no/such-folder, user: nobody-of-that-name, home: {tmp_path}/home, lock: true}}\n"
    )
    done = playbook(play)
    assert done.returncode != 0
    assert "cannot hold the index no/such-folder on this host: " in done.stdout + done.stderr, done.stdout
    # It changes nothing, so it does not have to be alone.
    assert playbook(play, "--check").returncode == 0


def shell(command: str) -> dict[str, Any]:
    """Run a command on this machine, as an action runs it on a host."""
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def look(home: Path) -> dict[str, Any]:
    """Run the preflight of a run that holds the index."""
    arguments = {"instance": "index", "user": "nobody-of-that-name", "home": str(home), "removing": True, "lock": True}
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, environment=None, no_log=False)
    action = ActionModule(
        task=task,
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
        play_context=SimpleNamespace(check_mode=False),
        loader=None,
        templar=SimpleNamespace(template=lambda value: value),
        shared_loader_obj=None,
    )
    action._low_level_execute_command = shell
    found: dict[str, Any] = action.run(task_vars={"inventory_hostname": "pypi-1"})
    return found


def test_a_run_lets_go_of_the_index_at_its_end_or_when_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "FOLDER", str(tmp_path / "run"))
    held = Path(run_lock.path("index"))
    release = look(tmp_path / "home")["release"]
    assert held.exists()
    # The second time it is not held, and the third time nothing of it is left, as after a restart of the host.
    for _ in range(2):
        assert shell(release)["rc"] == 0
        assert not held.exists()
    held.parent.rmdir()
    assert shell(release) == {"rc": 0, "stdout": "", "stderr": ""}

    (tmp_path / "docker-compose.yml").write_text("services: {}")
    with pytest.raises(AnsibleActionFail, match="holds another server"):
        look(tmp_path)
    assert not held.exists()
