"""uv audit, with a stand-in for the service that it asks about vulnerabilities, which knows of none."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.clients import tools
from tests.clients.installers import SECTION
from tests.support.clients import Index, Login

UV = tools.UVS[-1]


@dataclass(frozen=True)
class Audited:
    """What an audit came to.

    Attributes:
        code: uv's exit code.
        said: all that it said.
        asked: names that the service was asked about.
    """

    code: int
    said: str
    asked: frozenset[str]


@contextmanager
def _service(asked: set[str]) -> Iterator[str]:
    """Answer as osv.dev does of packages that it does not know; note their names."""

    class Nothing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            asked.update(query["package"]["name"] for query in queries)
            body = json.dumps({"results": [{} for _ in queries]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Locked:
    """A project of uv that has some others in its lock file.

    Args:
        folder: an empty one.
        index: where they are.
        login: who may read there.
        projects: what it needs.
    """

    def __init__(self, folder: Path, index: Index, login: Login, projects: Sequence[str]) -> None:
        UV.install()
        self._folder = folder
        text = SECTION.replace("[]", json.dumps(list(projects)))
        company = f'[[tool.uv.index]]\nname = "company"\nurl = "{index.url}/simple/"\ndefault = true\n'
        (folder / "pyproject.toml").write_text(f"{text}\n{company}", encoding="utf-8")
        done = self._run(login, "lock")
        assert done.returncode == 0, done.stdout

    def audit(self, login: Login, *options: str) -> Audited:
        """Audit what is locked, as a login."""
        asked: set[str] = set()
        with _service(asked) as service:
            done = self._run(login, "audit", "--frozen", "--service-url", service, *options)
        return Audited(done.returncode, done.stdout, frozenset(asked))

    def check(self, login: Login) -> subprocess.CompletedProcess[str]:
        """Have uv compare the lock file with the index, as a login."""
        return self._run(login, "lock", "--check", "--refresh")

    def _run(self, login: Login, *words: str) -> subprocess.CompletedProcess[str]:
        secrets = {"UV_INDEX_COMPANY_USERNAME": login.name, "UV_INDEX_COMPANY_PASSWORD": login.password}
        python = {"UV_NO_CACHE": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": UV.program("python")}
        return tools.run([UV.program(), *words], self._folder, {**secrets, **python})
