"""The other nodes of an index: they hear what has changed, say the same to this one, and see that it lives.

A message says "read on up to here", and nothing else: what has changed is in the shared folder. Both it and the answer have a
checksum with a key that is there as well, so it does not matter who hears them on the way.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import logging
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ..common import boot
from ..common.answering import Answering
from ..common.answers import Answer
from ..fact_store.journal import NAME, Place
from ..index import folders
from ..index.store import Store
from .health import problems
from .keeper import NICENESS

log = logging.getLogger(__name__)
# Below the folder of the sockets: NGINX, which knows where the other nodes are.
WAY_OUT = "nginx/peers.sock"
HEADER = "X-Wheelhouse-Peer"
# In index/: who holds it reads on; and what came of it.
LOCK, FOLLOWED = ".follower", ".followed"
# A node that has read nothing for so long is not asked by a balancer; shorter ones would be noise.
LEAST_CONTACT = 2.0
# Of that time, the pause between two looks as a divisor.
_LOOKS = 4
# Of that time, after how much it says once more that it lives, as a divisor: at each look, where public projects wait for that.
_WORDS, _PUBLIC_WORDS = 2, 4
# Seconds: for an answer, until one that does not answer is asked again, and between looks whether it has read on.
_ANSWER_SECONDS, _AWAY_SECONDS, _PACE = 1.0, 2.0, 0.05
_MOST = 64
_REQUEST = re.compile(rf"GET (/node|/_peer/({NAME.pattern})/([0-9]{{8}}\.journal)/([0-9]{{1,12}})) HTTP/1\.[01]\r\n")
BUSY = Answer(503, "Too many ask at once.")


class Peers:
    """The other nodes.

    Args:
        store: the index.
        way_out: the socket of NGINX.
        freshness: seconds after which a node without contact is not well.
    """

    def __init__(self, store: Store, way_out: Path, freshness: float) -> None:
        self._store = store
        self._contact = max(freshness, LEAST_CONTACT)
        self._others = [_Peer(name, store, way_out, self._contact) for name in store.nodes.others]
        self._followed = store.output.folder / FOLLOWED
        self._beat = 0
        # What was said last to the other nodes, and when that it lives; what was wrong at the last look at everything, and when.
        self._said: dict[str, Place] = {}
        self._said_at = -self._contact
        self._found: tuple[str, float] = "", -self._contact
        # Until when this process has taken the lease.
        self._leased_until = -self._contact
        self._giver: threading.Thread | None = None
        self._last_reason = ""
        # When the last look began that has found nothing wrong.
        self._well_at = -self._contact
        # For longer than a node waits for this one.
        store.held_seconds = max(store.held_seconds, self._contact + 2)

    def start(self, listening: socket.socket, stopping: threading.Event) -> None:
        """Begin to read on, and to answer, until this process is to end."""
        Answering(listening, self.answer, BUSY, stopping, _MOST, "peers").start()
        threading.Thread(target=self._run, args=(stopping,), name="follower", daemon=True).start()

    def tell(self, place: Place) -> None:
        """Have all nodes that are well know what this one has journalled up to a place.

        When this returns, each of them has read it, or is not well by now, as it has read nothing for too long.
        """
        until = time.monotonic() + self._contact + 1
        waiting = [threading.Thread(target=peer.bring, args=(place, until), daemon=True) for peer in self._others]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()

    def looks(self) -> bool:
        """Tell whether this node is the one that looks for files which arrive by other ways: the first that lives."""
        own = self._store.nodes.own
        return not any(peer.name < own and peer.lives(self._contact + 1) for peer in self._others)

    def step(self) -> None:
        """Read on once, and say so to the other nodes and to all processes of this one.

        The lease counts from a word that was said before this look. So a node that has given this one up, as its last word was
        old, sees a new word, or this look sees what that node has journalled; and the lease of the old word is over by then.
        """
        began = boot.now()
        try:
            is_public = self._store.facts.marks.folder.is_dir()
            speaks = began - self._said_at >= self._contact / (_PUBLIC_WORDS if is_public else _WORDS)
            if speaks:
                # Who has given it up waits for it again from here on, so what was journalled before is read now.
                self._say({} if began - self._said_at > self._contact else self._said)
                self._said_at = began
            # Before it is due, so that no request has to look.
            self._store.make_ready(folders.LATELY / 2)
            followed = self._store.catch_up()
            if followed != self._said:
                self._say(followed)
            if speaks and is_public:
                self._take_lease(began)
            if began - self._found[1] >= self._contact:
                self._found = "; ".join(problems(self._store)), began
            reason = self._found[0]
            if self._store.compares():
                reason = reason or "records of other nodes were missing: all files are being compared"
            if self._lacks_files(began):
                reason = reason or "files that other nodes have published are not there yet"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            log.error("Cannot read on: %s", reason)
            self._found = reason, -self._contact
        if not reason:
            self._well_at = began
        text = json.dumps({"boot": boot.name(), "at": began, "reason": reason})
        new = self._followed.with_name(f"{FOLLOWED}.new")
        with suppress(OSError):
            new.write_text(text, encoding="utf-8")
            os.replace(new, self._followed)

    def _lacks_files(self, now: float) -> bool:
        """Tell whether a file is missing of which another node may have answered that it is published."""
        waits = self._store.waits()
        # Who publishes waits for this node if it is well, but for no longer than this. A node that has died has answered nothing.
        late = [one for one in self._others if waits.get(one.name, 0.0) and one.lives(self._contact * 0.75)]
        return bool(waits and now - self._well_at > self._contact) or any(
            waits[one.name] > self._contact for one in late
        )

    def _take_lease(self, since: float) -> None:
        """Have public projects served for a while: all names are known that were claimed before this look, which began then."""
        began = since
        if began > self._leased_until:
            # It was over meanwhile: journals may have lost what was written into them since.
            self._store.gather_names()
            # That may take longer than a lease: the next look takes one then.
            began = boot.now()
        self._store.facts.lease.take(since, self._contact)
        self._leased_until = began + self._contact

    def _say(self, followed: dict[str, Place]) -> None:
        """Have the other nodes know what this one has read, and that it lives."""
        self._beat = max(self._beat + 1, time.time_ns())
        try:
            self._store.facts.journals.see(self._beat, followed)
        except OSError:
            # It may know better why.
            self._store.check_facts()
            raise
        self._said = followed

    def wellness(self) -> str:
        """Return why a balancer is not to use this node; empty where it is. Does not look at packages/, which may hang."""
        try:
            found = json.loads(self._followed.read_text(encoding="utf-8"))
            past = boot.now() - float(found["at"])
            reason = str(found["reason"])
            if found["boot"] != boot.name():
                return "it has read nothing since the host started"
        except (OSError, ValueError, KeyError, TypeError):
            return "it has not read what other nodes have changed"
        if not 0 <= past <= self._contact:
            return f"it has not read for {past:.0f} s what other nodes have changed"
        return reason

    def answer(self, line: str, headers: Mapping[str, str]) -> Answer:
        """Return what NGINX gets for a balancer or another node."""
        request = _REQUEST.fullmatch(line)
        if request is None:
            return Answer(404, "There is no such address.")
        if request[1] == "/node":
            reason = self.wellness()
            if bool(reason) != bool(self._last_reason):
                log.warning("The health address says: %s", reason or "well")
            self._last_reason = reason
            return Answer(503, reason) if reason else Answer(200, "ok")
        nonce, _blank, sent = headers.get(HEADER, "").partition(" ")
        try:
            if not self._is_known(nonce, request[1], sent):
                return Answer(403, "This is no node of this index.")
            followed = self._store.catch_up(request[2], Place(request[3], int(request[4])))
            status = 200 if followed.get(request[2], Place()) >= (request[3], int(request[4])) else 503
        except Exception as error:
            log.error("Cannot read what %s has changed: %s", request[2], error)
            status = 503
        # With its own name: an address may lead to another node than was meant.
        own = self._store.nodes.own
        mac = ""
        with suppress(OSError):
            mac = _mac(self._store.facts.journals.key(), "answer", own, nonce, request[1], str(status))
        return Answer(status, "read" if status == 200 else "not read", [(HEADER, mac)])

    def _is_known(self, nonce: str, path: str, sent: str) -> bool:
        for again in (False, True):
            key = self._store.facts.journals.key(again)
            if hmac.compare_digest(_mac(key, "ask", self._store.nodes.own, nonce, path).encode(), sent.encode()):
                return True
        return False

    def _give(self) -> None:
        """Have nodes that join get what is known here, if that is all: in a thread of its own, as it takes a while."""
        if self._giver and self._giver.is_alive():
            return
        with suppress(OSError):
            if self._store.is_wanted() and not self.wellness():
                self._giver = threading.Thread(target=self._given, name="giver", daemon=True)
                self._giver.start()

    def _given(self) -> None:
        # Requests come first, as for the keeper.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        self._store.give()

    def _run(self, stopping: threading.Event) -> None:
        pause = self._contact / _LOOKS
        while not stopping.is_set():
            try:
                with open(self._store.output.folder / LOCK, "ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    pruned_at = given_at = 0.0
                    while not stopping.is_set():
                        self.step()
                        if time.monotonic() - given_at > self._contact:
                            given_at = time.monotonic()
                            self._give()
                        if time.monotonic() - pruned_at > 600:
                            pruned_at = time.monotonic()
                            with suppress(OSError):
                                self._store.facts.journals.prune()
                                self._store.facts.snapshots.prune()
                        stopping.wait(pause)
            except Exception:
                # Such as no room for another thread: what keeps this node well goes on.
                log.exception("Cannot follow the other nodes")
            stopping.wait(pause)


class _Peer:
    """Another node.

    Args:
        name: of it.
        store: the index.
        way_out: the socket of NGINX.
        contact: seconds after which a word of it is old: what it has read until then is all that it serves by.
    """

    def __init__(self, name: str, store: Store, way_out: Path, contact: float) -> None:
        self.name = name
        self._contact = contact
        self._store = store
        self._way_out = way_out
        # How far it has read for certain.
        self._told = Place()
        # What it said last when it had said nothing for long enough not to be well.
        self._expired: int | None = None
        self._away_until = 0.0
        # Whether it may have another key by now.
        self._is_doubtful = False
        self._lock = threading.Lock()
        # Its last number, and since when it is the last.
        self._beat: tuple[int, float] = (-1, 0.0)

    def bring(self, place: Place, until: float) -> None:
        """Have it read on to a place; wait until it has, or until it cannot be well any more."""
        with self._lock:
            if self._told >= place or self._is_expired():
                return
            # What was journalled since by other threads as well.
            newest = self._store.appended
            if time.monotonic() >= self._away_until:
                if self._asked(newest):
                    self._told = newest
                    return
                self._away_until = time.monotonic() + _AWAY_SECONDS
        self._await(place, until)

    def lives(self, seconds: float) -> bool:
        """Tell whether it has said something within a time."""
        with suppress(OSError):
            beat, _read = self._store.facts.journals.seen(self.name)
            if beat != self._beat[0]:
                self._beat = beat, time.monotonic()
        # One that was never there does not live; one that is seen for the first time may.
        return self._beat[0] > 0 and time.monotonic() - self._beat[1] < seconds

    def _await(self, place: Place, until: float) -> None:
        """Wait until its own word, in the shared folder, is that it has read, or until its word is too old."""
        own, last, since = self._store.nodes.own, None, 0.0
        while True:
            asked = time.monotonic()
            with suppress(OSError):
                beat, read = self._store.facts.journals.seen(self.name)
                if read.get(own, Place()) >= place or beat == self._expired:
                    return
                if beat != last:
                    last, since = beat, time.monotonic()
            if time.monotonic() >= until:
                # One that still says something waits for a file, or sees old ones. A look at the shared folder may take long: by
                # the last one, the word must have been old.
                self._expired = last if asked - since >= self._contact else None
                log.warning("Node %s does not answer, and has not read on in time", self.name)
                return
            time.sleep(_PACE)

    def _is_expired(self) -> bool:
        if self._expired is None:
            return False
        with suppress(OSError):
            if self._store.facts.journals.seen(self.name)[0] == self._expired:
                return True
            log.warning("Node %s is back", self.name)
            self._expired = None
        return False

    def _asked(self, place: Place) -> bool:
        """Ask it to read on to a place; return whether it says that it has."""
        path, nonce = f"/_peer/{self._store.nodes.own}/{place.file}/{place.offset}", secrets.token_hex(16)
        connection = HTTPConnection("localhost")
        try:
            key, self._is_doubtful = self._store.facts.journals.key(self._is_doubtful), True
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_ANSWER_SECONDS)
            connection.sock.connect(str(self._way_out))
            asked = path.replace("/_peer", f"/{self.name}", 1)
            connection.request("GET", asked, headers={HEADER: f"{nonce} {_mac(key, 'ask', self.name, nonce, path)}"})
            said = connection.getresponse()
            said.read(1024)
            right = _mac(key, "answer", self.name, nonce, path, str(said.status))
            is_its_own = hmac.compare_digest(right.encode(), (said.headers.get(HEADER) or "").encode())
            self._is_doubtful = not (said.status == 200 and is_its_own)
            return not self._is_doubtful
        except (OSError, HTTPException) as error:
            log.debug("Node %s cannot be asked: %s", self.name, error)
            return False
        finally:
            connection.close()


def _mac(key: bytes, *words: str) -> str:
    return hmac.new(key, " ".join(words).encode(), "sha256").hexdigest()
