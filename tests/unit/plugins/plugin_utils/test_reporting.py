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
    "containers": {"auth": {"id": "1", "healthy": True}, "nginx": {"id": "2", "healthy": True}},
    "revision": "r1",
    "answer": "401",
}


def said(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return report(before, after, "http://127.0.0.1:80", ["A login is needed to list."])


def test_a_quiet_run() -> None:
    assert said(RUNNING, RUNNING) == [
        "The index answers on http://127.0.0.1:80. A login is needed to list.",
        "Docker 26.1.5, Compose 2.26.1, pypiserver/pypiserver:v2.4.2, nginx:1.30; all containers are healthy.",
        "This run changed nothing.",
    ]


def test_a_first_run() -> None:
    assert said(BARE, RUNNING)[-1] == (
        "Changed by this run: Docker 26.1.5; Compose 2.26.1; images pypiserver/pypiserver:v2.4.2, nginx:1.30; "
        "containers made: auth, nginx; files docker-compose.yml; 1 folder; account pypi."
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


def test_what_is_not_well_is_named() -> None:
    after = {**RUNNING, "answer": "", "containers": {**RUNNING["containers"], "auth": {"id": "1", "healthy": False}}}
    address, versions, _changes = said(RUNNING, after)
    assert address.startswith("Nothing answers on http://127.0.0.1:80.")
    assert versions.endswith("; not healthy: auth.")
    assert said(BARE, BARE)[1:] == ["No engine runs.", "This run changed nothing."]
