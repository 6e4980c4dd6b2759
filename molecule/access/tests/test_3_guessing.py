"""Guessing is slowed, those who are known do not notice, and a host can ban who does it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from tests.support.clients import Index, Login
from tests.support.playbook import site
from tests.support.stack import Stack, eventually, traffic

FAIL2BAN = Path(__file__).parents[3] / "roles" / "nginx" / "files" / "fail2ban"
LIMIT = 12


@pytest.fixture(scope="module", autouse=True)
def _slowed(host: Any) -> Iterator[None]:
    site("--tags", "nginx", pypi_logins_per_minute=LIMIT)
    yield
    site("--tags", "users,nginx")


def guess(index: Index, name: str = "reader") -> tuple[int, dict[str, str]]:
    answer = index.request("/simple/", Login(name, uuid4().hex))
    return answer.status, dict(answer.headers)


def guesses_at_once(index: Index, number: int, name: str = "reader") -> list[tuple[int, dict[str, str]]]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: guess(index, name), range(number)))


@pytest.fixture
def valid_token(variables: Mapping[str, Any]) -> Login:
    (entry,) = variables["pypi_tokens"]
    return Login("__token__", entry["secret"])


@contextmanager
def guessing(index: Index) -> Iterator[None]:
    """Guess on and on: the next that may ask is most likely one of these."""
    done = Event()

    def go_on() -> None:
        while not done.is_set():
            guess(index)
            done.wait(0.01)

    with ThreadPoolExecutor(2 * LIMIT) as pool:
        for _ in range(2 * LIMIT):
            pool.submit(go_on)
        try:
            yield
        finally:
            done.set()


def test_who_guesses_is_told_to_wait_and_who_is_known_is_not(index: Index, reader: Login, publisher: Login) -> None:
    for login in (reader, publisher):
        assert index.request("/simple/", login).status == 200
    with traffic(index, reader, "/simple/", clients=1) as answers:
        guesses = guesses_at_once(index, 60)
    statuses = Counter(status for status, _headers in guesses)
    assert set(statuses) == {401, 429}, statuses
    # So many at once, a sixth of it that wait, and what a few seconds allow.
    assert LIMIT - 2 <= statuses[401] <= 2 * LIMIT + 4, statuses
    refused = next(headers for status, headers in guesses if status == 429)
    assert refused["retry-after"] == "5"
    assert refused["x-content-type-options"] == "nosniff"
    assert "www-authenticate" not in refused
    assert set(answers) == {"200"}, Counter(answers)
    # An upload is decided by the same verdict.
    assert index.request("/", publisher, "POST").status == 400


def test_a_guess_at_an_unknown_name_is_slowed_like_any(index: Index) -> None:
    assert {status for status, _headers in guesses_at_once(index, 2 * LIMIT, "stranger")} == {401, 429}


def test_who_guesses_one_after_the_other_waits_for_each_and_who_is_known_does_not(index: Index, reader: Login) -> None:
    # It may have to wait itself, as this address has guessed.
    eventually(lambda: index.request("/simple/", reader).status == 200, "the reader is known")
    guesses_at_once(index, 2 * LIMIT)
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        guessed = pool.submit(guess, index)
        assert index.request("/simple/", reader).status == 200
        assert time.monotonic() - began < 1
        assert not guessed.done()
        assert guessed.result()[0] == 401
    # A minute for so many; one of them may have waited before.
    assert 60 / LIMIT - 1 <= time.monotonic() - began <= 10 + 60 / LIMIT


def test_no_login_at_all_is_an_answer_that_costs_nothing(index: Index) -> None:
    statuses = Counter(index.request("/simple/").status for _ in range(3 * LIMIT))
    assert statuses.keys() == {401}, statuses


def test_unknown_tokens_have_a_limit_of_their_own_and_valid_ones_none(index: Index, valid_token: Login) -> None:
    unknown = [Login("__token__", f"wheelhouse_{number:072}") for number in range(5 * LIMIT)]
    # Passwords of this address are at their limit.
    assert 429 in {status for status, _headers in guesses_at_once(index, 3 * LIMIT)}
    began = time.monotonic()
    with ThreadPoolExecutor(5 * LIMIT) as pool:
        answers = list(pool.map(lambda login: index.request("/simple/", login), unknown))
    statuses = Counter(answer.status for answer in answers)
    print(f"unknown tokens: {dict(statuses)} in {time.monotonic() - began:.1f} s")
    assert statuses.keys() == {401, 429}, statuses
    assert LIMIT - 2 <= statuses[401] <= LIMIT + 4, statuses
    # No token waits, as a password would.
    assert time.monotonic() - began < 5
    assert next(answer for answer in answers if answer.status == 429).headers["retry-after"] == "5"
    assert index.request("/", unknown[0], "POST").status == 429
    # Now that all others are at their limit, a burst of jobs with a valid token.
    began = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        statuses = Counter(pool.map(lambda _: index.request("/simple/", valid_token).status, range(200)))
    print(f"a valid token: {dict(statuses)} in {time.monotonic() - began:.1f} s")
    assert statuses == {200: 200}, statuses


@pytest.fixture(scope="module")
def short_memory(index: Index, reader: Login) -> None:
    """Verdicts are forgotten after a second, and a verification takes its time, so that others come meanwhile."""
    site("--tags", "users,nginx", pypi_logins_per_minute=LIMIT, pypi_verdict_lifetime="1s", pypi_bcrypt_cost=11)
    eventually(lambda: index.request("/simple/", reader).status == 200, "the reader is known")


@pytest.mark.usefixtures("short_memory")
def test_many_who_share_a_login_are_one_verification_when_its_verdict_is_forgotten(
    index: Index, reader: Login, stack: Stack, host: Any
) -> None:
    def at_once() -> set[int]:
        with ThreadPoolExecutor(5 * LIMIT) as pool:
            return {answer.status for answer in pool.map(lambda _: index.request("/simple/", reader), range(5 * LIMIT))}

    for _ in range(3):
        time.sleep(2.5)
        assert at_once() == {200}
    # Without a run, NGINX does not know: it holds until it is forgotten, and is not kept alive by being used.
    kept = host.check_output(f"grep '^{reader.name}:' {stack.home}/authentication/.htpasswd")
    host.check_output(f"sed -i '/^{reader.name}:/d' {stack.home}/authentication/.htpasswd")
    try:
        time.sleep(2.5)
        assert at_once() <= {200, 401}
        assert index.request("/simple/", reader).status == 401
        for _ in range(2):
            assert at_once() == {401}
            time.sleep(1.5)
    finally:
        host.check_output("echo %s >>%s", kept, f"{stack.home}/authentication/.htpasswd")
    eventually(lambda: index.request("/simple/", reader).status == 200, "the reader is known")


@pytest.mark.usefixtures("short_memory")
def test_who_is_verified_again_while_others_at_the_address_guess_waits_each_time(index: Index, reader: Login) -> None:
    with guessing(index):
        time.sleep(3)
        # The second and third within the second for which the first one's answer is kept.
        for method in ("GET", "GET", "HEAD"):
            answer = index.request("/simple/", reader, method)
            assert (answer.status, answer.headers.get("retry-after")) == (429, "5")
    eventually(lambda: index.request("/simple/", reader).status == 200, "the reader is known")


@pytest.fixture(scope="module")
def fail2ban(host: Any) -> None:
    host.check_output(
        "apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends fail2ban iptables"
    )
    for folder in ("filter.d", "action.d", "jail.d"):
        for file in (FAIL2BAN / folder).iterdir():
            host.check_output(f"printf %%s %s >/etc/fail2ban/{folder}/{file.name}", file.read_text())


@pytest.mark.usefixtures("fail2ban")
def test_fail2ban_finds_the_guesses_in_the_log_and_nothing_else(
    host: Any, index: Index, reader: Login, stack: Stack
) -> None:
    # One who would have others banned, by a name that reads like a line of the log.
    index.request("/simple/", Login('x","status":401,"client":"192.0.2.1', "guess"))
    index.request('/simple/?","client":"192.0.2.2","user":"x","status":401,', reader)
    # A job whose token has expired.
    assert index.request("/simple/", Login("__token__", f"wheelhouse_{0:072}")).status == 401
    index.request("/simple/", Login("reader", "guess"))
    # Each of NGINX's workers writes once a second.
    time.sleep(2)
    lines = [line for line in stack.log("nginx") if line.startswith("{")][-200:]
    refused = [
        one for one in map(json.loads, lines) if one["status"] in (401, 429) and one["user"] not in ("", "token:")
    ]
    assert refused[-1]["uri"] == "/simple/" and any("192.0.2.2" in line for line in lines)
    host.check_output("printf '%%s\\n' %s >/tmp/access.log", "\n".join(lines))
    # As NGINX writes it, and as Docker keeps it.
    said = host.check_output("fail2ban-regex /tmp/access.log wheelhouse")
    assert f"{len(refused)} matched" in said, said
    kept = stack.inspect("nginx")["LogPath"]
    found = set(host.check_output(f"fail2ban-regex --out ip {kept} wheelhouse").split())
    assert found == {one["client"] for one in refused}, found


@pytest.mark.usefixtures("fail2ban")
def test_a_banned_address_does_not_reach_the_published_port(host: Any, index: Index) -> None:
    # What these tests do is a reason to ban them.
    host.check_output("printf '[wheelhouse]\\nignoreip = 172.16.0.0/12\\n' >/etc/fail2ban/jail.d/zz-tests.conf")
    host.check_output("systemctl restart fail2ban && timeout 20 sh -c 'until fail2ban-client ping; do sleep 0.5; done'")
    try:
        host.check_output("fail2ban-client set wheelhouse banip 198.51.100.7")
        assert "198.51.100.7" in host.check_output("iptables --list f2b-wheelhouse --numeric")
        assert "f2b-wheelhouse" in host.check_output("iptables --list DOCKER-USER --numeric")
        host.check_output("fail2ban-client set wheelhouse unbanip 198.51.100.7")
        assert "198.51.100.7" not in host.check_output("iptables --list f2b-wheelhouse --numeric")
    finally:
        host.run("fail2ban-client unban --all")
        host.check_output("systemctl stop fail2ban")
    assert "f2b-wheelhouse" not in host.check_output("iptables --list DOCKER-USER --numeric")
    assert index.request("/simple/").status == 401
