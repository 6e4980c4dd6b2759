"""inventories/example/: one host and ten lines are enough, and what a newcomer forgets is named."""

from __future__ import annotations

from pathlib import Path

from tests.collection import ROOT

from .conftest import copied, hosts_of


def test_it_has_one_host_and_ten_lines() -> None:
    files = [path for path in sorted((ROOT / "inventories/example").rglob("*")) if path.is_file()]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if line != "---" and not line.strip().startswith("#")]) == 10


def test_the_vault_has_the_passwords(tmp_path: Path) -> None:
    inventory = copied("example", tmp_path)
    inventory.vault("pypi", ci="secret-1", alice="secret-2")
    listed = inventory.listed()
    assert hosts_of(listed, "pypi") == {"pypi.example.com"}
    (found,) = listed["_meta"]["hostvars"].values()
    assert found["vault_pypi_passwords"] == {"ci": "secret-1", "alice": "secret-2"}


def test_empty_passwords_are_refused(tmp_path: Path) -> None:
    """vault.yml.example copied, and left as it is: refused before any host is contacted."""
    inventory = copied("fleet", tmp_path)
    example = inventory.folder / "group_vars" / "pypi" / "vault.yml.example"
    example.with_suffix("").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    done = inventory.run("ansible-playbook", "wheelhouse.pypi.site")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "user 'ci' has an empty password; give one, or state: absent" in done.stdout
    assert "UNREACHABLE" not in done.stdout


def test_a_missing_vault_is_named(tmp_path: Path) -> None:
    inventory = copied("example", tmp_path)
    done = inventory.run("ansible-playbook", "wheelhouse.pypi.site")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "pypi_users: 'vault_pypi_passwords' is undefined" in done.stdout
    assert "vault.yml" in done.stdout


def test_a_vault_that_is_not_encrypted_is_a_warning(tmp_path: Path) -> None:
    inventory = copied("example", tmp_path)
    vault = inventory.folder / "group_vars" / "pypi" / "vault.yml"
    vault.write_text("vault_pypi_passwords: {ci: a-good-password, alice: another-password}\n", encoding="utf-8")
    done = inventory.run("ansible-playbook", "wheelhouse.pypi.site")
    text = " ".join((done.stdout + done.stderr).split())
    assert f"{vault} has passwords in clear. Encrypt it: ansible-vault encrypt {vault}" in text, text
