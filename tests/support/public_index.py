"""The stand-in for public indexes, as tests see it: its switches, and what was asked of it."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlencode

from tests.ground.public_index import CONTROL_PORT, ELSEWHERE, MODES, WHEELS, project_of

OF_PAGES, OF_FILES = MODES["pages"], MODES["files"]
# What a client says of itself or of somebody else, and no upstream has to know.
PRIVATE_HEADERS = (
    "cookie",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "referer",
)


class PublicIndex:
    """The control port of a stand-in.

    Attributes:
        since: entries of its log before this one are of earlier tests.
    """

    def __init__(self, host: str, port: int = CONTROL_PORT) -> None:
        self._place = (host, port)
        self.since = 0

    def _ask(self, method: str, path: str, values: Mapping[str, Any]) -> bytes:
        connection = http.client.HTTPConnection(*self._place, timeout=30)
        try:
            connection.request(method, f"{path}?{urlencode(values)}")
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, (path, values, body)
        return body

    def log(self, since: int | None = None) -> list[dict[str, Any]]:
        """Return the requests since this test began, or since an entry of the log."""
        found = json.loads(self._ask("GET", "/log", {"since": self.since if since is None else since}))
        return list(found)

    def begin(self) -> None:
        """Have the log begin here; it may have lost its beginning at a restart."""
        self.since = len(self.log(0))

    def asked(self, word: str = "", host: str = "") -> list[str]:
        """Return method and path of the requests in whose path a word is, to a host or to all."""
        found = [entry for entry in self.log() if "method" in entry and host in ("", entry["host"])]
        return [f"{entry['method']} {entry['path']}" for entry in found if word in entry["path"]]

    def page(self, name: str) -> dict[str, Any]:
        """Return a project's page as it should be; it is not logged."""
        return dict(json.loads(self._ask("GET", "/page", {"name": name})))

    def content(self, filename: str) -> bytes:
        """Return a file as it should be; it is not logged."""
        return self._ask("GET", "/file", {"name": filename})

    def reset(self) -> None:
        """End all faults, forget all that was published, and empty the log."""
        self._ask("POST", "/reset", {})
        self.since = 0

    def heal(self) -> None:
        """End all faults, of pages and files of all projects, and the latency."""
        self._ask("POST", "/heal", {})

    @contextmanager
    def fault(self, mode: str, scope: str, project: str = "", seconds: float = 10) -> Iterator[None]:
        """Have pages or files go wrong, those of one project or all."""
        self.break_(mode, scope, project, seconds)
        try:
            yield
        finally:
            self.break_("ok", scope, project)

    def break_(self, mode: str, scope: str, project: str = "", seconds: float = 10) -> None:
        """Have pages or files go wrong until they are healed."""
        self._ask("POST", "/fault", {"scope": scope, "project": project, "mode": mode, "seconds": seconds})

    def latency(self, seconds: float) -> None:
        """Have each answer come later."""
        self._ask("POST", "/latency", {"seconds": seconds})

    def publish(
        self, name: str, version: str = "1.0", days: float = 100, requires: Iterable[str] = (), **more: str
    ) -> str:
        """Publish a made-up wheel, and return its project's name.

        Args:
            name: of the project.
            version: the release.
            days: its age.
            requires: what it needs.
            more: ``yanked``, with the reason, or ``time="none"`` for a file without an upload time.
        """
        values = {"name": name, "version": version, "days": days, "requires": ",".join(requires), **more}
        self._ask("POST", "/publish", values)
        return name

    def withdraw(self, name: str, version: str = "") -> None:
        """Remove a release, or a project."""
        self._ask("POST", "/withdraw", {"name": name, "version": version})

    def status(self, name: str, status: str) -> None:
        """Set a project's status."""
        self._ask("POST", "/status", {"name": name, "status": status})


def names_in(path: str) -> set[str]:
    """Return all that a server might take for the name of a project in the path of a request, however it is encoded."""
    found = set()
    for _layer in range(4):
        found |= set(re.split(r"[/?#&=\s]+", path))
        path = unquote(path)
    stems = {re.sub(r"\.metadata$", "", part) for part in found}
    guessed = {project_of(stem) for stem in stems if stem.endswith((".whl", ".tar.gz", ".zip"))}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in stems} | guessed


def forbidden(log: Iterable[Mapping[str, Any]], private: Iterable[str], prefixes: Iterable[str] = ()) -> list[str]:
    """Return the requests that ask for a private name or an unknown host, and those that say too much.

    Args:
        log: of the stand-in.
        private: names of projects.
        prefixes: of names of projects.
    """
    wrong = []
    names, beginnings = set(private), tuple(prefixes)
    for entry in log:
        if "method" not in entry:
            continue
        line = f"{entry['method']} {entry['host']} {entry['path']}"
        asked = names_in(entry["path"])
        if asked & names or any(name.startswith(beginnings) for name in asked if beginnings):
            wrong.append(f"private: {line}")
        if entry["host"] == ELSEWHERE:
            wrong.append(f"elsewhere: {line}")
        if entry["method"] not in ("GET", "HEAD"):
            wrong.append(f"method: {line}")
        said = [name for name in PRIVATE_HEADERS if name in entry["headers"]]
        if "authorization" in entry["headers"] and entry["host"] != WHEELS:
            said.append("authorization")
        wrong += [f"says {name}: {line}" for name in said]
    return wrong
