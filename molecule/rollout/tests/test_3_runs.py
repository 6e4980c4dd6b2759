"""Two runs at once, runs that ended without a word, and trees that belong to another account."""

from __future__ import annotations

import re
import shlex

from tests.support.clients import Login
from tests.support.fleet import Member
from tests.support.hosts import untouched
from tests.support.long import only_long
from tests.support.playbook import SITE, refused, run, running, says, site
from tests.support.stack import eventually

testinfra_hosts = ["docker://pypi-rollout-1"]
READER = Login("reader", "reader-password")
LOCK = "/run/wheelhouse.pypi/pypi-server.lock"


def names(member: Member) -> list[str]:
    """Return the names of all containers, running or not."""
    return sorted(member.host.check_output("docker ps --all --format '{{.Names}}'").split())


def test_a_second_run_is_refused_before_anything_changes_and_the_first_succeeds(fleet: list[Member]) -> None:
    member = fleet[0]
    before = names(member)
    only = ("--limit", member.name)
    # All its containers are replaced, which takes the first run a while.
    with running(SITE, *only, pypi_log_max_size="6m") as first:
        eventually(lambda: member.host.file(LOCK).exists, "the first run holds the index", 60)
        for playbook in (SITE, "wheelhouse.pypi.users", "wheelhouse.pypi.uninstall"):
            second = run(playbook, *only)
            assert first.poll() is None, "the first run was over already"
            assert (second.code, second.changed) == (2, 0), second.output
            says(
                second.message(),
                f"Another run (process {first.pid} of ",
                "is at work on the index pypi-server. Nothing was changed. Wait until it has finished, then run again.",
                f"If it does not run any more, remove {LOCK} on this host.",
            )
        output, _ = first.communicate()
        assert first.returncode == 0, output
    assert names(member) == before
    assert set(member.stack.running()) == {"auth", "nginx", "pypi-server"}
    assert not member.host.file(LOCK).exists
    assert site(*only, pypi_log_max_size="6m").changed == 0


@only_long
def test_the_run_after_one_that_was_killed_does_not_wait(fleet: list[Member]) -> None:
    member = fleet[0]
    only = ("--limit", member.name)
    with running(SITE, *only, pypi_log_max_size="7m"):
        eventually(lambda: member.host.file(LOCK).exists, "the first run holds the index", 60)
    assert member.host.file(LOCK).exists
    site(*only)
    assert not member.host.file(LOCK).exists


@only_long
def test_a_run_of_another_controller_is_waited_for_six_hours(fleet: list[Member]) -> None:
    member = fleet[0]
    only = ("--limit", member.name)
    line = f"4242:1:0123456789abcdef:{member.name} 1795824000 alice@elsewhere"
    member.host.check_output(f"mkdir -p {LOCK.rpartition('/')[0]} && echo '{line}' > {LOCK}")
    with untouched(member.host):
        says(refused(*only), "Another run (process 4242 of alice@elsewhere, on this host since 2026-11-")
        # It changes nothing, and so is in no other's way.
        assert run(SITE, "--check", *only).code == 0
    member.host.check_output(f"touch --date '-361 minutes' {LOCK}")
    site(*only)
    assert not member.host.file(LOCK).exists


def test_a_run_that_is_refused_leaves_nothing_behind(fleet: list[Member]) -> None:
    member = fleet[0]
    refused("--limit", member.name, pypi_home="/home/pypi")
    assert not member.host.file(LOCK).exists


@only_long
def test_a_tree_of_another_account_is_refused_until_it_is_handed_over(fleet: list[Member]) -> None:
    member = fleet[0]
    home = member.stack.home
    member.host.check_output("id packager >/dev/null 2>&1 || useradd --system --user-group --no-create-home packager")
    for old, new in (("pypi", "packager"), ("packager", "pypi")):
        variables = {"pypi_system_user": new, "pypi_home": home}
        with untouched(member.host):
            message = refused("--limit", member.name, **variables)
        uid = member.host.check_output(f"id -u {old}")
        says(
            message,
            f"pypi_system_user: in {home}, index, logs, nginx_cache and packages belong to {old} (uid {uid})",
            f"and the service account is {new} (uid {member.host.check_output(f'id -u {new}')})",
            f"If not, set pypi_system_user: {old}.",
        )
        command = re.findall(r"chown --recursive --no-dereference --from=\d+ \d+:\d+ \S+", message)[0]
        assert shlex.split(command)[-1] == f"{home}/"
        member.host.check_output(command)
        site("--limit", member.name, **variables)
        assert member.index.request("/simple/fleet-test/", READER).status == 200
        assert site("--limit", member.name, **variables).changed == 0
        left = member.host.check_output(f"find {home} -user {old} -o -group {old}")
        assert left == "", left
