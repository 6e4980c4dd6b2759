"""``ansible-test sanity`` on a copy of the tree, in the folder that it asks for: ``python -m tests.checks.sanity``.

ansible-test makes virtual environments in the home folder, with a pip that it downloads from a host of its own, and
passes on no settings of pip. Here it gets a home below ``.cache`` that has the machine's settings and the pip that
comes with Python, so it needs the package index alone.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.collection import CACHE, FOLDER, ROOT, tracked

HOME = CACHE / "sanity"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# The project's own tools are not part of the collection: ruff and mypy look after them.
LEFT_OUT = ("bench", "molecule", "tests")
_BOOTSTRAP = "import ensurepip\nensurepip.bootstrap()\n"
_PIP_RELEASE = re.compile(r"\bpip='(?P<release>[\d.]+)'")


def pip_configuration(listing: str) -> str:
    """Return a pip.conf that says what ``pip config list`` says, whichever files and variables said it."""
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            settings[name.rpartition(".")[2]] = " ".join(str(ast.literal_eval(value)).split())
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())


def wanted(files: Iterable[Path]) -> list[Path]:
    """Return the files that ansible-test is to judge: the collection, and the list of what it is to overlook."""
    return [file for file in files if file.parts[0] not in LEFT_OUT or file.parts[:2] == ("tests", "sanity")]


def make_home() -> None:
    """Make the home folder that ansible-test gets.

    Raises:
        RuntimeError: when this ansible-test does not say which pip it wants.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (HOME / ".config/pip").mkdir(parents=True, exist_ok=True)
    (HOME / ".config/pip/pip.conf").write_text(pip_configuration(listing), encoding="utf-8")

    import ansible_test

    source = Path(next(iter(ansible_test.__path__)), "_internal/python_requirements.py")
    release = _PIP_RELEASE.search(source.read_text(encoding="utf-8"))
    if not release:
        raise RuntimeError(f"{source} does not say which pip it wants: look how it starts pip now")
    scripts = HOME / ".ansible/test/cache"
    scripts.mkdir(parents=True, exist_ok=True)
    name = f"get_pip_{release['release'].replace('.', '_')}.py"
    (scripts / name).write_text(_BOOTSTRAP, encoding="utf-8")


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
    """Run all tests of ansible-test that need no network but the package index; return the exit code."""
    make_home()
    tree = make_tree()
    programs = Path(sys.executable).parent
    environment = {**os.environ, "HOME": str(HOME), "PATH": f"{programs}:{os.environ['PATH']}"}
    command = [str(programs / "ansible-test"), "sanity", "--color", "no", "--python", PYTHON, *sys.argv[1:]]
    return subprocess.call(command, cwd=tree, env=environment, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
