# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins in real plays: what a person sees, and that no secret is in it however verbose it is."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        variables: {pypi_users: "{{ pypi_users }}", pypi_authenticate: [update], pypi_bcrypt_cost: "{{ cost | default(4) }}"}
    - wheelhouse.pypi.htpasswd_info: {path: "{{ folder }}"}
      register: present
      no_log: true
    - ansible.builtin.set_fact:
        wanted: {users: "{{ pypi_users }}", bcrypt_cost: "{{ cost | default(4) }}"}
      no_log: true
    - wheelhouse.pypi.htpasswd_hash: {wanted: wanted, present: present}
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
    assert checked.stdout.count("+ alice (publisher)") == 3 and not (tmp_path / "one").exists()
    assert "hashed=2 verified=0" in checked.stdout

    first = users()
    assert first.returncode == 0, first.stdout
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")
    second = users()
    assert second.stdout.count("changed=0") == 3 and "hashed=0 verified=2" in second.stdout

    changed = users("-e", "alice='S3cret three'")
    assert changed.stdout.count("~ alice: password changed") == 3 and "~ bob" not in changed.stdout
    costlier = users("-e", "alice='S3cret three'", "-e", "cost=5")
    assert costlier.stdout.count("~ bob: hash changed from bcrypt of cost 4 to bcrypt of cost 5") == 3


def test_a_host_that_joins_gets_the_hashes_that_are_there(users: Playbook, tmp_path: Path) -> None:
    users(hosts="one,")
    joined = users()
    assert "hashed=0 verified=2" in joined.stdout and joined.stdout.count("changed=1 ") == 2
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_rolling_play_hashes_once_for_all_batches(users: Playbook, tmp_path: Path) -> None:
    first = users("-e", "batch=1")
    assert first.returncode == 0, first.stdout
    assert [line for line in first.stdout.splitlines() if "hashed=" in line] == [
        '    "msg": "hashed=2 verified=0"',
        '    "msg": "hashed=0 verified=0"',
        '    "msg": "hashed=0 verified=0"',
    ]
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")


def test_strategy_free_is_right_too(users: Playbook) -> None:
    assert users("-e", "strategy=free").returncode == 0
    again = users("-e", "strategy=free")
    assert again.returncode == 0, again.stdout


def test_htpasswd_alone_hashes_for_itself(playbook: Playbook, tmp_path: Path, assert_no_secret: Callable[..., None]) -> None:
    play = f"""
    - hosts: all
      gather_facts: false
      tasks:
        - wheelhouse.pypi.htpasswd:
            path: {tmp_path}/x
            users: [{{name: alice, password: "S3cret", publish: yes}}]
            bcrypt_cost: 4
    """
    for changes in ("changed=1", "changed=0"):
        result = playbook(textwrap.dedent(play), "-vvv", "--diff")
        assert changes in result.stdout, result.stdout
        assert_no_secret(result.stdout, result.stderr)
    assert (tmp_path / "x/.htpasswd").read_text().startswith("alice:$2y$04$")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{name: 'al:S3cret', password: S3cret}", "user 'al...' has a colon in the name"),
        ("{name: alice, hash: '{SHA}S3cret'}", "user 'alice' has a hash in a scheme that is not accepted: {SHA}"),
        ("{name: alice, hash: S3cret}", "user 'alice' has a hash in a scheme that is not accepted: plain text"),
        ("{name: alice, password: ''}", "user 'alice' has an empty password"),
        ("'alice:S3cret'", "entry 1 is not a mapping"),
    ],
)
@pytest.mark.parametrize("module", ["check_variables", "htpasswd"])
def test_bad_users_are_named_and_nothing_is_written(
    playbook: Playbook, tmp_path: Path, assert_no_secret: Callable[..., None], module: str, entry: str, words: str
) -> None:
    arguments = {
        "check_variables": f"variables: {{pypi_users: [{entry}]}}",
        "htpasswd": f"{{path: {tmp_path}/x, users: [{entry}]}}",
    }[module]
    play = f"""
    - hosts: all
      gather_facts: false
      vars: {{arguments: {{{arguments.strip("{}") if module == "htpasswd" else arguments}}}}}
      tasks:
        - wheelhouse.pypi.{module}: "{{{{ arguments }}}}"
    """
    result = playbook(textwrap.dedent(play), "-vvv")
    assert result.returncode == 2 and words in result.stdout + result.stderr, result.stdout + result.stderr
    assert_no_secret(result.stdout, result.stderr)
    assert not (tmp_path / "x").exists()


def test_all_problems_are_in_one_message(playbook: Playbook) -> None:
    result = playbook(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - wheelhouse.pypi.check_variables:
                variables: {pypi_http_port: "70000", pypi_home: pypi, pypi_users: [], pypi_authenticate: [update]}
        """
    )
    text = result.stdout + result.stderr
    for words in ("'70000' is not a whole number", "'pypi' is not absolute", "pypi_users: names nobody"):
        assert words in text


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
    assert name == "alice" and bcrypt.verify("S3cret", password_hash)


# -- config_files ------------------------------------------------------------------------------------------------------

CONFIG = """
- hosts: all
  gather_facts: false
  vars: {extra: "", word: good}
  tasks:
    - wheelhouse.pypi.config_files:
        path: "{{ playbook_dir }}/live"
        templates: {main.conf: main.conf.j2, conf.d/site.conf: site.conf.j2}
        files: {verbatim: "{{ '{{' }} not a template }}"}
        prune: [conf.d/*]
        validate: [grep, -rq, good, "{staged}/conf.d"]
    - ansible.builtin.template: {src: main.conf.j2, dest: "{{ playbook_dir }}/reference", mode: "0600"}
"""
MAIN = """\
# {{ ansible_managed }}
{% include 'part.j2' %}
{% if true %}
    kept {{ word }}
{% endif %}
back\\slash "\\n" {{ '%r' | format(template_path) }} {{ inventory_hostname }}

"""


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """The templates folder beside the play."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "main.conf.j2").write_text(MAIN)
    (folder / "part.j2").write_text("included {{ word }}\n")
    (folder / "site.conf.j2").write_text("{{ word }}{{ extra }}\n")
    return folder


def test_templates_are_rendered_as_ansible_does(playbook: Playbook, tmp_path: Path, templates: Path) -> None:
    result = playbook(CONFIG, "--diff")
    assert result.returncode == 0, result.stdout + result.stderr
    live = files(tmp_path / "live")
    assert live == {
        "main.conf": (tmp_path / "reference").read_text(),
        "conf.d/site.conf": "good\n",
        "verbatim": "{{ not a template }}",
    }
    assert live["main.conf"].splitlines()[1:3] == ["included good", "    kept good"]
    assert "+    kept good" in result.stdout
    assert "changed=0" in playbook(CONFIG).stdout


@pytest.mark.parametrize("managed", ["ours, do not touch", ""])
def test_ansible_managed_of_the_user_counts(playbook: Playbook, tmp_path: Path, templates: Path, managed: str) -> None:
    playbook(CONFIG, "-e", f"ansible_managed='{managed}'")
    assert (tmp_path / "live/main.conf").read_text().startswith(f"# {managed}\n")


def test_a_refused_set_is_told_and_stays_out(playbook: Playbook, tmp_path: Path, templates: Path) -> None:
    playbook(CONFIG)
    before = files(tmp_path / "live")
    for options in ([], ["--check"]):
        result = playbook(CONFIG, "-e", "word=bad", *options)
        assert result.returncode == 2 and "grep refuses the new files (conf.d/site.conf, main.conf)" in result.stdout
        assert files(tmp_path / "live") == before


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("site.conf.j2", "{{ nowhere }}", "nowhere"),
        ("site.conf.j2", "{% if %}", "site.conf.j2"),
        ("part.j2", None, "part.j2"),
        ("site.conf.j2", None, "site.conf.j2"),
    ],
)
def test_a_template_that_fails_is_named(
    playbook: Playbook, tmp_path: Path, templates: Path, name: str, text: str | None, words: str
) -> None:
    (templates / name).unlink()
    if text is not None:
        (templates / name).write_text(text)
    result = playbook(CONFIG)
    assert result.returncode == 2 and words in result.stdout + result.stderr
    assert not (tmp_path / "live").exists()


def test_verbose_output_shows_what_was_asked_for(playbook: Playbook, templates: Path) -> None:
    """-vvv shows the names of templates once, not all that was rendered from them as arguments again."""
    result: Any = playbook(CONFIG, "-vvv")
    invocation = result.stdout.partition('"invocation"')[2].partition("}\n    },")[0]
    assert "site.conf.j2" in invocation and "included good" not in invocation
