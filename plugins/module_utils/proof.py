# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index as clients use it: what a run asks of it before it takes a change for one that works.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import secrets
import ssl
import time
import zipfile
from typing import Any, Callable, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"
TOKEN_SECONDS = 300
# NGINX may take so long to know the token, and pypi-server to answer: of a large index it writes pages after a start.
LOGIN_SECONDS = 10
PATIENCE_SECONDS = 60
# Of projects with a damaged or removed file, others are tried.
PROJECTS = 3
LARGEST_FILE = 64 * 1024 * 1024
_FILE = "wheelhouse_proof-0-py3-none-any.whl"
# As pypi-server says it: whatever else it answers, it may have changed something.
_REHEARSED = b"Nothing was changed, as this was a rehearsal."
# The first two: processes of NGINX that do not know the token yet may still answer.
_NO_LOGIN = (401, 403)
_AWAY = (*_NO_LOGIN, 429, 502, 503, 504)


class Failed(Exception):
    """What does not work, in words; ``service`` has the name of the one that is to blame."""

    def __init__(self, message: str, service: str = "nginx") -> None:
        super().__init__(message)
        self.service = service


class Answer(NamedTuple):
    """An answer of the index."""

    status: int
    type: str
    body: bytes

    def __str__(self) -> str:
        return "%d: %s" % (self.status, self.body[:200].decode("utf-8", "replace").strip())


def new_token() -> str:
    """A token of the form that NGINX knows."""
    return "wheelhouse_" + secrets.token_hex(36)


def entry(token: str, end: int) -> str:
    """The line by which NGINX takes a token until ``end``, in seconds since 1970. Its one right changes nothing."""
    return '"%s" "%d _proof read rehearse";\n' % (hashlib.sha256(token.encode()).hexdigest(), end)


def takes_tokens(home: str) -> bool:
    """Tell whether the NGINX of an index reads such a line."""
    with open(home + "/nginx/conf.d/maps.conf", encoding="utf-8") as stream:
        return "/tmp/proof.con" in stream.read()


class Index:
    """An index by its address on the host."""

    def __init__(self, url: str, token: str) -> None:
        """Take the address, as scheme, host and port, and a token."""
        self.token = token
        self._parts = urlsplit(url)

    def prove(self, refuses: bool) -> list[str]:
        """Use the index; return what works, raise Failed for the first thing that does not.

        ``refuses``: whether pages need a login.
        """
        proved = self.prove_closed(refuses)
        projects = self._page("/simple/", "projects")
        proved += ["a login", "pages of both forms"]
        names = [str(project["name"]) for project in projects[:PROJECTS]]
        if names and self._any(self._prove_file, names):
            proved.append("a file and its metadata")
        # In this order: a removal always needs a login, and an upload may not.
        self._send({":action": "remove_pkg", "name": "wheelhouse-proof", "version": "0"})
        self._send({":action": "file_upload", "name": "wheelhouse-proof", "version": "0"}, _wheel())
        return [*proved, "a removal", "an upload"]

    def prove_closed(self, refuses: bool) -> list[str]:
        """Ask without a login; as ``prove``."""
        answer = self._eventually("GET", "/simple/", {}, (502, 503, 504))
        if answer.status != (401 if refuses else 200):
            raise Failed("/simple/ without a login answers %s" % str(answer))
        return ["a refusal"] if refuses else []

    def _any(self, prove: Callable[[str], bool], names: list[str]) -> bool:
        """Whether one of these could be proved; raise Failed where each of them fails."""
        failed = None
        for name in names:
            try:
                if prove(name):
                    return True
            except Failed as error:
                failed = error
        if failed:
            raise failed
        return False

    def _prove_file(self, project: str) -> bool:
        """Read the smallest file of a project by its hash; tell whether it has one that is not too large."""
        path = "/simple/%s/" % project
        files = sorted(
            (one for one in self._page(path, "files") if one.get("size", 0) <= LARGEST_FILE),
            key=lambda one: one.get("size", 0),
        )
        if not files:
            return False
        address = urlsplit(urljoin(path, files[0]["url"])).path
        self._compare(address, files[0].get("hashes", {}))
        metadata = files[0].get("core-metadata")
        if isinstance(metadata, dict):
            self._compare(address + ".metadata", metadata)
        return True

    def _page(self, path: str, key: str) -> list[dict[str, Any]]:
        """Read a page in both forms; return what its JSON lists."""
        self._expect(path, HTML)
        answer = self._expect(path, JSON)
        try:
            return list(json.loads(answer.body)[key])
        except (ValueError, KeyError, TypeError) as error:
            raise Failed("%s as %s cannot be read: %s" % (path, JSON, error)) from error

    def _compare(self, path: str, hashes: dict[str, str]) -> None:
        found = hashlib.sha256(self._expect(path).body).hexdigest()
        if found != hashes.get("sha256", found):
            raise Failed("%s has another SHA-256 than its page says" % path)

    def _expect(self, path: str, kind: str = "") -> Answer:
        """Get what needs a login; raise Failed unless it comes, and is of that type."""
        answer = self._eventually("GET", quote(path, safe="/%+!~"), {"Accept": kind, **self._login()}, _AWAY)
        if answer.status != 200:
            raise Failed("%s with a login%s answers %s" % (path, kind and " as " + kind, answer))
        if kind and not answer.type.startswith(kind):
            raise Failed("%s as %s is %s" % (path, kind, answer.type))
        return answer

    def _send(self, fields: dict[str, str], content: bytes = b"") -> None:
        """Send a form; raise Failed unless it is rehearsed."""
        edge = secrets.token_hex(16)
        parts = [
            '--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (edge, *one) for one in fields.items()
        ]
        body = "".join(parts).encode()
        if content:
            head = '--%s\r\nContent-Disposition: form-data; name="content"; filename="%s"\r\n\r\n' % (edge, _FILE)
            body += head.encode() + content + b"\r\n"
        body += b"--%s--\r\n" % edge.encode()
        headers = {"Content-Type": "multipart/form-data; boundary=" + edge, **self._login()}
        answer = self._eventually("POST", "/", headers, _AWAY, body)
        if answer.status != 200 or answer.body.strip() != _REHEARSED:
            what = "an upload" if content else "a removal"
            raise Failed("%s answers %s" % (what, answer), "pypi-server")

    def _login(self) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(("_proof:" + self.token).encode()).decode()}

    def _eventually(
        self, method: str, path: str, headers: dict[str, str], away: tuple[int, ...], body: bytes | None = None
    ) -> Answer:
        """Ask again while there is no answer, or one of these; return the last one."""
        began = time.monotonic()
        while True:
            try:
                answer = self._ask(method, path, headers, body)
                patience = LOGIN_SECONDS if answer.status in _NO_LOGIN else PATIENCE_SECONDS
                if answer.status not in away or time.monotonic() > began + patience:
                    return answer
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > began + PATIENCE_SECONDS:
                    raise Failed(
                        "%s %s gets no answer: %s" % (method, path, str(error) or type(error).__name__)
                    ) from error
            time.sleep(0.25)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        options: dict[str, Any] = {"timeout": 60}
        if self._parts.scheme == "https":
            # The certificate is for another name than this address of the host itself.
            options["context"] = ssl.create_default_context()
            options["context"].check_hostname = False
            options["context"].verify_mode = ssl.CERT_NONE
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, **options)
        try:
            connection.request(method, path, body, {key: value for key, value in headers.items() if value})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        finally:
            connection.close()


def _wheel() -> bytes:
    """A wheel that could be published, of a project that is not."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as wheel:
        folder = "wheelhouse_proof-0.dist-info/"
        wheel.writestr(folder + "METADATA", "Metadata-Version: 2.1\nName: wheelhouse-proof\nVersion: 0\n")
        wheel.writestr(
            folder + "WHEEL", "Wheel-Version: 1.0\nGenerator: wheelhouse\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(folder + "RECORD", "")
    return target.getvalue()
