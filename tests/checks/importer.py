"""Galaxy's own import of the built archive: ``python -m tests.checks.importer``. A warning fails it too."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests import venvs
from tests.collection import CACHE, install

HOME = CACHE / "importer"
# ansible-lint runs over the tree in a part of its own, ansible-test too.
SETTINGS = {"run_ansible_doc": True, "run_ansible_lint": False, "check_changelog": True, "check_required_tags": True}
_FINDING = re.compile(r"^(?:WARNING|ERROR|CRITICAL): (?P<text>.+)$", re.MULTILINE)


def findings(output: str) -> list[str]:
    """Return what the importer complains about."""
    return [match["text"] for match in _FINDING.finditer(output)]


def main() -> int:
    """Import the archive and return the exit code."""
    archive = install()
    venvs.ensure("importer")
    programs = venvs.folder("importer") / "bin"
    HOME.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        **{f"GALAXY_IMPORTER_{name.upper()}": str(value) for name, value in SETTINGS.items()},
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [str(programs / "python"), "-m", "galaxy_importer.main", str(archive)],
        cwd=HOME,  # it leaves its result there
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, end="")
    found = findings(done.stdout)
    print(f"{archive.name}: {len(found)} finding(s) of galaxy-importer, exit code {done.returncode}")
    return 1 if found or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
