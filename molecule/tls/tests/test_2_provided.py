"""A certificate of the company's authority: only one that fits goes live, and what clients do with it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from molecule.tls.tests.conftest import NAME, Company, shown
from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import refused, site
from tests.support.stack import Stack, traffic

MEBIBYTE = 1024 * 1024
SSLYZE = Path(__file__).parents[3] / ".venv-audit" / "bin" / "sslyze"


@pytest.fixture(scope="module", autouse=True)
def _provided(company: Company, address: str) -> None:
    done = site(**company.files("good", company.server(NAME, address, "127.0.0.1")))
    assert "by Example Intermediate, and good for 90 days" in done.message()
    assert "PRIVATE KEY" not in done.output


def test_pip_uv_and_twine_work_over_tls(by_address: Index, publisher: Login, reader: Login, tmp_path: Path) -> None:
    name = f"over-tls-{uuid4().hex}"
    done = by_address.twine_upload(publisher, packages.wheel(tmp_path, name))
    assert done.returncode == 0, done.stdout + done.stderr
    for install in (by_address.pip_install, by_address.uv_install):
        done = install(reader, tmp_path / install.__name__, f"{name}==1.0")
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / install.__name__ / packages.escaped(name)).is_dir()


class SlowLine:
    """A line to the index, on a port of this machine, that takes so many bytes a second from clients.

    Args:
        address: of the index, which speaks TLS on port 443.
        rate: bytes a second.
    """

    def __init__(self, address: str, rate: int) -> None:
        self._address, self._rate = address, rate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((self._address, 443))
            threading.Thread(target=self._forward, args=(client, server, self._rate), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, 0), daemon=True).start()

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket, rate: int) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
                time.sleep(len(piece) / rate if rate else 0)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def close(self) -> None:
        """Take no more clients."""
        self._listener.close()


# The size of a file, and how many bytes a second go through the line.
SLOW = [(36 * MEBIBYTE, MEBIBYTE)]
if os.environ.get("WHEELHOUSE_LONG"):
    SLOW.append((500_000_000, 5_000_000))


@pytest.mark.parametrize(("size", "rate"), SLOW)
def test_a_refusal_reaches_a_client_that_sends_on_for_more_than_half_a_minute(
    company: Company, address: str, reader: Login, tmp_path: Path, size: int, rate: int
) -> None:
    # NGINX's own lingering_time of 30 s would end it with a broken connection.
    line = SlowLine(address, rate)
    began = time.monotonic()
    try:
        index = Index(f"https://127.0.0.1:{line.port}", str(company.folder / "root.pem"))
        file = packages.wheel(tmp_path, "refused-late", padding=os.urandom(size))
        done = index.twine_upload(reader, file)
    finally:
        line.close()
    took = time.monotonic() - began
    said = " ".join((done.stdout + done.stderr).split())
    assert "403 This login or token may only read" in said or (
        "403 Forbidden" in said and "This login or token may only read" in said
    ), said
    assert took > 32, f"it has sent on for {took:.0f} s only"


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_refusal_of_pypi_server_in_mid_body_is_seen(host: Any, address: str, publisher: Login, version: str) -> None:
    host.check_output("head --bytes 64M /dev/zero >/var/tmp/body")
    curl = "curl --silent --show-error --insecure --write-out ' %{http_code} %{http_version}'"
    sent = "--header Content-Type:application/json --data-binary @/var/tmp/body"
    for _ in range(5):
        done = host.run(
            f"{curl} --http{version} --user {publisher.name}:{publisher.password} {sent} https://{address}/"
        )
        assert done.rc == 0 and done.stdout.endswith(f" 400 {version}") and "Send a form" in done.stdout, done
    host.check_output("rm /var/tmp/body")


def test_a_client_that_does_not_know_the_authority_refuses(by_address: Index, reader: Login, tmp_path: Path) -> None:
    done = Index(by_address.url).uv_install(reader, tmp_path / "target", "over-tls")
    assert done.returncode != 0
    assert "certificate" in done.stderr


def test_it_is_mozillas_intermediate_profile(address: str, company: Company) -> None:
    command = [str(SSLYZE), "--mozilla_config=intermediate", "--sni", NAME]
    command += ["--certinfo_ca_file", str(company.folder / "root.pem"), f"{address}:443"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OK - Compliant" in done.stdout, done.stdout


@pytest.fixture
def _stays_in_force(address: str, by_address: Index, reader: Login, stack: Stack) -> Iterator[None]:
    before, containers = shown(address), stack.running()
    yield
    assert shown(address).serial_number == before.serial_number
    assert stack.running() == containers
    assert by_address.request("/simple/", reader).status == 200


@pytest.mark.usefixtures("_stays_in_force")
def test_one_that_nginx_itself_refuses_is_not_even_on_disk(host: Any, company: Company, home: str) -> None:
    before = host.check_output(f"sha256sum {home}/nginx/tls/*")
    assert "ee key too small" in refused(**company.files("weak", company.server(NAME, bits=1024)))
    assert host.check_output(f"sha256sum {home}/nginx/tls/*") == before


def test_one_from_the_host_goes_live_without_a_lost_request(
    host: Any, company: Company, address: str, by_address: Index, reader: Login, stack: Stack
) -> None:
    company.files("host", company.server(NAME, address, days=20, since=-70))
    for kind in ("pem", "key"):
        text = (company.folder / f"host.{kind}").read_text()
        host.check_output(f"umask 077; printf %%s %s >/root/pypi.{kind}", text)
    variables = {"pypi_tls": "on_host", "pypi_tls_certificate": "/root/pypi.pem", "pypi_tls_key": "/root/pypi.key"}
    before, containers = shown(address), stack.running()
    with traffic(by_address, reader, "/simple/") as answers:
        done = site(**variables)
    assert set(answers) == {"200"}, answers
    assert "[WARNING]: pypi_tls_certificate: the certificate ends in 20 days" in done.message()
    assert shown(address).serial_number != before.serial_number
    assert stack.running() == containers
    assert site(**variables).changed == 0
