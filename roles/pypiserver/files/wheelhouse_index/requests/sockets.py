"""Where NGINX reaches pypi-server: sockets in a folder that all replicas share, and that is the account's alone.

Each replica has a folder of its own there. A link says which of them NGINX asks; when that one ends, another takes over.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
import struct
import threading
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

log = logging.getLogger(__name__)
# Of all replicas, in the container.
FOLDER = Path("/data/sockets")
# The link, and what the process holds that sees to it.
CURRENT, LOCK = "current", ".lock"
# Connections that wait to be taken.
_WAITING = 1024
# Seconds.
_PATIENCE = 5.0
_LOOK_SECONDS = 5.0
_ACCEPT_SECONDS = 1


class Sockets:
    """The sockets of a replica.

    Args:
        folder: of all replicas.
        name: of this one.

    Attributes:
        pages: where gunicorn listens.
        uploads: where the receiver does.
        public: where NGINX asks about public projects.
        peers: where NGINX passes on what other nodes ask.
        stopping: whether this process is to end.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.pages = folder / name / "pages.sock"
        self.uploads = folder / name / "uploads.sock"
        self.public = folder / name / "public.sock"
        self.peers = folder / name / "peers.sock"
        self.stopping = threading.Event()

    @classmethod
    def of_environment(cls) -> Sockets:
        """Return those of this replica: WHEELHOUSE_SOCKETS and WHEELHOUSE_REPLICA; the defaults are those of the container.

        Settings say the same. This is for what must start fast: the health check.
        """
        folder = Path(os.environ.get("WHEELHOUSE_SOCKETS", FOLDER))
        return cls(folder, os.environ.get("WHEELHOUSE_REPLICA", socket.gethostname()))

    def listen(self) -> socket.socket:
        """Make the folder, and the socket for uploads; what a container of this name has left is replaced.

        It gets its name when it takes connections: a leader removes those that do not.
        """
        return self._listening(self.uploads)

    def listen_public(self) -> socket.socket:
        """Make the socket for public projects likewise."""
        return self._listening(self.public)

    def listen_peers(self) -> socket.socket:
        """Make the socket for other nodes likewise."""
        return self._listening(self.peers)

    def _listening(self, place: Path) -> socket.socket:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.unlink(missing_ok=True)
        new = place.with_name("new.sock")
        new.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(new))
        new.chmod(0o600)
        listening.listen(_WAITING)
        new.rename(place)
        # The kernel's own time-out: who waits longest gets the next connection, which shares them among processes.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _ACCEPT_SECONDS, 0))
        return listening

    def health(self) -> tuple[int, str]:
        """Ask gunicorn how the index is; return status and text."""
        connection = HTTPConnection("localhost")
        with _connected(self.pages) as connection.sock:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def start_leading(self, *listening: socket.socket) -> None:
        """Have NGINX ask this replica as soon as no other one is asked, and until this process is to end.

        Args:
            listening: the sockets for uploads and public projects, which take no more when their replica is to end.
        """
        threading.Thread(target=self._run, args=listening, name="leader", daemon=True).start()

    def _run(self, *listening: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                self._lead(*listening)
            except OSError as error:
                log.error("NGINX may not find this container: %s", error)
            self.stopping.wait(_LOOK_SECONDS)

    def _lead(self, *listening: socket.socket) -> None:
        with open(self._folder / LOCK, "ab", opener=partial(os.open, mode=0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Without its socket it leaves the link to another one.
            while not self.stopping.is_set() and not is_left(self.uploads):
                self._set_link()
                self._remove_left()
                self.stopping.wait(_LOOK_SECONDS)
            # gunicorn removes its socket when all of its processes are to end: NGINX finds none here from now on.
            if not self.pages.exists():
                for taking in listening:
                    taking.shutdown(socket.SHUT_RDWR)

    def _set_link(self) -> None:
        current = self._folder / CURRENT
        if not current.is_symlink() or os.readlink(current) != self._name:
            new = self._folder / f".{self._name}"
            new.unlink(missing_ok=True)
            new.symlink_to(self._name)
            new.replace(current)

    def _remove_left(self) -> None:
        """Remove what containers have left that are no more."""
        for path in self._folder.glob("*/uploads.sock"):
            if path.parent.name not in (CURRENT, self._name) and is_left(path):
                shutil.rmtree(path.parent, ignore_errors=True)


def is_answered(path: Path) -> bool:
    """Tell whether a socket takes connections."""
    try:
        _connected(path).close()
    except OSError:
        return False
    return True


def is_left(path: Path) -> bool:
    """Tell whether no process listens on a socket any more; one with a full queue has one that does."""
    try:
        _connected(path).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        # As while this process has no more descriptors.
        return False
    return False


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_PATIENCE)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
