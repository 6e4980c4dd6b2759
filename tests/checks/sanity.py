"""``ansible-test sanity`` on a copy of the tree, in the folder that it asks for: ``python -m tests.checks.sanity``.

ansible-test makes virtual environments in the home folder, with a pip that it downloads from a host of its own, and
passes on no settings of pip. Here it gets a home below ``.cache``, where a stand-in for that download makes a ``pip``
that hands its work on to uv: the package index is all that is needed, and eight environments take seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.collection import CACHE, FOLDER, ROOT, tracked
from tests.ground.uvenv import uv_environment

HOME = CACHE / "sanity"
PROGRAMS = Path(sys.executable).parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# The project's own tools are not part of the collection: ruff and mypy look after them.
LEFT_OUT = ("bench", "molecule", "tests", "findings")

# What uv may need and ansible-test keeps back.
_PASSED_ON = re.compile(r"UV_.+|SSL_CERT_(FILE|DIR)|((https?|all|no)_proxy)", re.IGNORECASE)
_PIP_RELEASE = re.compile(r"\bpip='(?P<release>[\d.]+)'")
_GET_PIP = """\
import pathlib, sysconfig

home = pathlib.Path(sysconfig.get_path("purelib"), "pip")
home.mkdir()
(home / "__init__.py").touch()
(home / "__main__.py").write_text({main!r})
"""
_PIP = """\
import os, sys

arguments = [word for word in sys.argv[1:] if word not in ("--disable-pip-version-check", "-y")]
command = [{uv!r}, "pip", *arguments, "--quiet", "--python", sys.executable]
os.execve(command[0], command, {{**os.environ, **{settings!r}}})
"""


def get_pip(uv: Path, settings: Mapping[str, str]) -> str:
    """Return what takes the place of get-pip.py.

    Args:
        uv: path of the program.
        settings: variables that it needs on this machine.
    """
    return _GET_PIP.format(main=_PIP.format(uv=str(uv), settings=dict(settings)))


def wanted(files: Iterable[Path]) -> list[Path]:
    """Return the files that ansible-test is to judge: the collection, and the list of what it is to overlook."""
    return [file for file in files if file.parts[0] not in LEFT_OUT or file.parts[:2] == ("tests", "sanity")]


def make_home() -> None:
    """Make the home folder that ansible-test gets.

    Raises:
        RuntimeError: when this ansible-test does not say which pip it wants.
    """
    import ansible_test

    source = Path(next(iter(ansible_test.__path__)), "_internal/python_requirements.py")
    release = _PIP_RELEASE.search(source.read_text(encoding="utf-8"))
    if not release:
        raise RuntimeError(f"{source} does not say which pip it wants: look how it starts pip now")
    script = HOME / ".ansible/test/cache" / f"get_pip_{release['release'].replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)} | uv_environment()
    script.write_text(get_pip(PROGRAMS / "uv", settings), encoding="utf-8")


def make_tree() -> Path:
    """Copy the files that git knows to where ansible-test finds them, and return that folder."""
    tree = HOME / FOLDER
    shutil.rmtree(tree, ignore_errors=True)
    for file in wanted(tracked()):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, tree / file)
    # Otherwise ansible-test asks the project's own repository, which ignores this folder.
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    return tree


def main() -> int:
    """Run all tests of ansible-test; return the exit code."""
    make_home()
    tree = make_tree()
    environment = {**os.environ, "HOME": str(HOME), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    command = [str(PROGRAMS / "ansible-test"), "sanity", "--color", "no", "--python", PYTHON, *sys.argv[1:]]
    return subprocess.call(command, cwd=tree, env=environment, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
