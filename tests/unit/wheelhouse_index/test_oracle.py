"""Under random operations: whatever is done to a store, its pages say what is in packages/, and uploads get what is right."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from wheelhouse_index.fact_store import recording
from wheelhouse_index.fact_store.decisions import CLOSED, STATUSES
from wheelhouse_index.files import names as file_names

from tests.support import packages as made
from tests.support.attestations import attestation
from tests.support.index import KEPT, Index, sha256

UPLOADED = [
    "foo-1.0-py3-none-any.whl",
    "foo-1.0-1-py3-none-any.whl",
    "foo-1.10-py3-none-any.whl",
    "Foo-1.0.tar.gz",
    "foo-2.0.tar.xz",
    "foo_bar-2.1+local.1-py3-none-any.whl",
    "foo.bar-2.0.zip",
    "FOO__bar-1!2.0rc1.tar.gz",
    "old-1.0-py2.7.egg",
]
# The same releases as some of these, in another spelling.
RESPELT = {
    "Foo-1.0-py3-none-any.whl": "foo-1.0-py3-none-any.whl",
    "foo-1.0.0.tgz": "Foo-1.0.tar.gz",
    "foo_bar-1!2.0c1.tar.bz2": "FOO__bar-1!2.0rc1.tar.gz",
}
PROJECTS = {"foo", "foo-bar", "old"}
SPELLINGS = [*UPLOADED, *RESPELT]
REFUSED = [
    "noversion.tar.gz",
    "_-1.0.tar.gz",
    "+!-1.0.tgz",
    "a-1.0.win32-py3.9.exe",
    "foo-1.0.TAR.GZ",
    "-1.0.zip",
    "x-1.0.rpm",
]
COPIED = [
    *SPELLINGS,
    *REFUSED,
    "foo-1.0-py3-none-any.whl.asc",
    "weird&<\"'>-1.0.tar.gz",
    "per%20cent-1.0.zip",
    "ha#sh-1.0.zip",
    "spa ced-1.0.zip",
    "übung-1.0.tar.gz",
    "line\nbreak-1.0.tar.gz",
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
        # What is copied is taken for whole at once.
        self.settled, recording.SETTLED_SECONDS = recording.SETTLED_SECONDS, 0.0
        self.folder = Path(tempfile.mkdtemp(prefix="index-", dir=MEMORY))
        self.index = Index(self.folder, self.overwrite)
        self.claims: set[str] = set()
        self.records: dict[str, str] = {}
        self.attested: dict[str, str] = {}
        self.yanked: set[str] = set()
        self.status: dict[str, str] = {}
        self.other = Index(self.folder, self.overwrite)
        self.look()
        # Whether all that was done is such as pages follow at once.
        self.fresh = True

    def teardown(self) -> None:
        try:
            self.look()
            self.both_say_the_same()
        finally:
            shutil.rmtree(self.folder)
            recording.SETTLED_SECONDS = self.settled

    @rule(
        name=st.sampled_from(SPELLINGS),
        content=contents,
        digest=st.booleans(),
        twine=st.booleans(),
        signature=st.sampled_from([b"", b"", b"one", b"another"]),
    )
    def upload(self, name: str, content: bytes, digest: bool, twine: bool, signature: bytes) -> None:
        sent = made.file(name, content)
        place = self.index.packages / name
        # Where files may be replaced, links are as well.
        blocked = not self.overwrite if place.is_symlink() else place.exists() and not place.is_file()
        same = self._same(name)
        status = self.status.get(file_names.of_file(name).project, "active")  # type: ignore[union-attr]
        # By this name, something else was published, or lies where it would be.
        taken = self._recorded(name) not in ("", sha256(sent)) or bool(self._withheld(name))
        identical = any(path.read_bytes() == sent for path in same)
        before = {path: path.read_bytes() for path in self._files()}
        fields = {"sha256_digest": sha256(sent)} if digest else {}
        if signature:
            fields["attestations"] = json.dumps([attestation(name, sent, signature)])
        answer = self.index.upload(name, sent, {"User-Agent": "twine/7" if twine else "uv"}, **fields)
        if not self.fresh:
            # What was copied into a folder a moment ago may not be known yet.
            assert answer.status in (200, 400, 409) or (status in CLOSED and answer.status == 403), answer
        elif status in CLOSED and not (identical and answer.status == 200):
            # Also attestations of what is there.
            assert answer.status == 403 or (same and answer.status == (400 if twine else 409)), answer
            assert not identical or signature
            assert {path: path.read_bytes() for path in self._files()} == before
        elif identical:
            assert answer.status == 200 and {path: path.read_bytes() for path in self._files()} == before, answer
        elif ((same or taken) and not self.overwrite) or blocked:
            assert answer.status == (400 if twine else 409), answer
            assert "already exists" in answer.text or blocked
        else:
            assert answer.status == 200, answer
            assert place.read_bytes() == sent
            assert self._same(name) == [place]
        if answer.status == 200:
            project = file_names.of_file(name).project  # type: ignore[union-attr]
            assert project in self.index.projects()
            listed = self.index.listed(project)
            assert sha256(sent) in listed.values()
            if signature:
                assert sha256(sent) in {listed[path] for path in self._with_provenance() if path in listed}
        assert answer.status == 200 or answer.text.strip() == answer.reason

    @rule(name=st.sampled_from(REFUSED))
    def upload_of_what_is_not_served(self, name: str) -> None:
        before = {path: path.read_bytes() for path in self._files()}
        assert self.index.upload(name, made.file("foo-1.0.tar.gz")).status == 400
        assert {path: path.read_bytes() for path in self._files()} == before

    @rule(name=st.sampled_from(UPLOADED))
    def wrong_digest(self, name: str) -> None:
        before = {path: path.read_bytes() for path in self._files()}
        assert self.index.upload(name, made.file(name, b"this"), sha256_digest=sha256(b"that")).status == 400
        assert {path: path.read_bytes() for path in self._files()} == before

    @rule(name=st.sampled_from(SPELLINGS))
    def remove(self, name: str) -> None:
        own = file_names.of_file(name)
        assert own
        listed = self.index.listed(own.project)
        meant = {path for path in listed if own.is_same(file_names.of_file(Path(path).name))}  # type: ignore[arg-type]
        by_signature = self._by_signature(own.project)
        status = self.index.remove(own.name.upper(), own.version).status
        # Also by what is in quarantine.
        none = {404, 409} if self.status.get(own.project) == "quarantined" else {404}
        assert not self.fresh or status in ({200} if meant else none | by_signature)
        if status == 200:
            assert not meant & self.index.listed(own.project).keys()

    @rule(name=st.sampled_from(UPLOADED), right=st.sampled_from(["publish", "delete", "yank"]), form=st.booleans())
    def change_without_the_right(self, name: str, right: str, form: bool) -> None:
        """By a login with this right on all other projects, and with all other rights on this one."""
        release = file_names.of_file(name)
        assert release
        words = [f"{right}:{other}" for other in PROJECTS - {release.project}]
        words += [other if form else f"{other}:{release.project}" for other in {"publish", "delete", "yank"} - {right}]
        headers = {"X-Wheelhouse-Login": "other", "X-Wheelhouse-Rights": ",".join(words)}
        before = {path: path.read_bytes() for path in self._files()}
        named = {"name": release.name, "version": release.version} if form else {}
        if right == "publish":
            answer = self.index.upload(name, made.file(name), headers, **named)
        else:
            action = "remove_pkg" if right == "delete" else "yank"
            answer = self.index.ask(action, headers, **(named or {"filename": name}))
        # What is not there cannot be said to be of a project, unless the form says so.
        assert answer.status == 403 or (answer.status == 404 and not named), answer
        assert {path: path.read_bytes() for path in self._files()} == before

    @rule(name=st.sampled_from(UPLOADED), taken_back=st.booleans())
    def yank(self, name: str, taken_back: bool) -> None:
        status = self.index.ask("unyank" if taken_back else "yank", filename=name).status
        assert status in (200, 404)
        if status == 200 and taken_back:
            self.yanked.discard(name)
        elif status == 200:
            self.yanked.add(name)

    @rule(project=st.sampled_from(sorted(PROJECTS)), status=st.sampled_from(STATUSES))
    def set_status(self, project: str, status: str) -> None:
        by_signature = self._by_signature(project)
        answer = self.index.ask("set_status", name=project.upper(), status=status)
        assert answer.status in (200, 404), answer
        assert not self.fresh or answer.status in ({200} if project in self.claims else {404} | by_signature)
        if answer.status == 200:
            self.status[project] = status

    @rule()
    def ask_the_other_process(self) -> None:
        """From now on, requests are answered by the other one of two."""
        for part in ("application", "backend", "store"):
            mine, others = getattr(self.index, part), getattr(self.other, part)
            setattr(self.index, part, others)
            setattr(self.other, part, mine)

    @rule()
    def restore_an_older_copy_of_the_store(self) -> None:
        """Files that are in quarantine stay there: where they are lost, they are."""
        store, copy, quarantine = self.index.packages / ".wheelhouse", self.folder / "store", self.folder / "quarantine"
        before = {project: self.index.times(project) for project in self.index.truth()} if self.fresh else {}
        if copy.exists():
            if (store / "quarantine").exists():
                (store / "quarantine").rename(quarantine)
            shutil.rmtree(store)
            copy.rename(store)
            if quarantine.exists():
                quarantine.rename(store / "quarantine")
            # What was removed is forgotten, and whose the rest was.
            self.claims, self.records, self.attested = set(), {}, {}
            self.restart()
            if not self.overwrite:
                assert {project: self.index.times(project) for project in before} == before
        shutil.copytree(store, copy, ignore=shutil.ignore_patterns("quarantine"))

    @rule(restored=st.booleans())
    def lose_decisions(self, restored: bool) -> None:
        """With or without a copy of an earlier day in their place."""
        folder = self.index.packages / ".wheelhouse/projects"
        copy = self.folder / "copy"
        kept = shutil.copytree(folder, self.folder / "kept")
        shutil.rmtree(folder)
        if restored and copy.exists():
            shutil.copytree(copy, folder)
        else:
            folder.mkdir()
        shutil.rmtree(copy, ignore_errors=True)
        kept.rename(copy)
        self.look()

    @rule(place=places, content=contents)
    def copy_in(self, place: tuple[str, str], content: bytes) -> None:
        path = self._place(place)
        if not path.is_dir():
            path.unlink(missing_ok=True)
            path.write_bytes(made.file(path.name, content) if path.name in SPELLINGS else content)
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

    @rule(place=places, seconds=st.sampled_from([0, 10**9, 2 * 10**9, 4 * 10**9]))
    def touch(self, place: tuple[str, str], seconds: int) -> None:
        path = self._place(place)
        if path.is_file() and not path.is_symlink():
            os.utime(path, (seconds, seconds))
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

    @rule(part=st.sampled_from(["", "simple", "packages", "catalogue-4.sqlite", "simple/foo", "simple/index.html"]))
    def empty_the_index(self, part: str) -> None:
        for path in [self.index.pages / part] if part else list(self.index.pages.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.restart()

    @rule()
    def restart(self) -> None:
        self.index, self.other = (Index(self.folder, self.overwrite) for _process in range(2))
        self.look()

    @rule()
    def look(self) -> None:
        """What the keeper does when it looks at every file."""
        self.index.look()
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
        assert index.said() == index.truth()
        assert index.projects() == set(index.truth())
        assert index.backend.package_count() == sum(map(len, index.truth().values()))
        with index.store.catalogue.reading() as known:
            assert known.counts() == (len(index.truth()), sum(map(len, index.truth().values())))
        assert set(index.backend.get_projects()) == set(index.truth())
        assert not list(index.packages.joinpath(".incoming").iterdir())
        self.facts_last()

    def facts_last(self) -> None:
        """Each name is claimed for good, and has one content and one time, which is the one on its page."""
        folder = self.index.packages / ".wheelhouse"
        claims = {path.name for path in folder.joinpath("names").iterdir()}
        records, attested = (
            {str(path): path.read_text() for path in folder.joinpath("files").rglob(kind)}
            for kind in ("*.json", "*.attestations")
        )
        assert claims >= self.claims | set(self.index.truth())
        if not self.overwrite:
            assert records.items() >= self.records.items()
            assert attested.items() >= self.attested.items()
            for project in self.index.truth():
                for name, time in self.index.times(project).items():
                    assert self.index.record(project, name)["upload-time"] == time
        self.claims, self.records, self.attested = claims, records, attested
        # By project, name and content, wherever the file is.
        known = {
            (Path(path).parent.name, Path(path).stem, json.loads(text)["sha256"]) for path, text in attested.items()
        }
        served = {
            path
            for project, files in self.index.truth().items()
            for path, digest in files.items()
            if (project, path.rpartition("/")[2], digest) in known
        }
        assert self._with_provenance() == served
        for project in self.index.truth():
            page = json.loads((self.index.pages / "simple" / project / "index.json").read_text())
            names = {file["filename"] for file in page["files"]}
            assert {file["filename"] for file in page["files"] if file.get("yanked")} == names & self.yanked
            assert page.get("project-status", {"status": "active"}) == {"status": self.status.get(project, "active")}
        for project in (project for project, status in self.status.items() if status == "quarantined"):
            page = json.loads((self.index.pages / "simple" / project / "index.json").read_text())
            assert (page["files"], page["project-status"]) == ([], {"status": "quarantined"})
            assert project not in self.index.truth()

    def _by_signature(self, project: str) -> set[int]:
        """Return what a change may be answered where a project has no file, but a signature of one was copied in."""
        signed = (path.stem for path in self._files() if path.suffix == file_names.SIGNATURE)
        return (
            {200} if any((owner := file_names.of_file(name)) and owner.project == project for name in signed) else set()
        )

    def _with_provenance(self) -> set[str]:
        """Return the paths of the files beside which provenance is served."""
        folder = self.index.pages / "packages"
        return {
            path.relative_to(folder).as_posix().removesuffix(".provenance") for path in folder.rglob("*.provenance")
        }

    def _same(self, name: str) -> list[Path]:
        """Return the files that are the same as an upload of this name, whatever their spelling."""
        wanted = RESPELT.get(name, name)
        return [
            path
            for path in self._files()
            if RESPELT.get(path.name, path.name) == wanted
            and path.relative_to(self.index.packages).as_posix() in self._served()
        ]

    def _withheld(self, name: str) -> list[Path]:
        """Return the files that are the same as an upload of this name, and are on no page."""
        wanted = RESPELT.get(name, name)
        places = {path: path.relative_to(self.index.packages) for path in self._files()}
        return [
            path
            for path, place in places.items()
            if RESPELT.get(path.name, path.name) == wanted
            and place.as_posix() not in self._served()
            and all(map(file_names.is_folder, place.parts[:-1]))
            and not any(one.is_symlink() for one in (path, *path.parents))
        ]

    def _recorded(self, name: str) -> str:
        """Return the digest that a name has in the store of facts; empty where it has none."""
        release = file_names.of_file(name)
        assert release
        with suppress(FileNotFoundError):
            return str(self.index.record(release.project, name)["sha256"])
        return ""

    def _served(self) -> set[str]:
        return {path for files in self.index.truth().values() for path in files}

    def _place(self, place: tuple[str, str]) -> Path:
        path = self.index.packages.joinpath(*place)
        if not path.parent.is_dir():
            path.parent.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _files(self) -> list[Path]:
        """Return what is in packages/, but for what the backend itself keeps there."""
        found = (path for path in self.index.packages.rglob("*") if not KEPT.intersection(path.parts))
        return [path for path in found if os.path.lexists(path) and path.is_file()]


class OverwritingOperations(Operations):
    """The same where uploads may replace files."""

    overwrite = True


TestOperations = Operations.TestCase
TestOperations.settings = settings(stateful_step_count=25)
TestOverwritingOperations = OverwritingOperations.TestCase
TestOverwritingOperations.settings = settings(stateful_step_count=25)
