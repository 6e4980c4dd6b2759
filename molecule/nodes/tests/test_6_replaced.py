"""A lost node comes back as a new host: it takes what another one knows of all files, and shows the same."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.long import only_long
from tests.support.nodes import HOME, Node, differs
from tests.support.playbook import site
from tests.support.stack import eventually

pytestmark = only_long

# What is in index/ and is served, byte by byte.
_FILES = "find simple json packages -type f ! -name .complete -print0"
_SERVED = f"cd {HOME}/index && {_FILES} | sort -z | xargs -0 sha256sum | sha256sum"


@pytest.mark.usefixtures("whole")
def test_a_lost_node_is_replaced(nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]) -> None:
    first, _second, lost = nodes
    expected: dict[str, bytes] = {}

    def upload(version: str) -> None:
        file = packages.wheel(tmp_path, project, version, padding=os.urandom(2000))
        assert first.upload(file) == 200
        expected[file.name] = file.read_bytes()

    for number in range(5):
        upload(f"1.{number}")
    # All but the shared folder: the account and Docker are those of a host that was set up for it.
    lost.host.check_output(f"docker rm --force {lost.containers()}")
    lost.host.check_output(f"find {HOME} -mindepth 1 -maxdepth 1 ! -name packages -exec rm -rf {{}} +")
    upload("2.0")
    began = time.monotonic()
    site("--limit", lost.name)
    ran = time.monotonic() - began
    lost.wait_until_well(90)
    assert not (found := differs(lost, project, expected)), found
    log = lost.stack.compose("logs --no-log-prefix pypi-server")
    joined = re.findall(r"Joined in .*: \d+ files are known from node .*", log)
    assert joined, log
    assert "are read" not in log, log
    figures["a lost node"] = f"the run took {ran:.0f} s; {joined[-1]}"

    def same() -> bool:
        return len({node.host.check_output(_SERVED) for node in nodes}) == 1

    eventually(same, "all nodes serve the same", 30)
    upload("3.0")
    for node in nodes:
        assert not (found := differs(node, project, expected)), (node, found)
