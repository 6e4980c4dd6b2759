"""The projects of the index."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .faults import spoil
from .files import Facts, File, core_metadata, escaped, make_large, normalised, project_of
from .hosts import FILES, PAGES, WHEELS
from .pages import as_html

DAY = 86400.0
# What real projects have, and their files do not say.
YANKED = {
    ("click", "8.2.2"): "Unintended change in behavior of boolean options and None",
    ("urllib3", "2.0.1"): "Truncated response bodies when streaming a large compressed body.",
}
STATUS = {"docopt-ng": "archived"}
# Strangers have these, and all that begins like the second.
SQUATTED = ("internal-tools", "stranger")
SQUATTED_PREFIX = "acme-"
MANY = 5000


@dataclass
class Catalogue:
    """All projects of the index; the real ones are the wheels of a folder.

    Attributes:
        folder: where the large file is made.
        projects: the folder of real ones, or None.
        megabytes: of the large file.
        port: of the addresses on pages.
    """

    folder: Path
    projects: Path | None = None
    megabytes: int = 500
    port: int = 443
    began: float = field(default_factory=time.time)

    @property
    def behind_host(self) -> str:
        """What follows a host's name in an address."""
        return "" if self.port == 443 else f":{self.port}"

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.reading = threading.Lock()
        self.changes = 0
        self.facts: dict[str, Facts] = {}
        self.reset()

    def reset(self) -> None:
        """Forget what was published, withdrawn and decided since the start."""
        with self.lock:
            self.files: dict[str, list[File]] = {}
            self.status = dict(STATUS)
            self.withdrawn: set[str] = set()
            self._real()
            self._made()
            self.changed()

    def changed(self) -> None:
        """Have the pages made once more."""
        with self.lock:
            self.changes += 1
            self.pages: dict[tuple[str, ...], bytes] = {}

    def _real(self) -> None:
        wheels = sorted(self.projects.glob("*.whl")) if self.projects else []
        for path in wheels:
            self.files.setdefault(project_of(path.name), []).append(File(path.name, 0, path))
        for project, files in self.files.items():
            files.sort(key=lambda file: [int(part) for part in re.findall(r"\d+", file.version)])
            versions = list(dict.fromkeys(file.version for file in files))
            for place, file in enumerate(files):
                age = 40 + 200 * (len(versions) - 1 - versions.index(file.version))
                files[place] = File(
                    file.filename, self.began - age * DAY, file.path, yanked=YANKED.get((project, file.version))
                )

    def _made(self) -> None:
        for name, version, days, requires in (
            ("young", "1.0", 100, ()),
            ("young", "1.1", 1, ()),
            ("infant", "1.0", 1, ()),
            ("taken", "1.0", 100, ()),
            ("taken", "1.1", 50, ()),
            ("evil", "1.0", 100, ()),
            ("local", "1.0+cpu", 100, ()),
            # Public, and needs what is private.
            ("plugin-for-acme", "1.0", 100, ("acme-base", "click")),
            ("torch", "2.0", 100, ()),
            ("torch-vision", "1.0", 100, ("torch",)),
        ):
            self.publish(name, version, days, requires)
        self.publish("timeless", "1.0", 100, timeless=True)
        self.publish("source-only", "1.0", 100, suffix=".tar.gz")
        self.files["big"] = [
            File("big-1.0-py3-none-any.whl", self.began - 100 * DAY, self.folder / "big-1.0-py3-none-any.whl")
        ]
        many = [f"many-1.{number}-py3-none-any.whl" for number in range(MANY)]
        self.files["many"] = [File(name, self.began - 100 * DAY - MANY + place) for place, name in enumerate(many)]
        for name in SQUATTED:
            self.publish(name, "99.0", 100)

    def publish(
        self,
        name: str,
        version: str,
        days: float,
        requires: tuple[str, ...] = (),
        timeless: bool = False,
        yanked: str | None = None,
        suffix: str = "-py3-none-any.whl",
    ) -> None:
        """Add a made-up file, or put it in place of one of its name."""
        filename = f"{escaped(name)}-{version}{suffix}"
        uploaded = time.time() - days * DAY
        with self.lock:
            files = [file for file in self.files.get(normalised(name), []) if file.filename != filename]
            files.append(File(filename, uploaded, None, requires, timeless, yanked))
            self.files[normalised(name)] = files
            self.facts.pop(filename, None)
            self.withdrawn.discard(normalised(name))
            self.changed()

    def withdraw(self, name: str, version: str = "") -> None:
        """Remove a release, or a project."""
        with self.lock:
            left = [file for file in self.of(name) if version and file.version != version]
            self.files[normalised(name)] = left
            if not left:
                self.withdrawn.add(normalised(name))
            self.changed()

    def of(self, name: str) -> list[File]:
        """Return the files of a project, the newest last; none where there is no such project."""
        project = normalised(name)
        with self.lock:
            if project not in self.files and project not in self.withdrawn:
                sized = re.fullmatch(r"sized-(\d+)", project)
                if sized:
                    for number in range(min(int(sized[1]), MANY)):
                        self.files.setdefault(project, []).append(
                            File(f"{escaped(project)}-1.{number}-py3-none-any.whl", self.began - 100 * DAY + number)
                        )
                elif project.startswith(SQUATTED_PREFIX):
                    self.publish(project, "99.0", 100)
            if self.status.get(project) == "quarantined":
                return []
            return list(self.files.get(project, []))

    def names(self, of_wheels: bool) -> list[str]:
        """Return the names of all projects that have been asked for or published."""
        with self.lock:
            found = [name for name in self.files if name not in self.withdrawn]
        return sorted(name for name in found if name.startswith("torch") == of_wheels)

    def exists(self, name: str) -> bool:
        """Say whether there is such a project, with files or without."""
        return bool(self.of(name)) or self.status.get(normalised(name)) == "quarantined"

    def facts_of(self, file: File) -> Facts:
        """Return what a page says of a file; the large one is made for it."""
        # All other projects are served meanwhile.
        with self.reading:
            if file.filename not in self.facts:
                self.facts[file.filename] = self._read(file)
            return self.facts[file.filename]

    def _read(self, file: File) -> Facts:
        if not file.path:
            content = file.content()
            metadata = core_metadata(file.filename, file.requires)
            return Facts(len(content), hashlib.sha256(content).hexdigest(), metadata, ">=3.8")
        if not file.path.exists():
            make_large(file.path, self.megabytes)
        with file.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        with zipfile.ZipFile(file.path) as archive:
            (name,) = (one for one in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", one))
            metadata = archive.read(name)
        found = re.search(rb"^Requires-Python: *(.+?) *$", metadata.split(b"\n\n")[0], re.MULTILINE)
        return Facts(file.path.stat().st_size, digest, metadata, found[1].decode() if found else "")

    def by_address(self, path: str) -> File | None:
        """Return the file at an address."""
        name = unquote(path.rpartition("/")[2])
        if not name.endswith((".whl", ".tar.gz")):
            return None
        return next((one for one in self.of(project_of(name)) if unquote(one.address) == unquote(path)), None)

    def page(self, project: str, kind: str, mode: str, host: str) -> bytes:
        """Return a page, good or spoilt."""
        key = (project, kind, mode, host)
        page, before = self.pages.get(key), self.changes
        if page is None:
            document = self._document(project, mode, host)
            page = json.dumps(document).encode() if kind == "json" else as_html(document, anonymous=host == WHEELS)
            with self.lock:
                if self.changes == before:
                    self.pages[key] = page
        return page

    def _document(self, project: str, mode: str, host: str) -> dict[str, Any]:
        files = self.of(project)
        listed = [self._entry(file, project, host) for file in files]
        if mode.startswith("one-") and listed:
            spoil(listed[-1], mode)
        return {
            "meta": {"api-version": "2.0" if mode == "api2" else "1.4", "_last-serial": 1},
            "name": "another" if mode == "name" else project,
            "project-status": {"status": self.status.get(project, "active")},
            "versions": list(dict.fromkeys(file.version for file in files)),
            "files": listed,
            **({"_padding": "x" * 45_000_000} if mode == "huge" else {}),
        }

    def _entry(self, file: File, project: str, host: str) -> dict[str, Any]:
        facts = self.facts_of(file)
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": f"https://{FILES if host == PAGES else host}{self.behind_host}{file.address}",
            "hashes": {"sha256": facts.digest},
            "size": facts.size,
            "core-metadata": {"sha256": hashlib.sha256(facts.metadata).hexdigest()}
            if file.filename.endswith(".whl")
            else False,
            "requires-python": facts.requires_python or None,
            "yanked": file.yanked or False,
            "provenance": None,
        }
        if not file.timeless:
            entry["upload-time"] = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(file.uploaded))
        if file.path and project != "big":
            place = f"{project}/{file.version}/{file.filename}"
            entry["provenance"] = f"https://{PAGES}{self.behind_host}/integrity/{place}/provenance"
        return entry
