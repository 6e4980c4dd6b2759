"""The argument specs, as Ansible uses them when a role starts: what is refused, and that no secret is shown."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
SECRET = "S3cret-never-shown"
ALICE = {"name": "alice", "password": SECRET}
HASHED = {"name": "bob", "hash": f"$2b$10${SECRET}"}

# Host by host: what its inventory says, and what the refusal says of it.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "wrong-type-of-key": ({"pypi_users": [{**ALICE, "publish": "maybe"}]}, "argument 'publish' is of type"),
    "unknown-choice-of-key": ({"pypi_users": [{**HASHED, "state": "gone"}]}, "state must be one of: present, absent"),
    "no-name": ({"pypi_users": [{"password": SECRET}]}, "missing required arguments: name found in pypi_users"),
    "misspelt-key": ({"pypi_users": [{"name": "alice", "pasword": SECRET}]}, "pypi_users.pasword"),
    "text-as-user": ({"pypi_users": [f"alice:{SECRET}"]}, "option 'pypi_users' is of type"),
    "mapping-of-users": ({"pypi_users": {"alice": SECRET}}, "argument 'pypi_users' is of type"),
    "unknown-action": ({"pypi_users": [ALICE], "pypi_authenticate": ["upload"]}, "list, download, update"),
    "port-in-words": ({"pypi_users": [ALICE], "pypi_http_port": "http"}, "argument 'pypi_http_port' is of type"),
    "unknown-choice": ({"pypi_images_password": SECRET, "pypi_docker_source": "tape"}, "auto, distro, docker_ce"),
}


def start(folder: Path, hosts: dict[str, dict[str, Any]], *roles: str) -> str:
    """Start roles that have the collection's specs and defaults, and no tasks; return the output at -vvv."""
    for role in roles:
        copy = folder / "roles" / role
        (copy / "meta").mkdir(parents=True)
        shutil.copy(ROOT / "roles" / role / "meta" / "argument_specs.yml", copy / "meta")
        (copy / "defaults").symlink_to(ROOT / "roles" / "pypi" / "defaults")
    play = [{"hosts": "all", "gather_facts": False, "roles": list(roles)}]
    (folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    command = [sys.executable, "-m", "ansible", "playbook", "-vvv", "-i", "hosts.yml", "-c", "local", "play.yml"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def test_all_roles_accept_the_defaults_and_templates(tmp_path: Path) -> None:
    templated = {
        "vault": [ALICE, HASHED],
        "number": "8080",
        "pypi_users": "{{ vault }}",
        "pypi_http_port": "{{ number }}",
        "pypi_bcrypt_cost": "{{ 5 + 5 }}",
        "pypi_overwrite": "{{ number == '8080' }}",
        "pypi_authenticate": "{{ ['list', 'update'] }}",
        "pypi_images_password": "{{ vault[0].password }}",
    }
    output = start(tmp_path, {"defaults": {}, "templated": templated}, *ROLES)
    assert re.findall(r"^(?:ok: \[|fatal: \[).*", output, re.MULTILINE), output
    assert "fatal:" not in output
    assert output.count("ok: [templated]") == len(ROLES), output
    assert SECRET not in output


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Ansible says at -vvv of all hosts with wrong values."""
    hosts = {host: variables for host, (variables, _) in REFUSED.items()}
    return start(tmp_path_factory.mktemp("refused"), hosts, "pypi")


@pytest.mark.parametrize("host", REFUSED)
def test_wrong_value_is_refused_and_named(refusals: str, host: str) -> None:
    (of_host,) = re.findall(rf"^fatal: \[{host}\].*?(?=^fatal: |^PLAY RECAP)", refusals, re.MULTILINE | re.DOTALL)
    assert REFUSED[host][1] in of_host


def test_secrets_beside_wrong_values_are_not_shown(refusals: str) -> None:
    assert SECRET not in refusals


def test_every_public_variable_with_a_rule_is_judged() -> None:
    public = yaml.safe_load((ROOT / "roles/pypi/defaults/main.yml").read_text(encoding="utf-8"))
    judged = yaml.safe_load((ROOT / "roles/pypi/vars/main.yml").read_text(encoding="utf-8"))["__pypi_all"]
    assert judged == {name: f"{{{{ {name} }}}}" for name in judged}
    assert set(judged) >= rules.RULES.keys() & public.keys()
    assert set(judged) <= public.keys()
