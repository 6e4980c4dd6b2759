"""What a run says at its end."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.certificates import now
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.reporting import about_certificate, report

SERVICES = ("auth", "nginx", "pypi-server")
IMAGES = {"auth": "nginx:1.30", "nginx": "nginx:1.30", "pypi-server": "pypiserver/pypiserver:v2.4.2"}
LINES = [
    "engine 26.1.5",
    "compose 2.26.1",
    *(f"container {name}|{IMAGES[name]}|running Up 2 hours (healthy)" for name in SERVICES),
]
SAME = {"engine": "26.1.5", "compose": "2.26.1"}
NEW = {"engine": "", "compose": ""}


def said(
    before: dict[str, Any] = SAME,
    lines: list[str] = LINES,
    *,
    answers: bool = True,
    check: bool = False,
    **changes: Any,
) -> list[str]:
    run = {
        "before": before, "running": lines, "changes": changes, "check": check, "answers": answers,
        "address": "http://pypi-1", "asked": "127.0.0.1:80", "access": ["A login is needed to list."],
        "tls": "none", "certificate": {}, "authority_file": "",
    }  # fmt: skip
    return report(run, now())[0]


def test_a_quiet_run() -> None:
    assert said() == [
        "The index answers on http://pypi-1 (asked on the host itself, at 127.0.0.1:80). A login is needed to list.",
        "Docker 26.1.5, Compose 2.26.1, pypiserver/pypiserver:v2.4.2, nginx:1.30; all containers are healthy.",
        "This run changed nothing.",
    ]
    assert said(up=" Container pypi-server-nginx-1  Running\n", written={"nginx/": {"created": []}}) == said()


def test_an_image_of_which_the_registry_gave_no_newer_one_is_warned_of() -> None:
    run = {
        "before": SAME, "running": LINES, "changes": {"kept": ["nginx:1.30: no answer within 8 s"]}, "check": False,
        "answers": True, "address": "http://pypi-1", "asked": "127.0.0.1:80", "access": [], "tls": "none", "certificate": {},
        "authority_file": "",
    }  # fmt: skip
    expected = "pypi_images_pull=newer: an image stays as it is: nginx:1.30: no answer within 8 s"
    assert report(run, now())[1] == [expected]


def test_a_first_run() -> None:
    up = "".join(
        f" Container pypi-server-{name}-1  {what}\n"
        for what in ("Creating", "Created", "Starting", "Started")
        for name in SERVICES
    )
    done = said(
        NEW, up=up, folders=1, account="pypi", images=["pypiserver/pypiserver:v2.4.2", "nginx:1.30"], rotation=True,
        written={"": {"created": ["docker-compose.yml", "nginx/revision.conf"]}},
    )  # fmt: skip
    assert done[-1] == (
        "Changed by this run: Docker 26.1.5; Compose 2.26.1; images pypiserver/pypiserver:v2.4.2, nginx:1.30; "
        "containers created: auth, nginx, pypi-server; files docker-compose.yml; 1 folder; rotation of the access log; "
        "account pypi."
    )


def test_a_change_of_configuration() -> None:
    written = {"nginx/": {"created": [], "updated": ["nginx.conf"]}, "": {"updated": ["nginx/revision.conf"]}}
    assert said(written=written, reloaded=True)[-1] == "Changed by this run: NGINX reloaded; files nginx/nginx.conf."


def test_containers_of_an_index_whose_name_ends_as_a_service_does() -> None:
    up = (
        " Container my-nginx-pypi-server-1  Recreate\n Container my-nginx-pypi-server-1  Recreated\n"
        " Container my-nginx-pypi-server-1  Started\n Container my-nginx-auth-1  Started\n"
    )
    assert said(up=up)[-1] == "Changed by this run: containers created: pypi-server; containers started: auth."


def test_a_restore() -> None:
    assert said(restored=20000, folders=1)[-1] == "Changed by this run: 20,000 files restored; 1 folder."
    assert said(restored="1")[-1] == "Changed by this run: 1 file restored."


def test_an_upgrade() -> None:
    lines = ["engine 26.1.6", *LINES[1:]]
    assert said(lines=lines)[-1] == "Changed by this run: Docker 26.1.6 instead of 26.1.5."
    assert said(lines=[LINES[0], *LINES[2:]])[-1] == "Changed by this run: Compose missing."


def test_a_check_does_not_say_that_it_changed_something() -> None:
    assert (
        said(NEW, [], check=True, account="pypi")[-1]
        == "Check mode: nothing was changed. The tasks above show what a run would change."
    )


def test_what_is_not_well_is_named() -> None:
    address, versions, _changes = said(
        lines=[*LINES[:2], *LINES[3:], "container auth|nginx:1.30|restarting 1 s"], answers=False
    )
    assert address.startswith("Nothing answers on http://pypi-1 (")
    assert versions.endswith("; not healthy: auth.")
    assert said(lines=LINES[:2])[1].endswith("Compose 2.26.1; there are no containers.")
    assert said(NEW, [])[1:] == ["No engine runs.", "This run changed nothing."]


def test_the_extension_counts_as_one_file() -> None:
    written = {
        "pypiserver/": {
            "updated": ["gunicorn.conf.py", "wheelhouse_index/server/app.py", "wheelhouse_index/index/store.py"],
            "removed": ["wheelhouse_index/store.py"],
        }
    }
    assert "files pypiserver/gunicorn.conf.py, pypiserver/wheelhouse_index." in said(written=written)[-1]


def test_many_files_are_counted_by_folder() -> None:
    written = {
        "nginx/": {"updated": [f"{number}.conf" for number in range(7)]},
        "authentication/": {"updated": [".htpasswd"]},
    }
    assert said(written=written)[-1] == "Changed by this run: files authentication/ (1), nginx/ (7)."


def test_logins_are_named() -> None:
    logins = {"added": ["bob"], "updated": ["ci"], "removed": ["alice"], "changed": True}
    assert "Logins new: bob; changed: ci; removed: alice." in said(logins=logins)


def test_tokens_are_named_and_listed_with_what_they_may() -> None:
    tokens = {"added": ["ci"], "updated": [], "removed": ["old"], "valid": ["ci (may read, until 2027-03-31)"]}
    text = said(logins={"added": [], "tokens": tokens})
    assert "Tokens new: ci; removed: old." in text
    assert "Tokens: ci (may read, until 2027-03-31)." in text
    (many,) = (line for line in said(logins={"tokens": {"valid": ["a (may read)"] * 60}}) if "Tokens" in line)
    assert many.count("a (may read)") == 50
    assert many.endswith(", and 10 more.")


def test_the_role_hands_over_what_a_run_has_made(playbook: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    roles = Path(__file__).parents[4] / "roles"
    begin, end = (
        f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days):%Y%m%d%H%M%SZ}" for days in (-70, 20.5)
    )
    variables = {
        "__pypi_preflight": {"engine": "26.1.5", "compose": "2.26.1", "images": []},
        "__stack_look": {"stdout_lines": LINES},
        "__stack_answer": {"status": 401},
        "__layout_tree": {"created": ["/a", "/b"], "corrected": []},
        "__users_written": {"changed": True, "added": ["bob"]},
        "__pypi_tls_chain": [
            {"subject_alt_name": ["DNS:pypi"], "issuer": {"commonName": "CA"}, "not_before": begin, "not_after": end}
        ],
        "pypi_url": "https://pypi",
        "pypi_tls": "provided",
    }
    files = [str(roles / name) for name in ("pypi/defaults/main.yml", "pypi/vars/main.yml", "stack/vars/main.yml")]
    task = {"name": "Report", "ansible.builtin.debug": {"msg": "{{ __stack_run | wheelhouse.pypi.report }}"}}
    play = {"hosts": "all", "gather_facts": False, "vars_files": files, "tasks": [task]}
    done = playbook(json.dumps([play]), "--extra-vars", json.dumps(variables))
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "The index answers on https://pypi (asked on the host itself, at 127.0.0.1:443). A login is needed to list, ",
        "The certificate is for pypi, by CA, and good for ",
        "Logins new: bob.",
        "Changed by this run: files authentication/.htpasswd; 2 folders.",
    ):
        assert words in done.stdout, done.stdout
    warning = "[WARNING]: pypi_tls_certificate: the certificate ends in 20 days"
    assert warning in done.stdout + done.stderr, done.stdout + done.stderr
    # A run that has changed tokens alone.
    tokens = {"added": ["ci"], "updated": [], "removed": [], "valid": ["ci (may read, does not expire)"]}
    variables["__users_written"] = {"changed": True, "added": [], "updated": [], "removed": [], "tokens": tokens}
    done = playbook(json.dumps([play]), "--extra-vars", json.dumps(variables))
    for words in ("Tokens new: ci.", "Tokens: ci (may read, does not expire).", "files authentication/tokens.conf;"):
        assert words in done.stdout, done.stdout


def test_the_authority_to_trust_is_named_by_a_path_that_clients_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    info = {
        "subject_alt_name": ["DNS:pypi"],
        "issuer": {"commonName": "CA"},
        "not_before": "20260101000000Z",
        "not_after": "20460101000000Z",
    }
    text, _warnings = about_certificate(info, "self_signed", "~/.wheelhouse.pypi/index.pem", now())
    assert text.endswith("Clients have to trust /home/ops/.wheelhouse.pypi/index.pem on the controller.")
