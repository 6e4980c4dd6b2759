"""The three hosts, and the figures that the tests come to."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.ground.evidence import gather
from tests.support.nodes import Node, wait_until_healed
from tests.support.playbook import site
from tests.support.stack import eventually

NODES = [Node(f"pypi-nodes-{number}") for number in (1, 2, 3)]
NONE = "/packages/none-1.0-py3-none-any.whl"
FIGURES: dict[str, str] = {}


@pytest.fixture(scope="session")
def figures() -> dict[str, str]:
    """What was measured, for docs/nodes.md: a line for each at the end of the output."""
    return FIGURES


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """The hosts, all of them well, and left so."""
    for node in NODES:
        node.wait_until_well(90)
        # Not before all is known of every file it says that there is none.
        eventually(partial(_knows_what_is_not_there, node), f"{node.name} knows what is not there", 60)
    yield NODES
    for node in NODES:
        node.wait_until_well(90)
    wait_until_healed(NODES[0])


@pytest.fixture
def whole(nodes: list[Node]) -> Iterator[None]:
    """After a test that removes nodes and has failed, all of them are set up for the next one."""
    yield
    if any(node.health() != 200 for node in nodes):
        site()


def _knows_what_is_not_there(node: Node) -> bool:
    return node.get(NONE).status == 404


@pytest.fixture
def project() -> str:
    """A name that no other test uses."""
    return f"project-{uuid4().hex[:12]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show what all hosts look like when a test fails."""
    report: Any = yield
    if report.failed:
        report.sections.extend((f"evidence from {node.name}", gather(node.host)) for node in NODES)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures."""
    terminalreporter.section("figures")
    for name, text in FIGURES.items():
        terminalreporter.line(f"{name}: {text}")
