"""Several hosts that are one index: what is refused about their names, addresses and values, in words that help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import nodes, values

GROUPS = {"all": ["a", "b", "c", "z"], "ungrouped": [], "eu": ["a", "b", "c"], "us": ["z"], "none": []}


def inventory(**hosts: dict[str, Any]) -> Callable[[str, str], Any]:
    """What the inventory says, host by host."""
    return lambda host, name: hosts.get(host, {}).get(name, nodes.MISSING)


def found(group: str, host: str, **hosts: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in nodes.problems(group, host, GROUPS, inventory(**hosts))]


def of_names(names: list[str]) -> str:
    """The one problem of nodes with these names."""
    every = map(str, nodes.problems("x", names[0], {"x": names}, inventory()))
    (problem,) = [one for one in every if one.startswith("pypi_nodes")]
    return problem


@pytest.mark.parametrize("host", ["a", "b", "c"])
def test_hosts_of_a_group_are_nodes(host: str) -> None:
    assert found("eu", host) == []


@pytest.mark.parametrize(
    ("group", "host", "said"),
    [
        ("ue", "a", "pypi_nodes: 'ue' is not a group of the inventory; name one; it has eu, none, us"),
        ("none", "a", "pypi_nodes: the group none has no hosts; add the nodes to it"),
        ("eu", "z", "pypi_nodes: z is not in the group eu; add it there, or set pypi_nodes in group_vars/eu.yml only"),
        ("us", "z", "pypi_nodes: the group us has z alone; add a host, or remove pypi_nodes"),
    ],
)
def test_a_group_has_this_host_and_others(group: str, host: str, said: str) -> None:
    assert found(group, host) == [said]


@pytest.mark.parametrize("name", ["_a", "a-", "-a", ".a", "key", "Key", "a b", "ä", "a/b"])
def test_names_of_nodes_can_be_folders_and_parts_of_an_address(name: str) -> None:
    assert f"{name!r} cannot be the name of a node; rename the host in the inventory" in of_names([name, "b"])


def test_names_of_nodes_are_as_inventories_have_them() -> None:
    hosts = ["pypi-1_i-0c735f7e990300e4a", "pypi.example.com", "B2"]
    addresses = {host: {"ansible_host": "192.0.2.1", "pypi_http_port": number} for number, host in enumerate(hosts)}
    assert [*nodes.problems("x", hosts[0], {"x": hosts}, inventory(**addresses))] == []


def test_names_differ_in_more_than_case() -> None:
    said = "pypi_nodes: a and A differ in case alone; rename one of them in the inventory"
    assert of_names(["a", "A", "b"]) == said


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "a"),
        ({"ansible_host": "192.0.2.1"}, "192.0.2.1"),
        ({"ansible_host": "192.0.2.1", "pypi_node_address": "10.0.0.1"}, "10.0.0.1"),
        ({"ansible_host": "192.0.2.1", "pypi_node_address": ""}, "192.0.2.1"),
    ],
)
def test_a_node_is_reached_where_the_inventory_says(given: dict[str, Any], where: str) -> None:
    assert nodes.address("a", inventory(a=given)) == where


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("127.0.0.1", "b is reached at 127.0.0.1, which is every host itself"),
        ("::1", "b is reached at ::1, which is every host itself"),
        ("localhost", "b is reached at localhost, which is every host itself"),
        ("http://b", "b is reached at 'http://b', which is not an address"),
        ("b:80", "b is reached at 'b:80', which is not an address"),
        ("b;", "b is reached at 'b;', which is not an address"),
        ("192.0.2", "b is reached at '192.0.2', which is not an address"),
        ("fe80::1%eth0", "b is reached at 'fe80::1%eth0', which is not an address"),
    ],
)
def test_other_nodes_reach_a_node(where: str, said: str) -> None:
    assert found("eu", "a", b={"ansible_host": where}) == [
        f"pypi_node_address: {said}; set pypi_node_address of that host"
    ]


def test_two_nodes_have_two_addresses() -> None:
    at = {"ansible_host": "192.0.2.1"}
    (problem,) = found("eu", "a", b=at, c=at)
    assert problem.startswith("pypi_node_address: b and c have the same address, 192.0.2.1; set pypi_node_address")
    assert found("eu", "a", b=at | {"pypi_http_port": 8001}, c=at | {"pypi_http_port": 8002}) == []


def test_a_node_is_not_given_the_address_of_another() -> None:
    given = {
        "a": {"ansible_host": "192.0.2.1", "pypi_node_address": "192.0.2.2"},
        "b": {"ansible_host": "192.0.2.2", "pypi_node_address": "10.0.0.2"},
        "c": {"pypi_node_address": "10.0.0.3"},
    }
    assert found("eu", "a", **given) == [
        "pypi_node_address: a has 192.0.2.2, which is the address of b; give the address of a itself"
    ]
    given["a"]["pypi_node_address"] = "c"
    assert found("eu", "a", **given) == [
        "pypi_node_address: a has c, which is the address of c; give the address of a itself"
    ]
    # Which have the same address, as another rule says.
    given["b"].pop("pypi_node_address")
    given["a"]["pypi_node_address"] = "192.0.2.2"
    (problem,) = found("eu", "a", **given)
    assert "a and b have the same address" in problem


@pytest.mark.parametrize("value", [["a", "b"], {"a": {}}])
def test_nodes_are_given_by_their_group(value: Any) -> None:
    (problem,) = rules.problems({"pypi_nodes": value})
    assert str(problem) == (
        "pypi_nodes: is the name of a group of the inventory, and not its hosts; put the nodes into a group of their own, "
        "and give its name, such as pypi_nodes: pypi_eu"
    )


@pytest.mark.parametrize("address", ["", "pypi-1.example.com", "192.0.2.1", "2001:db8::1"])
def test_an_address_is_a_name_or_an_ip(address: str) -> None:
    assert rules.problems({"pypi_node_address": address}) == []


@pytest.mark.parametrize("address", ["https://b", "b:80", "b c", "1.2.3", "[::1]"])
def test_an_address_is_no_url(address: str) -> None:
    (problem,) = rules.problems({"pypi_node_address": address})
    assert str(problem).startswith(f"pypi_node_address: {address!r} is not an address; give a name or an IP address")


def test_a_value_is_the_same_on_all_nodes() -> None:
    given: dict[str, dict[str, Any]] = {"a": {"pypi_trash": "7d"}, "b": {}, "c": {"pypi_trash": "7d"}}
    mend = "give all nodes the same value, in group_vars of their group"
    assert found("eu", "a", **given) == [f"pypi_trash: is '7d' on a and '14d' on b; {mend}"]
    assert found("eu", "b", **given) == [f"pypi_trash: is '14d' on b and '7d' on a; {mend}"]
    assert found("eu", "c", **given) == []


def test_what_means_the_same_is_the_same() -> None:
    said: list[Any] = ["no", False]
    given: dict[str, dict[str, Any]] = {host: {"pypi_anonymous_uploads": one} for host, one in zip("ab", said)}
    given["c"] = {"pypi_url": None}
    assert [found("eu", host, **given) for host in "abc"] == [[], [], []]


def test_a_default_that_is_made_of_others_is_shown_as_not_set() -> None:
    (problem,) = found("eu", "b", a={"pypi_image_pypiserver": "x/pypiserver:1"})
    assert problem.startswith("pypi_image_pypiserver: is not set on b and 'x/pypiserver:1' on a; ")


def test_no_secret_is_shown(assert_no_secret: Callable[..., None]) -> None:
    users = [{"name": "alice", "password": "S3cret"}]
    (problem,) = found("eu", "b", a={"pypi_users": users})
    assert problem.startswith("pypi_users: differs between b and a; ")
    assert_no_secret(problem)


@pytest.mark.parametrize(
    ("variable", "one", "other"),
    [
        ("pypi_private_names", ["acme-*"], []),
        ("pypi_shadowed_names", ["torch"], ["torch", "numpy"]),
        ("pypi_upstream_minimum_age", "3d", "2d"),
        ("pypi_upstream_denied", ["evil"], ["evil<2"]),
        ("pypi_upstream_allowed", ["requests"], []),
        ("pypi_upstream_exempt", ["urgent==1"], []),
        ("pypi_upstream_freshness", "5s", "6s"),
        ("pypi_upstream_ca_file", "/a.pem", ""),
    ],
)
def test_what_is_asked_of_upstreams_is_the_same_on_all_nodes(variable: str, one: Any, other: Any) -> None:
    (problem,) = found("eu", "b", a={variable: one}, b={variable: other})
    assert problem.startswith(f"{variable}: is {other!r} on b and {one!r} on a; give all nodes the same value")


def test_upstreams_are_the_same_on_all_nodes_and_their_logins_are_not_shown(
    assert_no_secret: Callable[..., None],
) -> None:
    upstream = {"url": "https://x/simple/", "username": "ci", "password": "S3cret"}
    (problem,) = found(
        "eu", "b", a={"pypi_upstreams": [upstream]}, b={"pypi_upstreams": [{**upstream, "names": ["y"]}]}
    )
    assert problem.startswith("pypi_upstreams: differs between b and a; ")
    assert_no_secret(problem)


def test_all_that_is_compared_is_public_and_secrets_are_known() -> None:
    assert {*nodes.SAME} <= {*rules.specs.public()}
    hidden = {name for name in nodes.SAME if "password" in str(rules.specs.public()[name].get("options", ""))}
    assert hidden <= {*nodes._SECRET}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pypi_overwrite": True}, "pypi_overwrite: is not supported on several hosts"),
        ({"pypi_tls": "acme"}, "pypi_tls: acme does not work on several hosts"),
        ({"pypi_freshness": "31s"}, "pypi_freshness: 31s is too long for several hosts"),
        ({"pypi_bind_address": "127.0.0.1"}, "pypi_bind_address: 127.0.0.1 is reached by this host alone"),
    ],
)
def test_what_does_not_work_on_several_hosts_is_refused_there(given: dict[str, Any], said: str) -> None:
    (problem,) = nodes.can_be_shared({"pypi_nodes": "eu", **given})
    assert isinstance(problem, values.Problem)
    assert str(problem).startswith(said)
    assert problem.mend
    assert list(nodes.can_be_shared({"pypi_nodes": "", **given})) == []


@pytest.mark.parametrize("freshness", ["30s", "2s", "never"])
def test_what_works_on_several_hosts_is_allowed(freshness: str) -> None:
    given: dict[str, Any] = {"pypi_overwrite": "no", "pypi_tls": "provided", "pypi_bind_address": "0.0.0.0"}
    given["pypi_upstreams"] = [{"url": "https://x/simple/"}]
    assert list(nodes.can_be_shared({"pypi_nodes": "eu", "pypi_freshness": freshness, **given})) == []


def test_what_touches_the_packages_of_all_nodes_is_refused() -> None:
    assert [one.variable for one in nodes.emptied("eu", "true")] == ["pypi_remove_data"]
    assert list(nodes.emptied("eu", "false")) == list(nodes.emptied("", "true")) == []
