"""What publishes: each tool finishes a half-published release, repeats it, and shows why an index refuses."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.clients import tools
from tests.clients.tools import Tool, run
from tests.support import packages
from tests.support.clients import Answer, Index, Login

Done = subprocess.CompletedProcess[str]
Command = Callable[[Tool, Path, Index, Login], Done]
_PYPROJECT = """[build-system]
requires = ["flit_core>=3"]
build-backend = "flit_core.buildapi"

[project]
name = "{name}"
version = "1.0"
description = "A test"
"""
# poetry 1 reads its own table alone.
_POETRY_1 = """
[tool.poetry]
name = "{name}"
version = "1.0"
description = "A test"
authors = []
"""


@dataclass(frozen=True)
class Tried:
    """What came out of a tool.

    Attributes:
        tool: the tool.
        wrong: a sentence per thing that did not work, with what the tool said; none is well.
        hidden: status codes of refusals whose reason it does not show.
    """

    tool: Tool
    wrong: tuple[str, ...]
    hidden: tuple[str, ...] = ()


def _dist(folder: Path) -> list[str]:
    return sorted(str(path) for path in (folder / "dist").iterdir())


def twine(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by twine."""
    words = ["upload", "--non-interactive", "--disable-progress-bar", "--repository-url", f"{index.url}/"]
    variables = {"TWINE_USERNAME": login.name, "TWINE_PASSWORD": login.password}
    return run([tool.program(), *words, *_dist(folder)], folder, variables)


def uv(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by uv, without a look at the index before."""
    variables = {"UV_PUBLISH_USERNAME": login.name, "UV_PUBLISH_PASSWORD": login.password}
    return run([tool.program(), "publish", "--publish-url", f"{index.url}/", *_dist(folder)], folder, variables)


def poetry(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by poetry."""
    variables = {
        "POETRY_REPOSITORIES_COMPANY_URL": f"{index.url}/",
        "POETRY_HTTP_BASIC_COMPANY_USERNAME": login.name,
        "POETRY_HTTP_BASIC_COMPANY_PASSWORD": login.password,
    }
    return run([tool.program(), "publish", "--no-interaction", "--repository", "company"], folder, variables)


def pdm(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by PDM."""
    names = {"REPO": f"{index.url}/", "USERNAME": login.name, "PASSWORD": login.password}
    variables = {f"PDM_PUBLISH_{name}": value for name, value in names.items()}
    return run([tool.program(), "publish", "--no-build"], folder, {**variables, "PDM_CHECK_UPDATE": "0"})


def hatch(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by hatch."""
    variables = {
        "HATCH_INDEX_REPO": f"{index.url}/",
        "HATCH_INDEX_USER": login.name,
        "HATCH_INDEX_AUTH": login.password,
    }
    return run([tool.program(), "publish", "--no-prompt", *_dist(folder)], folder, variables)


def flit(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by flit, which builds first; the same sources become the same bytes."""
    variables = {"FLIT_INDEX_URL": f"{index.url}/", "FLIT_USERNAME": login.name, "FLIT_PASSWORD": login.password}
    return run([tool.program(), "publish"], folder, {**variables, "SOURCE_DATE_EPOCH": "1577836800"})


def maturin(tool: Tool, folder: Path, index: Index, login: Login) -> Done:
    """Upload by maturin."""
    variables = {"MATURIN_USERNAME": login.name, "MATURIN_PASSWORD": login.password}
    words = ["upload", "--non-interactive", "--repository-url", f"{index.url}/"]
    return run([tool.program(), *words, *_dist(folder)], folder, variables)


PUBLISHERS: dict[str, tuple[Command, tuple[Tool, ...]]] = {
    "twine": (twine, tools.TWINE),
    "uv": (uv, tools.UVS),
    "poetry": (poetry, tools.POETRY),
    "pdm": (pdm, tools.PDM),
    "hatch": (hatch, tools.HATCH),
    "flit": (flit, tools.FLIT),
    "maturin": (maturin, tools.MATURIN),
}


def release(tool: Tool, folder: Path, name: str, content: str = "") -> Path:
    """Make a project with both files of its release in dist/; another content makes other files of the same names."""
    folder.mkdir()
    module = packages.escaped(name)
    text = _PYPROJECT + (_POETRY_1 if tool.name == "poetry" and tool.version.startswith("1.") else "")
    (folder / "pyproject.toml").write_text(text.format(name=name), encoding="utf-8")
    (folder / f"{module}.py").write_text(f'"""A test. {content}"""\n\n__version__ = "1.0"\n', encoding="utf-8")
    if tool.name == "flit":
        done = run([tool.program(), "build"], folder, {"SOURCE_DATE_EPOCH": "1577836800"})
        assert done.returncode == 0, done.stdout
    else:
        (folder / "dist").mkdir()
        more = f"Keywords: {content}\n" if content else ""
        packages.wheel(folder / "dist", name, more=more)
        packages.sdist(folder / "dist", name, more=more)
    return folder


def attempt(tool: Tool, command: Command, index: Index, publisher: Login, reader: Login, work: Path) -> Tried:
    """Publish by a tool in every way that people do; return what did not work."""
    tool.install()
    name = f"by-{tool.name}-{uuid4().hex[:8]}"
    wrong: list[str] = []
    folder = release(tool, work / f"{tool.name}-{tool.version}", name)
    whole = sorted(path.name for path in (folder / "dist").iterdir())

    # Another job was ended after its first file.
    first = next((folder / "dist").glob("*.whl"))
    assert index.upload(publisher, first).status == 200
    for what in ("finish a half-published release", "repeat a published release"):
        done = command(tool, folder, index, publisher)
        if done.returncode or files(index, reader, name) != whole:
            wrong.append(f"cannot {what}: code {done.returncode}, {files(index, reader, name)}\n{done.stdout}")

    hidden: list[str] = []
    changed = release(tool, work / f"{tool.name}-{tool.version}-changed", name, "changed")
    # Of another project: hatch does not send what a page lists.
    other = release(tool, work / f"{tool.name}-{tool.version}-other", f"{name}-other")
    for status, folder, login in (
        ("409", changed, publisher),
        ("403", other, reader),
        ("401", other, Login(publisher.name, f"no-{uuid4().hex}")),
    ):
        done = command(tool, folder, index, login)
        if not done.returncode and "already exists" not in done.stdout:
            wrong.append(f"says that all is well, and the index has refused with {status}\n{done.stdout}")
        # Some send the sdist first.
        said = [reason(index.upload(login, path)) for path in sorted((folder / "dist").iterdir())]
        assert status != "409" or all("already exists" in text for text in said), said
        if not any(squeezed(text) in squeezed(done.stdout) for text in said):
            hidden.append(status)
    return Tried(tool, tuple(wrong), tuple(sorted(hidden)))


def files(index: Index, reader: Login, name: str) -> list[str]:
    """Return what the project's page lists."""
    page = index.request(f"/simple/{name}/", reader).body.decode()
    return sorted(re.findall(r">([^<>]+\.(?:whl|tar\.gz))</a>", page))


def reason(answer: Answer) -> str:
    """Return the words of a refusal: the line that is its body."""
    return answer.body.decode().strip()


def squeezed(text: str) -> str:
    """Return text without blanks, line breaks and what tools draw around it."""
    return re.sub(r"[\s│┃|]+", "", text)
