"""The action plugins in real plays: what a person sees, and that no secret is in it however verbose it is."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Playbook = Callable[..., subprocess.CompletedProcess[str]]

# The tasks of role users, for hosts that are names on this machine; cost 4 keeps the tests quick.
USERS = """
- hosts: all
  gather_facts: false
  strategy: "{{ strategy | default('linear') }}"
  serial: "{{ batch | default('100%') }}"
  vars:
    folder: "{{ playbook_dir }}/{{ inventory_hostname }}"
    pypi_users:
      - {name: alice, password: "{{ alice | default('S3cret one') }}", publish: true}
      - {name: bob, password: !unsafe 'S3cret {{ "two" }} $x "y" \\'}
      - {name: default, hash: "$apr1$JI4wh3am$AmhephVqLTUyAVpFQeHZC0"}
      - {name: gone, state: absent}
  tasks:
    - wheelhouse.pypi.check_variables:
        variables: {pypi_users: "{{ pypi_users }}", pypi_authenticate: [update]}
    - wheelhouse.pypi.htpasswd_info: {path: "{{ folder }}"}
      register: present
      no_log: true
    - ansible.builtin.set_fact:
        wanted: {users: "{{ pypi_users }}", bcrypt_cost: "{{ cost | default(4) }}"}
      no_log: true
    - wheelhouse.pypi.htpasswd_hash: {wanted: wanted, present: present, earlier: hashed}
      run_once: true
      register: hashed
      no_log: true
    - ansible.builtin.debug: {msg: "hashed={{ hashed.hashed }} verified={{ hashed.verified }}"}
    - wheelhouse.pypi.htpasswd:
        path: "{{ folder }}"
        users: "{{ pypi_users }}"
        hashes: "{{ hashed.hosts[inventory_hostname] | default({}) }}"
        bcrypt_cost: "{{ cost | default(4) }}"
"""
HOSTS = "one,two,three,"


def files(folder: Path) -> dict[str, str]:
    """Contents by name."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def users(playbook: Playbook, tmp_path: Path, assert_no_secret: Callable[..., None]) -> Playbook:
    """Run the tasks of role users; search all that is printed, and what is on the host, for passwords."""

    def run(*options: str, hosts: str = HOSTS) -> subprocess.CompletedProcess[str]:
        result = playbook(USERS, "-vvv", "--diff", *options, hosts=hosts)
        assert_no_secret(result.stdout, result.stderr)
        for host in hosts.strip(",").split(","):
            assert "S3cret" not in str(files(tmp_path / host))
        return result

    return run


def test_users_of_three_hosts(users: Playbook, tmp_path: Path) -> None:
    checked = users("--check")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("\n+ alice (publisher)") == 3
    assert "hashed=2 verified=0" in checked.stdout
    assert not (tmp_path / "one").exists()

    assert users(hosts="one,").returncode == 0
    joined = users()
    assert "hashed=0 verified=2" in joined.stdout, "hosts that join get the hashes that are there"
    assert "changed: [one]" not in joined.stdout
    assert joined.stdout.count("\n+ alice (publisher)") == 2
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")

    changed = users("-e", "alice='S3cret three'")
    assert changed.stdout.count("\n~ alice: password changed") == 3
    assert "~ bob" not in changed.stdout


def test_any_strategy_and_batch_will_do(users: Playbook, tmp_path: Path) -> None:
    rolling = users("-e", "batch=1")
    assert rolling.returncode == 0, rolling.stdout
    counts = [line.strip() for line in rolling.stdout.splitlines() if "hashed=" in line]
    assert counts == ['"msg": "hashed=2 verified=0"'] + ['"msg": "hashed=0 verified=0"'] * 2, "once for all batches"
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")

    # Without run_once, which this strategy does not know, each host works for itself.
    free = users("-e", "strategy=free")
    assert free.returncode == 0, free.stdout
    assert free.stdout.count("changed=0") == 3


def test_htpasswd_alone_hashes_for_itself(
    playbook: Playbook, tmp_path: Path, assert_no_secret: Callable[..., None]
) -> None:
    play = f"""
    - hosts: all
      gather_facts: false
      tasks:
        - wheelhouse.pypi.htpasswd:
            path: {tmp_path}/x
            users: [{{name: alice, password: "S3cret", publish: yes}}]
            bcrypt_cost: 4
    """
    result = playbook(textwrap.dedent(play), "-vvv", "--diff")
    assert "changed=1" in result.stdout, result.stdout
    assert_no_secret(result.stdout, result.stderr)
    assert (tmp_path / "x/.htpasswd").read_text().startswith("alice:$2y$04$")


def test_vaulted_passwords_are_taken(playbook: Playbook, tmp_path: Path, assert_no_secret: Callable[..., None]) -> None:
    """A value that is vaulted by itself, as `ansible-vault encrypt_string` makes it."""
    from ansible.constants import DEFAULT_VAULT_ID_MATCH  # noqa: F401  (loads the configuration that vault needs)
    from ansible.parsing.vault import VaultLib, VaultSecret

    vaulted = VaultLib([("default", VaultSecret(b"key"))]).encrypt("S3cret").decode()
    (tmp_path / "key").write_text("key")
    play = f"""
- hosts: all
  gather_facts: false
  vars:
    pypi_users:
      - name: alice
        password: !vault |
{textwrap.indent(vaulted, " " * 10)}
  tasks:
    - wheelhouse.pypi.check_variables: {{variables: {{pypi_users: "{{{{ pypi_users }}}}"}}}}
    - ansible.builtin.set_fact: {{wanted: {{users: "{{{{ pypi_users }}}}", bcrypt_cost: 4}}}}
      no_log: true
    - wheelhouse.pypi.htpasswd_hash: {{wanted: wanted, present: none}}
      run_once: true
      no_log: true
      register: hashed
    - wheelhouse.pypi.htpasswd:
        path: {tmp_path}/x
        users: "{{{{ pypi_users }}}}"
        hashes: "{{{{ hashed.hosts[inventory_hostname] }}}}"
"""
    result = playbook(play, "-vvv", "--diff", "--vault-password-file", str(tmp_path / "key"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert_no_secret(result.stdout, result.stderr)
    from passlib.hash import bcrypt

    name, _colon, password_hash = (tmp_path / "x/.htpasswd").read_text().strip().partition(":")
    assert name == "alice"
    assert bcrypt.verify("S3cret", password_hash)


# -- config_files ------------------------------------------------------------------------------------------------------

CONFIG = """
- hosts: all
  gather_facts: false
  vars: {extra: "", word: good}
  tasks:
    - wheelhouse.pypi.config_files:
        path: "{{ playbook_dir }}/live"
        files:
          main.conf: "{{ lookup('ansible.builtin.template', 'main.conf.j2') }}"
          conf.d/site.conf: "{{ word }}\\n"
          verbatim: "{{ '{{' }} not a template }}"
        validate: [grep, -rq, good, "{staged}/conf.d"]
"""


@pytest.fixture(autouse=True)
def _templates(tmp_path: Path) -> None:
    """A templates folder beside the play."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "main.conf.j2").write_text("# {{ ansible_managed }}\n{{ word }}\n")


def test_rendered_texts_arrive_exactly(playbook: Playbook, tmp_path: Path) -> None:
    result = playbook(CONFIG, "--diff", "-vvv")
    assert result.returncode == 0, result.stdout + result.stderr
    assert files(tmp_path / "live") == {
        "main.conf": "# Ansible managed\ngood\n",
        "conf.d/site.conf": "good\n",
        "verbatim": "{{ not a template }}",
    }
    assert "+ conf.d/: site.conf" in result.stdout
    assert "changed=0" in playbook(CONFIG).stdout


@pytest.mark.one_core
def test_a_refused_set_is_told_and_stays_out(playbook: Playbook, tmp_path: Path) -> None:
    playbook(CONFIG)
    before = files(tmp_path / "live")
    result = playbook(CONFIG, "-e", "word=bad")
    assert result.returncode == 2
    assert "grep refuses the new files (conf.d/site.conf, main.conf)" in result.stdout
    assert files(tmp_path / "live") == before
