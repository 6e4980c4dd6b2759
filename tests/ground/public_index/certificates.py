"""The certificates, made with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .hosts import HOSTS


def make_certificates(tls: Path) -> None:
    """Make an authority, a certificate for the hosts, and one for a stranger, where they are missing."""
    if (tls / "stranger.pem").exists():
        return
    tls.mkdir(parents=True, exist_ok=True)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, cwd=tls, capture_output=True)

    own = ["-keyout", "authority.key", "-out", "authority.pem", "-days", "30"]
    # Python 3.13 and later want to know what a key is for, and whose signature it is.
    own += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    openssl("req", "-x509", *new_key, *own, "-subj", "/CN=Authority of the public index")
    for name, hosts in (("server", HOSTS), ("stranger", ("stranger.example.net",))):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        names = ",".join(f"DNS:{host}" for host in hosts)
        (tls / f"{name}.ext").write_text(f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n")
        signer = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "20"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-extfile", f"{name}.ext", "-out", f"{name}.pem")
