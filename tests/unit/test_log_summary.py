"""The command of docs/one-url.md that sums up the access log: it runs as it stands there, on lines as NGINX writes them."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/one-url.md"
LOGS = "/home/pypi/pypi-server/logs"
# What each request has; the rest is empty.
REQUESTS = (
    {"user": "bob", "status": "200", "bytes": "2400000", "cache": "HIT"},
    {"user": "ci", "status": "206", "bytes": "8000000", "cache": "HIT"},
    {"user": "ci", "status": "304", "bytes": "0", "cache": "HIT"},
    {"user": "ci", "status": "200", "bytes": "1500000", "cache": "MISS"},
    {"user": "ci", "status": "200", "bytes": "100000", "cache": "STALE"},
    # Upstream failed: nothing was served.
    {"user": "ci", "status": "502", "bytes": "100", "cache": "MISS"},
    # A private file.
    {"user": "bob", "status": "200", "bytes": "7000000"},
    {"user": "bob", "status": "403", "bytes": "90", "rule": "denied"},
    {"user": "ci", "status": "403", "bytes": "90", "rule": "minimum-age"},
    {"user": "ci", "status": "403", "bytes": "90", "rule": "minimum-age"},
    # Who sends this wants to be counted as something else.
    {"user": "eve", "status": "404", "bytes": "90", "agent": '","rule":"denied","cache":"HIT'},
)


def line(values: dict[str, str]) -> str:
    """Return a line of the access log, by the format in NGINX's configuration."""
    template = (ROOT / "roles/nginx/templates/nginx.conf.j2").read_text(encoding="utf-8")
    found = re.search(r"log_format access escape=json(.*?);\n", template, re.DOTALL)
    assert found
    text = "".join(re.findall(r"^ +'(.*?)';?$", found[1] + ";", re.MULTILINE))
    assert text.startswith("{") and text.endswith("}"), text
    return re.sub(
        r'"(\w+)":("?)\$\w+',
        lambda field: f'"{field[1]}":{field[2]}' + values.get(field[1], "").replace('"', '\\"'),
        text,
    )


def test_the_command_shows_what_the_page_says(tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## Hit rate, bytes saved, refusals\n")[2]
    found = re.search(r"```console\n\$ sudo (.*?\| sort)\n(.*?)```", section, re.DOTALL)
    assert found and LOGS in found[1]
    lines = [line(values) + "\n" for values in REQUESTS]
    (tmp_path / "access.log").write_text("".join(lines[:4]))
    (tmp_path / "access-20261128.log.gz").write_bytes(gzip.compress("".join(lines[4:]).encode()))
    done = subprocess.run(
        ["sh", "-c", found[1].replace(LOGS, str(tmp_path))], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (found[2], ""), "".join(lines)
