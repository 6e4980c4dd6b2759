"""The example of docs/operations.md for sending both logs elsewhere, as it stands there, with a receiver on the host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.long import only_long
from tests.support.stack import Stack, eventually

PAGE = Path(__file__).resolve().parents[3] / "docs/operations.md"
FILES = ("/etc/pypi-ship.conf", "/etc/systemd/system/pypi-ship.service")
# What others receive, as it came.
RECEIVED = "/root/received"
RECEIVER = f"""import socketserver

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with open("{RECEIVED}", "ab", buffering=0) as file:
            for line in self.rfile:
                file.write(line)

socketserver.ThreadingTCPServer(("127.0.0.1", 6514), Handler).serve_forever()
"""


def block(file: str) -> str:
    """Return a file as the page shows it."""
    (text,) = re.findall(rf"^```\w+\n# {re.escape(file)}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return str(text)


@pytest.fixture
def shipped(host: Any) -> Iterator[None]:
    """Follow the page on the host, with a receiver there."""
    host.check_output(
        "apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends rsyslog"
        " && systemctl disable --now rsyslog.service 2>&1"
    )
    for file in FILES:
        text = block(file).replace("logs.example.com", "127.0.0.1")
        host.check_output(f"cat >{file} <<'END'\n{text}END")
    host.check_output(f"cat >/root/receiver.py <<'END'\n{RECEIVER}END")
    host.check_output("systemd-run --unit receiver python3 /root/receiver.py 2>&1")
    try:
        host.check_output("systemctl enable --now pypi-ship 2>&1")
        yield
        print(host.check_output("journalctl --unit pypi-ship --no-pager --lines 20"))
    finally:
        host.run("systemctl disable --now pypi-ship; systemctl stop receiver")
        host.run(f"rm -rf {' '.join(FILES)} {RECEIVED} /root/receiver.py /var/lib/pypi-ship; systemctl daemon-reload")


@only_long
@pytest.mark.usefixtures("shipped")
def test_both_logs_arrive_each_line_once(
    host: Any, index: Index, publisher: Login, reader: Login, stack: Stack, tmp_path: Path
) -> None:
    wheel = packages.wheel(tmp_path, f"sent-{uuid4().hex[:8]}")

    def received(what: str) -> list[dict[str, Any]]:
        found = host.run(f"grep --fixed-strings {what} {RECEIVED}").stdout.splitlines()
        return [json.loads(line[line.index("{") :]) for line in found]

    assert index.upload(publisher, wheel).status == 200
    eventually(lambda: bool(received(wheel.name)), "the change has arrived", 20)
    (line,) = received(wheel.name)
    assert (line["action"], line["login"]) == ("file_upload", "publisher")
    mark = f"/simple/?{uuid4().hex}"
    for _ in range(50):
        assert index.request(mark, reader).status == 200
    # A day later.
    rotate = "systemctl reset-failed wheelhouse-pypi-server-logs; systemctl start wheelhouse-pypi-server-logs"
    host.check_output(f"touch --date '1 day ago' {stack.home}/logs/.since && {{ {rotate}; }}")
    eventually(lambda: len(received(mark)) >= 50, "all requests have arrived", 30)
    host.check_output(f"systemctl restart pypi-ship && {rotate}")
    more = packages.wheel(tmp_path, f"more-{uuid4().hex[:8]}")
    assert index.upload(publisher, more).status == 200
    eventually(lambda: bool(received(more.name)), "the next change has arrived", 20)
    assert [line["status"] for line in received(mark)] == [200] * 50
    assert len(received(wheel.name)) == 1
