"""The key pair by which Ansible logs in to hosts over SSH: made once in this checkout, good for its hosts alone."""

from __future__ import annotations

from . import apt
from .paths import CACHE, LOGS
from .shell import run_logged

# Not below the archives, which all hosts see.
KEY = CACHE / "ssh" / "id_ed25519"


def ensure() -> None:
    """Make the key pair if there is none; the private one is its owner's alone."""
    if KEY.exists():
        return
    apt.ensure({"openssh-client": ("/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen")})
    KEY.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "proving ground", "-f", str(KEY)]
    run_logged(command, LOGS / "ssh-keygen.log", "Is there space left?")
