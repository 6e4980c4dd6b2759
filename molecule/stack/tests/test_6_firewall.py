"""The host's own firewall and the index: DOCKER-USER works as docs/clouds.md says."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.clients import NOBODY, Index

PAGE = Path(__file__).parents[3] / "docs" / "clouds.md"
NAME = "pypi-firewall.service"


def answers(index: Index) -> bool:
    """Say whether this machine gets through to the index; packets that are dropped get no answer at all."""
    address = urlsplit(index.url)
    try:
        with socket.create_connection((address.hostname, address.port or 80), timeout=3):
            return index.request("/simple/", NOBODY).status == 401
    except TimeoutError:
        return False


@contextmanager
def firewall(host: Any, source: str, port: int) -> Iterator[None]:
    """The page's service runs on the host, for this network and port."""
    unit = re.search(rf"```ini\n# (\S+{NAME})\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert unit, f"{PAGE} has no {NAME}"
    text = unit[2].replace("10.0.0.0/16", source).replace("--ctorigdstport 80 ", f"--ctorigdstport {port} ")
    host.check_output("printf %%s %s > %s && systemctl daemon-reload && systemctl start %s", text, unit[1], NAME)
    try:
        yield
    finally:
        host.check_output("systemctl stop %s && rm %s && systemctl daemon-reload", NAME, unit[1])


def test_docker_user_decides_who_reaches_the_index(host: Any, index: Index, variables: Mapping[str, Any]) -> None:
    port = variables["pypi_http_port"]
    me = host.check_output("ip -4 route show default | awk '{print $3}'")
    with firewall(host, "192.0.2.0/24", port):
        assert not answers(index), host.check_output("iptables -S DOCKER-USER")
    with firewall(host, f"{me}/32", port):
        assert answers(index), host.check_output("iptables -S DOCKER-USER")
    assert answers(index)


def test_the_chain_input_does_not(host: Any, index: Index) -> None:
    host.check_output("iptables --policy INPUT DROP")
    try:
        assert answers(index)
    finally:
        host.check_output("iptables --policy INPUT ACCEPT")
