"""Private and public projects install by one address, whichever needs the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.clients import installers, tools
from tests.clients.tools import Tool
from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.one_url import OneUrl, installed
from tests.support.public_index import PublicIndex

Done = CompletedProcess[str]
# What flask needs is real, and public.
FLASK = {"flask-3.1.3", "werkzeug-3.1.9", "jinja2-3.1.6", "markupsafe-3.0.4", "itsdangerous-2.2.0", "blinker-1.9.0"}
# 8.2.2, between the two, was yanked.
CLICK = "click-8.5.1"


@pytest.fixture(scope="module", autouse=True)
def ours(index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two private projects: an application, which needs the other and a public one."""
    folder = tmp_path_factory.mktemp("ours")
    needs = "Requires-Dist: acme-base\nRequires-Dist: flask\n"
    for file in (packages.wheel(folder, "acme-base"), packages.wheel(folder, "acme-app", more=needs)):
        answer = index.upload(publisher, file)
        assert answer.status == 200, answer


def by_pip(index: Index, reader: Login, folder: Path, project: str) -> Done:
    return index.pip_install(reader, folder / "taken", project)


def by_uv(index: Index, reader: Login, folder: Path, project: str) -> Done:
    return index.uv_install(reader, folder / "taken", project)


def by(tool: Tool) -> Callable[[Index, Login, Path, str], Done]:
    """Return what installs by the newest release of a tool, in a project of its own, by a lock."""

    def install(index: Index, reader: Login, folder: Path, project: str) -> Done:
        tool.install()
        command, _releases = installers.INSTALLERS[tool.name]
        return command(tool, folder, installers.Wanted(project, "", index.with_login(reader), index, reader))

    return install


CLIENTS = {"pip": by_pip, "uv": by_uv, "poetry": by(tools.POETRY[-1]), "pdm": by(tools.PDM[-1])}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("project", "wanted"),
    [
        ("acme-app", {"acme_app-1.0", "acme_base-1.0", CLICK, *FLASK}),
        ("plugin-for-acme", {"plugin_for_acme-1.0", "acme_base-1.0", CLICK}),
    ],
    ids=["a private one needs public ones", "a public one needs a private one"],
)
def test_one_address_is_enough(
    client: str, project: str, wanted: set[str], index: Index, reader: Login, tmp_path: Path
) -> None:
    done = CLIENTS[client](index, reader, tmp_path, project)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    # Environments have a pip beside it.
    found = {name for name in installed(tmp_path) if not name.startswith(("pip-", "setuptools-", "wheel-"))}
    assert found == wanted, done.stdout


def test_a_yanked_release_is_taken_only_if_it_is_pinned(
    one: OneUrl, index: Index, reader: Login, tmp_path: Path
) -> None:
    done = index.pip_install(reader, tmp_path / "range", "click<8.5")
    assert installed(tmp_path / "range") == {"click-8.1.8"}, done.stdout + done.stderr
    done = index.pip_install(reader, tmp_path / "pinned", "click==8.2.2")
    assert installed(tmp_path / "pinned") == {"click-8.2.2"}, done.stdout + done.stderr
    assert "Unintended change" in done.stdout + done.stderr


def test_what_is_published_here_is_found_beside_public_projects(
    index: Index, publisher: Login, reader: Login, work: Path, fresh: str
) -> None:
    name = "acme-late"
    for version in ("1.0", "1.1"):
        file = packages.wheel(work, name, version, more=f"Requires-Dist: {fresh}<2\n")
        assert index.upload(publisher, file).status == 200
        target = work / version
        done = index.uv_install(reader, target, name)
        wanted = {f"acme_late-{version}", f"{packages.escaped(fresh)}-1.0"}
        assert installed(target) == wanted, done.stdout + done.stderr


def test_a_public_source_distribution_and_a_local_version_install(index: Index, reader: Login, tmp_path: Path) -> None:
    done = index.pip_install(reader, tmp_path / "taken", "source-only", "local==1.0+cpu")
    assert installed(tmp_path / "taken") == {"source_only-1.0", "local-1.0+cpu"}, done.stdout + done.stderr


def test_another_upstream_answers_for_its_names_alone(
    index: Index, reader: Login, public: PublicIndex, tmp_path: Path
) -> None:
    done = index.pip_install(reader, tmp_path / "taken", "torch-vision")
    assert installed(tmp_path / "taken") == {"torch-2.0", "torch_vision-1.0"}, done.stdout + done.stderr
    asked = [entry for entry in public.log() if entry.get("host")]
    assert {entry["host"] for entry in asked} == {"wheels.example.net"}
    assert all(entry["headers"].get("authorization", "").startswith("Basic ") for entry in asked), "its login is sent"
