# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host has a server that was set up by hand, and what a person is told about it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import Neighbour, Survey
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import adoption

HOME = "/home/pypi/pypi-server"
FOUND: dict[str, Any] = {
    "containers": [], "replaced": [], "aside": [], "owners": {}, "logins": {}, "needs_login": None, "problems": [],
    "unfinished": False, "networks": [], "open": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("container", "foreign", "found"),
    [
        pytest.param("", (), [], id="nothing"),
        pytest.param("pypi-server|a|||" + HOME, (), ["a"], id="a container of the folder"),
        pytest.param("other|a|||" + HOME, (), ["a"], id="under another name"),
        pytest.param("pypi-server|pypi-server_nginx_1|||", (), ["pypi-server_nginx_1"], id="of version 1"),
        pytest.param("pypi-server|a|||/data/pypi-server", (), ["a"], id="the folder without links"),
        pytest.param("pypi-server|a||pypi-server|" + HOME, (), [], id="ours"),
        pytest.param(f"pypi-server|a|||{HOME}|digest", (), [], id="ours, from before there was a label"),
        pytest.param("other|a|||/srv/other", (), [], id="somebody else's"),
        pytest.param("|a|||", (), [], id="of no project"),
        pytest.param("", ("nginx/nginx.conf",), ["nginx/nginx.conf"], id="a file"),
    ],
)
def test_what_shows_a_server_by_hand(container: str, foreign: tuple[str, ...], found: list[str]) -> None:
    survey = Survey(published=(container,) if container else (), foreign=foreign, folder="/data/pypi-server")
    assert adoption.by_hand(survey, "pypi-server", HOME) == found
    assert adoption.elsewhere(survey, "pypi-server", HOME) == ""


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (
            "pypi-server|a|||/home/deploy/pypi-server",
            "To take that server over, set pypi_user: deploy, pypi_home: /home/deploy/pypi-server and pypi_adopt: true.",
        ),
        (
            "pypi-server|a||pypi-server|/home/deploy/pypi-server",
            "is the name of the index in /home/deploy/pypi-server, with the containers a, and pypi_home is " + HOME,
        ),
    ],
)
def test_a_name_that_is_taken_elsewhere_is_refused(container: str, said: str) -> None:
    assert said in adoption.elsewhere(Survey(published=(container,)), "pypi-server", HOME)


@pytest.mark.parametrize(
    ("published", "index", "said"),
    [
        pytest.param((f"dev|dev-nginx-1||dev|{HOME}",), "", "dev", id="containers of another index, running or not"),
        pytest.param((f"dev|a|||{HOME}|digest", "x|b"), "", "dev", id="from before there was a label"),
        pytest.param((), "dev", "dev", id="no container is left, only the Compose file"),
        pytest.param((f"pypi-server|a||pypi-server|{HOME}",), "pypi-server", "", id="its own"),
        pytest.param((f"backup|a|||{HOME}",), "", "", id="something else, made by hand"),
        pytest.param(("dev|a||dev|/home/pypi/dev",), "", "", id="another index in its own folder"),
    ],
)
def test_a_folder_that_another_index_has_is_refused(published: tuple[str, ...], index: str, said: str) -> None:
    found = adoption.elsewhere(Survey(published=published, index=index), "pypi-server", HOME)
    assert found.startswith(
        f"pypi_home: {HOME} is the folder of the index {said}. Give pypi-server one" if said else ""
    )
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (
            Neighbour("mine", "a", "", "", "/opt/mine"),
            "set pypi_user: (an account, which is to own it), pypi_home: /opt/mine, pypi_instance: mine and pypi_adopt",
        ),
        (Neighbour("dev", "a", "", "dev", "/home/pypi/dev"), " It is of the index in /home/pypi/dev."),
        (Neighbour("", "a", "", "", ""), ""),
    ],
)
def test_a_port_that_is_taken_tells_whose_it_may_be(holder: Neighbour, said: str) -> None:
    hint = adoption.hint(holder)
    assert said in hint
    assert bool(said) == bool(hint)


USERS = [{"name": "alice", "publish": "yes"}, {"name": "bob"}, {"name": "carol", "state": "absent"}]


@pytest.mark.parametrize(
    ("found", "sentences"),
    [
        ({}, []),
        (
            {"containers": [{"name": "a", "image": "nginx", "ports": ["80"], "running": False}]},
            ["stop and remove the container a (nginx, port 80, stopped), and start new ones; their volumes stay"],
        ),
        (
            {"replaced": ["docker-compose.yml"]},
            [f"replace the file docker-compose.yml; copies of all these stay in {HOME}/adopted"],
        ),
        (
            {"owners": {"packages": {"root": 2, "uid 9898": 5}}},
            ["give what is in packages/ to pypi and its group: 2 of root and 5 of uid 9898"],
        ),
        (
            {"open": [".", "packages", "nginx"]},
            [f"close {HOME}, packages/ and nginx/ to everybody but root and pypi"],
        ),
        (
            {"networks": ["pypi-server_default"]},
            ["remove the network pypi-server_default, unless another container is in it"],
        ),
        (
            {"needs_login": ["update"]},
            ["ask for a login to list and download, which everybody may do so far (pypi_authenticate)"],
        ),
        ({"unfinished": True}, ["finish what an earlier run has begun"]),
        ({"logins": {"alice": "{SHA}"}}, []),
        ({"logins": {"bob": ""}}, ["make readers of bob, who may upload so far (pypi_users)"]),
        ({"logins": {"carol": ""}}, ["remove the login carol (state: absent)"]),
        (
            {"logins": {"dave": "plain text"}},
            [
                "keep the login dave, which pypi_users does not name; they may upload as before",
                "keep weak hashes, of dave (plain text); a password in pypi_users replaces one",
            ],
        ),
    ],
)
def test_what_would_change(found: dict[str, Any], sentences: list[str]) -> None:
    wanted = ["list", "download", "update"]
    assert adoption.changes({**FOUND, **found}, HOME, "pypi", 80, USERS, wanted) == sentences


@pytest.mark.parametrize(
    ("begin", "said"), [(True, "Nothing was changed:\n- x"), (False, "Its containers were left alone:\n- x")]
)
def test_a_run_says_nothing_was_changed_only_while_that_is_so(begin: bool, said: str) -> None:
    assert said in adoption.cannot(HOME, ["x"], begin)


def test_many_names_are_counted() -> None:
    assert adoption.named(map(str, range(23))).endswith("18, 19 and 3 more")
