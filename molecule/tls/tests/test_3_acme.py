"""A certificate by ACME, from pebble on the host: ordered, renewed by the timer's service, and kept when pebble refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from molecule.tls.tests.conftest import NAME, Company, shown
from tests.support.certificates import server
from tests.support.clients import NOBODY, Index
from tests.support.long import only_long
from tests.support.playbook import refused, run, says, site
from tests.support.stack import Stack, eventually, traffic

DIRECTORY = "https://acme.example.com:14000/dir"
SERVICE = "wheelhouse-pypi-server-certificate"
OWN = "/etc/wheelhouse.pypi/pypi-server"
PEBBLE = {
    "pebble": {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/root/acme.pem",
        "privateKey": "/root/acme.key",
        "httpPort": 80,
        "tlsPort": 443,
        "certificateValidityPeriod": 90 * 86400,
    }
}


@pytest.fixture(scope="module")
def acme(host: Any, company: Company) -> dict[str, Any]:
    """Run pebble on the host, and return the variables of an index that has its certificates from there."""
    own = server("acme.example.com", signer=company.root)
    files = {"acme.pem": own.pem(company.root), "acme.key": own.key_pem(), "pebble.json": json.dumps(PEBBLE).encode()}
    for name, content in files.items():
        host.check_output(f"printf %%s %s >/root/{name}", content.decode())
    host.check_output("apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends pebble")
    start(host)
    authorities = str(company.folder / "root.pem")
    return {"pypi_tls": "acme", "pypi_acme_directory": DIRECTORY, "pypi_acme_ca_file": authorities}


def start(host: Any) -> None:
    """Start pebble anew; its accounts and orders are in memory."""
    host.run("systemctl stop pebble; systemctl reset-failed pebble")
    # By itself it refuses each twentieth request, which certbot sends once more and no further time.
    settings = "--setenv PEBBLE_VA_NOSLEEP=1 --setenv PEBBLE_WFE_NONCEREJECT=0"
    host.check_output(f"systemd-run --unit pebble {settings} pebble -config /root/pebble.json 2>&1")
    eventually(lambda: host.run(f"curl --silent --insecure {DIRECTORY}").rc == 0, "pebble answers", 20)


@pytest.fixture
def _stays_in_force(address: str, stack: Stack) -> Iterator[None]:
    before, containers = shown(address), stack.running()
    yield
    assert shown(address).serial_number == before.serial_number
    assert stack.running() == containers


@pytest.mark.usefixtures("_stays_in_force")
def test_a_server_that_is_down_is_found_out_before_anything_changes(acme: dict[str, Any]) -> None:
    message = refused(**{**acme, "pypi_acme_directory": "https://acme.example.com:14001/dir"})
    says(
        message, "pypi_acme_directory: a certificate is needed of https://acme.example.com:14001/dir", "does not answer"
    )


@only_long
@pytest.mark.usefixtures("_stays_in_force")
def test_what_answers_and_is_no_acme_server_is_found_out_too(acme: dict[str, Any]) -> None:
    message = refused(**{**acme, "pypi_acme_directory": "https://acme.example.com:14000/nothing"})
    says(message, "pypi_acme_directory: ", "does not answer as an ACME server", "404")


@pytest.mark.usefixtures("_stays_in_force")
def test_a_server_that_refuses_leaves_the_old_certificate_in_force(acme: dict[str, Any]) -> None:
    # A name that leads nowhere: it cannot be proved.
    message = refused(**{**acme, "pypi_url": "https://nowhere.example.com"})
    says(message, f"{DIRECTORY} gave no certificate for nowhere.example.com.", "The index is as it was before")
    assert "\\n" not in message, message


def test_a_certificate_is_ordered_through_the_running_index(host: Any, acme: dict[str, Any], address: str) -> None:
    done = site(**acme)
    assert "by Pebble Intermediate" in done.message(), done.output
    assert "good for 89 days" in done.message() or "good for 90 days" in done.message()
    assert "Pebble" in shown(address).issuer.rfc4514_string()


def test_a_timer_renews_it(host: Any) -> None:
    assert f"{SERVICE}.timer" in host.check_output("systemctl list-timers --no-legend")
    assert host.check_output(f"systemctl is-enabled {SERVICE}.timer") == "enabled"


def test_what_is_not_due_is_not_renewed(host: Any, address: str, home: str) -> None:
    before = shown(address)
    # The account need not be able to pass the folders above.
    above = Path(home).parent
    mode = host.file(str(above)).mode
    host.check_output(f"chmod 0700 {above}")
    try:
        host.check_output(f"systemctl start {SERVICE}.service")
    finally:
        host.check_output(f"chmod {mode:o} {above}")
    assert shown(address).serial_number == before.serial_number


def test_what_is_due_is_renewed_without_a_lost_request(
    host: Any, acme: dict[str, Any], address: str, stack: Stack, plain: Index
) -> None:
    before, containers = shown(address), stack.running()
    # As if the day had come: a certificate of 90 days is due 100 days before its end.
    setting = f"{OWN}/certbot/renewal/{NAME}.conf"
    host.check_output(f"sed -i '1i renew_before_expiry = 100 days' {setting}")
    with traffic(plain, NOBODY, "/simple/") as answers:
        host.check_output(f"systemctl start {SERVICE}.service")
    assert set(answers) == {"301"}, answers
    eventually(lambda: shown(address).serial_number != before.serial_number, "the new certificate is shown", 10)
    assert stack.running() == containers
    host.check_output(f"sed -i 1d {setting}")
    assert site(**acme).changed == 0, "a renewal is no change for the next run"


def test_a_certificate_whose_key_leaked_is_revoked_and_replaced(host: Any, address: str) -> None:
    before = shown(address)
    # As docs/operations.md has it, but for the authority that pebble is of.
    words = f"--cert-name {NAME} --config-dir {OWN}/certbot --work-dir {OWN}/certbot/work --logs-dir {OWN}/certbot/logs"
    revoke = f"certbot revoke --non-interactive {words} --reason keycompromise --delete-after-revoke"
    said = host.check_output(f"REQUESTS_CA_BUNDLE={OWN}/authorities.pem {revoke} && systemctl start {SERVICE}.service")
    assert "successfully revoked" in said, said
    eventually(lambda: shown(address).public_key() != before.public_key(), "a certificate of another key is shown", 10)


def test_a_renewal_that_fails_says_so_and_keeps_what_there_is(host: Any, address: str) -> None:
    # By its file: for a moment after a reload both the new and the old workers of NGINX take connections.
    before = x509.load_pem_x509_certificate(host.file(f"{OWN}/certbot/live/{NAME}/cert.pem").content)
    host.check_output(f"sed -i '1i renew_before_expiry = 100 days' {OWN}/certbot/renewal/{NAME}.conf")
    host.check_output("systemctl stop pebble")
    assert host.run(f"systemctl start {SERVICE}.service").rc != 0
    assert SERVICE in host.check_output("systemctl --failed --plain --no-legend")
    assert shown(address).serial_number == before.serial_number
    host.check_output(f"sed -i 1d {OWN}/certbot/renewal/{NAME}.conf")
    start(host)


@only_long
def test_it_is_ordered_before_the_index_is_there(host: Any, acme: dict[str, Any], address: str, home: str) -> None:
    done = run("wheelhouse.pypi.uninstall")
    assert done.code == 0, done.output
    assert not host.file(OWN).exists
    assert host.run(f"systemctl cat {SERVICE}.timer").rc != 0
    assert host.check_output(f"find {home}/nginx -type f 2>/dev/null || true") == ""
    site(**acme)
    assert "Pebble" in shown(address).issuer.rfc4514_string()


def test_without_tls_the_timer_is_gone_and_the_run_warns_of_passwords_in_clear(host: Any, address: str) -> None:
    done = site(pypi_tls="none", pypi_url="http://pypi.example.com")
    says(done.message(), "pypi_tls is none, and the index listens on 0.0.0.0: passwords travel in clear.")
    assert host.run(f"systemctl cat {SERVICE}.timer").rc != 0
    assert Index(f"http://{address}").request("/simple/").status == 401
    with pytest.raises(OSError):
        shown(address)
