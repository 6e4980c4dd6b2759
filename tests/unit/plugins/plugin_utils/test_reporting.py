# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says at its end."""

from __future__ import annotations

from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import Survey
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.reporting import report

BARE: dict[str, Any] = {**Survey().facts(), "user": "pypi"}
FILE = {"type": "f", "mode": "0600", "owner": "998:997", "sha256": "1"}
RUNNING: dict[str, Any] = {
    **BARE,
    "account": "998:997",
    "engine": "26.1.5",
    "compose": "2.26.1",
    "images": ["pypiserver/pypiserver:v2.4.2", "nginx:1.30"],
    "files": {".": {"type": "d"}, "docker-compose.yml": FILE, "nginx/revision.conf": FILE},
    "containers": {
        "auth": {"id": "1", "image": "nginx:1.30", "healthy": True},
        "nginx": {"id": "2", "image": "nginx:1.30", "healthy": True},
        "pypi-server": {"id": "3", "image": "pypiserver/pypiserver:v2.4.2", "healthy": True},
    },
    "revision": "r1",
    "answer": "401",
}


def said(before: dict[str, Any], after: dict[str, Any], check: bool = False) -> list[str]:
    return report(before, after, "http://pypi-1", "127.0.0.1:80", ["A login is needed to list."], check)


def test_a_quiet_run() -> None:
    assert said(RUNNING, RUNNING) == [
        "The index answers on http://pypi-1 (asked on the host itself, at 127.0.0.1:80). A login is needed to list.",
        "Docker 26.1.5, Compose 2.26.1, pypiserver/pypiserver:v2.4.2, nginx:1.30; all containers are healthy.",
        "This run changed nothing.",
    ]


def test_a_first_run() -> None:
    assert said(BARE, RUNNING)[-1] == (
        "Changed by this run: Docker 26.1.5; Compose 2.26.1; images pypiserver/pypiserver:v2.4.2, nginx:1.30; "
        "containers created: auth, nginx, pypi-server; files docker-compose.yml; 1 folder; account pypi."
    )


def test_a_change_of_configuration() -> None:
    after = {
        **RUNNING,
        "revision": "r2",
        "files": {
            **RUNNING["files"],
            "nginx/nginx.conf": FILE,
            "nginx/revision.conf": {**FILE, "sha256": "2"},
        },
    }
    assert said(RUNNING, after)[-1] == "Changed by this run: NGINX reloaded; files nginx/nginx.conf."


def test_an_upgrade() -> None:
    after = {**RUNNING, "engine": "26.1.6"}
    assert said(RUNNING, after)[-1] == "Changed by this run: Docker 26.1.6 instead of 26.1.5."


def test_versions_are_those_that_run_and_not_those_that_are_wanted() -> None:
    after = {**RUNNING, "images": ["pypiserver/pypiserver:v2.4.2", "nginx:1.32"]}
    assert "nginx:1.32" not in said(RUNNING, after)[1]


def test_a_check_does_not_say_that_it_changed_something() -> None:
    assert (
        said(BARE, BARE, check=True)[-1]
        == "Check mode: nothing was changed. The tasks above show what a run would change."
    )


def test_what_is_not_well_is_named() -> None:
    after = {
        **RUNNING,
        "answer": "",
        "containers": {**RUNNING["containers"], "auth": {"id": "1", "image": "nginx:1.30", "healthy": False}},
    }
    address, versions, _changes = said(RUNNING, after)
    assert address.startswith("Nothing answers on http://pypi-1 (")
    assert versions.endswith("; not healthy: auth.")
    assert said(BARE, BARE)[1:] == [
        "No engine runs.",
        "This run changed nothing.",
    ]


def test_the_extension_counts_as_one_file() -> None:
    files = {f"pypiserver/wheelhouse_index/{name}.py": FILE for name in ("app", "store")}
    assert (
        "files pypiserver/gunicorn.conf.py, pypiserver/wheelhouse_index."
        in said(RUNNING, {**RUNNING, "files": {**RUNNING["files"], **files, "pypiserver/gunicorn.conf.py": FILE}})[-1]
    )


def test_many_files_are_counted_by_folder() -> None:
    files = {f"nginx/{number}.conf": FILE for number in range(7)}
    after = {**RUNNING, "files": {**RUNNING["files"], **files, "authentication/.htpasswd": FILE}}
    assert said(RUNNING, after)[-1] == "Changed by this run: files authentication/ (1), nginx/ (7)."


def test_what_a_run_has_removed() -> None:
    after = {**RUNNING, "compose": "", "files": {"nginx/revision.conf": FILE}}
    assert said(RUNNING, after)[-1] == "Changed by this run: Compose missing; files removed: docker-compose.yml."
    logins = {"added": ["bob"], "updated": ["ci"], "removed": ["alice"]}
    told = report(RUNNING, RUNNING, "http://pypi-1", "127.0.0.1:80", [], False, logins=logins)
    assert "Logins new: bob; changed: ci; removed: alice." in told
