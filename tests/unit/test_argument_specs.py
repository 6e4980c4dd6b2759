"""What role ``pypi`` says of variables when a run starts: what is refused, in whose words, and that no secret is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.collection import DEVELOPED, develop

# Ansible's name for the collection has to be importable.
sys.path.insert(0, str(develop()))
ROOT = Path(__file__).resolve().parents[2]
SECRET = "S3cret-never-shown"
ALICE = {"name": "alice", "password": SECRET}
HASHED = {"name": "bob", "hash": f"$2b$10${'u' * 53}"}

# Host by host: what its inventory has, and what the refusal says of it.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "wrong-type-of-key": (
        {"pypi_users": [{**ALICE, "publish": "maybe"}]},
        "- pypi_users: user 'alice' has a publish that is neither true nor false nor a list of projects; give true, false, or "
        'names and patterns such as publish: ["acme-*"]',
    ),
    "pattern-of-no-project": (
        {"pypi_users": [{**ALICE, "publish": ["widgets", "Acme_*"]}]},
        "- pypi_users: user 'alice' has 'Acme_*' in publish, which matches no project; give lower-case letters, digits and "
        "single -, with * for any letters; did you mean acme-*?",
    ),
    "no-such-right": (
        {"pypi_users": [{**ALICE, "administer": ["acme-*"]}]},
        "- pypi_users: user 'alice' has the unknown right 'administer'; the rights are publish, delete, yank",
    ),
    "unknown-choice-of-key": (
        {"pypi_users": [{**HASHED, "state": "abset"}]},
        "- pypi_users: user 'bob' has the unknown state 'abset'; did you mean absent? Give present or absent",
    ),
    "no-name": ({"pypi_users": [{"password": SECRET}]}, "- pypi_users: entry 1 has no name; give one"),
    "misspelt-key": (
        {"pypi_users": [{**ALICE, "publsh": True}]},
        "- pypi_users: user 'alice' has the unknown key 'publsh'; did you mean publish?",
    ),
    "text-as-user": ({"pypi_users": [f"alice:{SECRET}"]}, "- pypi_users: entry 1 is not a mapping"),
    "mapping-of-users": ({"pypi_users": {"alice": SECRET}}, "- pypi_users: is not a list"),
    "template-that-comes-out-empty": (
        {"pypi_users": [ALICE], "pypi_authenticate": "{{ [] }}"},
        "- pypi_authenticate: is empty, which would open uploads and removal; write [update] to open reading",
    ),
    "unknown-action": ({"pypi_users": [ALICE], "pypi_authenticate": ["upload"]}, "one of list, download, update"),
    "port-in-words": (
        {"pypi_users": [ALICE], "pypi_http_port": "http"},
        "- pypi_http_port: 'http' is not a whole number",
    ),
    "quota-of-nothing": (
        {"pypi_users": [ALICE], "pypi_quotas": {"index": "0g"}},
        "- pypi_quotas: index: '0g' is not a size; give a number with k, m, g or t behind it, such as 20g; without a quota",
    ),
    "misspelt-choice": (
        {"pypi_users": [ALICE], "pypi_tls": "acm"},
        "- pypi_tls: 'acm' is unknown; did you mean acme? Give one of none, provided, on_host, self_signed, acme",
    ),
    "not-a-truth-value": (
        {"pypi_users": [ALICE], "pypi_overwrite": "sometimes"},
        "- pypi_overwrite: 'sometimes' is neither true nor false; give true or false",
    ),
    "no-value": (
        {"pypi_users": [ALICE], "pypi_bundle": None},
        '- pypi_bundle: has no value; give one, or "" for none',
    ),
    "upstream-with-a-login": (
        {
            "pypi_users": [ALICE],
            "pypi_upstreams": [f"https://u:{SECRET}@public.example.org/simple/"],
            "pypi_private_names": [],
        },
        "- pypi_upstreams: entry 1 has a login in its url; give it as username and password",
    ),
    "upstream-without-private-names": (
        {"pypi_users": [ALICE], "pypi_upstreams": ["https://public.example.org/simple/"]},
        "- pypi_private_names: is not set, while pypi_upstreams is; name the projects that never come from upstream, such as "
        '["acme-*", internal-tools]; [] reserves none beside those on the index',
    ),
    "minimum-age-of-none": (
        {"pypi_users": [ALICE], "pypi_upstream_minimum_age": "3 days"},
        "- pypi_upstream_minimum_age: '3 days' is not a duration; give a number with s, m, h or d behind it, such as 10m or 7d",
    ),
    "list-as-text": ({"pypi_users": [ALICE], "pypi_instance": ["a"]}, "- pypi_instance: "),
    "missing-variable": (
        {"pypi_users": [{"name": "alice", "password": "{{ vault_pypi_passwords.alice }}"}]},
        "- pypi_users: 'vault_pypi_passwords' is undefined; define it. Passwords are usually in vault.yml",
    ),
}


def start(folder: Path, hosts: dict[str, dict[str, Any]] | str, *options: str) -> str:
    """Run the first task of role ``pypi``, which checks the variables, with the role's own files.

    Args:
        folder: for the role, the play and the inventory.
        hosts: each with its variables; or the text of an inventory.
        options: further ones of ansible-playbook.

    Returns:
        What Ansible prints.
    """
    role = folder / "roles" / "pypi"
    (role / "tasks").mkdir(parents=True)
    for part in ("defaults", "meta", "vars"):
        (role / part).symlink_to(ROOT / "roles" / "pypi" / part)
    first = yaml.safe_load((ROOT / "roles/pypi/tasks/main.yml").read_text(encoding="utf-8"))[0]
    assert "wheelhouse.pypi.check_variables" in first
    (role / "tasks/main.yml").write_text(yaml.safe_dump([first]), encoding="utf-8")
    play = [{"hosts": "all", "gather_facts": False, "roles": ["pypi"]}]
    (folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    inventory = hosts if isinstance(hosts, str) else yaml.safe_dump({"all": {"hosts": hosts}})
    (folder / "hosts.yml").write_text(inventory, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "-c", "local", *options, "play.yml"],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(DEVELOPED),
            "ANSIBLE_NOCOLOR": "1",
            "PYPI_PASSWORD": SECRET,
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def test_the_simplest_inventory_has_three_lines(tmp_path: Path) -> None:
    page = (ROOT / "docs/variables.md").read_text(encoding="utf-8")
    inventory = re.findall("^```yaml\n(.*?)^```", page, re.M | re.S)[0]
    assert len(inventory.splitlines()) == 3
    output = start(tmp_path, inventory)
    assert "ok: [pypi.example.com]" in output, output
    assert "has passwords in clear" not in output


def test_defaults_and_templates_are_accepted(tmp_path: Path) -> None:
    templated = {
        "vault": [ALICE, HASHED],
        "number": "8080",
        "pypi_users": "{{ vault }}",
        "pypi_http_port": "{{ number }}",
        "pypi_bcrypt_cost": "{{ 5 + 5 }}",
        "pypi_overwrite": "{{ number == '8080' }}",
        "pypi_authenticate": "{{ ['list', 'update'] }}",
    }
    output = start(tmp_path, {"defaults": {"pypi_users": [HASHED]}, "templated": templated}, "-vvv")
    assert "ok: [defaults]" in output, output
    assert "ok: [templated]" in output, output
    assert SECRET not in output


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Ansible prints at -vvv for all hosts with wrong values."""
    hosts = {host: variables for host, (variables, _) in REFUSED.items()}
    return start(tmp_path_factory.mktemp("refused"), hosts, "-vvv")


@pytest.mark.parametrize("host", REFUSED)
def test_wrong_value_is_refused_and_named(refusals: str, host: str) -> None:
    (of_host,) = re.findall(rf"^fatal: \[{host}\].*?(?=^fatal: |^\S*\[ERROR\]|^PLAY RECAP)", refusals, re.M | re.S)
    message = of_host.replace("\\n", "\n").replace('\\"', '"')
    assert REFUSED[host][1] in message, of_host
    assert len(of_host) < 2000, "a newcomer reads it"


def test_secrets_beside_wrong_values_are_not_shown(refusals: str) -> None:
    assert SECRET not in refusals


PLAIN = {"pypi_users": [ALICE]}
REFERRING = {"pypi_users": [{"name": "alice", "password": "{{ vault_pypi_passwords.alice }}"}]}
ENCRYPTED = "$ANSIBLE_VAULT;1.1;AES256\n30\n"


@pytest.mark.parametrize(
    ("files", "warned_of"),
    [
        ({"group_vars/all/main.yml": PLAIN}, "group_vars/all/main.yml"),
        (
            {
                "group_vars/all/main.yml": REFERRING,
                "group_vars/all/vault.yml": {"vault_pypi_passwords": {"alice": SECRET}},
            },
            "group_vars/all/vault.yml",
        ),
        ({"host_vars/one.yml": PLAIN}, "host_vars/one.yml"),
        ({"host_vars/one.yml": {"pypi_users": [HASHED], "pypi_backup_password": SECRET}}, "host_vars/one.yml"),
        (
            {
                "group_vars/all/main.yml": {"pypi_users": [HASHED], "pypi_backup_password": "{{ vault_backup }}"},
                "group_vars/all/vault.yml": {"vault_backup": SECRET},
            },
            "group_vars/all/vault.yml",
        ),
        (
            {
                "host_vars/one.yml": {
                    "pypi_users": [HASHED],
                    "pypi_backup_environment": {"AWS_SECRET_ACCESS_KEY": SECRET},
                }
            },
            "host_vars/one.yml",
        ),
        (
            {"host_vars/one.yml": {"pypi_users": [HASHED], "pypi_backup_environment": {"AWS_DEFAULT_REGION": "eu-1"}}},
            "",
        ),
        (
            {
                "group_vars/all/main.yml": {
                    "pypi_users": [{"name": "alice", "password": "{{ lookup('ansible.builtin.env', 'HOME') }}"}]
                }
            },
            "",
        ),
    ],
)
def test_a_password_in_clear_is_a_warning(tmp_path: Path, files: dict[str, Any], warned_of: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    output = start(tmp_path, {"one": {}})
    assert "ok: [one]" in output, output
    text = " ".join(output.split())
    expected = f"{warned_of} has passwords in clear. Encrypt it: ansible-vault encrypt"
    assert (expected in text) is bool(warned_of), output
    assert SECRET not in output


def test_what_is_encrypted_is_no_warning(tmp_path: Path) -> None:
    from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import in_clear

    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(f"pypi_users: [{{name: a, password: !vault '{ENCRYPTED}'}}]\n")
    (tmp_path / "group_vars/vault.yml").write_text(ENCRYPTED)
    (tmp_path / "hosts.yml").write_text("all: {hosts: {one: }}\n")
    assert in_clear.warnings({"ansible_inventory_sources": [str(tmp_path / "hosts.yml")]}) == []
    assert in_clear.warnings({"ansible_inventory_sources": ["one,two,"]}) == []
    assert in_clear.warnings({}) == []
