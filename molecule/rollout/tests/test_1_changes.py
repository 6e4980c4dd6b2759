"""Changes go from host to host while somebody reads from all of them."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.support.clients import Login
from tests.support.fleet import Client, Gap, Member, bad_answers, gaps
from tests.support.long import only_long
from tests.support.playbook import SITE, applied, site

testinfra_hosts = ["docker://pypi-rollout-2"]

# Twice what it takes on a machine that does other things as well.
LONGEST_GAP_SECONDS = 30


def test_an_unchanged_run_costs_a_host_hardly_any_calls(fleet: list[Member]) -> None:
    output = applied(SITE, "-vvv", "--limit", fleet[0].name).output
    calls = re.findall(r"^<[\d.]+> SSH: (?:EXEC|PUT|FETCH)", output, re.MULTILINE)
    # The least that a run can do is to look; more than this is not "a few".
    assert 1 <= len(calls) < 25, "\n".join(calls)
    assert len(re.findall(r"changed=0", output)) == 1, output[-500:]
    print(f"An unchanged run for 10 users makes {len(calls)} remote calls.")


def test_no_read_fails_when_settings_and_users_change(fleet: list[Member], reading: dict[str, Client]) -> None:
    before = [member.stack.running() for member in fleet]
    newcomer = Login("newcomer", "newcomer-password")
    users = [{"name": "publisher", "password": "publisher-password", "publish": True}]
    users += [
        {"name": login.name, "password": login.password} for login in (newcomer, Login("reader", "reader-password"))
    ]
    done = site(pypi_serial=1, pypi_max_upload="3g", pypi_users=users)

    assert re.findall(r"This batch(?:, the last)?: ([\w-]+)", done.message()) == [member.name for member in fleet]
    # Of each host the report says what changed, what runs, where it answers, and that it is well.
    for words in ("NGINX reloaded; files", "Docker 26", "The index answers on http://", "all containers are healthy"):
        assert done.message().count(words) == len(fleet), done.output
    for member, containers in zip(fleet, before, strict=True):
        assert member.stack.running() == containers
        assert member.loaded() == "client_max_body_size 3g"
        assert member.index.request("/simple/", newcomer).status == 200
        client = reading[member.name]
        assert len(client.reads) > 100, "there was hardly any traffic"
        assert bad_answers(client) == {}, member.name


def test_one_host_at_a_time_has_a_gap_when_nginx_is_recreated(
    fleet: list[Member], reading: dict[str, Client], capsys: pytest.CaptureFixture[str]
) -> None:
    before = [member.stack.running() for member in fleet]
    done = site(pypi_serial=1, pypi_log_max_size="4m")
    found: list[Gap] = []
    for member, containers in zip(fleet, before, strict=True):
        after = member.stack.running()
        assert [service for service in containers if containers[service] == after[service]] == [], done.output
        (gap,) = gaps(reading[member.name].reads)
        assert gap.seconds < LONGEST_GAP_SECONDS
        found.append(gap)
    assert found == sorted(found, key=lambda gap: gap.began)
    assert all(one.ended < next_one.began for one, next_one in itertools.pairwise(found)), found
    with capsys.disabled():
        print(f"\nNo answer while all containers are recreated: {_seconds(found)} s on the three hosts, one at a time.")


# make test sees it in scenario stack.
@only_long
def test_reads_go_on_when_pypiserver_is_recreated(fleet: list[Member], reading: dict[str, Client]) -> None:
    (member, *_others) = fleet
    before = member.stack.running()
    site("--limit", member.name, pypi_log_max_size="4m", pypi_overwrite=True)
    after = member.stack.running()
    assert [service for service in before if after[service] != before[service]] == ["pypi-server"]
    assert len(reading[member.name].reads) > 50
    assert bad_answers(reading[member.name]) == {}


def _seconds(found: list[Gap]) -> str:
    return ", ".join(f"{gap.seconds:.1f}" for gap in found)
