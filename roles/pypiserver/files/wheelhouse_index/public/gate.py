"""Decides on public pages and files: whether NGINX may serve them, and from where.

In whatever order things happen, of a private name nothing is asked of upstream, and nothing of upstream's is served.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ..common.answers import one_line
from ..fact_store.marks import METADATA, fingerprint
from ..fact_store.records import FactsError
from ..index.store import Store
from .declining import Declined, away, crowded, no_project
from .outlet import Outlet
from .policies import Policies
from .policy import Held, Judge, Policy, PolicyError
from .reading import SECONDS, read_apart
from .rendering import FORMS, rendered
from .upstream_page import LARGE_BYTES, File, Page, UnusableError
from .verifying import Verifier

log = logging.getLogger(__name__)
# Seconds for which a page that was looked at will do: for another of its forms, and for its files.
_SAME_PAGE, _SAME_FILES = 1.0, 1.0
# Seconds for which NGINX may serve a page that upstream could not be asked about.
_STALE_SECONDS = 15
# What is kept of pages, as bytes: those of each page, and what Python takes for each file and for a page beside them.
_KNOWN_BYTES, _FILE_BYTES, _PAGE_BYTES = 32 * 1024 * 1024, 800, 2000
_REPORTED = 20_000
_NAMED = 5
# Of requests at once, in a process; of those that wait for the same upstream; and of those that must be left for others.
MOST, _MOST_WAITING, _LEAST_LEFT = 64, 48, 8
_CROWDED = "Too many requests wait for the public index at the moment. Try again in a second."
_BIG = "Other large pages of the public index are being read. Try again in a second."


class Reply(NamedTuple):
    """What NGINX gets."""

    headers: list[tuple[str, str]]
    body: bytes = b""

    def parts(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status line, headers and body."""
        return "200 OK", [*self.headers, ("Content-Length", str(len(self.body)))], self.body


class Looked(NamedTuple):
    """A page of upstream's, as a policy sees it.

    Attributes:
        page: it.
        files: each with why it is held back, by host and path.
        is_stale: whether upstream could not be asked.
        size: of upstream's page, in bytes.
        seen: stands for the files that are let through.
    """

    page: Page
    files: Mapping[str, tuple[File, Held | None]]
    is_stale: bool
    size: int
    seen: str

    def passed(self) -> list[File]:
        """Return the files that are let through."""
        return [file for file, held in self.files.values() if held is None]


class Gate:
    """Decides.

    Args:
        store: the index, which knows what is private.
        policies: what may be let through.
        outlet: asks upstream.
        verifier: looks at files that are let through for the first time.
    """

    def __init__(self, store: Store, policies: Policies, outlet: Outlet, verifier: Verifier | None = None) -> None:
        self._store = store
        self._marks = store.facts.marks
        self._lease = store.facts.lease
        self._policies = policies
        self._outlet = outlet
        self._verifier = verifier
        self._pages = _Pages()
        # A large page takes a multiple of its bytes while it is read or written.
        self._large = threading.Lock()
        self._waiting = _Waiting()
        self._reported: OrderedDict[str, int] = OrderedDict()

    @classmethod
    def of(cls, store: Store, policy: Path, socket: Path) -> Gate:
        """Return one with all that it needs, running.

        Args:
            store: the index.
            policy: the file, which need not be there.
            socket: by which NGINX asks upstream.
        """
        marks = store.facts.marks
        outlet = Outlet(socket, marks)
        verifier = Verifier(outlet, marks)
        gate = cls(store, Policies(policy, marks.keep_policies), outlet, verifier)
        verifier.start(gate.is_private)
        return gate

    @classmethod
    def asking(cls, store: Store, policy: Path, socket: Path) -> Gate:
        """Return one that only finds out what upstream has; arguments as for ``of``."""
        # The server's processes keep the marks.
        return cls(store, Policies(policy), Outlet(socket, store.facts.marks))

    def page(self, project: str, digest: str, form: str) -> Reply:
        """Return a project's page.

        Args:
            project: its normalised name.
            digest: of the policy.
            form: a key of ``FORMS``.

        Raises:
            Declined: if it has none, or none for now.
        """
        policy = self._policies.named(digest)
        found = self._look(policy, project, _SAME_PAGE)
        self._marks.mark_page(digest, project)
        self._check(policy, project)
        with self._one_large(found.size):
            body, tag = rendered(found.page, found.passed(), form)
        kept = min(_STALE_SECONDS, policy.freshness) if found.is_stale else policy.freshness
        headers = [("Content-Type", FORMS[form]), ("Content-Encoding", "gzip"), ("ETag", tag)]
        return Reply([*headers, ("X-Accel-Expires", str(kept))], body)

    def file(self, project: str, place: str, digest: str) -> Reply:
        """Return where NGINX finds a file.

        Args:
            project: the normalised name of whose it is.
            place: upstream's host, and the path there, decoded.
            digest: of the policy.

        Raises:
            Declined: if it may not be served.
        """
        policy = self._policies.named(digest)
        found = self._look(policy, project, _SAME_FILES)
        sha256 = self._let_through(found, project, place)
        is_new = self._marks.mark_file(digest, project, place, sha256)
        if is_new and self._marks.is_outdated(digest, project, found.seen):
            # Another process has looked since, and may have taken away just this mark.
            self._marks.unmark_file(project, place)
            sha256 = self._let_through(self._look(policy, project, 0.0), project, place)
            self._marks.mark_file(digest, project, place, sha256)
        self._check(policy, project)
        if is_new and sha256 and self._verifier:
            self._verifier.put(project, digest, place, sha256)
        return Reply([("X-Accel-Redirect", f"/_public/{project}/{quote(place, safe='/:')}")])

    def _let_through(self, found: Looked, project: str, place: str) -> str:
        """Return what SHA-256 a page says of a file, or of its metadata; raise Declined for one that may not be served."""
        listed = place.removesuffix(METADATA)
        if listed not in found.files:
            name = listed.rpartition("/")[2]
            reason = found.page.left_out.get(name)
            left_out = f" It is left out: {reason}." if reason else ""
            raise Declined(404, f"{name} is not on the public index's page of {project}.{left_out}")
        file, held = found.files[listed]
        if held:
            raise Declined(403, f"{file.name}: {held.reason}", held.rule)
        if listed != place and file.metadata is None:
            raise Declined(404, f"The public index has no metadata of {file.name}.")
        if self._marks.is_wrong(place):
            raise away(f"{file.name} has other content on the public index than its page says. Try again in a minute.")
        return file.sha256 if listed == place else file.metadata or ""

    def why(self, project: str, digest: str) -> str:
        """Return what is held back of a project, why, until when, and what to ask the operator for: a line each.

        Raises:
            Declined: if that is not known.
        """
        policy = self._policies.named(digest)
        if policy.private.match(project):
            # Not by which pattern: that would name others.
            return f"{project} is reserved for private packages: never asked upstream.\n"
        if self._is_private(policy, project):
            return f"{project} is private on this index: never asked upstream.\n"
        if held := policy.held(project):
            return f"{held.reason}\n"
        if policy.upstream_of(project) is None:
            return f"{project} is not here, and pypi_upstreams has no upstream that answers for it.\n"
        found = self._look(policy, project, _SAME_FILES)
        self._check(policy, project)
        return "".join(f"{line}\n" for line in _explained(found))

    def check_new(self, project: str) -> None:
        """Find out whether a name that is to become private may be: whether upstream has it.

        Args:
            project: its normalised name.

        Raises:
            Declined: 409 if upstream has it, 503 if that cannot be found out.
        """
        try:
            policy = self._policies.current()
        except PolicyError as error:
            log.error("%s", error)
            reason = (
                "The policy for public projects cannot be used; nothing was stored. Ask the operator of this index."
            )
            raise Declined(503, reason, retry_after=60) from error
        if not policy or policy.private.match(project) or policy.shadowed.match(project):
            return
        number = policy.upstream_of(project)
        # As packages/ says: another node may have claimed it a moment ago.
        if number is None or self._is_claimed(policy, project):
            return
        try:
            with self._outlet.page(number, policy.upstreams[number].url, project):
                pass
        except Declined as error:
            if error.status == 404:
                return
            raise Declined(
                503,
                f"{project} would be a new private name, and whether the public index has it cannot be found out now;"
                " nothing was stored. Try again in a while, or ask the operator to add it to pypi_private_names.",
                retry_after=max(error.retry_after, 5),
            ) from error
        raise Declined(
            409,
            f"{project} is a project of the public index: a private one would take its place. Choose another name or, if"
            f" that is meant, ask the operator to add to pypi_shadowed_names: {project}",
        )

    def is_private(self, project: str, digest: str) -> bool:
        """Tell whether nothing of a project may be asked of upstream; so it is also while that is not known.

        Raises:
            OSError: if it will be known again in a moment, as the marks stay.
        """
        if self._store.nodes and self._marks.is_open() and not self._lease.holds():
            raise TimeoutError("other nodes may have claimed it")
        try:
            self._check(self._policies.named(digest), project)
        except Declined:
            return True
        return False

    def _is_private(self, policy: Policy, project: str) -> bool:
        """Tell whether a project is private; raise Declined where that cannot be found out."""
        if not self._store.nodes:
            return self._is_claimed(policy, project)
        try:
            # packages/ may hang; what it says is known here, or there is no lease.
            return bool(policy.private.match(project)) or self._store.is_private_here(project)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(project, error) from error

    def _is_claimed(self, policy: Policy, project: str) -> bool:
        """Tell whether a project is private, as packages/ says; raise Declined where that cannot be found out."""
        try:
            self._store.facts.check()
            return bool(policy.private.match(project)) or self._store.claimed(project)
        except (FactsError, OSError, sqlite3.Error) as error:
            raise self._unusable(project, error) from error

    @staticmethod
    def _unusable(project: str, error: Exception) -> Declined:
        log.error("Whether %s is private cannot be found out: %s", project, error)
        reason = "This index cannot use its facts, and serves nothing public meanwhile. Ask its operator."
        return Declined(503, reason, retry_after=60)

    def _check(self, policy: Policy, project: str) -> None:
        """Raise Declined for a private project, or while not all of them are known; take away marks that it has."""
        if not self._marks.is_open():
            self._marks.withdraw([project])
            raise Declined(503, "Private names are being collected. Try again in a moment.", retry_after=5)
        if self._is_private(policy, project):
            self._marks.withdraw([project])
            raise no_project(project)
        if self._store.nodes and not self._lease.holds():
            # Marks stay: without a lease, NGINX does not look at them.
            reason = (
                "This host does not know at the moment which names are private on the others. Try again in a moment."
            )
            raise Declined(503, reason, retry_after=2)

    def _look(self, policy: Policy, project: str, recent: float) -> Looked:
        """Return a project's page; one of the last few seconds will do.

        Raises:
            Declined: if there is none.
        """
        self._check(policy, project)
        if held := policy.held(project):
            raise Declined(403, held.reason, held.rule)
        number = policy.upstream_of(project)
        if number is None:
            raise no_project(project)

        def ask() -> Looked:
            # It may have waited for its turn.
            self._check(policy, project)
            looked = self._judged(policy, number, project)
            # What it has noted of a project that has turned private meanwhile.
            self._check(policy, project)
            return looked

        key = (policy.digest, project)
        if known := self._pages.known(key, recent):
            return known
        with self._waiting.for_upstream(policy, number):
            return self._pages.get(key, recent, ask)

    def _judged(self, policy: Policy, number: int, project: str) -> Looked:
        upstream = policy.upstreams[number]
        try:
            with self._outlet.page(number, upstream.url, project) as raw, self._one_large(len(raw.body)):
                page = read_apart(project, upstream, raw.body, raw.content_type)
                size, is_stale = len(raw.body), raw.is_stale
        except UnusableError as error:
            reason = one_line(f"The public index's page of {project} cannot be used: {error}")
            log.error("%s", reason)
            raise away(f"{reason}. Tell its operator, or try again in a while.") from error
        except Declined as error:
            if error.status == 404:
                self._marks.keep(policy.digest, project, {}, page=False)
            elif error.status == 502:
                log.error("%s", error.reason)
            raise
        self._report(page)
        judge = Judge(policy, project, number, time.time())
        files = {f"{file.host}/{file.path}": (file, judge.held(file)) for file in page.files}
        passed = {place: file for place, (file, held) in files.items() if held is None}
        digests = {place: file.sha256 for place, file in passed.items()}
        digests |= {place + METADATA: file.metadata for place, file in passed.items() if file.metadata is not None}
        for place in self._marks.keep(policy.digest, project, digests):
            log.warning("Upstream has replaced %s: fetching it again", place)
            if self._verifier:
                # Until then, what is in the cache is the other one.
                self._marks.mark_wrong(place)
                self._verifier.put(project, policy.digest, place, digests[place], is_fresh=True)
        return Looked(page, files, is_stale, size, fingerprint(digests))

    @contextmanager
    def _one_large(self, size: int) -> Iterator[None]:
        """Wait, with a large page, until no other one is being read or written."""
        if size <= LARGE_BYTES:
            yield
            return
        if not self._large.acquire(timeout=SECONDS):
            raise crowded(_BIG)
        try:
            yield
        finally:
            self._large.release()

    def _report(self, page: Page) -> None:
        """Say once which files of a page cannot be offered."""
        now = hash(frozenset(page.left_out.items()))
        if not page.left_out or self._reported.get(page.project) == now:
            return
        self._reported[page.project] = now
        while len(self._reported) > _REPORTED:
            self._reported.popitem(last=False)
        some = list(page.left_out.items())
        named = "; ".join(f"{name}: {reason}" for name, reason in some[:_NAMED])
        more = f"; and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
        log.warning("Left out of upstream's page of %s: %s%s", page.project, one_line(named), more)


class _Waiting:
    """Counts who waits for which upstream, so that those that hang leave room for the others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    @contextmanager
    def for_upstream(self, policy: Policy, number: int) -> Iterator[None]:
        """Wait for an upstream; raises Declined if too many do."""
        url = policy.upstreams[number].url
        most = max(min(_MOST_WAITING, (MOST - _LEAST_LEFT) // max(len(policy.upstreams) - 1, 1)), 1)
        with self._lock:
            if self._counts.get(url, 0) >= most:
                raise crowded(_CROWDED)
            self._counts[url] = self._counts.get(url, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[url] -= 1


class _Outcome(NamedTuple):
    """What came of a look, and when it began."""

    looked: Looked | Declined
    at: float


class _Pages:
    """Pages that were looked at of late. Of those who want the same one, one asks, and all get what it gets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], _Outcome] = OrderedDict()
        self._bytes = 0
        self._turns: dict[tuple[str, str], tuple[threading.Lock, list[None]]] = {}

    def known(self, key: tuple[str, str], recent: float) -> Looked | None:
        """Return a page that is no older than so many seconds, if there is one, without a wait."""
        outcome = self._known.get(key)
        if outcome and isinstance(outcome.looked, Looked) and outcome.at >= time.monotonic() - recent:
            return outcome.looked
        return None

    def get(self, key: tuple[str, str], recent: float, ask: Callable[[], Looked]) -> Looked:
        """Return a page that is no older than so many seconds; raises as ``ask`` does."""
        since = time.monotonic() - recent
        with self._turn(key):
            outcome = self._known.get(key)
            # A failure is for those who have waited for it.
            least = since if outcome and isinstance(outcome.looked, Looked) else since + recent
            if outcome is None or outcome.at < least:
                outcome = self._ask(key, ask)
        if isinstance(outcome.looked, Declined):
            raise outcome.looked.with_traceback(None)
        return outcome.looked

    def _ask(self, key: tuple[str, str], ask: Callable[[], Looked]) -> _Outcome:
        looked: Looked | Declined
        try:
            looked = ask()
        except Declined as error:
            looked = error
        outcome = _Outcome(looked, time.monotonic())
        with self._lock:
            self._count(self._known.pop(key, None), -1)
            self._known[key] = outcome
            self._count(outcome, 1)
            while self._bytes > _KNOWN_BYTES and len(self._known) > 1:
                self._count(self._known.popitem(last=False)[1], -1)
        return outcome

    def _count(self, outcome: _Outcome | None, sign: int) -> None:
        if outcome:
            size = _PAGE_BYTES
            if isinstance(outcome.looked, Looked):
                entries = len(outcome.looked.files) + len(outcome.looked.page.left_out)
                size += outcome.looked.size + entries * _FILE_BYTES
            self._bytes += sign * size

    @contextmanager
    def _turn(self, key: tuple[str, str]) -> Iterator[None]:
        with self._lock:
            lock, waiting = self._turns.setdefault(key, (threading.Lock(), []))
            waiting.append(None)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                waiting.pop()
                if not waiting:
                    self._turns.pop(key, None)


def _explained(found: Looked) -> Iterator[str]:
    """Yield the lines of ``why``: one for each release and reason."""
    project = found.page.project
    held = dict.fromkeys((file.version, why.reason) for file, why in found.files.values() if why)
    for version, reason in held:
        yield f"{project} {version}: {reason}"
    for name, reason in found.page.left_out.items():
        yield one_line(f"{name}: not offered, {reason}")
    if found.page.status:
        reason = f": {found.page.status_reason}" if found.page.status_reason else ""
        yield one_line(f"{project} is {found.page.status} upstream{reason}")
    if not held and not found.page.left_out:
        yield f"Nothing of {project} is held back."
    if found.is_stale:
        yield "The public index cannot be asked at the moment: this is of its last known page."
