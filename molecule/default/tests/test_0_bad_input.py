"""Bad values are refused in one message that names variable, value and mend; the running index does not notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import Index, Login
from tests.support.playbook import refused

SECRET = "a-password-that-must-not-be-seen"
CASES = [
    pytest.param(
        {"pypi_users": []},
        ["pypi_users: is empty, but list, download, update need a login", "give at least one user"],
        id="no users and authentication on",
    ),
    pytest.param(
        {"pypi_authenticate": []},
        ["pypi_authenticate: is empty, which would open uploads and removal; write [update] to open reading"],
        id="nothing needs a login",
    ),
    pytest.param(
        {"pypi_authenticate": "{{ [] }}"},
        ["pypi_authenticate: is empty", "pypi_anonymous_uploads: true opens uploads beside that, on purpose"],
        id="a template that comes out empty",
    ),
    pytest.param(
        {"pypi_authenticate": ["list", "download"]},
        ["pypi_authenticate: [list, download] lacks update", "removal always needs a login"],
        id="uploads would be open",
    ),
    pytest.param(
        {"pypi_authenticate": ["upload"]},
        ["pypi_authenticate", "upload", "list, download, update"],
        id="unknown action",
    ),
    pytest.param(
        {"pypi_home": "pypi-server"},
        ["pypi_home", "'pypi-server'", "absolute"],
        id="relative home",
    ),
    pytest.param(
        {"pypi_bind_adress": "127.0.0.1"},
        ["pypi_bind_adress: unknown variable; did you mean pypi_bind_address?"],
        id="misspelt variable",
    ),
    pytest.param(
        {"pypi_backend": "cached-dir", "pypi_fallback": True},
        ["pypi_backend: was removed from the collection; remove it", "pypi_fallback: was removed", "is a 404"],
        id="variables of an earlier release",
    ),
    pytest.param(
        {"pypi_http_port": 70000},
        ["pypi_http_port", "70000", "65535"],
        id="port out of range",
    ),
    pytest.param(
        {"pypi_users": [{"name": "twin", "password": SECRET}, {"name": "twin", "password": SECRET}]},
        ["pypi_users", "twin"],
        id="duplicate user",
    ),
    pytest.param(
        {"pypi_users": [{"name": "a:b", "password": SECRET}]},
        ["pypi_users", "'a...'", "colon"],
        id="colon in a name",
    ),
    pytest.param(
        {"pypi_users": [{"name": "alice", "password": SECRET + "x" * 80}]},
        ["pypi_users", "alice", "72"],
        id="password beyond bcrypt",
    ),
    pytest.param(
        {"pypi_users": [{"name": "alice", "hash": "{SHA}" + SECRET}]},
        ["pypi_users", "alice", "{SHA}"],
        id="hash in a weak scheme",
    ),
    pytest.param(
        {"pypi_users": [{"name": "alice", "password": SECRET, "publsh": True}]},
        ["pypi_users", "publsh", "publish"],
        id="misspelt key",
    ),
    pytest.param(
        {"pypi_image_nginx": "nginx:9.9"},
        ["nginx:9.9 is still missing", "pypi_image_nginx"],
        id="an image that the archive does not have",
    ),
    pytest.param(
        {"pypi_home": "x", "pypi_authenticate": ["read"], "pypi_bcrypt_cost": 40},
        ["pypi_home", "pypi_authenticate", "pypi_bcrypt_cost"],
        id="several at once",
    ),
]


@pytest.fixture(autouse=True)
def _the_index_does_not_notice(host: Any, index: Index, reader: Login, home: str) -> Iterator[None]:
    look = (
        f"cd {home} && find . \\( -path ./nginx_cache -o -path ./logs -o -path './index/catalogue*'"
        " -o -path ./index/.lock \\)"
        " -prune -o -printf '%p %m %u %T@\\n' | sort;"
        " docker inspect --format '{{.Id}} {{.State.StartedAt}}' $(docker ps --quiet)"
    )
    before = host.check_output(look)
    yield
    assert host.check_output(look) == before
    assert index.request("/simple/", reader).status == 200


@pytest.mark.parametrize(("changes", "words"), CASES)
def test_refused(changes: dict[str, Any], words: list[str]) -> None:
    message = refused(**changes)
    for word in words:
        assert word in message
    assert SECRET not in message
