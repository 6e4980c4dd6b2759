"""The folders of an index, and the lock on them: one process at a time changes anything, whichever replica it is of."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import stat
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..common import disk
from ..common.answers import some
from ..common.beside import Beside
from ..fact_store.decisions import Decisions
from ..fact_store.facts import NO_NODES, AnotherStoreError, FactStore, UnmountedError
from ..fact_store.journal import Nodes
from ..fact_store.recording import Recorder, is_young
from ..fact_store.records import FactsError
from ..files import incoming
from ..files.entry import Entry, Stamp, guessed
from . import schema
from .catalogue import Catalogue
from .known import Known
from .output import Output, Staged
from .reconciling import Reconciler
from .scan import Scanner

log = logging.getLogger(__name__)
# For so many seconds a look at the store of facts counts, where several nodes share it: on such a folder it takes long. After
# half of them, the process that follows the other nodes looks again (``Peers``), so that no request has to.
LATELY = 2.0
# In index/: when that was, by the clock since the boot.
_LOOKED = ".looked"


@dataclass(frozen=True)
class Options:
    """How an index is kept.

    Attributes:
        replaceable: whether a file may get other content than it had.
        url: the index's own address; empty where it has none, None for who does not know.
        trash: seconds for which removed files can come back; 0 for never.
        nodes: those that share packages/.
    """

    replaceable: bool = False
    url: str | None = None
    trash: int = 0
    nodes: Nodes = NO_NODES


PLAIN = Options()


class Folders:
    """The folders packages/ and index/ of an index.

    Args:
        packages: the one.
        index: the other.
        options: how they are kept.

    Attributes:
        packages: the distribution files.
        nodes: those that share packages/.
        incoming: where uploads arrive.
        facts: what is known of them and cannot be read from them.
        output: the pages.
        catalogue: what is known of the files.
    """

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        self.packages = packages
        nodes = self.nodes = options.nodes
        self.incoming = incoming.folder_of(packages, nodes.own)
        self.facts = FactStore(packages, index, nodes)
        self.output = Output(index, marks_files=bool(nodes))
        self._url = options.url
        self.catalogue = Catalogue(index / schema.NAME, self.mend)
        self._beside = Beside(bool(nodes))
        self._recorder = Recorder(self.facts, options.replaceable, self._beside)
        self._reconciler = Reconciler(self.facts.decisions, self.facts.quarantine)
        self._lock = index / ".lock"
        # Whether this thread has it.
        self._locked = threading.local()
        # When the shared folder was looked at by this process, and where all processes of the host say so.
        self._looked_at = -math.inf
        self._looked = index / _LOOKED

    def prepare(self) -> None:
        """Make what is missing; several processes may do so at once.

        Raises:
            OSError: if packages/ cannot be listed: pypiserver does not start then, and the engine tries again later.
        """
        # It may be of another boot.
        self._looked.unlink(missing_ok=True)
        try:
            os.scandir(self.packages).close()
        except FileNotFoundError:
            pass
        except OSError:
            # What may lie there now could be private.
            self.facts.marks.close()
            raise
        if not self.in_place():
            # What has been private is not known for sure.
            self.facts.marks.close()
        with self._alone():
            missing = self.output.prepare()
            # Not in an empty folder below a mount point.
            with suppress(UnmountedError):
                self.facts.check_mounted()
                incoming.prepare(self.incoming)
            self._prepare_facts()
            self.catalogue.prepare(self._survey)
            with self.catalogue.writing() as known:
                self._take_decisions(known)
                self._take_address(known)
                if missing:
                    self._mark_dirty(known, known.all_projects())
                if known.pending():
                    self.output.mark_incomplete()

    def _take_address(self, known: Known) -> None:
        """Have the pages that name the index's own address written again where that is another one."""
        if self._url is not None and known.served_at != self._url:
            known.served_at = self._url
            self._mark_dirty(known, known.with_attested())

    def _prepare_facts(self) -> None:
        """Make the store of facts where there is none yet."""
        try:
            self.facts.prepare()
        except FactsError as error:
            # What is on disk is served, and each change is refused.
            log.error("%s", error)

    def check_facts(self) -> None:
        """Find out whether the store of facts can be used; one that nothing was put into yet may be another one.

        So a backup can be put in place of the empty store of a new index. A missing one is never made again: it may come back.

        Raises:
            FactsError: if it cannot.
        """
        try:
            self.facts.check()
        except AnotherStoreError:
            with self.catalogue.reading() as known:
                if known.has_recorded():
                    raise
            self.facts.forget()
            self.prepare()
            self.facts.check()

    def make_ready(self, lately: float | None = None) -> None:
        """Make what was removed while servers run, and find out whether the store of facts can be used, or could just now.

        Args:
            lately: for how many seconds a look counts here.

        Raises:
            FactsError: if it cannot.
        """
        if not self._was_ready(LATELY if lately is None else lately):
            began = time.monotonic()
            self.mend()
            self.check_facts()
            self._note_look(began)
        elif not self._has_pages():
            self.mend()

    def check_mounted(self) -> None:
        """Find out whether packages/ is there, or was just now; raises UnmountedError if not."""
        if not self._was_ready(LATELY):
            self.facts.check_mounted()

    def _was_ready(self, lately: float) -> bool:
        if not self.nodes:
            return False
        now = time.monotonic()
        if now - self._looked_at >= lately:
            # The clock of the host since its boot is that of all its containers.
            with suppress(OSError, ValueError):
                self._looked_at = float(self._looked.read_text(encoding="ascii"))
        return 0 <= now - self._looked_at < lately

    def _note_look(self, at: float) -> None:
        self._looked_at = at
        if self.nodes:
            # Half of it, or none, is no look for others.
            with suppress(OSError):
                self._looked.write_text(f"{at}", encoding="ascii")

    def in_place(self) -> bool:
        """Tell whether nothing was removed of what prepare makes."""
        return self.incoming.is_dir() and self._has_pages()

    def _has_pages(self) -> bool:
        there = all(map(os.path.isdir, self.output.folders())) and bool(self.facts.known())
        return there and self.catalogue.is_whole() and not self.catalogue.damaged

    def mend(self) -> None:
        """Make what was removed while servers run."""
        if not getattr(self._locked, "here", False) and not self.in_place():
            self.prepare()

    def _survey(self, known: Known) -> None:
        """Note all files that there are, for a catalogue that knows of none."""
        self.facts.check_mounted()
        found, _removed = Scanner(self.packages, {}).changes(thorough=True)
        for path, stamp in found.items():
            known.put(Entry(path, stamp))
        self._mark_dirty(known, {guessed(path.rpartition("/")[2]).project for path in found} | self.output.with_pages())

    def _take_decisions(self, known: Known, found: Mapping[str, Decisions] | None = None) -> None:
        """Have catalogue and store of facts say the same, where the store can be used; of what differs, if that is known."""
        try:
            self.facts.check()
        except FactsError:
            return
        own = self.facts.known()
        is_new = known.recorded_in not in ("", own)
        known.recorded_in = own
        found = self._reconciler.differing(known) if found is None else found
        self._mark_dirty(known, self._reconciler.take(known, found, is_new))
        # Also where nothing else is left of a project: files in quarantine, or a yank.
        self._claim_again(set(known.decided()) - self.facts.claims.names())

    def _claim_again(self, lost: Collection[str]) -> None:
        """Make claims that the store of facts has lost, given by their projects."""
        if lost:
            log.warning("The store of facts lacks claims of %s: they are made", some(sorted(lost)))
            disk.sync(self.facts.claims.make(lost))

    def _record(self, entries: Iterable[Entry | None]) -> None:
        """Record files that have no record yet, and will be known no more: their names stay theirs."""
        waiting = [entry for entry in entries if entry and entry.facts and not entry.recorded]
        if waiting:
            self.facts.check()
            self._recorder.make(waiting)

    def _mark_dirty(self, known: Known, projects: Iterable[str]) -> None:
        """Note projects whose pages have to be written. Until they are, NGINX asks about what is not on disk."""
        if waiting := set(projects):
            self.output.mark_incomplete()
            known.mark_dirty(waiting)

    def _stamp(self, path: str) -> Stamp | None:
        try:
            status = os.lstat(f"{self.packages}/{path}")
            return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None
        except OSError:
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all other processes and threads from changing anything."""
        with ExitStack() as stack:
            lock = stack.enter_context(open(self._lock, "wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            while not _has_name(lock, self._lock):
                # Removed while this waited for it: others take the one that is there now.
                lock = stack.enter_context(open(self._lock, "wb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._locked.here = True
            try:
                yield
            finally:
                self._locked.here = False


def _has_name(file: IO[bytes], path: Path) -> bool:
    """Tell whether an open file is the one that a path names."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def settled(entries: Iterable[Entry | None]) -> list[Entry]:
    """Return those of files that are not being written any more; what is cut off was never published."""
    return [entry for entry in entries if entry and not is_young(entry)]


@contextmanager
def staging() -> Iterator[Staged]:
    """Yield what is to be published together; what was not is discarded."""
    staged = Staged()
    try:
        yield staged
    finally:
        staged.discard()
