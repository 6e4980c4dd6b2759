"""Tools that people publish and install with: each does here what the table in docs/clients.md says."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import table
from tests.clients.every import CORE, TOOLS, attempt
from tests.clients.installers import Wanted, seed
from tests.clients.publishers import PUBLISHERS, files, release, squeezed
from tests.support.clients import Index, Login
from tests.support.stack import Stack, eventually

LONG = bool(os.environ.get("WHEELHOUSE_LONG"))


@pytest.fixture(scope="module")
def wanted(index: Index, publisher: Login, reader: Login, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    """What tools are to install; the index has nothing else that could take its place."""
    return seed(index, publisher, reader, tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def token(variables: Mapping[str, Any]) -> Login:
    """As CI publishes; with a password of their own, tools install."""
    (entry,) = (entry for entry in variables["pypi_tokens"] if entry["id"] == "tools")
    return Login("__token__", entry["secret"])


@pytest.mark.parametrize("name", TOOLS if LONG else CORE)
def test_a_tool_does_what_the_documentation_says(name: str, wanted: Wanted, token: Login, tmp_path: Path) -> None:
    installs, publishes = attempt(name, wanted, token, tmp_path, newest=not LONG)
    print(*(f"{one.tool.name} {one.tool.version} {text}" for one in (*installs, *publishes) for text in one.wrong))
    row, documented = table.row(name, installs, publishes), table.documented()[name]
    if LONG:
        assert row == documented
    else:
        # The newest release alone was tried: what it does is what the row says of it. Old pips: unit tests of pages.
        assert not any(one.wrong for one in (*installs, *publishes))
        assert table.shown(publishes) == documented.split("|")[4].strip()


@pytest.fixture(scope="module")
def expired(host: Any, index: Index, stack: Stack) -> Iterator[Login]:
    """A token whose time was over a second ago, and which no run has removed yet."""
    login = Login("__token__", f"wheelhouse_{uuid4().hex}{uuid4().hex}{0:08}")
    digest = hashlib.sha256(login.password.encode()).hexdigest()
    file, reload = (
        f"{stack.home}/authentication/tokens.conf",
        "exec -T nginx nginx -c /etc/pypi-nginx/nginx.conf -s reload",
    )
    host.check_output(f"cp --preserve {file} /root/tokens.conf")
    end = int(host.check_output("date +%s")) + 5
    host.check_output(f"printf '%%s\\n' %s >>{file}", f'"{digest}" "{end} over read publish";')
    stack.compose(reload)
    try:
        eventually(lambda: index.request("/simple/", login).status == 200, "the token is known", 4)
        time.sleep(max(0.0, end + 1 - time.time()))
        yield login
    finally:
        host.check_output(f"mv /root/tokens.conf {file}")
        stack.compose(reload)


# maturin alone shows no reason of a 403.
@pytest.mark.parametrize("name", [name for name in PUBLISHERS if LONG or name in CORE])
def test_a_publisher_says_what_is_wrong_with_a_token(
    name: str, index: Index, token: Login, expired: Login, reader: Login, tmp_path: Path
) -> None:
    command, tools = PUBLISHERS[name]
    tool = tools[-1]
    tool.install()
    project = f"not-by-{name}-{uuid4().hex[:8]}"
    folder = release(tool, tmp_path / "release", project)
    for login, reason in (
        (token, f"The token tools has no right to publish {project}."),
        (expired, "This token has expired - ask the operator of this index for another"),
    ):
        done = command(tool, folder, index, login)
        assert done.returncode, done.stdout
        assert squeezed(reason) in squeezed(done.stdout) or (name == "maturin" and login is token), done.stdout
        assert login.password not in done.stdout
        assert files(index, reader, project) == []
