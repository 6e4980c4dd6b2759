"""All tools by name, as publishers and as installers."""

from __future__ import annotations

from pathlib import Path

from tests.clients import installers, publishers
from tests.clients.installers import INSTALLERS, Wanted
from tests.clients.publishers import PUBLISHERS, Tried
from tests.support.clients import Login

TOOLS = tuple(dict.fromkeys((*INSTALLERS, *PUBLISHERS)))
# What `make test` tries; the rest is for `make test-long`.
CORE = ("pip", "uv", "twine", "poetry")


def attempt(name: str, wanted: Wanted, publisher: Login, work: Path, newest: bool) -> tuple[list[Tried], list[Tried]]:
    """Install and publish by a tool; return what came out, from old releases to new.

    Args:
        name: the tool.
        wanted: what it is to install.
        publisher: who publishes.
        work: an empty folder.
        newest: the newest release alone.
    """

    def some(tools: tuple[publishers.Tool, ...]) -> tuple[publishers.Tool, ...]:
        return tools[-1:] if newest else tools

    command, tools = INSTALLERS.get(name, (None, ()))
    (work / "install").mkdir()
    installs = [installers.attempt(tool, command, wanted, work / "install") for tool in some(tools) if command]
    publish, tools = PUBLISHERS.get(name, (None, ()))
    (work / "publish").mkdir()
    publishes = [
        publishers.attempt(tool, publish, wanted.index, publisher, wanted.login, work / "publish")
        for tool in some(tools)
        if publish
    ]
    return installs, publishes
