"""A certificate for trials: who trusts its authority gets in, and plain HTTP leads there without taking anything."""

from __future__ import annotations

import json
import re
import shlex
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from molecule.tls.tests.conftest import NAME, shown
from tests.support import packages
from tests.support.attestations import attestation
from tests.support.clients import NOBODY, Index, Login
from tests.support.playbook import run, site
from tests.support.stack import Stack, eventually

CURL = "curl --silent --show-error --insecure"


def test_clients_trust_it_by_the_file_that_the_run_has_left(address: str, authority_file: str) -> None:
    assert shown(address, authority_file).subject.rfc4514_string() == f"CN={NAME}"
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(address, authority_file, name="other.example.com")


def test_metrics_say_when_it_ends(host: Any, address: str) -> None:
    ends = shown(address).not_valid_after_utc.timestamp()
    assert f"\nwheelhouse_certificate_not_after_seconds {ends:.0f}\n" in host.check_output(
        f"{CURL} https://127.0.0.1/metrics"
    )


def test_the_authority_can_sign_nothing_else_as_its_key_is_nowhere(host: Any, home: str) -> None:
    there = host.check_output(f"find {home} -name '*.pem' -printf '%p %m %u\\n' | sort").splitlines()
    assert there == [f"{home}/nginx/tls/{name}.pem 640 root" for name in ("certificate", "key")]
    # The one key that exists belongs to the certificate of the index.
    public = host.check_output(f"openssl pkey -pubout -in {home}/nginx/tls/key.pem")
    assert public == host.check_output(f"openssl x509 -noout -pubkey -in {home}/nginx/tls/certificate.pem")


@pytest.mark.usefixtures("host")
def test_the_report_says_for_whom_and_how_long() -> None:
    done = site()
    assert done.changed == 0, done.output
    said = done.message()
    assert f"The index answers on https://{NAME} (asked on the host itself, at 127.0.0.1:443)" in said
    assert f"The certificate is for {NAME}, by Authority of {NAME} alone, and good for 364 days, until 20" in said
    assert "travel in clear" not in said


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/simple/?a=b", {}, 301),
        ("HEAD", "/", {}, 301),
        ("GET", "/simple/", Login("reader", "reader-password").header(), 403),
        ("GET", "/simple/", {"Authorization": "Bearer token"}, 403),
        ("POST", "/", {}, 403),
        ("POST", "/", Login("publisher", "publisher-password").header(), 403),
        ("PUT", "/packages/a-1.0.tar.gz", {}, 403),
        ("GET", "/.well-known/acme-challenge/none", {}, 404),
        ("GET", "/.well-known/acme-challenge/", {}, 404),
    ],
)
def test_plain_http_redirects_and_takes_nothing(
    plain: Index, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = plain.request(path, NOBODY, method, headers=headers)
    assert answer.status == status
    if status == 301:
        assert answer.headers["location"] == f"https://{NAME}{path}"
    elif status == 403 and method != "HEAD":
        assert f"Use https://{NAME}, and change a password or revoke a token that was sent".encode() in answer.body


def test_a_client_that_is_set_up_for_plain_http_fails_and_publishes_nothing(
    host: Any, plain: Index, publisher: Login, tmp_path: Path, home: str
) -> None:
    before = packages.on_host(host, home)
    done = plain.twine_upload(publisher, packages.wheel(tmp_path, "in-clear"))
    assert done.returncode != 0
    assert "403" in done.stdout + done.stderr
    assert packages.on_host(host, home) == before


def test_browsers_are_told_to_stay_with_tls(address: str, host: Any) -> None:
    said = host.check_output(f"curl --silent --insecure --head --http2 https://{address}/simple/")
    assert said.startswith("HTTP/2 401"), said
    assert "strict-transport-security: max-age=63072000" in said
    assert "x-content-type-options: nosniff" in said


@pytest.fixture
def attested(host: Any, tmp_path: Path) -> Path:
    """A wheel that was published with an attestation."""
    wheel = packages.wheel(tmp_path, f"attested-{uuid4().hex[:8]}")
    content = wheel.read_bytes()
    sent = {wheel.name: content, "attestations": json.dumps([attestation(wheel.name, content)]).encode()}
    for name, data in sent.items():
        host.check_output(f"echo {b64encode(data).decode()} | base64 --decode >/root/{name}")
    form = f"--form :action=file_upload --form content=@/root/{wheel.name} --form 'attestations=</root/attestations'"
    said = host.check_output(f"{CURL} --user publisher:publisher-password {form} https://127.0.0.1/")
    assert said.startswith(f"Published {wheel.name}"), said
    return wheel


def provenance(host: Any, wheel: Path) -> list[str]:
    """Return the addresses that the page names for a wheel's provenance, in JSON and in HTML."""
    project = wheel.name.partition("-")[0].replace("_", "-")

    def page(kind: str) -> str:
        accept = shlex.quote(f"Accept: {kind}")
        command = f"{CURL} --user reader:reader-password --header {accept} https://127.0.0.1/simple/{project}/"
        return str(host.check_output(command))

    (file,) = json.loads(page("application/vnd.pypi.simple.v1+json"))["files"]
    return [file["provenance"], *re.findall('data-provenance="(.*?)"', page("text/html"))]


def test_a_run_renews_it_when_its_name_changes_and_says_so(
    host: Any, address: str, authority_file: str, stack: Stack, attested: Path
) -> None:
    before, containers = shown(address), stack.running()
    assert provenance(host, attested) == [f"https://{NAME}/packages/{attested.name}.provenance"] * 2
    checked = run("wheelhouse.pypi.site", "--check", "--diff", variables={"pypi_url": "https://new.example.com"})
    assert "Make a certificate for new.example.com" in checked.output, checked.output
    assert shown(address).serial_number == before.serial_number
    done = site(pypi_url="https://new.example.com")
    assert "PRIVATE KEY" not in done.output + checked.output
    assert shown(address, authority_file, "new.example.com").serial_number != before.serial_number
    # Its pages name the index's address; for NGINX a reload is enough.
    after = stack.running()
    assert [service for service in containers if after[service] != containers[service]] == ["pypi-server"]
    there = f"https://new.example.com/packages/{attested.name}.provenance"
    eventually(lambda: provenance(host, attested) == [there] * 2, "the page names the new address", 30)
    command = f"{CURL} --user reader:reader-password --resolve new.example.com:443:127.0.0.1 {there}"
    (bundle,) = json.loads(host.check_output(command))["attestation_bundles"]
    assert bundle["attestations"] == json.loads(host.check_output("cat /root/attestations"))
