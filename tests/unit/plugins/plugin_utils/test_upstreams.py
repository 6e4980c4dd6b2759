"""The model of upstreams: what pypi-server and NGINX get of the variables, and that no login is where it does not belong."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import upstreams

from tests.collection import ROOT

DEFAULTS = {
    name: value
    for name, value in yaml.safe_load((ROOT / "roles/pypi/defaults/main.yml").read_text(encoding="utf-8")).items()
    if name.startswith("pypi_upstream") or name in ("pypi_private_names", "pypi_shadowed_names")
}
GIVEN: dict[str, Any] = {
    **DEFAULTS,
    "pypi_upstreams": [
        "https://public.example.org:443/simple/",
        {
            "url": "https://wheels.example.net:8443/whl/",
            "names": ["Torch*", "nvidia_*", "torch*"],
            "username": "reader",
            "password": "S3cret:with colon",
            "file_hosts": ["cdn.example.net", "cdn.example.net:443", "wheels.example.net:8443"],
            "no_upload_time": "allow",
        },
    ],
    "pypi_private_names": ["Acme_*", "acme-*", "internal.tools"],
    "pypi_shadowed_names": ["Torch"],
    "pypi_upstream_minimum_age": "3d",
    "pypi_upstream_denied": ["Evil", "urllib3 < 2, >= 1", "Bad_*"],
    "pypi_upstream_exempt": ["Urgent == 1.2.3"],
}
POLICY = {
    "upstreams": [
        {
            "url": "https://wheels.example.net:8443/whl/",
            "names": ["torch*", "nvidia-*"],
            "hosts": ["wheels.example.net:8443", "cdn.example.net"],
            "no_upload_time": "allow",
        },
        {
            "url": "https://public.example.org/simple/",
            "names": [],
            "hosts": ["public.example.org"],
            "no_upload_time": "refuse",
        },
    ],
    "private": ["acme-*", "internal-tools"],
    "shadowed": ["torch"],
    "minimum_age": 259200,
    "denied": ["evil", "urllib3<2,>=1", "bad-*"],
    "allowed": [],
    "exempt": ["urgent==1.2.3"],
    "freshness": 600,
}


def test_the_policy_is_normalised_and_the_upstream_without_names_comes_last() -> None:
    found = upstreams.policy(GIVEN)
    digest = found.pop("digest")
    print(json.dumps(found, indent=2))
    assert found == POLICY
    assert digest == hashlib.sha256(json.dumps(POLICY, sort_keys=True).encode()).hexdigest()[:12]


def test_another_policy_has_another_digest_and_a_login_is_none_of_it() -> None:
    digest = upstreams.policy(GIVEN)["digest"]
    assert upstreams.policy({**GIVEN, "pypi_upstream_denied": []})["digest"] != digest
    assert upstreams.policy({**GIVEN, "pypi_upstream_cache_size": "1g"})["digest"] == digest
    torch = {**GIVEN["pypi_upstreams"][1], "password": "S3cret of another"}
    assert upstreams.policy({**GIVEN, "pypi_upstreams": [GIVEN["pypi_upstreams"][0], torch]})["digest"] == digest


def test_nginx_gets_more() -> None:
    found = upstreams.model(GIVEN)
    assert {key: found[key] for key in POLICY if key != "upstreams"} == {
        key: POLICY[key] for key in POLICY if key != "upstreams"
    }
    assert found["digest"] == upstreams.policy(GIVEN)["digest"]
    wheels, public = found["upstreams"]
    assert wheels["authorization"] == "Basic " + base64.b64encode(b"reader:S3cret:with colon").decode()
    of_nginx = {
        "scheme": "https",
        "host": "wheels.example.net:8443",
        "path": "/whl/",
        "authorization": wheels["authorization"],
    }
    regex = ["~^torch[a-z0-9-]*$", "~^nvidia-[a-z0-9-]*$"]
    assert wheels == {**POLICY["upstreams"][0], **of_nginx, "regex": regex}  # type: ignore[index]
    assert (public["host"], public["path"], public["authorization"], public["regex"]) == (
        "public.example.org",
        "/simple/",
        "",
        [],
    )
    assert found["private_regex"] == ["~^acme-[a-z0-9-]*$", "~^internal-tools$"]


def test_without_secrets_there_is_no_login(assert_no_secret: Callable[..., None]) -> None:
    found = [upstreams.model(GIVEN, secrets=False), upstreams.policy(GIVEN)]
    assert_no_secret(*found)
    assert "Basic" not in json.dumps(found)
    assert "authorization" not in json.dumps(found)


def test_without_upstreams_there_is_nothing() -> None:
    assert upstreams.policy(DEFAULTS) == {}
    assert upstreams.model(DEFAULTS) == {}
    found = upstreams.policy({**DEFAULTS, "pypi_upstreams": ["https://public.example.org/simple/"]})
    assert (found["private"], found["minimum_age"], found["freshness"]) == ([], 0, 600)


@pytest.mark.parametrize("pattern", ["acme-*", "*-acme", "a*z", "acme", "a-*-b", "*acme*"])
@pytest.mark.parametrize(
    "project", ["acme", "acme-tools", "acme-", "my-acme", "a-z", "az", "a-x-b", "xacmex", "acmex", "b"]
)
def test_nginx_and_python_read_a_pattern_alike(pattern: str, project: str) -> None:
    (regex,) = upstreams.model({**GIVEN, "pypi_private_names": [pattern]})["private_regex"]
    assert bool(re.search(regex.removeprefix("~"), project)) == fnmatchcase(project, pattern)


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("a*", "a*", True),
        ("a*", "abc", True),
        ("a*", "ab*", True),
        ("*-b", "a-*-b", True),
        ("ab*", "a*", False),
        ("a", "a*", False),
        ("a*c", "a*", False),
    ],
)
def test_which_pattern_covers_another(wide: str, narrow: str, covers: bool) -> None:
    assert upstreams.covers(wide, narrow) == covers


@pytest.mark.parametrize("text", ["", "a b", "a[x]", "a<1.x", "a;b", "a @ https://b", "-a", "a-", "a<", "<2"])
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a name|invalid version"):
        upstreams.requirement(text)


# --- As roles use it, by Ansible itself ---

PLAY = """
- hosts: all
  gather_facts: false
  vars_files: [{defaults}, {variables}, {role}, given.yml]
  tasks:
    # As the role writes it: an argument that looks like JSON is a structure to ansible-core 2.18.
    - wheelhouse.pypi.config_files:
        path: "{{{{ playbook_dir }}}}"
        files: "{{{{ {{'other': 'o'}} | combine(__pypiserver_policy) }}}}"
    - ansible.builtin.copy:
        dest: nginx.json
        content: "{{{{ __pypi_upstreams | to_json }}}}"
        mode: "0600"
      no_log: "{{{{ pypi_no_log }}}}"
"""
Playbook = Callable[..., subprocess.CompletedProcess[str]]


def run(playbook: Playbook, folder: Path, given: dict[str, Any]) -> str:
    (folder / "given.yml").write_text(yaml.safe_dump(given))
    text = PLAY.format(
        defaults=ROOT / "roles/pypi/defaults/main.yml",
        variables=ROOT / "roles/pypi/vars/main.yml",
        role=ROOT / "roles/pypiserver/vars/main.yml",
    )
    done = playbook(text, "--diff", "-vvv", hosts="one,")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_file_of_pypi_server_is_written_from_the_variables(
    playbook: Playbook, tmp_path: Path, assert_no_secret: Callable[..., None]
) -> None:
    given = {**GIVEN, "pypi_private_names": "{{ mine }}", "mine": GIVEN["pypi_private_names"]}
    output = run(playbook, tmp_path, given)
    text = (tmp_path / "upstreams.json").read_text()
    found = json.loads(text)
    assert {key: value for key, value in found.items() if key != "digest"} == POLICY
    assert found == upstreams.policy(GIVEN)
    assert text.endswith("}\n")
    assert json.loads((tmp_path / "nginx.json").read_text()) == upstreams.model(GIVEN)
    # The difference names the file, and shows no login.
    assert "upstreams.json" in output
    assert_no_secret(output)
    assert upstreams.model(GIVEN)["upstreams"][0]["authorization"].removeprefix("Basic ") not in output


@pytest.mark.one_core
def test_no_file_is_written_without_upstreams(playbook: Playbook, tmp_path: Path) -> None:
    run(playbook, tmp_path, {})
    assert not (tmp_path / "upstreams.json").exists()
    assert json.loads((tmp_path / "nginx.json").read_text()) == {}


INVALID = """
- hosts: all
  gather_facts: false
  tasks: [{ansible.builtin.debug: {msg: "{{ given | wheelhouse.pypi.upstream_policy }}"}}]
  vars: {given: {pypi_upstreams: [{url: 'https://u:S3cret@[x'}]}}
"""


def test_invalid_variables_are_named_without_their_values(playbook: Playbook) -> None:
    done = playbook(INVALID, hosts="one,")
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode
    assert (
        "The variables about upstreams are invalid. wheelhouse.pypi.check_variables says which, and what to" in output
    )
    assert "netloc" not in output, "the cause may have a login in it"


SETTINGS = """
- hosts: all
  gather_facts: false
  vars_files: ["{variables}"]
  vars: {{pypi_home: /srv/pypi, __stack_found: {{files: {files}}}}}
  tasks: [{{ansible.builtin.copy: {{dest: "{name}", content: "{{{{ __stack_settings }}}}", mode: "0600"}}}}]
"""


@pytest.mark.one_core
def test_another_policy_needs_no_other_container(playbook: Playbook, tmp_path: Path) -> None:
    names = {
        "policy": "upstreams.json",
        "settings": "gunicorn.conf.py",
        "text": "wheelhouse_index/upstreams.json.txt",
    }
    variables = ROOT / "roles/stack/vars/main.yml"
    plays = []
    for changed in ("none", *names):
        files = [
            {"path": f"/srv/pypi/pypiserver/{name}", "checksum": "1" if key == changed else "0"}
            for key, name in names.items()
        ]
        plays.append(SETTINGS.format(name=changed, variables=variables, files=json.dumps(files)))
    done = playbook("".join(plays), hosts="one,")
    assert done.returncode == 0, done.stdout + done.stderr
    digests = {changed: (tmp_path / changed).read_text() for changed in ("none", *names)}
    assert digests["policy"] == digests["none"]
    assert digests["settings"] != digests["none"]
    assert digests["text"] != digests["none"]


ROLE = """
- {{hosts: all, gather_facts: false, vars_files: [{defaults}, {variables}, given.yml], roles: [pypiserver]}}
"""


@pytest.mark.one_core
@pytest.mark.skipif(os.geteuid() != 0, reason="the files are root's")
def test_the_role_writes_the_policy_once_and_leaves_it_to_role_stack_to_remove_it(
    playbook: Playbook, tmp_path: Path
) -> None:
    role, home = tmp_path / "roles/pypiserver", tmp_path / "home"
    role.mkdir(parents=True)
    home.mkdir()
    # Without its dependency, which looks at the host.
    for part in ("tasks", "vars", "files", "templates"):
        (role / part).symlink_to(ROOT / "roles/pypiserver" / part)
    folder = home / "pypiserver"

    def apply(given: dict[str, Any], *options: str) -> str:
        there = [f"pypiserver/{path.relative_to(folder)}" for path in folder.rglob("*")]
        found = {"there": there, "images": [], "account": "0:0"}
        # The last file of variables counts.
        of_host = {"pypi_home": str(home), "__pypi_gid": "0", "__pypi_can_check": False, "__pypi_preflight": found}
        (tmp_path / "given.yml").write_text(yaml.safe_dump({**given, **of_host}))
        roles = ROOT / "roles/pypi"
        text = ROLE.format(defaults=roles / "defaults/main.yml", variables=roles / "vars/main.yml")
        done = playbook(text, "--diff", *options, hosts="one,")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "upstreams.json" in apply(GIVEN, "--check")
    assert not folder.exists()
    apply(GIVEN)
    assert json.loads((folder / "upstreams.json").read_text()) == upstreams.policy(GIVEN)
    assert ((folder / "upstreams.json").stat().st_mode & 0o777, (folder / "gunicorn.conf.py").exists()) == (0o640, True)
    assert "changed=0 " in apply(GIVEN)
    output = apply({**GIVEN, "pypi_upstream_denied": ["worse"]})
    assert "changed=1 " in output
    assert [line for line in output.splitlines() if line.startswith("+ ") and "worse" in line], output
    # NGINX asks by it until its own files are accepted.
    assert "changed=0 " in apply({})
    assert (folder / "upstreams.json").exists()
