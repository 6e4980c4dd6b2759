"""Taking connections from a socket that several processes share."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)
# Seconds, while no thread or descriptor is to be had.
_PAUSE_SECONDS = 0.2


def accept(
    listening: socket.socket, stopping: threading.Event, begin: Callable[[socket.socket], None], what: str
) -> None:
    """Take connections until the process is to end, or another one has ended the socket of all.

    Args:
        listening: the socket; its own time-out lets ``stopping`` be seen.
        stopping: whether no more are taken.
        begin: answers a connection in a thread; raises RuntimeError if there may be no more threads.
        what: each of them is, for the log.
    """
    while not stopping.is_set():
        try:
            begin(listening.accept()[0])
        except BlockingIOError:
            # None came for a second.
            continue
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EBADF):
                # Another process has ended the socket of all.
                return
            log.error("%s cannot be taken: %s", what, error)
            time.sleep(_PAUSE_SECONDS)
