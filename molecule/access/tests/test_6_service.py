"""Logins that a service of the operator's own verifies: a small one, as stands in front of LDAP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from molecule.access.tests.test_1_rights import change
from tests.support import packages
from tests.support.clients import NOBODY, Index, Login
from tests.support.playbook import SETTINGS, site
from tests.support.stack import Stack, eventually

# Name, password, what X-Rights says; without a word, the header is missing. Each question is a line of its log.
SERVICE = """
import base64, http.server
PEOPLE = {
    "ann": ("ann-password", ""),
    "eve": ("eve-password", "administer, Publish publisher"),
    "pam": ("pam-password", "audit, publish"),
    "dan": ("dan-password", "publish,delete"),
    "kim": ("kim-password", "publish:by-service-*,publish:Acme,delete:nothing yank:,"),
    "liz": ("liz-password", ",".join(f"publish:project-no-{number}" for number in range(1000, 1145))),
}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(value or b"").decode("latin-1").partition(":")
        known = PEOPLE.get(name)
        status = 401
        if name == "busy":
            status = 429
        elif known and known[0] == password:
            status = 204
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Company"')
        if status == 204 and known[1]:
            self.send_header("X-Rights", known[1])
        self.send_header("Content-Length", "0")
        self.end_headers()
        print("asked", name, self.headers.get("X-Forwarded-For"), flush=True)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 9099), Handler).serve_forever()
"""
ANN, EVE, PAM, DAN, KIM, LIZ = (Login(name, f"{name}-password") for name in ("ann", "eve", "pam", "dan", "kim", "liz"))


def start(host: Any) -> None:
    host.run("systemctl stop verify; systemctl reset-failed verify")
    host.check_output(
        "printf %%s %s >/root/verify.py && systemd-run --unit verify python3 /root/verify.py 2>&1", SERVICE
    )
    eventually(lambda: host.run("curl --silent http://127.0.0.1:9099/").rc == 0, "the service answers", 10)


@pytest.fixture(scope="module", autouse=True)
def _service(host: Any, stack: Stack) -> Iterator[None]:
    start(host)
    network = "docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' pypi-server_front"
    done = site(
        *SETTINGS,
        pypi_login_source="http",
        pypi_login_source_url=f"http://{host.check_output(network)}:9099/verify",
        pypi_users=[],
    )
    assert done.proved_candidate, done.output
    yield
    host.run("systemctl stop verify")
    # The run at the beginning of test_7_proxy.py brings back the inventory's logins.


def test_the_service_decides_who_reads_publishes_and_deletes(index: Index, tmp_path: Path) -> None:
    for login, status in ((NOBODY, 401), (Login("ann", "wrong"), 401), (ANN, 200), (EVE, 200), (PAM, 200), (DAN, 200)):
        assert index.request("/simple/", login).status == status, login.name
    assert index.request("/simple/").headers["www-authenticate"] == 'Basic realm="Company"'
    # A right that is not said, or that there is not, is no right.
    for login, status in ((ANN, 403), (EVE, 403), (PAM, 200), (DAN, 200)):
        assert index.upload(login, packages.wheel(tmp_path, f"by-service-{login.name}")).status in (status, 409), (
            login.name
        )
    for login, status in ((ANN, 403), (EVE, 403), (PAM, 403), (DAN, 404)):
        assert change(index, login, "remove_pkg", name="nothing", version="1").status == status, login.name


def test_the_service_names_projects(index: Index, tmp_path: Path) -> None:
    assert index.upload(KIM, packages.wheel(tmp_path, "by-service-kim")).status in (200, 409)
    for project in ("acme", "service-kim"):
        answer = index.upload(KIM, packages.wheel(tmp_path, project))
        assert answer.status == 403 and f"no right to publish {project}." in answer.reason, answer
    for project, status in (("nothing", 404), ("by-service-kim", 403)):
        assert change(index, KIM, "remove_pkg", name=project, version="1").status == status, project
    for project, statuses in (("project-no-1144", (200, 409)), ("project-no-1145", (403,))):
        assert index.upload(LIZ, packages.wheel(tmp_path, project)).status in statuses, project
    # A word that cannot be read is no right.
    assert change(index, KIM, "yank", name="by-service-kim", version="1.0").status == 403


def test_the_log_names_whom_the_service_knows(index: Index, stack: Stack) -> None:
    for login, status, named in (
        (ANN, 200, "ann"),
        (Login("ann", "wrong"), 401, "?"),
        (Login("a-token", "x"), 401, "?"),
    ):
        mark = f"/simple/?{uuid4().hex}"
        assert index.request(mark, login).status == status
        assert stack.requests(mark)[0]["user"] == named
    # A refusal of a change as well.
    mark = f"/?{uuid4().hex}"
    assert index.request(mark, ANN, "POST").status == 403
    assert stack.requests(mark)[0]["user"] == "ann"


@pytest.mark.parametrize("header", ["X-Wheelhouse-Rights", "X-Rights", "X_Wheelhouse_Rights"])
def test_a_client_cannot_say_what_it_may(index: Index, header: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", header: "delete"}
    answer = index.request("/", PAM, "POST", b":action=remove_pkg&name=nothing&version=1", headers)
    assert answer.status == 403


def test_its_answer_is_remembered_and_a_refusal_to_answer_is_passed_on(host: Any, index: Index) -> None:
    assert index.request("/simple/", Login("busy", "x")).status == 429
    assert index.request("/simple/", ANN).status == 200
    host.check_output("systemctl stop verify")
    assert index.request("/simple/", ANN).status == 200
    assert index.request("/simple/", Login("new", "x")).status == 500
    start(host)
