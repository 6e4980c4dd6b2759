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
        "distro", ["docker.io", "docker-cli", "docker-compose"], "debian",
    ),
    "debianodd": (
        {"distribution": "Debian", "version": "n/a", "code": "odd", "family": "Debian"},
        "distro", ["docker.io", "docker-cli", "docker-compose"], "debian",
    ),
    "debian13": (
        {"distribution": "Debian", "version": "13.2", "family": "Debian"},
        "distro", ["docker.io", "docker-cli", "docker-compose"], "debian",
    ),
    **{
        f"ubuntu{version}": (
            {"distribution": "Ubuntu", "version": version, "family": "Debian"},
            "distro", ["docker.io", "docker-compose-v2"], "ubuntu",
        )
        for version in ("22.04", "24.04", "26.04")
    },
    **{
        f"{name}{version}": ({"distribution": name, "version": f"{version}.1", "family": "RedHat"}, "docker_ce", CE, folder)
        for name, folder in (("RedHat", "rhel"), ("Rocky", "centos"), ("AlmaLinux", "centos"))
        for version in ("9", "10")
    },
    "el10kernel": (
        {"distribution": "Rocky", "version": "10.1", "family": "RedHat", "kernel": EL10},
        "docker_ce", [*CE, f"kernel-modules-extra-{EL10}"], "centos",
    ),
    "fedora": ({"distribution": "Fedora", "version": "43", "family": "RedHat"}, "docker_ce", CE, "fedora"),
    "amazon": ({"distribution": "Amazon", "version": "2023", "family": "RedHat"}, "distro", ["docker"], ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the role makes of every host, by the host's name."""
    folder = tmp_path_factory.mktemp("distributions")
    inventory = {
        name: {
            "facts": {
                "distribution": facts["distribution"],
                "distribution_version": facts["version"],
                "distribution_major_version": facts["version"].split(".")[0],
                "distribution_release": facts.get("code", "NA"),
                "os_family": facts["family"],
                "kernel": facts.get("kernel", "6.1.0"),
                "pypi_host": {"source": "", "engine": "", "daemon": "", "compose": "", "unfinished": []},
            }
        }
        for name, (facts, *_rest) in HOSTS.items()
    }
    facts = {name: f"{{{{ facts.{name} }}}}" for name in next(iter(inventory.values()))["facts"]}
    tasks = yaml.safe_load((ROLE / "tasks/distribution.yml").read_text())
    check = yaml.safe_load((ROLE / "tasks/check.yml").read_text())[0]["ansible.builtin.assert"]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [str(ROLE.parent / "pypi/defaults/main.yml"), str(ROLE / "vars/main.yml")],
        "tasks": [
            {"name": "Facts are those of the host", "set_fact": {"cacheable": True, **facts}},
            *(task for task in tasks if "with_first_found" in task),
            {"name": "Answer is written", "copy": {"content": "{{ answer | to_json }}", "dest": "{{ file }}"}},
        ],
        "vars": {
            "role_path": str(ROLE),
            "file": f"{folder}/{{{{ inventory_hostname }}}}.json",
            "answer": {
                "source": "{{ __docker_source }}",
                "packages": "{{ __docker_packages + __docker_extra_packages }}",
                "path": "{{ __docker_ce_path }}",
                "manager": "{{ __docker_manager }}",
                "conflicting": "{{ __docker_conflicting[__docker_source] }}",
                "supported": f"{{{{ ({') and ('.join(check['that'])}) }}}}",
                "message": check["fail_msg"],
            },
        },
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    (folder / "hosts.yml").write_text(
        yaml.safe_dump(
            {
                "all": {
                    "hosts": inventory,
                    "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
                }
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "hosts.yml"), str(folder / "play.yml")],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in HOSTS}


@pytest.mark.parametrize("name", HOSTS)
def test_a_distribution_gets_its_packages_from_the_source_that_has_compose(name: str, answers: dict[str, Any]) -> None:
    _facts, source, packages, path = HOSTS[name]
    answer = answers[name]
    assert (answer["source"], answer["packages"], answer["path"]) == (source, packages, path)
    assert answer["manager"] == ("apt" if HOSTS[name][0]["family"] == "Debian" else "dnf")
    assert answer["supported"] is (name != "debianodd")
    # What a source brings is never in its own way.
    assert not set(answer["packages"]) & set(answer["conflicting"])


def test_a_release_that_cannot_be_told_is_refused_in_a_sentence(answers: dict[str, Any]) -> None:
    assert answers["debianodd"]["message"].startswith("Debian n/a is not supported: Debian 12, Ubuntu 22.04, ")
