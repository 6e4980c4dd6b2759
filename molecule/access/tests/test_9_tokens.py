"""Tokens: real clients with one, what it may and may not, and its end. That none is anywhere is in test_5_audit.py."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from molecule.access.tests.test_1_rights import change
from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import applied, says
from tests.support.stack import Stack, eventually

USERS = "wheelhouse.pypi.users"


def token(digit: str) -> str:
    """A token of 64 equal digits, as wheelhouse.pypi.token makes it."""
    text = "wheelhouse_" + digit * 64
    return text + hashlib.sha256(text.encode()).hexdigest()[:8]


TOKENS = {name: token(digit) for name, digit in (("ci", "a"), ("uploader", "b"), ("mirror", "c"), ("ends", "d"))}
CI, UPLOADER, MIRROR, ENDS = (Login("__token__", TOKENS[name]) for name in TOKENS)
ENTRIES: list[dict[str, Any]] = [
    {"id": "token-ci", "secret": TOKENS["ci"], "publish": ["token-*"], "yank": ["token-*"]},
    {"id": "uploader", "hash": hashlib.sha256(TOKENS["uploader"].encode()).hexdigest(), "publish": True, "read": False},
    {"id": "mirror", "secret": TOKENS["mirror"], "expires": "2099-12-31"},
]


@pytest.fixture(scope="module", autouse=True)
def _tokens() -> Iterator[None]:
    done = applied(USERS, "--diff", pypi_tokens=ENTRIES)
    says(
        done.message(),
        "Tokens new: mirror, token-ci, uploader; removed: audited.",
        "mirror (may read, until 2099-12-31)",
    )
    assert "+ token token-ci (may read, publish token-*, yank token-*, does not expire)" in done.output
    assert not any(secret in done.output for secret in TOKENS.values())
    assert applied(USERS, pypi_tokens=ENTRIES).changed == 0
    yield
    applied(USERS)


def test_clients_publish_and_install_with_a_token(index: Index, tmp_path: Path) -> None:
    name = f"token_{uuid4().hex}"
    done = index.twine_upload(CI, packages.wheel(tmp_path, name))
    assert done.returncode == 0, done.stdout + done.stderr
    done = index.uv_publish(CI, packages.wheel(tmp_path, name, "1.1"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = index.pip_install(MIRROR, tmp_path / "site", name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_burst_of_uploads_with_one_token_waits_for_nothing(index: Index, tmp_path: Path) -> None:
    wheels = [packages.wheel(tmp_path, f"token-burst-{uuid4().hex[:8]}", f"1.{number}") for number in range(200)]
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda wheel: index.upload(CI, wheel), wheels))
    print(f"200 uploads of 8 publishers in {time.monotonic() - began:.1f} s")
    assert {answer.status for answer in answers} == {200}, answers


def test_logins_lists_rights_expiry_and_last_use(index: Index) -> None:
    assert index.request("/simple/", MIRROR).status == 200
    time.sleep(2)  # each of NGINX's workers writes its log once a second
    done = applied("wheelhouse.pypi.logins", pypi_tokens=ENTRIES)
    today = str(datetime.datetime.now(datetime.UTC).date())
    says(
        done.message(),
        f"token mirror (may read, until 2099-12-31): last used {today}",
        "token token-ci (may read, publish token-*, yank token-*, does not expire): last used",
        "login ci-acme (may read, publish acme-*, yank acme-*-tools, does not expire):",
    )
    assert done.changed == 0
    assert not any(secret in done.output for secret in TOKENS.values())


def test_a_token_may_what_its_entry_says(index: Index, tmp_path: Path, host: Any, stack: Stack) -> None:
    project = f"token-{uuid4().hex}"
    assert index.upload(CI, packages.wheel(tmp_path, project)).status == 200
    answer = index.upload(CI, packages.wheel(tmp_path, "elsewhere"))
    assert answer.status == 403, answer
    assert answer.reason.startswith("The token token-ci has no right to publish elsewhere. Ask the operator"), answer
    assert change(index, CI, "yank", name=project, version="1.0").status == 200
    assert change(index, CI, "remove_pkg", name=project, version="1.0").status == 403
    # The one that only publishes, and the one that only reads.
    assert index.request("/simple/", UPLOADER).status == 403
    assert index.upload(UPLOADER, packages.wheel(tmp_path, f"by-uploader-{uuid4().hex}")).status == 200
    assert index.request("/simple/", MIRROR).status == 200
    answer = index.upload(MIRROR, packages.wheel(tmp_path, project))
    assert answer.status == 403 and "may only read" in answer.reason, answer
    # The change log has the id.
    changes = host.check_output(f"cat {stack.home}/logs/changes-*.log")
    assert '"token-ci"' in changes and '"uploader"' in changes


def test_any_user_name_will_do_and_says_nothing(index: Index, stack: Stack) -> None:
    for name in ("__token__", "x", "xy", "xyz", "reader", "owner"):
        mark = f"/simple/?{uuid4().hex}"
        assert index.request(mark, Login(name, TOKENS["mirror"])).status == 200, name
        assert stack.requests(mark)[0]["user"] == "mirror"
        assert index.request("/", Login(name, TOKENS["mirror"]), "POST").status == 403, name


@pytest.mark.parametrize(
    "wrong",
    [
        TOKENS["ci"][:-1] + "0",
        "wheelhouse_" + "0" * 72,
        TOKENS["ci"][:-1],
        TOKENS["ci"].upper(),
        TOKENS["ci"] + "0",
        "",
    ],
)
def test_what_is_no_token_lets_nobody_in(index: Index, wrong: str) -> None:
    answer = index.request("/simple/", Login("__token__", wrong))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="Python packages"')
    assert index.request("/", Login("__token__", wrong), "POST").status == 401


@pytest.mark.parametrize(
    "slip",
    [
        TOKENS["ci"][:-1],
        TOKENS["ci"][:43],
        TOKENS["ci"] + "0",
        TOKENS["ci"] + " ",
        TOKENS["ci"] + "\r",
        TOKENS["ci"].upper(),
        TOKENS["ci"].capitalize(),
    ],
)
def test_a_token_that_was_not_copied_as_it_is_is_no_guess_of_a_password(index: Index, stack: Stack, slip: str) -> None:
    mark = f"/simple/?{uuid4().hex}"
    answer = index.request(mark, Login("__token__", slip))
    assert answer.status == 401 and b"or was not copied whole" in answer.body, answer
    assert stack.requests(mark)[0]["user"] == "token:"


def test_a_revoked_token_is_refused_when_the_run_ends(index: Index, stack: Stack) -> None:
    assert index.request("/simple/", MIRROR).status == 200
    done = applied(USERS, pypi_tokens=ENTRIES[:2])
    says(done.message(), "Tokens removed: mirror.", "NGINX reloaded")
    mark = f"/simple/?{uuid4().hex}"
    answer = index.request(mark, MIRROR)
    assert answer.status == 401 and b"Unknown token - it has expired, was revoked" in answer.body
    assert stack.requests(mark)[0]["user"] == "token:"
    assert index.request("/", MIRROR, "POST").reason.startswith("Unknown token")


def test_a_token_ends_to_the_second_while_it_is_in_use(host: Any, index: Index, stack: Stack) -> None:
    file = f"{stack.home}/authentication/tokens.conf"
    kept = host.check_output(f"cat {file}")
    end = int(host.check_output("date +%s")) + 6
    digest = hashlib.sha256(TOKENS["ends"].encode()).hexdigest()
    line = f'"{digest}" "{end} ends read";'
    reload = "exec -T nginx nginx -c /etc/pypi-nginx/nginx.conf -s reload"
    host.check_output(f"printf '%%s\\n' %s >>{file}", line)
    stack.compose(reload)
    try:
        eventually(lambda: index.request("/simple/", ENDS).status == 200, "the token is known", 4)
        statuses = []
        while time.time() < end + 2:
            began = time.time()
            status = index.request("/simple/", ENDS).status
            statuses.append(status)
            # The request took its time on one side of the end or the other.
            assert status == 200 or time.time() >= end - 0.5
            assert status == 401 or began <= end + 0.5
            time.sleep(0.05)
        assert set(statuses) == {200, 401}, statuses
        # Until the next run removes it, the index knows why.
        assert b"This token has expired - ask the operator" in index.request("/simple/", ENDS).body
        assert index.request("/", ENDS, "POST").reason.startswith("This token has expired")
    finally:
        host.check_output(f"printf '%%s\\n' %s >{file}", kept)
        stack.compose(reload)


def test_an_expired_token_is_removed_by_the_first_run_after_it(index: Index) -> None:
    assert index.request("/simple/", CI).status == 200
    yesterday = str(datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1))
    done = applied(USERS, pypi_tokens=[{**ENTRIES[0], "expires": yesterday}, ENTRIES[1]])
    says(
        done.message(),
        f"token 'token-ci' expired after {yesterday}; wheelhouse.pypi.users removes it",
        "Tokens removed: token-ci.",
    )
    # The last test of this file, whose fixture brings back what the inventory says.
    assert index.request("/simple/", CI).status == 401
