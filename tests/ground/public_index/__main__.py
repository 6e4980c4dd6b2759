"""The command line of the stand-in."""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path

from . import __doc__ as description
from .hosts import CONTROL_PORT
from .installing import install
from .resolving import answer_names
from .serving import servers


def _place(text: str) -> tuple[str, int]:
    host, _colon, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser("public_index", description=(description or "").partition("\n")[0])
    parser.add_argument("verb", choices=("serve", "names", "install"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--projects", type=Path, help="folder with wheels of real projects")
    parser.add_argument("--address", type=_place, default=("127.0.0.1", 8443), help="HOST:PORT of pages and files")
    parser.add_argument("--control", type=_place, default=("127.0.0.1", CONTROL_PORT), help="HOST:PORT of the switches")
    parser.add_argument("--megabytes", type=int, default=500, help="size of the large file")
    given = parser.parse_args()
    os.umask(0o022)
    if given.verb == "names":
        answer_names(given.folder)
    elif given.verb == "install":
        install(given.folder, given.projects)
    else:
        index, control = servers(given.folder, given.projects, given.address, given.control, given.megabytes)
        threading.Thread(target=control.serve_forever, daemon=True).start()
        index.serve_forever()


if __name__ == "__main__":
    main()
