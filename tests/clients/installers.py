"""What installs: each tool takes the release that fits, and what it requires, from an index that is the only one."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.clients import tools
from tests.clients.publishers import Tried
from tests.clients.tools import Tool, run
from tests.support import packages, pips
from tests.support.clients import Index, Login

Done = subprocess.CompletedProcess[str]
SECTION = """[project]
name = "wants"
version = "1.0"
requires-python = ">=3.11"
dependencies = []
"""


@dataclass(frozen=True)
class Wanted:
    """What a tool is asked for.

    Attributes:
        project: its 1.0 fits and needs 1.5 of the other, its 2.0 is for a Python to come.
        needed: the other; its newest release does not fit.
        address: the pages with a reader's login in them.
        index: the index.
        login: the reader.
    """

    project: str
    needed: str
    address: str
    index: Index
    login: Login

    @property
    def pages(self) -> str:
        """The address of the pages without the login."""
        return f"{self.index.url}/simple/"

    @property
    def host(self) -> str:
        """The host's name."""
        return re.sub(r"^\w+://([^/:]+).*", r"\1", self.index.url)

    def pip(self) -> dict[str, str]:
        """Return pip's settings for the index."""
        return {"PIP_INDEX_URL": self.address, "PIP_TRUSTED_HOST": self.host, "PIP_NO_CACHE_DIR": "1"}

    def uv(self) -> dict[str, str]:
        """Return uv's settings for the index."""
        return {"UV_DEFAULT_INDEX": self.address, "UV_NO_CACHE": "1", "UV_PYTHON_DOWNLOADS": "never"}


Command = Callable[[Tool, Path, Wanted], Done]


def pip(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Install by pip."""
    options = ["--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-input", "--target", "taken"]
    words = ["install", *options, "--trusted-host", wanted.host, "--index-url", wanted.address, wanted.project]
    return run([*pips.command(tool.version), *words], folder, {})


def uv(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Lock and sync a project by uv, with the login apart."""
    index = f'[[tool.uv.index]]\nname = "company"\nurl = "{wanted.pages}"\ndefault = true\n'
    text = SECTION.replace("[]", f'["{wanted.project}"]')
    (folder / "pyproject.toml").write_text(f"{text}\n{index}", encoding="utf-8")
    login = {"UV_INDEX_COMPANY_USERNAME": wanted.login.name, "UV_INDEX_COMPANY_PASSWORD": wanted.login.password}
    python = {"UV_NO_CACHE": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": tool.program("python")}
    return run([tool.program(), "sync"], folder, {**login, **python})


def poetry(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Lock and install a project by poetry."""
    head = '[tool.poetry]\nname = "wants"\nversion = "1.0"\ndescription = ""\nauthors = []\npackage-mode = false\n'
    source = f'[[tool.poetry.source]]\nname = "company"\nurl = "{wanted.pages}"\npriority = "primary"\n'
    text = f'{head}\n[tool.poetry.dependencies]\npython = "^3.11"\n{wanted.project} = "*"\n\n{source}'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    login = {"USERNAME": wanted.login.name, "PASSWORD": wanted.login.password}
    variables = {f"POETRY_HTTP_BASIC_COMPANY_{name}": value for name, value in login.items()}
    variables["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    return run([tool.program(), "install", "--no-interaction"], folder, variables)


def pdm(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Add to a project by PDM."""
    address = wanted.pages.replace("://", "://${INDEX_USER}:${INDEX_PASSWORD}@")
    source = f'[tool.pdm]\ndistribution = false\n\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{address}"\n'
    (folder / "pyproject.toml").write_text(f"{SECTION}\n{source}verify_ssl = false\n", encoding="utf-8")
    login = {"INDEX_USER": wanted.login.name, "INDEX_PASSWORD": wanted.login.password}
    return run([tool.program(), "add", wanted.project], folder, {**login, "PDM_CHECK_UPDATE": "0"})


def hatch(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Make an environment by hatch, which has uv install."""
    environment = f'installer = "uv"\nskip-install = true\ndependencies = ["{wanted.project}"]\n'
    text = f"{SECTION}\n[tool.hatch.envs.default]\n{environment}"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    variables = {**wanted.uv(), "HATCH_DATA_DIR": str(folder / "data"), "HATCH_CACHE_DIR": str(folder / "cache")}
    # Old releases bring an old uv along, which has another name for the default index.
    variables["UV_INDEX_URL"] = wanted.address
    return run([tool.program(), "run", "python", "-c", ""], folder, variables)


def pipenv(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Lock and install by pipenv."""
    address = wanted.pages.replace("://", "://${INDEX_USER}:${INDEX_PASSWORD}@")
    text = (
        f'[[source]]\nname = "company"\nurl = "{address}"\nverify_ssl = false\n\n[packages]\n{wanted.project} = "*"\n'
    )
    (folder / "Pipfile").write_text(text, encoding="utf-8")
    login = {"INDEX_USER": wanted.login.name, "INDEX_PASSWORD": wanted.login.password}
    variables = {**login, "PIPENV_VENV_IN_PROJECT": "1", "PIPENV_NOSPIN": "1", "PIP_NO_CACHE_DIR": "1"}
    return run([tool.program(), "install"], folder, variables)


def pip_tools(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Pin by pip-compile, with hashes; install by pip-sync."""
    (folder / "requirements.in").write_text(f"{wanted.project}\n", encoding="utf-8")
    words = ["--no-emit-index-url", "--no-emit-trusted-host", "--generate-hashes", "--cache-dir", "cache"]
    done = run([tool.program("pip-compile"), *words, "requirements.in"], folder, wanted.pip())
    if done.returncode:
        return done
    text = (folder / "requirements.txt").read_text(encoding="utf-8")
    assert wanted.login.password not in text, "the password is in requirements.txt"
    made = run([tool.program("python"), "-m", "venv", ".venv"], folder, {})
    words = ["--python-executable", str(folder / ".venv" / "bin" / "python"), "requirements.txt"]
    return made if made.returncode else run([tool.program("pip-sync"), *words], folder, wanted.pip())


def pipx(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Install a program by pipx."""
    return run([tool.program(), "install", wanted.project], folder, {**wanted.pip(), "PIPX_HOME": str(folder / "pipx")})


def pex(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Make one file by pex, and unpack it to see what is in it."""
    words = ["--no-pypi", "--index-url", wanted.address, "--use-pip-config", "--output-file", "made.pex"]
    done = run([tool.program(), *words, wanted.project], folder, {**wanted.pip(), "PEX_ROOT": str(folder / "root")})
    if not done.returncode:
        zipfile.ZipFile(folder / "made.pex").extractall(folder / "taken")
    return done


def build(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Build in isolation by build: what the build requires comes from the index."""
    system = f'[build-system]\nrequires = ["flit_core", "{wanted.project}"]\nbuild-backend = "flit_core.buildapi"\n'
    (folder / "pyproject.toml").write_text(f'{system}\n{SECTION}description = "A test"\n', encoding="utf-8")
    (folder / "wants.py").write_text(
        f"import importlib.metadata as m\nprint(m.version('{wanted.project}'))\n", encoding="utf-8"
    )
    return run([tool.program("pyproject-build"), "--verbose"], folder, wanted.pip())


def tox_uv(tool: Tool, folder: Path, wanted: Wanted) -> Done:
    """Make an environment by tox with tox-uv."""
    text = f"[tox]\nskipsdist = true\nenvlist = py\n\n[testenv]\ndeps = {wanted.project}\ncommands = python -c pass\n"
    (folder / "tox.ini").write_text(text, encoding="utf-8")
    return run([tool.program()], folder, wanted.uv())


PIP = (*(Tool("pip", version) for version in pips.OLD), Tool("pip", pips.NEWEST))
INSTALLERS: dict[str, tuple[Command, tuple[Tool, ...]]] = {
    "pip": (pip, PIP),
    "uv": (uv, tools.UVS),
    "poetry": (poetry, tools.POETRY),
    "pdm": (pdm, tools.PDM),
    "hatch": (hatch, tools.HATCH),
    "pipenv": (pipenv, tools.PIPENV),
    "pip-tools": (pip_tools, tools.PIP_TOOLS),
    "pipx": (pipx, tools.PIPX),
    "pex": (pex, tools.PEX),
    "build": (build, tools.BUILD),
    "tox-uv": (tox_uv, tools.TOX_UV),
}


def seed(index: Index, publisher: Login, reader: Login, work: Path) -> Wanted:
    """Publish what installers are asked for, and what they begin with where the index is the only one."""
    project = f"wanted-{uuid4().hex[:8]}"
    needed = f"{project}-needed"
    work.mkdir(exist_ok=True)
    files = [
        packages.wheel(work, needed, "1.5"),
        packages.wheel(work, needed, "2.0"),
        packages.wheel(work, project, "1.0", more=f"Requires-Dist: {needed}<2\n", command=project),
        packages.wheel(work, project, "2.0", more="Requires-Python: >=9\n"),
        packages.sdist(work, project, "3.0", more="Requires-Python: >=9\n"),
        *tools.seeds(),
    ]
    for file in files:
        answer = index.upload(publisher, file)
        # Of an earlier run.
        assert answer.status == 200 or file in tools.seeds(), (file.name, answer)
    return Wanted(project, needed, index.with_login(reader), index, reader)


def attempt(tool: Tool, command: Command, wanted: Wanted, work: Path) -> Tried:
    """Install by a tool; return what did not work."""
    if tool.name != "pip":
        tool.install()
    folder = work / f"{tool.name}-{tool.version}"
    folder.mkdir()
    done = command(tool, folder, wanted)
    if done.returncode:
        return Tried(tool, (f"fails with code {done.returncode}\n{done.stdout}",))
    taken = set(taken_releases(folder, done.stdout))
    right = {f"{packages.escaped(wanted.project)}-1.0", f"{packages.escaped(wanted.needed)}-1.5"}
    return Tried(tool, () if taken == right else (f"takes {sorted(taken)}, not {sorted(right)}\n{done.stdout}",))


def taken_releases(folder: Path, said: str) -> Iterator[str]:
    """Find the releases that a tool has installed below a folder; of an environment that it has removed, what it said."""
    for path in folder.rglob("*.dist-info"):
        if path.name.startswith("wanted_"):
            yield path.name.removesuffix(".dist-info")
    for match in re.finditer(r"Successfully installed (.*)", re.sub("\x1b\\[[0-9;]*m", "", said)):
        for word in re.findall(r"wanted[-_]\S+", match[1]):
            yield packages.escaped(word.rpartition("-")[0]) + "-" + word.rpartition("-")[2]
