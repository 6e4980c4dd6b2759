"""What the tests of all scenarios start from: the index, who uses it, and the containers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support import hosts
from tests.support.clients import Index, Login
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def variables(host: Any) -> Mapping[str, Any]:
    """The host's variables, as the scenario's molecule.yml says them."""
    return host.ansible.get_variables()


@pytest.fixture(scope="module")
def index(host: Any, variables: Mapping[str, Any]) -> Index:
    port = variables.get("pypi_http_port", 80)
    return Index(f"http://{hosts.address(host)}" + ("" if port == 80 else f":{port}"))


def _login(variables: Mapping[str, Any], name: str) -> Login:
    (user,) = (user for user in variables["pypi_users"] if user["name"] == name)
    return Login(name, user["password"])


@pytest.fixture(scope="module")
def publisher(variables: Mapping[str, Any]) -> Login:
    return _login(variables, "publisher")


@pytest.fixture(scope="module")
def reader(variables: Mapping[str, Any]) -> Login:
    return _login(variables, "reader")


@pytest.fixture(scope="session")
def home() -> str:
    return "/home/pypi/pypi-server"


@pytest.fixture(scope="module")
def stack(host: Any, home: str) -> Stack:
    return Stack(host, home)


@pytest.fixture
def small_cache(host: Any, stack: Stack) -> Iterator[None]:
    """nginx_cache/ is on a disk of 4 MB, in a container made for it."""
    cache = f"{stack.home}/nginx_cache"
    host.check_output(f"mount -t tmpfs -o size=4m,mode=0700,uid=$(id -u pypi),gid=$(id -g pypi) tmpfs {cache}")
    stack.compose("up --detach --wait --force-recreate nginx")
    yield
    host.check_output(f"umount {cache}")
    stack.compose("up --detach --wait --force-recreate nginx")
