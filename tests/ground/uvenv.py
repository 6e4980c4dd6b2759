"""pip's settings, said in uv's words: one place that knows where Python packages come from.

Run as ``python3 -m tests.ground.uvenv`` it prints shell exports.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping

from . import certificates

# Later sections win: `pip install` prefers the command's own section, and the environment over both.
_SECTIONS = ("global", "install", ":env:")


def parse_pip_config(text: str) -> dict[str, str]:
    """Merge the lines of ``pip config list`` (``section.key='value'``) into one table of options."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.rpartition(".")
        if equals and dot and section in found:
            found[section][key] = " ".join(shlex.split(value))
    return {key: value for section in _SECTIONS for key, value in found[section].items()}


def to_uv(options: Mapping[str, str], environment: Mapping[str, str], bundle: str = "") -> dict[str, str]:
    """Name uv's variables for pip's options; what the environment says to uv itself is kept.

    Links to single files and extra indexes are not carried over: what is installed here is pinned, and one
    index is what it is pinned against.

    Args:
        options: pip's options by name.
        environment: the present one.
        bundle: file of certificate authorities, where those that uv brings along do not do.
    """
    wanted = {"UV_DEFAULT_INDEX": options.get("index-url"), "SSL_CERT_FILE": options.get("cert") or bundle}
    if options.get("trusted-host"):
        wanted["UV_INSECURE_HOST"] = options["trusted-host"]
    return {key: value for key, value in wanted.items() if value and key not in environment}


def uv_environment() -> dict[str, str]:
    """Return what uv needs on this machine beside the present environment (an empty table is common)."""
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    bundle = str(certificates.SYSTEM_BUNDLE) if certificates.machine() else ""
    return to_uv(parse_pip_config(answer.stdout), os.environ, bundle)


if __name__ == "__main__":
    for key, value in uv_environment().items():
        print(f"export {key}={shlex.quote(value)}")
