"""The data of each distribution as the role reads it: the source, its packages, and Docker's folder for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLE = Path(__file__).resolve().parents[2] / "roles" / "docker"
CE = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin"]
EL10 = "6.12.0-55.9.1.el10_0.x86_64"
# Ansible's names for distribution, release and family; the source that is taken by default, packages, Docker's folder.
HOSTS: dict[str, tuple[dict[str, str], str, list[str], str]] = {
    "debian12": ({"distribution": "Debian", "version": "12.12", "family": "Debian"}, "docker_ce", CE, "debian"),
    # Testing and unstable say the same, and no number.
    "debianforky": (
        {"distribution": "Debian", "version": "forky/sid", "code": "forky", "family": "Debian"},
        "distro",
        ["docker.io", "docker-cli", "docker-compose"],
        "debian",
    ),
    "debian13": (
        {"distribution": "Debian", "version": "13.2", "family": "Debian"},
        "distro",
        ["docker.io", "docker-cli", "docker-compose"],
        "debian",
    ),
    **{
        f"ubuntu{version}": (
            {"distribution": "Ubuntu", "version": version, "family": "Debian"},
            "distro",
            ["docker.io", "docker-compose-v2"],
            "ubuntu",
        )
        for version in ("22.04", "24.04", "26.04")
    },
    **{
        f"{name}{version}": (
            {"distribution": name, "version": f"{version}.1", "family": "RedHat"},
            "docker_ce",
            CE,
            folder,
        )
        for name, folder in (("RedHat", "rhel"), ("Rocky", "centos"), ("AlmaLinux", "centos"))
        for version in ("9", "10")
    },
    "el10kernel": (
        {"distribution": "Rocky", "version": "10.1", "family": "RedHat", "kernel": EL10},
        "docker_ce",
        [*CE, f"kernel-modules-extra-{EL10}"],
        "centos",
    ),
    "fedora": ({"distribution": "Fedora", "version": "43", "family": "RedHat"}, "docker_ce", CE, "fedora"),
}
# No source of theirs has both an engine and Compose 2, or the release cannot be told.
UNSUPPORTED = {
    "amazon": {"distribution": "Amazon", "version": "2023", "family": "RedHat"},
    "debian11": {"distribution": "Debian", "version": "11.11", "family": "Debian"},
    "debianodd": {"distribution": "Debian", "version": "n/a", "code": "odd", "family": "Debian"},
    "mint": {"distribution": "Linux Mint", "version": "22", "family": "Debian"},
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the role makes of every host, by the host's name."""
    folder = tmp_path_factory.mktemp("distributions")
    known = {name: facts for name, (facts, *_rest) in HOSTS.items()} | UNSUPPORTED
    inventory = {
        name: {
            "facts": {
                "distribution": facts["distribution"],
                "distribution_version": facts["version"],
                "distribution_major_version": facts["version"].split(".")[0],
                "distribution_release": facts.get("code", "NA"),
                "kernel": facts.get("kernel", "6.1.0"),
            },
            "__pypi_preflight": {"source": "", "engine": "", "daemon": "", "compose": "", "unfinished": []},
        }
        for name, facts in known.items()
    }
    checks = yaml.safe_load((ROLE / "tasks/check.yml").read_text())
    check = next(task for task in checks if task["name"].endswith("distribution is supported"))[
        "ansible.builtin.assert"
    ]
    supported = f"({') and ('.join(check['that'])})"
    answer = {
        "source": "{{ __docker_source }}",
        "packages": "{{ __docker_wanted }}",
        "repository": "{{ __docker_repository_url }}",
        "manager": "{{ __docker_manager }}",
    }
    file = f"{folder}/answers.json"
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [str(ROLE.parent / "pypi/defaults/main.yml"), str(ROLE / "vars/main.yml")],
        "tasks": [
            {"name": "Set the facts of the host", "set_fact": {"cacheable": True, **_each("facts", inventory)}},
            {"name": "Note the answer", "set_fact": {"noted": "{{ answer }}"}},
            # One call for all hosts: they are many.
            {
                "name": "Write the answers",
                "copy": {
                    "content": "{{ hosts | zip(hosts | map('extract', hostvars, 'noted')) | to_json }}",
                    "dest": file,
                },
                "vars": {"hosts": "{{ ansible_play_hosts }}"},
                "run_once": True,
            },
        ],
        "vars": {
            "answer": f"{{{{ good if {supported} else dict(message=message) }}}}",
            "good": answer,
            "message": check["fail_msg"],
        },
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    every = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": inventory, "vars": every}}))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "hosts.yml"), str(folder / "play.yml")],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(Path(file).read_text()))


def _each(name: str, inventory: dict[str, Any]) -> dict[str, str]:
    """Return a template for each key of the hosts' variable of that name."""
    return {key: f"{{{{ {name}.{key} }}}}" for key in next(iter(inventory.values()))[name]}


@pytest.mark.parametrize("name", HOSTS)
def test_a_distribution_gets_its_packages_from_the_source_that_has_compose(name: str, answers: dict[str, Any]) -> None:
    facts, source, packages, path = HOSTS[name]
    assert answers[name] == {
        "source": source,
        "packages": packages,
        "repository": f"https://download.docker.com/linux/{path}",
        "manager": "apt" if facts["family"] == "Debian" else "dnf",
    }


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_another_distribution_is_refused_in_a_sentence(name: str, answers: dict[str, Any]) -> None:
    facts = UNSUPPORTED[name]
    message = answers[name]["message"]
    assert message.startswith(f"{facts['distribution']} {facts['version']} is not supported: Debian 12, ")
    known = {facts["distribution"] for facts, *_rest in HOSTS.values()}
    assert [distribution for distribution in sorted(known) if f" {distribution} " not in message] == []
    assert " and later are. Install Docker Engine and Compose 2.18.0 or newer" in message
