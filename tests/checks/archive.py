"""What users get: the archive holds what they need and no more, and its playbooks run from an install.

``python -m tests.checks.archive`` builds and installs it, and looks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.collection import FOLDER, INSTALLED, ROOT, install

# What may be in the archive, as patterns of whole paths.
ALLOWED = tuple(
    re.compile(pattern)
    for pattern in (
        r"(MANIFEST|FILES)\.json",
        r"(README|SECURITY)\.md|LICENSE|CHANGELOG\.rst|requirements\.txt",
        r"meta/runtime\.yml",
        r"playbooks/((tasks|vars)/)?[\w-]+\.yml",
        r"inventories/(aws|example|fleet|gcp)/.+\.(yml|yml\.example|md)",
        r"changelogs/(changelog|config)\.yaml",
        r"docs/.+\.(md|svg|png)",
        r"docs/monitoring/(alerts\.yml|dashboard\.json)",
        r"plugins/(action|doc_fragments|filter|lookup|module_utils|modules|plugin_utils(/rules)?|test)/\w+\.py",
        r"plugins/(filter|test)/\w+\.yml",
        r"roles/\w+/README\.md",
        r"roles/\w+/(defaults|handlers|meta|tasks|vars)/[\w.-]+\.yml",
        r"roles/\w+/(files|templates)/.+",
    )
)
# What they need; roles and playbooks are looked for by themselves.
NEEDED = (
    "README.md",
    "LICENSE",
    "requirements.txt",
    "meta/runtime.yml",
    "changelogs/changelog.yaml",
    "docs/variables.md",
    "playbooks/site.yml",
    "playbooks/uninstall.yml",
    "playbooks/vars/batches.yml",
    "roles/pypi/meta/argument_specs.yml",
)
# Wherever they lie: made by running something.
REFUSED = re.compile(r"(^|/)(__pycache__|\.[^/]+|.*\.(pyc|retry|orig|rej|swp|tar|whl|gz))(/|$)")


def unwanted(names: Iterable[str]) -> list[str]:
    """Return the files of an archive that users of the collection do not need."""
    return [name for name in names if REFUSED.search(name) or not any(pattern.fullmatch(name) for pattern in ALLOWED)]


def missing(names: Iterable[str], roles: Iterable[str]) -> list[str]:
    """Return the files that an archive lacks."""
    present = set(names)
    wanted = [*NEEDED, *(f"roles/{role}/{file}" for role in roles for file in ("README.md", "meta/main.yml"))]
    return [name for name in wanted if name not in present]


def syntax(playbook: str) -> int:
    """Check the syntax of an installed playbook, by the name that users call it by; return the exit code."""
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "--syntax-check", "--inventory", "pypi.example.com,", playbook]
    # From a folder without the tree: only what is installed is found.
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(INSTALLED)}
    return subprocess.call(command, cwd="/", env=environment, stdin=subprocess.DEVNULL)


def main() -> int:
    """Look at the archive and return the exit code."""
    archive = install()
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
    names = sorted(member.name for member in members if not member.isdir())
    print(f"{archive.name}: {len(names)} files, {archive.stat().st_size / 1000:.0f} kB")
    print("\n".join(f"  {name}" for name in names))

    roles = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
    wrong = [f"not for users, see build_ignore in galaxy.yml: {name}" for name in unwanted(names)]
    wrong += [f"missing: {name}" for name in missing(names, roles)]
    wrong += [f"a link: {member.name}" for member in members if member.issym() or member.islnk()]

    namespace, name = FOLDER.parts[1:]
    manifest = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    if (manifest["namespace"], manifest["name"]) != (namespace, name):
        wrong.append("galaxy.yml names another collection")
    for playbook in sorted((ROOT / "playbooks").glob("*.yml")):
        if syntax(f"{namespace}.{name}.{playbook.stem}"):
            wrong.append(f"{namespace}.{name}.{playbook.stem} does not run from an install (its message is above)")
    print("\n".join(wrong) or "nothing missing, nothing too much; playbooks run from an install")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
