"""The tasks that judge and make certificates, run by Ansible: what a person sees, and that no key is in it."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.collection import ROOT
from tests.support.certificates import authority, server

Playbook = Callable[..., subprocess.CompletedProcess[str]]

NAME = "pypi.example.com"
ISSUER = authority()
GOOD = server(NAME, signer=ISSUER)
OTHER = server(NAME, signer=ISSUER)
PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
REFUSAL = re.compile(r'^fatal: \[(\w+)\]: FAILED! => \{[^}]*"msg": "(pypi_tls_.*)"', re.MULTILINE)
VAULT_PASSWORD = "for tests"

MAKE = f"""
- hosts: all
  gather_facts: false
  vars_files: {ROOT}/roles/pypi/vars/main.yml
  vars:
    pypi_url: "https://{{{{ '[' ~ inventory_hostname ~ ']' if ':' in inventory_hostname else inventory_hostname }}}}"
  tasks:
    - ansible.builtin.include_tasks: {ROOT}/roles/nginx/tasks/self_signed_new.yml
    - ansible.builtin.copy:
        content: "{{{{ made | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/{{{{ inventory_hostname }}}}.json"
        mode: "0600"
      vars:
        made:
          authority: "{{{{ __nginx_authority.certificate }}}}"
          certificate: "{{{{ __nginx_new.certificate }}}}"
          key: "{{{{ __nginx_new_key.privatekey }}}}"
      no_log: true
      check_mode: false
"""
JUDGE = f"""
- hosts: all
  gather_facts: false
  vars_files: {ROOT}/roles/pypi/vars/main.yml
  vars:
    pypi_url: https://{NAME}
    pypi_tls_certificate: "{{{{ playbook_dir }}}}/{{{{ inventory_hostname }}}}/pypi.pem"
    pypi_tls_key: "{{{{ playbook_dir }}}}/{{{{ inventory_hostname }}}}/pypi.key"
  tasks:
    - ansible.builtin.include_tasks: {ROOT}/roles/pypi/tasks/certificate_provided.yml
"""


def test_a_certificate_for_trials_is_trusted_by_those_who_trust_its_authority(
    playbook: Playbook, tmp_path: Path
) -> None:
    names = [NAME, "192.0.2.7", "2001:db8::1", "x" * 60 + ".example.com"]
    done = playbook(MAKE, "-vvv", "--check", "--diff", hosts=",".join([*names, ""]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    for name in names:
        for kind, text in json.loads((tmp_path / f"{name}.json").read_text()).items():
            (tmp_path / f"{name}.{kind}").write_text(text)
        trusting = ssl.create_default_context(cafile=tmp_path / f"{name}.authority")
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(tmp_path / f"{name}.certificate", tmp_path / f"{name}.key")
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
        other = serving.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, other, client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        assert client.getpeercert(), name


@pytest.mark.parametrize("address", ["", pytest.param("192.0.2.9", marks=pytest.mark.one_core)])
def test_without_a_url_it_is_for_the_host_and_not_for_the_controller(
    playbook: Playbook, tmp_path: Path, address: str
) -> None:
    play = re.sub(r"    pypi_url: .*\n", "    pypi_url: ''\n    pypi_bind_address: 0.0.0.0\n", MAKE)
    options = ("--extra-vars", f"ansible_host={address}") if address else ()
    done = playbook(play, *options, hosts=f"{NAME},")
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "made.pem").write_text(json.loads((tmp_path / f"{NAME}.json").read_text())["certificate"])
    command = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", str(tmp_path / "made.pem")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"subject=CN={address or NAME}\n"


@pytest.mark.one_core
@pytest.mark.parametrize("where", ["provided", "on_host"])
def test_a_good_pair_passes_with_its_key_in_a_vault_as_well(playbook: Playbook, tmp_path: Path, where: str) -> None:
    plain, vaulted = tmp_path / "plain", tmp_path / "vaulted"
    for folder in (plain, vaulted):
        folder.mkdir()
        (folder / "pypi.pem").write_bytes(GOOD.pem(ISSUER))
        (folder / "pypi.key").write_bytes(GOOD.key_pem())
    secret = VaultSecret(VAULT_PASSWORD.encode())
    (vaulted / "pypi.key").write_bytes(VaultLib([("default", secret)]).encrypt(GOOD.key_pem(), secret))
    (tmp_path / "password").write_text(VAULT_PASSWORD)
    options = ("-vvv", "--diff", "-e", f"pypi_tls={where}", "--vault-password-file", str(tmp_path / "password"))
    # On a host nothing opens a vault.
    done = playbook(JUDGE, *options, hosts="plain,vaulted," if where == "provided" else "plain,")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr


BAD_PAIRS = {
    "key_for_certificate": (GOOD.key_pem(), GOOD.key_pem(), "cannot go live: the file has no certificate in PEM form"),
    "binary": (b"\xff\x00", GOOD.key_pem(), "pypi.pem"),
    "truncated": (PEM.format("MIIB").encode(), GOOD.key_pem(), "pypi.pem cannot be read: "),
    "certificate_for_key": (GOOD.pem(), GOOD.pem(), "pypi.key cannot be read: "),
    "empty_key": (GOOD.pem(), b"", "pypi.key cannot be read: "),
    "locked_key": (GOOD.pem(), GOOD.key_pem(b"S3cret"), "passphrase provided for private key"),
    "another_key": (GOOD.pem(), OTHER.key_pem(), "cannot go live: the key does not belong to the certificate"),
    "no_certificate": (None, GOOD.key_pem(), "pypi.pem cannot be read: "),
    "no_key": (GOOD.pem(), None, "pypi.key cannot be read: "),
}
READ_IN_ANOTHER_WAY = ("binary", "empty_key", "no_certificate", "no_key")


@pytest.mark.parametrize("where", ["provided", pytest.param("on_host", marks=pytest.mark.one_core)])
def test_a_bad_pair_is_refused_in_words(playbook: Playbook, tmp_path: Path, where: str) -> None:
    # On the host the files are read in another way, and judged in the same.
    pairs = {name: BAD_PAIRS[name] for name in (BAD_PAIRS if where == "provided" else READ_IN_ANOTHER_WAY)}
    for name, (pem, key, _said) in pairs.items():
        (tmp_path / name).mkdir()
        for file, content in (("pypi.pem", pem), ("pypi.key", key)):
            if content is not None:
                (tmp_path / name / file).write_bytes(content)
    done = playbook(JUDGE, "-vvv", "--diff", "-e", f"pypi_tls={where}", hosts=",".join([*pairs, ""]))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    refusals = {match[1]: match[2] for match in REFUSAL.finditer(done.stdout)}
    assert set(refusals) == set(pairs)
    for name, (_pem, _key, said) in pairs.items():
        print(refusals[name])
        assert said in refusals[name]
        assert "Nothing was changed" in refusals[name]
