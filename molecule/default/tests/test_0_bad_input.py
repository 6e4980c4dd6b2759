"""Bad values are refused in one message that names variable, value and mend; the running index does not notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import Index, Login
from tests.support.playbook import refused

SECRET = "a-password-that-must-not-be-seen"
# Each case is one run; all that is wrong is in one message. What else is refused: tests/unit/plugins/plugin_utils/test_rules.py.
CASES = [
    pytest.param(
        {
            "pypi_users": [
                {"name": "twin", "password": SECRET},
                {"name": "bob", "hash": "{SHA}" + SECRET},
                {"name": "twin"},
            ],
            "pypi_home": "pypi-server",
            "pypi_bind_adress": "127.0.0.1",
            "pypi_backend": "cached-dir",
            "pypi_fallback": True,
            "pypi_http_port": 70000,
            "pypi_bcrypt_cost": 40,
        },
        [
            "user 'twin' is listed 2 times",
            "user 'bob' has a hash in a scheme that is not accepted: {SHA}",
            "pypi_home: 'pypi-server' is not absolute",
            "pypi_bind_adress: unknown variable; did you mean pypi_bind_address?",
            "pypi_backend: was removed from the collection; remove it",
            "pypi_fallback: was removed from the collection; remove it: an unknown project is a 404",
            "pypi_http_port: 70000 is not a whole number from 1 to 65535",
            "pypi_bcrypt_cost: 40 is not a whole number from 4 to 17",
        ],
        id="several variables at once",
    ),
]


@pytest.fixture(autouse=True)
def _the_index_does_not_notice(host: Any, index: Index, reader: Login, home: str) -> Iterator[None]:
    look = (
        f"cd {home} && find . \\( -path ./nginx_cache -o -path ./logs -o -path './index/catalogue*'"
        " -o -path './index/.*lock' \\)"
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
