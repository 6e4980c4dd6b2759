"""What a run is refused for once the host has been looked at."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.action.check_host import problem_of
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import Survey

GOOD: dict[str, Any] = {
    "python": "/usr/bin/python3", "python_version": (3, 13), "system": "Debian GNU/Linux 13 (trixie)",
    "account": "998:997", "account_home": "/home/pypi",
}  # fmt: skip
ARGUMENTS = {
    "instance": "pypi-server", "bind_address": "0.0.0.0", "port": 80, "user": "pypi", "home": "/home/pypi/pypi-server"
}  # fmt: skip
TAKEN = ("other|web-1|0.0.0.0:80->80/tcp",)


@pytest.mark.parametrize(
    ("survey", "arguments", "said"),
    [
        ({}, {}, ""),
        ({"python_version": (3, 8)}, {}, ""),
        ({"account": "", "account_home": ""}, {}, ""),
        (
            {"python": "", "python_version": ()},
            {},
            "Debian GNU/Linux 13 (trixie) has no python3, and Ansible's modules",
        ),
        ({"python_version": (3, 6)}, {}, "has Python 3.6 as /usr/bin/python3, and Ansible's modules need Python 3.8"),
        ({"account": "0:0"}, {}, "pypi_user: pypi is root by another name (uid 0)"),
        ({}, {"home": "/home/pypi"}, "pypi_home: /home/pypi is the home of the account pypi itself"),
        ({"published": TAKEN}, {}, "pypi_http_port: port 80 on 0.0.0.0 is taken by the container web-1"),
        ({"published": TAKEN}, {"port": None}, ""),
    ],
)
def test_problem(survey: dict[str, Any], arguments: dict[str, Any], said: str) -> None:
    found = problem_of(Survey(**{**GOOD, **survey}), ["python3.13", "python3"], {**ARGUMENTS, **arguments})
    assert said in found
    assert bool(said) == bool(found)
