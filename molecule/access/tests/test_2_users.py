"""Logins come, change and go by a playbook of their own, and no other login notices."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.clients import Index, Login
from tests.support.playbook import applied, says
from tests.support.stack import Stack, traffic

USERS = "wheelhouse.pypi.users"
TEMP = Login("temp", "temp-password")
CI = Login("publisher+ci", "ci-password")


@pytest.fixture(scope="module")
def more(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scenario's users, and a second login of the publisher."""
    return [*variables["pypi_users"], {"name": CI.name, "password": CI.password, "publish": True}]


@pytest.fixture(autouse=True)
def _no_container_is_made_anew(stack: Stack) -> Iterator[None]:
    before = stack.running()
    yield
    assert stack.running() == before


def test_a_login_comes_and_expires_without_a_lost_request(
    index: Index, reader: Login, more: list[dict[str, Any]], stack: Stack
) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    temp = {"name": TEMP.name, "password": TEMP.password, "delete": True, "expires": str(today)}
    assert index.request("/simple/", reader).status == 200
    verified = len(stack.log("auth"))
    with traffic(index, reader, "/simple/") as answers:
        done = applied(USERS, pypi_users=[*more, temp])
        says(done.message(), f"Logins new: {CI.name}, {TEMP.name}.", "NGINX reloaded")
        assert "+ temp (reader who may delete)" in done.output
        assert index.request("/simple/", TEMP).status == 200
        done = applied(USERS, pypi_users=[*more, {**temp, "password": "another-password"}])
        says(done.message(), f"Logins changed: {TEMP.name}.")
        assert index.request("/simple/", TEMP).status == 401
        # The first run after its last day.
        over = {**temp, "expires": str(today - datetime.timedelta(days=1))}
        done = applied(USERS, pypi_users=[*more, over])
        expired = f"the login of 'temp' expired after {over['expires']}; wheelhouse.pypi.users removes it"
        says(done.message(), expired, f"Logins removed: {TEMP.name}.")
    assert index.request("/simple/", TEMP).status == 401
    assert index.request("/simple/", CI).status == 200
    assert set(answers) == {"200"}, answers
    assert [line for line in stack.log("auth")[verified:] if '"reader"' in line] == []
    assert "password" not in "".join(line for line in done.output.splitlines() if "temp" in line)
    assert applied(USERS, pypi_users=[*more, over]).changed == 0


def test_who_is_remembered_is_not_asked_again_when_others_go(
    host: Any, index: Index, reader: Login, stack: Stack
) -> None:
    assert index.request("/simple/", reader).status == 200
    assert index.request("/simple/", CI).status == 200
    # As the inventory says it.
    says(applied(USERS).message(), f"Logins removed: {CI.name}.")
    auth = stack.inspect("auth")["Id"]
    # No login can be verified now.
    host.check_output(f"docker pause {auth}")
    try:
        assert index.request("/simple/", reader).status == 200
    finally:
        host.check_output(f"docker unpause {auth}")
    assert index.request("/simple/", CI).status == 401
