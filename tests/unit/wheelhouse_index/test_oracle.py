"""Against pypiserver's own simple-dir: whatever is done to a store, both know of the same files, and pages say so."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pypiserver.core import PkgFile
from pypiserver.pkg_helpers import guess_pkgname_and_version, normalize_pkgname
from wheelhouse_index.output import SERVED

from tests.support import packages as made
from tests.support.index import Index, sha256

UPLOADED = [
    "foo-1.0-py3-none-any.whl",
    "foo-1.0-1-py3-none-any.whl",
    "foo-1.10-py3-none-any.whl",
    "Foo-1.0.tar.gz",
    "foo_bar-2.1+local.1-py3-none-any.whl",
    "foo.bar-2.0.zip",
    "FOO__bar-1!2.0rc1.tar.gz",
    "foo-1.0-py3-none-any.whl.asc",
    "noversion.tar.gz",
    "_-1.0.tar.gz",
    "+!-1.0.tgz",
    "old-1.0-py2.7.egg",
    "a-b-c-1.0.win32-py3.9.exe",
]
COPIED = [
    *UPLOADED,
    "weird&<\"'>-1.0.tar.gz",
    "per%20cent-1.0.zip",
    "ha#sh-1.0.zip",
    "quest?ion-1.0.zip",
    "spa ced-1.0.zip",
    "übung-1.0.tar.gz",
    "line\nbreak-1.0.tar.gz",
    "-1.0.tar.gz",
    ".hidden-1.0.tar.gz",
    "readme.txt",
    "foo-1.0.whl",
]
FOLDERS = ["", "nested", "nested/deep", "other", ".hidden", "nested/.hidden"]

# Where nobody waits for a disk.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

names = st.sampled_from(COPIED)
folders = st.sampled_from(FOLDERS)
# Of few kinds, so that the same turns up again.
contents = st.integers(0, 5).map(lambda number: b"x" * number)
places = st.tuples(folders, names)


class Operations(RuleBasedStateMachine):
    """What people, uploads and accidents do to an index."""

    overwrite = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="index-", dir=MEMORY))
        self.index = Index(self.folder, self.overwrite)
        self.look()
        # Whether all that was done is such as pages follow at once.
        self.fresh = True

    def teardown(self) -> None:
        try:
            self.look()
            self.both_say_the_same()
        finally:
            shutil.rmtree(self.folder)

    @rule(name=st.sampled_from(UPLOADED), content=contents, real=st.booleans(), digest=st.booleans())
    def upload(self, name: str, content: bytes, real: bool, digest: bool) -> None:
        if real and name.endswith("any.whl"):
            content = made.wheel(self.folder, "foo", padding=content).read_bytes()
        place = self.index.packages / name
        blocked = os.path.lexists(place) and not place.is_file()
        there = self.index.oracle.exists(name)
        fields = {"sha256_digest": sha256(content)} if digest else {}
        answer = self.index.upload(name, content, None, **fields)
        if self.overwrite and place.is_dir() and not place.is_symlink():
            assert answer.status == 500
            return
        if not self.overwrite and (blocked or there):
            # What was copied into a folder a moment ago is not known yet.
            assert answer.status == 409 or (answer.status == 200 and not self.fresh), answer
            if answer.status == 409:
                return
        assert answer.status == 200, answer
        assert place.read_bytes() == content
        project = normalize_pkgname((guess_pkgname_and_version(name) or ("", ""))[0])
        if SERVED.fullmatch(project):
            assert project in self.index.projects()
            if not name.endswith(".asc"):
                assert self.index.listed(project)[name] == sha256(content)

    @rule(name=st.sampled_from(UPLOADED))
    def wrong_digest(self, name: str) -> None:
        before = {path: path.read_bytes() for path in self._files()}
        if not name.endswith(".asc"):
            status = self.index.upload(name, b"this", sha256_digest=sha256(b"that")).status
            known = os.path.lexists(self.index.packages / name) or self.index.oracle.exists(name) or not self.fresh
            assert status == 400 or (status == 409 and known and not self.overwrite)
        assert {path: path.read_bytes() for path in self._files()} == before

    @rule(name=st.sampled_from(UPLOADED))
    def remove(self, name: str) -> None:
        project, version = guess_pkgname_and_version(name) or ("", "")
        found = list(self.index.backend.find_version(project, version))
        status = self.index.remove(project, version).status
        # A version that its name does not tell cannot be asked for.
        assert status == (400 if not version else 200 if found else 404)
        if status == 200:
            assert not set(self.index.listed(normalize_pkgname(project))) & {package.relfn for package in found}

    @rule(place=places, content=contents)
    def copy_in(self, place: tuple[str, str], content: bytes) -> None:
        path = self._place(place)
        if not path.is_dir():
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            self.fresh = False

    @rule(place=places)
    def write_in_place(self, place: tuple[str, str]) -> None:
        path = self._place(place)
        if path.is_file():
            with path.open("ab") as file:
                file.write(b"more")
            self.fresh = False

    @rule(source=places, place=places)
    def rename(self, source: tuple[str, str], place: tuple[str, str]) -> None:
        if self._place(source).is_file() and not self._place(place).is_dir():
            self._place(source).replace(self._place(place))
            self.fresh = False

    @rule(place=places)
    def unlink(self, place: tuple[str, str]) -> None:
        if not self._place(place).is_dir():
            self._place(place).unlink(missing_ok=True)
            self.fresh = False

    @rule(place=places, to=st.sampled_from(["/", "nowhere", "../packages/foo-1.0-py3-none-any.whl", "nested"]))
    def link(self, place: tuple[str, str], to: str) -> None:
        path = self._place(place)
        if not os.path.lexists(path):
            path.symlink_to(to)
            self.fresh = False

    @rule(source=folders, place=st.sampled_from(["moved", "nested", ".hidden/moved", "foo-1.0-py3-none-any.whl"]))
    def rename_folder(self, source: str, place: str) -> None:
        old, new = self.index.packages / source, self.index.packages / place
        if source and old.is_dir() and not os.path.lexists(new) and old not in new.parents:
            new.parent.mkdir(exist_ok=True)
            old.rename(new)
            self.fresh = False

    @rule(folder=folders)
    def remove_folder(self, folder: str) -> None:
        if folder:
            shutil.rmtree(self.index.packages / folder, ignore_errors=True)
            self.fresh = False

    @rule()
    def forget(self) -> None:
        self.index.store.forget()

    @rule(part=st.sampled_from(["", "simple", "packages", "catalogue.sqlite", "simple/foo", "simple/index.html"]))
    def empty_the_index(self, part: str) -> None:
        for path in [self.index.pages / part] if part else list(self.index.pages.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.restart()

    @rule()
    def restart(self) -> None:
        self.index = Index(self.folder, self.overwrite)
        self.look()

    @rule()
    def look(self) -> None:
        """What the keeper does when it looks at every file."""
        self.index.keeper._thorough_at = 0.0
        self.index.keeper.step()
        self.fresh = True

    @rule()
    def glance(self) -> None:
        """What it does most of the time."""
        self.index.keeper._thorough_at = float("inf")
        self.index.keeper.step()

    @precondition(lambda self: self.fresh)
    @invariant()
    def both_say_the_same(self) -> None:
        index = self.index
        assert _told(index.backend.get_all_packages()) == _told(index.oracle.get_all_packages())
        assert index.backend.package_count() == index.oracle.package_count()
        assert set(index.backend.get_projects()) == set(index.oracle.get_projects())
        assert index.projects() == set(filter(SERVED.fullmatch, index.oracle.get_projects()))
        for package in index.oracle.get_all_packages():
            name, version = package.pkgname, package.version
            for spelling in (name, name.upper(), normalize_pkgname(name)):
                expected = _told(index.oracle.find_project_packages(spelling))
                assert _told(index.backend.find_project_packages(spelling)) == expected
            assert _told(index.backend.find_version(name, version)) == _told(index.oracle.find_version(name, version))
            assert index.backend.digest(package) == index.oracle.digest(package)
        for name in UPLOADED:
            # With a folder or a dead link in its place pypiserver's own would run into it.
            if not os.path.lexists(index.packages / name) or (index.packages / name).is_file():
                assert index.backend.exists(name) == index.oracle.exists(name)
        assert index.said() == index.truth()
        assert not list(index.packages.joinpath(".incoming").iterdir())

    def _place(self, place: tuple[str, str]) -> Path:
        path = self.index.packages.joinpath(*place)
        if not path.parent.is_dir():
            path.parent.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _files(self) -> list[Path]:
        """Return what is in packages/, but for what the backend itself keeps there."""
        found = (path for path in self.index.packages.rglob("*") if ".incoming" not in path.parts)
        return [path for path in found if os.path.lexists(path) and path.is_file()]


class OverwritingOperations(Operations):
    """The same where uploads may replace files."""

    overwrite = True


def _told(packages: Iterable[PkgFile]) -> set[tuple[str | None, ...]]:
    return {(one.pkgname, one.version, one.relfn_unix, one.fn, one.root) for one in packages}


TestOperations = Operations.TestCase
TestOperations.settings = settings(stateful_step_count=25)
TestOverwritingOperations = OverwritingOperations.TestCase
TestOverwritingOperations.settings = settings(stateful_step_count=25)
