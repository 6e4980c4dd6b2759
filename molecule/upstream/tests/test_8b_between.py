"""What may stand between the index and public projects: a company's proxy, and another index of this collection."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from tests.ground.public_index import NEIGHBOUR
from tests.support import hosts, packages
from tests.support.clients import Index, Login
from tests.support.long import only_long
from tests.support.one_url import OneUrl, installed, is_right
from tests.support.playbook import site
from tests.support.public_index import PublicIndex
from tests.support.stack import eventually

# Sets up a second index and a proxy.
pytestmark = only_long
# Another index on the same host.
STAGING_URL = f"https://{NEIGHBOUR}:8443"
STAGING = {
    "pypi_instance": "staging",
    "pypi_http_port": 8080,
    "pypi_https_port": 8443,
    "pypi_url": STAGING_URL,
    "pypi_tls": "self_signed",
    "pypi_replicas": 1,
    "pypi_upstreams": [],
}
STAGING_HOME = "/home/pypi/staging"
PROXY_PORT = 8888
PROXY = f"""User tinyproxy
Group tinyproxy
Port {PROXY_PORT}
LogFile "/var/log/tinyproxy/tinyproxy.log"
BasicAuth wheelhouse proxy-password
ConnectPort 443
ConnectPort 8443
"""


@pytest.fixture(scope="module")
def staging(host: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A second index, with a private project of its own, copied in; return its authority."""
    folder = tmp_path_factory.mktemp("staging")
    authority = folder / "staging.pem"
    site(**STAGING, pypi_tls_authority_file=str(authority))
    file = packages.wheel(folder, "staged-app", more="Requires-Dist: click\n")
    content = base64.b64encode(file.read_bytes()).decode()
    placed = f"{STAGING_HOME}/packages/{file.name}"
    host.check_output(f"echo {content} | base64 -d >{placed} && chown --reference={STAGING_HOME}/packages {placed}")
    page = host.file(f"{STAGING_HOME}/index/simple/staged-app/index.json")
    eventually(lambda: page.exists, "the second index has its project", 120)
    return authority.read_text()


@pytest.fixture(scope="module")
def proxy(host: Any) -> str:
    """Debian's tinyproxy on the host; return its URL."""
    host.check_output("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install tinyproxy")
    host.check_output("printf %s " + f"'{PROXY}' >/etc/tinyproxy/tinyproxy.conf && systemctl restart tinyproxy")
    return f"http://wheelhouse:proxy-password@{hosts.address(host)}:{PROXY_PORT}"


@pytest.fixture(scope="module")
def between(variables: Any, staging: str, proxy: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The index has the second one as a further upstream, and reaches all of them through the proxy."""
    authorities = tmp_path_factory.mktemp("authorities") / "both.pem"
    public = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "public.pem"
    authorities.write_text(public.read_text() + staging)
    upstream = {
        "url": f"{STAGING_URL}/simple/",
        "names": ["staged-*"],
        "username": "reader",
        "password": "reader-password",
    }
    site(
        pypi_upstreams=[*variables["pypi_upstreams"], upstream],
        pypi_upstream_ca_file=str(authorities),
        pypi_upstream_proxy=proxy,
        pypi_upstream_exempt=["staged-app"],
    )


@pytest.mark.usefixtures("between")
def test_another_index_is_an_upstream(
    host: Any, one: OneUrl, index: Index, reader: Login, public: PublicIndex, tmp_path: Path
) -> None:
    for client in ("pip", "uv"):
        install = getattr(index, f"{client}_install")
        done = install(reader, tmp_path / client, "staged-app")
        assert installed(tmp_path / client) == {"staged_app-1.0", "click-8.5.1"}, done.stdout + done.stderr
    (entry,) = one.files("staged-app")
    assert entry["core-metadata"]["sha256"] and entry["upload-time"]
    assert one.page("staged-none").status == 404
    # Its own names alone are asked for there, and those nowhere else.
    asked = host.check_output(f"cat {STAGING_HOME}/logs/access.log")
    assert "/simple/staged-app/" in asked and "/simple/click/" not in asked
    assert not public.asked("staged")


@pytest.mark.usefixtures("between")
def test_all_connections_go_through_the_proxy(host: Any, one: OneUrl, fresh: str) -> None:
    log = "/var/log/tinyproxy/tinyproxy.log"
    (entry, _newer) = one.files(fresh)
    path = one.address(fresh, 0)
    assert is_right(one.get(path), entry)
    # Connections are kept: of the others, the first requests of the run may have made theirs.
    host.check_output(f"grep -q 'CONNECT files.example.org:443 ' {log}")
    host.check_output("systemctl stop tinyproxy")
    try:
        assert is_right(one.get(path), entry)
        assert one.page(f"{fresh}-unknown").status == 502
    finally:
        host.check_output("systemctl start tinyproxy")
