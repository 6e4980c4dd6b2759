"""The stand-in on a host, as units of systemd."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from .certificates import make_certificates
from .hosts import CONTROL_PORT
from .resolving import RESOLVER, own_address

_UNIT = """[Unit]
Description={what}
Before=docker.service

[Service]
WorkingDirectory={folder}
ExecStart={python} -m public_index {words}
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def install(folder: Path, projects: Path | None) -> None:
    """Run both servers as systemd's units public-index and public-names, and have this host resolve names by the second."""
    folder.mkdir(parents=True, exist_ok=True)
    here, package = Path(__file__).resolve().parent, folder / "public_index"
    if here != package.resolve():
        shutil.copytree(here, package, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    make_certificates(folder / "tls")
    mine = f"nameserver {own_address()}\n"
    if RESOLVER.read_text() != mine:
        (folder / "resolv.conf").write_text(RESOLVER.read_text())
    given = ["--projects", str(projects)] if projects else []
    serve = ["serve", str(folder), *given, "--address", "0.0.0.0:443", "--control", f"0.0.0.0:{CONTROL_PORT}"]
    for name, what, words in (
        ("public-index", "A stand-in for public package indexes", serve),
        ("public-names", "Names of the stand-in for public package indexes", ["names", str(folder)]),
    ):
        text = _UNIT.format(what=what, python=sys.executable, folder=folder, words=" ".join(words))
        Path(f"/etc/systemd/system/{name}.service").write_text(text)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    for verb in ("enable", "restart"):
        subprocess.run(["systemctl", "--quiet", verb, "public-index", "public-names"], check=True)
    RESOLVER.write_text(mine)
    for _try in range(100):
        try:
            with socket.create_connection(("127.0.0.1", CONTROL_PORT), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the public index does not answer: journalctl --unit public-index")
