"""Other servers and indexes on a host: what a run says about those in the way of an index."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import other_servers
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import Host, Neighbour

HOME = "/home/pypi/pypi-server"


def containers(*lines: str) -> tuple[Neighbour, ...]:
    """Return containers as the host names them."""
    return Host.parse("@@published\n" + "\n".join(lines)).neighbours


@pytest.mark.parametrize(
    ("container", "foreign", "found"),
    [
        pytest.param("", (), [], id="nothing"),
        pytest.param("pypi-server|a|||" + HOME, (), ["a"], id="a container of the folder"),
        pytest.param("other|a|||" + HOME, (), ["a"], id="under another name"),
        pytest.param("pypi-server|pypi-server_nginx_1|||", (), ["pypi-server_nginx_1"], id="of version 1"),
        pytest.param("pypi-server|a|||/data/pypi-server", (), ["a"], id="the folder without links"),
        pytest.param("pypi-server|a||pypi-server|" + HOME, (), [], id="ours"),
        pytest.param("other|a|||/srv/other", (), [], id="somebody else's"),
        pytest.param("|a|||", (), [], id="of no project"),
        pytest.param("", ("nginx/nginx.conf",), ["nginx/nginx.conf"], id="a file"),
    ],
)
def test_a_folder_that_another_server_has_is_refused_with_the_remedy(
    container: str, foreign: tuple[str, ...], found: list[str]
) -> None:
    host = Host(neighbours=containers(container), foreign=foreign, folder="/data/pypi-server")
    assert other_servers.elsewhere(host, "pypi-server", HOME) == ""
    said = other_servers.here(host, "pypi-server", HOME, removing=False)
    removal = other_servers.here(host, "pypi-server", HOME, removing=True)
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
    assert said in other_servers.elsewhere(Host(neighbours=containers(container)), "pypi-server", HOME)


@pytest.mark.parametrize(
    ("published", "index", "said"),
    [
        pytest.param((f"dev|dev-nginx-1||dev|{HOME}",), "", "dev", id="containers of another index, running or not"),
        pytest.param((), "dev", "dev", id="no container is left, only the Compose file"),
        pytest.param((f"pypi-server|a||pypi-server|{HOME}",), "pypi-server", "", id="its own"),
        pytest.param((f"backup|a|||{HOME}",), "", "", id="something else, made by hand"),
        pytest.param(("dev|a||dev|/home/pypi/dev",), "", "", id="another index in its own folder"),
    ],
)
def test_a_folder_that_another_index_has_is_refused(published: tuple[str, ...], index: str, said: str) -> None:
    found = other_servers.elsewhere(Host(neighbours=containers(*published), index=index), "pypi-server", HOME)
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
def test_a_port_that_is_taken_says_whose_it_may_be(holder: Neighbour, said: str) -> None:
    taken = Host(neighbours=(dataclasses.replace(holder, ports="0.0.0.0:80->80/tcp"),))
    ports = {"pypi_http_port": 80, "pypi_https_port": None}
    sentence = "pypi_http_port: port 80 on 0.0.0.0 is taken by the container a. Stop that, or set pypi_http_port (or "
    message = other_servers.port_taken(taken, "pypi-server", "0.0.0.0", ports)
    assert message == f"{sentence}pypi_bind_address) to one that is free.{said}"
    assert other_servers.port_taken(taken, "pypi-server", "0.0.0.0", {"pypi_http_port": 81}) == ""


def test_many_names_are_counted() -> None:
    assert other_servers.named(map(str, range(23))).endswith("18, 19 and 3 more")


HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
ANY_80 = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
LOOPBACK_80 = "   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
ANY6_80 = "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 0"
LOOPBACK6_80 = (
    "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 0"
)
MAPPED_80 = "   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 0"
CLIENT_80 = "   1: 0100007F:D431 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0"
APACHE = 'LISTEN 0 511 *:80 *:* users:(("apache2",pid=812,fd=4),("apache2",pid=811,fd=4))'


@pytest.mark.parametrize(
    ("sockets", "published", "address", "holder"),
    [
        pytest.param([], [], "0.0.0.0", "", id="free"),
        pytest.param([HEADER, CLIENT_80], [], "0.0.0.0", "", id="a client is no listener"),
        pytest.param([ANY_80], [], "0.0.0.0", "apache2 (process 812)", id="same wildcard"),
        pytest.param([ANY6_80], [], "127.0.0.1", "apache2 (process 812)", id="IPv6 wildcard takes IPv4 too"),
        pytest.param([LOOPBACK_80], [], "0.0.0.0", "apache2 (process 812)", id="wildcard wants all addresses"),
        pytest.param([LOOPBACK_80], [], "192.0.2.7", "", id="another address"),
        pytest.param([LOOPBACK6_80], [], "::1", "apache2 (process 812)", id="IPv6 loopback"),
        pytest.param([MAPPED_80], [], "127.0.0.1", "apache2 (process 812)", id="IPv4 inside IPv6"),
        pytest.param([ANY_80], ["pypi-server|n|0.0.0.0:80->8080/tcp, :::80->8080/tcp"], "0.0.0.0", "", id="ours"),
        pytest.param([ANY_80], ["other|web-1|0.0.0.0:80->80/tcp"], "0.0.0.0", "the container web-1", id="container"),
        pytest.param([], ["other|web-1|[::]:80->80/tcp"], "0.0.0.0", "the container web-1", id="no userland proxy"),
        pytest.param([], ["other|web-1|0.0.0.0:8080->80/tcp"], "0.0.0.0", "", id="another port"),
        pytest.param([LOOPBACK6_80], [], "0.0.0.0", "", id="IPv6 is not in the way of IPv4"),
        pytest.param([ANY_80], [], "::", "", id="nor IPv4 in the way of IPv6"),
        pytest.param([LOOPBACK6_80], [], "::", "apache2 (process 812)", id="wildcard wants all of IPv6"),
    ],
)
def test_port_holder(sockets: list[str], published: list[str], address: str, holder: str) -> None:
    host = Host(sockets=tuple(sockets), neighbours=containers(*published), listeners=(APACHE,))
    assert str(other_servers.port_holder(host, "pypi-server", address, 80)) == holder


def test_a_holder_without_a_name_is_still_a_holder() -> None:
    assert other_servers.port_holder(Host(sockets=(ANY_80,)), "pypi-server", "0.0.0.0", 80) == "another process"
