"""The store of facts: what is known of the files in packages/ and cannot be found out from them.

::

    packages/.wheelhouse/
        format                      number and id of the store
        restoring                   the same, while a backup is brought in: format comes last
        names/<project>             a claim: this name is private, for good
        files/<project>/<file>.json a record: who published this file, when, and by what digest
        files/<project>/<file>.attestations  what it was published with (PEP 740)
        projects/<project>.json     what was decided on a project: yanks, its status
        quarantine/<project>/       files of a project that are served to no one
        trash/<time>/<project>/     files that were removed then
        given-back/<project>-<time>/  what was known of a project whose name was given back: nothing reads it
        nodes/<node>/               what each of several nodes has changed, for the others to read on; of no use in a backup

All are plain files, to be read by people, and copied together with the packages.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
import uuid
from contextlib import suppress
from pathlib import Path

from ..common import disk
from ..common.times import time_text
from ..files import incoming
from . import journal, snapshots, strict
from .attestations import Attestations
from .claims import Claims
from .decisions import DecisionFiles
from .journal import Journals, Nodes
from .lease import Lease
from .marks import Marks
from .quarantine import Quarantine
from .records import FactsError, Records
from .snapshots import Snapshots
from .trash import Trash

FOLDER = ".wheelhouse"
# While a backup is brought in, what its format will be: that comes last.
RESTORING = "restoring"
_GIVEN_BACK = "given-back"
# Of the whole store. Another number is for what an earlier release would misread.
FORMAT = 1
NO_NODES = Nodes()
# In index/: the id of the store that pages and catalogue are made from.
KNOWN = ".facts"
# In index/: the last of this node's journals.
_JOURNAL = ".journal"


class UnmountedError(FactsError):
    """What belongs in packages/ is not mounted: the files are elsewhere, and not removed."""


class AnotherStoreError(FactsError):
    """The store of facts is whole, and not the one that the index takes for its own."""


class FactStore:
    """The folder packages/.wheelhouse/.

    Args:
        packages: the distribution files.
        index: the pages.
        nodes: those that share packages/.

    Attributes:
        marks: what may be served of public projects: nothing of those that are claimed.
        lease: until when one of several nodes knows of all names that are private.
        claims: the names that are private.
        records: what is known of each file.
        attestations: what files were published with.
        decisions: what was decided on each project.
        quarantine: where files of quarantined projects are.
        trash: where removed files are for a while.
        journals: what each of several nodes has changed.
        snapshots: what a node that joins gets from another one.
    """

    def __init__(self, packages: Path, index: Path, nodes: Nodes = NO_NODES) -> None:
        self.folder = packages / FOLDER
        self._aside = incoming.folder_of(packages, nodes.own)
        self._known = index / KNOWN
        self._staging = index / ".staging"
        self.marks = Marks(index / "public", keeps_names=bool(nodes))
        self.lease = Lease(index / "public")
        self.claims = Claims(self.folder / "names", self.marks.claim)
        self.records = Records(self.folder / "files", self._aside)
        self.attestations = Attestations(self.records.folder, self._aside)
        self.decisions = DecisionFiles(self.folder / "projects", self._aside)
        self.quarantine = Quarantine(packages, self.folder / "quarantine")
        self.trash = Trash(packages, self.folder / "trash")
        self.journals = Journals(self.folder / journal.FOLDER, self._aside, nodes, index / _JOURNAL)
        self.snapshots = Snapshots(self.journals.folder / snapshots.FOLDER, self._aside, nodes)

    def folders(self) -> list[Path]:
        """Return the folders that have to be there."""
        return [self.claims.folder, self.records.folder, self.decisions.folder]

    def has_file(self, name: str) -> bool:
        """Tell whether an upload of this name would find one in packages/."""
        return os.path.lexists(self.folder.parent / name)

    def made_ns(self) -> int:
        """Return when the store was made, in ns since 1970."""
        with suppress(OSError):
            return os.lstat(self.folder / "format").st_mtime_ns
        return 0

    def known(self) -> str:
        """Return the id of the store that this index takes for its own; empty where it knows of none."""
        try:
            return self._known.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def prepare(self) -> None:
        """Make the store where an index has none yet, and take it for its own.

        Raises:
            FactsError: if what is there cannot be used; nothing has changed then.
        """
        if self.known():
            return
        # Its names are others.
        self.marks.close()
        try:
            if not any(os.path.lexists(self.folder / name) for name in ("format", RESTORING)):
                self._make()
            own = self._id()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise FactsError(f"packages/{FOLDER}/ cannot be made or used: {error}") from error
        disk.put(self._staging, self._known, f"{own}\n".encode())

    def forget(self) -> None:
        """Have the index know of no store; what is there counts then."""
        self._known.unlink(missing_ok=True)

    def check(self) -> None:
        """Find out whether the store can be used.

        Raises:
            FactsError: if it cannot.
        """
        known, own = self.known(), self._id()
        with disk.opened(self.folder) as opened:
            device = os.stat(opened).st_dev
            for folder in self.folders():
                if not self._is_part(opened, folder.name, device):
                    raise FactsError(f"packages/{FOLDER}/ has no folder {folder.name}/: {_RESTORE}")
            # These are made with their first files.
            self._is_part(opened, self.quarantine.folder.name, device)
            self._is_part(opened, self.trash.folder.name, device)
        if not self.journals.nodes and os.path.lexists(self.journals.folder):
            raise FactsError(
                f"packages/{FOLDER}/{journal.FOLDER}/ is there: several hosts share packages/, and this one does not know the"
                " others. Set pypi_nodes. If this is the only host from now on, remove that folder."
            )
        if known != own:
            raise AnotherStoreError(
                f"packages/{FOLDER}/ is the store {own}, and this index was made from {known or 'none'}: mount the folder"
                f" that belongs to it. If this one is to be it from now on, remove index/{KNOWN}."
            )

    def check_mounted(self) -> None:
        """Find out whether packages/ is there: what is missing in an empty folder below a mount point was not removed.

        Raises:
            UnmountedError: if it is not.
        """
        try:
            self._id()
        except UnmountedError:
            raise
        except FactsError:
            # Something else is wrong with it.
            return

    def _is_unmounted(self) -> bool:
        """Tell whether there is nothing in packages/, and this index has a store there."""
        try:
            with os.scandir(self.folder.parent) as found:
                is_empty = all(entry.name in (incoming.FOLDER, "lost+found") for entry in found)
        except OSError:
            # Such as a mount whose server, or whose process, has ended.
            is_empty = True
        return is_empty and bool(self.known())

    def give_back(self, project: str) -> None:
        """Forget a project of which there are no files: the claim last, as a name of which anything is known is claimed.

        What was known is put aside and not removed: its files may come back, with a mount that was not there for a while.
        """
        disk.check_folder(self.records.folder / project)
        aside = self.folder / _GIVEN_BACK / f"{project}-{time_text(time.time_ns())}"
        for place in (self.decisions.folder / f"{project}.json", self.records.folder / project):
            if os.path.lexists(place):
                aside.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.rename(place, aside / place.parent.name)
        if aside.exists():
            folders = [aside, aside.parent, self.folder]
            disk.sync([*folders, self.decisions.folder, self.records.folder])
        self.claims.give_back(project)

    def _is_part(self, opened: str, folder: str, device: int) -> bool:
        """Tell whether a folder of the store, which is on a device, is there; raise FactsError where something else is.

        Args:
            opened: the store, as ``disk.opened`` yields it.
            folder: the folder's name.
            device: it.
        """
        name = f"packages/{FOLDER}/{folder}"
        try:
            status = os.lstat(f"{opened}/{folder}")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise FactsError(f"{name}/ cannot be used: {error}") from error
        if stat.S_ISLNK(status.st_mode):
            raise FactsError(f"{name} is a link: put the folder itself there.")
        if not stat.S_ISDIR(status.st_mode):
            raise FactsError(f"{name} is not a folder: move it aside.")
        if status.st_dev != device:
            raise FactsError(
                f"{name}/ is a mount of its own, and files are moved within one: put the folder itself there."
            )
        return True

    def _make(self) -> None:
        """Make an empty store. Its number is the last to be there: what is cut off before is no store yet."""
        self._look()
        for folder in (self.folder, *self.folders()):
            folder.mkdir(mode=0o700, exist_ok=True)
        content = f"{json.dumps({'format': FORMAT, 'id': str(uuid.uuid4())})}\n".encode()
        # Of several nodes the first makes it.
        with suppress(FileExistsError), disk.written_aside(self._aside, content, synced=True) as (aside, _inode):
            os.link(aside, self.folder / "format")
        disk.sync([self.folder, self.folder.parent])

    def _look(self) -> None:
        """Raise FactsError where something else is in the folder's place."""
        try:
            mode = os.lstat(self.folder).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode):
            raise FactsError(f"packages/{FOLDER} is a link: put the folder itself there.")
        if not stat.S_ISDIR(mode):
            raise FactsError(f"packages/{FOLDER} is not a folder: {_RESTORE}")

    def _id(self) -> str:
        """Return the id of the store that is there; raise FactsError where there is none that can be used."""
        try:
            self._look()
            found = strict.parsed(disk.read(self.folder / "format").decode())
            number = strict.whole(found, "format", least=1)
            own = strict.text(found, "id") if number <= FORMAT else ""
            if number <= FORMAT and not own:
                raise ValueError("id is empty")
        except FileNotFoundError:
            if self._is_unmounted():
                raise UnmountedError(_UNMOUNTED) from None
            if os.path.lexists(self.folder / RESTORING):
                # As little as in an empty folder, what is not there yet was removed.
                raise UnmountedError(
                    f"packages/{FOLDER}/ is being restored, or that was cut off: then run wheelhouse.pypi.restore again."
                ) from None
            raise FactsError(f"packages/{FOLDER}/format is missing: {_RESTORE}") from None
        except (OSError, ValueError) as error:
            if self._is_unmounted():
                raise UnmountedError(f"{_UNMOUNTED} ({error})") from error
            raise FactsError(f"packages/{FOLDER}/format cannot be used ({error}): {_RESTORE}") from error
        if number > FORMAT:
            raise FactsError(
                f"packages/{FOLDER}/ has format {number}, and this release of wheelhouse.pypi knows formats up to {FORMAT}:"
                " install the release that wrote it, or a later one."
            )
        return own


_RESTORE = (
    f"restore packages/{FOLDER}/ from the backup. If it is lost for good, move it aside, move its quarantine/, the only copy"
    f" of quarantined files, to a new packages/{FOLDER}/, and remove index/{KNOWN}: the rest is made again from what this"
    " index still knows."
)
_UNMOUNTED = (
    f"packages/ is not mounted: packages/{FOLDER}/format is missing, and all else. Mount what belongs there: the index goes on by"
    " itself. Pages are served meanwhile, and nothing is changed. If it is lost for good, run wheelhouse.pypi.restore; without a"
    f" backup, remove index/{KNOWN}, and publish again."
)
