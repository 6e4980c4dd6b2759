"""Behind another NGINX, which ends TLS: links, redirects, the log and who reads metrics are about clients, over IPv4 and IPv6."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.certificates import authority, server
from tests.support.clients import Index, Login, form
from tests.support.playbook import SETTINGS, site
from tests.support.stack import Stack, eventually

HIT, MISSED = (f'wheelhouse_verdicts_total{{cache="{cache}"}}' for cache in ("hit", "missed"))
PROMETHEUS = "192.0.2.7"
URL = "https://pypi.example.com:8443"
PROXY = """
events {}
pid /tmp/nginx.pid;
http {
    proxy_temp_path /tmp/p; client_body_temp_path /tmp/b; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server {
        listen 8443 ssl;
        listen [::]:8443 ssl;
        ssl_certificate /proxy/proxy.pem;
        ssl_certificate_key /proxy/proxy.key;
        location / {
            proxy_pass http://127.0.0.1:80;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }
    }
}
"""


@pytest.fixture(scope="module", autouse=True)
def _proxy(host: Any) -> Iterator[None]:
    root = authority()
    own = server("pypi.example.com", signer=root)
    files = {"nginx.conf": PROXY, "proxy.pem": own.pem(root).decode(), "proxy.key": own.key_pem().decode()}
    host.check_output("mkdir -p /root/proxy && printf %%s %s >/root/proxy/root.pem", root.pem().decode())
    for name, text in files.items():
        host.check_output(f"printf %%s %s >/root/proxy/{name}", text)
    # Hosts in containers are without IPv6 by default.
    host.check_output("for one in all lo; do echo 0 >/proc/sys/net/ipv6/conf/$one/disable_ipv6; done")
    host.check_output(
        "docker run --detach --name proxy --network host --volume /root/proxy:/proxy:ro nginx:1.30"
        " nginx -c /proxy/nginx.conf -g 'daemon off;'"
    )
    # As Docker hands on a connection from the host itself.
    proxies = {"pypi_url": URL, "pypi_trusted_proxies": ["172.16.0.0/12"]}
    done = site(*SETTINGS, **proxies, pypi_metrics_networks=[PROMETHEUS])
    assert "travel in clear" not in done.message()
    yield
    host.check_output("docker rm --force proxy")
    site(*SETTINGS)


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_clients_are_told_apart_and_stay_at_the_address_that_they_know(host: Any, stack: Stack, address: str) -> None:
    curl = "curl --silent --cacert /root/proxy/root.pem --user reader:reader-password"
    curl += f" --connect-to pypi.example.com:8443:{address}:8443 --header 'X-Forwarded-For: 192.0.2.99'"
    said = host.check_output(f"{curl} --include {URL}/simple")
    assert "301" in said.splitlines()[0], said
    assert "location: /simple/" in said.lower(), said
    mark = uuid4().hex
    assert host.check_output(f"{curl} --output /dev/null --write-out '%{{http_code}}' {URL}/simple/?{mark}") == "200"
    (line,) = stack.requests(f"/simple/?{mark}")
    assert line["client"] == address.strip("[]"), line
    assert line["user"] == "reader"


def test_prometheus_alone_reads_metrics_and_counters_move(
    host: Any, index: Index, publisher: Login, reader: Login, tmp_path: Path
) -> None:
    def scraped(url: str = "http://127.0.0.1", client: str = PROMETHEUS) -> tuple[dict[str, float], str]:
        curl = f"curl --silent --cacert /root/proxy/root.pem --connect-to pypi.example.com:8443:127.0.0.1:8443 {url}/metrics"
        said = host.check_output(f"{curl} --header 'X-Forwarded-For: {client}' --write-out '%{{http_code}}'")
        lines = [line.rsplit(" ", 1) for line in said.splitlines() if line.startswith("wheelhouse_")]
        return {series: float(value) for series, value in lines}, said[-3:]

    assert [scraped(client="192.0.2.8"), scraped(URL)] == [({}, "404")] * 2
    assert index.request("/metrics", publisher).status == 404
    before, status = scraped()
    assert status == "200"
    project = f"counted-{uuid4().hex[:8]}"
    assert index.upload(publisher, packages.wheel(tmp_path, project)).status == 200
    for action in ("remove_pkg", "yank"):
        body, headers = form({":action": action, "name": project, "version": "1.0"})
        assert index.request("/", publisher, "POST", body, headers).status == 403
    asked = [index.request("/simple/", login).status for login in (reader, reader, Login("reader", "wrong"))]
    assert asked == [200, 200, 401]
    expected = {
        'wheelhouse_requests_total{route="projects",status="200"}': 2,
        'wheelhouse_requests_total{route="projects",status="401"}': 1,
        'wheelhouse_request_seconds_count{route="projects"}': 3,
        'wheelhouse_changes_total{route="upload",result="accepted"}': 1,
        'wheelhouse_changes_total{route="removal",result="refused"}': 1,
        'wheelhouse_changes_total{route="yank",result="refused"}': 1,
        "wheelhouse_refused_logins_total": 1,
        "wheelhouse_projects": 1,
        "wheelhouse_files": 1,
    }

    def moved() -> dict[str, float]:
        now, _status = scraped()
        return {series: now.get(series, 0) - before.get(series, 0) for series in [*expected, HIT, MISSED]}

    eventually(lambda: moved().items() >= expected.items(), "the requests are counted", 10)
    # Of the three forms and the three others, the second one of the reader is a hit for certain, and the wrong password none.
    found = moved()
    assert found[HIT] + found[MISSED] == 6 and min(found[HIT], found[MISSED]) >= 1, found
