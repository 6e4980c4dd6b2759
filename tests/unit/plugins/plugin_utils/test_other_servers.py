# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other servers and indexes on a host: what a run says about those in the way of an index."""

from __future__ import annotations

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import Neighbour, Survey
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import other_servers

HOME = "/home/pypi/pypi-server"


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
def test_a_folder_that_another_server_has_is_refused_with_the_remedy(
    container: str, foreign: tuple[str, ...], found: list[str]
) -> None:
    survey = Survey(published=(container,) if container else (), foreign=foreign, folder="/data/pypi-server")
    assert other_servers.elsewhere(survey, "pypi-server", HOME) == ""
    said = other_servers.here(survey, "pypi-server", HOME, removing=False)
    removal = other_servers.here(survey, "pypi-server", HOME, removing=True)
    if not found:
        assert said == removal == ""
        return
    assert said.startswith(f"{HOME} holds another server ({', '.join(found)}). Nothing was changed.")
    assert "with another pypi_instance than pypi-server" in said
    assert f"wheelhouse.pypi.import with pypi_import_from={HOME}/packages" in said
    assert "Nothing was changed: this playbook removes only what wheelhouse.pypi.site has set up." in removal


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (
            "pypi-server|a|||/home/deploy/pypi-server",
            "Give the index another pypi_instance and pypi_http_port. If that is a package index, bring its packages in "
            "afterwards: wheelhouse.pypi.import with pypi_import_from=/home/deploy/pypi-server/packages (docs/import.md).",
        ),
        (
            "pypi-server|a||pypi-server|/home/deploy/pypi-server",
            "is the name of the index in /home/deploy/pypi-server, with the containers a, and pypi_home is " + HOME,
        ),
    ],
)
def test_a_name_that_is_taken_elsewhere_is_refused(container: str, said: str) -> None:
    assert said in other_servers.elsewhere(Survey(published=(container,)), "pypi-server", HOME)


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
    found = other_servers.elsewhere(Survey(published=published, index=index), "pypi-server", HOME)
    assert found.startswith(
        f"pypi_home: {HOME} is the folder of the index {said}. Give pypi-server one" if said else ""
    )
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (
            Neighbour("mine", "a", "", "", "/opt/mine"),
            " If that is the package index in /opt/mine which this one replaces: let it run, set up this one on another "
            "port, import the packages, then switch (docs/import.md).",
        ),
        (Neighbour("dev", "a", "", "dev", "/home/pypi/dev"), " It is of the index in /home/pypi/dev."),
        (Neighbour("", "a", "", "", ""), ""),
    ],
)
def test_a_port_that_is_taken_tells_whose_it_may_be(holder: Neighbour, said: str) -> None:
    hint = other_servers.hint(holder)
    assert said in hint
    assert bool(said) == bool(hint)


def test_many_names_are_counted() -> None:
    assert other_servers.named(map(str, range(23))).endswith("18, 19 and 3 more")
