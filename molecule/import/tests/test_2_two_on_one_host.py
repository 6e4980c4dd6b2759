"""Indexes on one host have their own users, packages and ports, and leave each other alone."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.hosts import untouched
from tests.support.playbook import Run, applied, refused, run, says
from tests.support.stack import Stack

testinfra_hosts = ["ansible://pypi-import"]
HOMES = {"dev": "/home/pypi/dev", "release": "/home/releaser/release"}
TWO = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/inventory/two.yml"
DEVELOPER, RELEASER = Login("developer", "developer-password"), Login("publisher", "release-password")


@pytest.fixture(scope="module")
def home() -> str:
    return "/home/pypi/internal"


@pytest.fixture(scope="module")
def indexes(index: Index) -> dict[str, Index]:
    return {"first": index, "dev": Index(f"{index.url}:8082"), "release": Index(f"{index.url}:8083")}


@pytest.fixture(scope="module")
def stacks(host: Any, stack: Stack) -> dict[str, Stack]:
    return {"first": stack, **{name: Stack(host, folder) for name, folder in HOMES.items()}}


def site(names: str, **variables: Any) -> Run:
    return applied("wheelhouse.pypi.site", "--inventory", TWO, "--limit", names, **variables)


def state(stack: Stack) -> tuple[Any, ...]:
    """Return an index's containers and since when they run, its logins, packages and configuration."""
    # The access log grows with what these tests ask for.
    found = f"find {stack.home} \\( -path '*/nginx_cache' -o -path '*/logs' \\) -prune -o -type f -print0"
    files = f"{found} | sort -z | xargs -0 sha256sum"
    return stack.running(), stack.host.check_output(files)


def test_two_more_come_to_a_host_and_the_first_does_not_notice(
    indexes: dict[str, Index], stacks: dict[str, Stack]
) -> None:
    before = state(stacks["first"])
    site("pypi-dev,pypi-release")
    assert state(stacks["first"]) == before
    assert indexes["dev"].request("/simple/", DEVELOPER).status == 200
    assert indexes["release"].request("/simple/", RELEASER).status == 200


def test_each_has_its_own_users_and_packages(
    indexes: dict[str, Index], publisher: Login, tmp_path: Any, host: Any
) -> None:
    everybody = {"first": publisher, "dev": DEVELOPER, "release": RELEASER}
    for name, login in everybody.items():
        assert indexes[name].upload(login, packages.wheel(tmp_path, f"only-{name}")).status == 200
    for name, login in everybody.items():
        for other in everybody:
            found = indexes[name].request(f"/packages/only_{other}-1.0-py3-none-any.whl", login).status
            assert found == (200 if other == name else 404), (name, other)
            assert indexes[name].request("/simple/", everybody[other]).status == (200 if other == name else 401)


def test_the_name_of_another_index_is_refused(host: Any) -> None:
    with untouched(host):
        message = refused("--inventory", TWO, "--limit", "pypi-release", pypi_instance="dev")
    says(message, "pypi_instance: dev is the name of the index in /home/pypi/dev", "another pypi_instance")


def test_a_change_of_one_leaves_the_others_alone(indexes: dict[str, Index], stacks: dict[str, Stack]) -> None:
    before = {name: state(stack) for name, stack in stacks.items()}
    site("pypi-dev", pypi_http_port=8084, pypi_users=[{"name": "newcomer", "password": "newcomer-password"}])
    after = {name: state(stack) for name, stack in stacks.items()}
    assert [name for name in stacks if after[name] != before[name]] == ["dev"]
    assert (
        Index(f"{indexes['first'].url}:8084").request("/simple/", Login("newcomer", "newcomer-password")).status == 200
    )
    with pytest.raises(OSError):
        indexes["dev"].request("/")


def test_removing_one_leaves_the_others_alone(
    host: Any, indexes: dict[str, Index], stacks: dict[str, Stack], publisher: Login
) -> None:
    before = {name: state(stacks[name]) for name in ("first", "release")}
    done = run(
        "wheelhouse.pypi.uninstall", "--inventory", TWO, "--limit", "pypi-dev", variables={"pypi_remove_data": True}
    )
    assert done.code == 0, done.output
    assert not host.file(HOMES["dev"]).exists
    assert {name: state(stacks[name]) for name in ("first", "release")} == before
    networks = host.check_output("docker network ls --format '{{.Name}}'").split()
    assert not [name for name in networks if name.startswith("dev_")]
    assert indexes["first"].request("/simple/", publisher).status == 200
    assert indexes["release"].request("/packages/only_release-1.0-py3-none-any.whl", RELEASER).status == 200
