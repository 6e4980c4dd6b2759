"""What runs in pypi-server: gunicorn answers who reads, the receiver takes what changes something, the keeper looks on."""

from __future__ import annotations

import logging
import re
import socket
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from wsgiref.util import setup_testing_defaults

import pypiserver
from pypiserver.backend import BackendProxy
from pypiserver.config import Config, RunConfig

from ..common.answers import StartResponse, WsgiApp, answer
from ..fact_store.change_log import ChangeLog
from ..fact_store.records import FactsError
from ..files import names
from ..index.store import Store
from ..public.gate import Gate
from ..public.opening import Opening
from ..public.server import PublicServer
from ..public.verifying import COMPARED_SECONDS
from ..rendering import legacy, pages
from ..requests.changes import NO_FACTS, Changes
from ..requests.receiver import Receiver
from ..requests.sockets import Sockets
from .backend import IndexedBackend
from .health import Health
from .keeper import Keeper
from .metrics import Metrics
from .peers import WAY_OUT, Peers
from .settings import Settings

log = logging.getLogger(__name__)
_PROJECT_PAGE = re.compile(r"/simple/(?P<name>[^/]+)/?|/(?:pypi/)?(?P<named>[^/]+)/json")
# Of Prometheus.
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_HOST = re.compile(r"https?://[^/]+", re.IGNORECASE)
# As many as NGINX lets through at most, shared by the processes; and how many more one of them may get.
_UPLOADS, _MORE_UPLOADS = 300, 50


class Application:
    """The application that gunicorn runs: it reads, and changes nothing.

    Args:
        store: the index.
        uploads: the socket of the receiver, where there is one.
        metrics: what Prometheus is answered, where it may ask.
    """

    def __init__(self, store: Store, uploads: Path | None = None, metrics: Metrics | None = None) -> None:
        self._store = store
        self._metrics = metrics
        self._health = Health(store, uploads)
        self._pypiserver = reading(store)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        content = self._answer(environ, start_response)
        if environ.get("REQUEST_METHOD") != "HEAD":
            return content
        list(content)
        return []

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "")
        if path == "/health":
            return answer(start_response, *self._health.answer())
        if path == "/metrics" and self._metrics:
            text = self._metrics.text(environ.get("HTTP_X_CERTIFICATE", "")).encode()
            start_response("200 OK", [("Content-Type", TEXT_FORMAT), ("Content-Length", str(len(text)))])
            return [text]
        if method not in ("GET", "HEAD"):
            return answer(start_response, 405, f"{method[:20]} is not supported here.", [("Allow", "GET, HEAD")])
        if match := _PROJECT_PAGE.fullmatch(path):
            # PEP 503: whatever the spelling, the page is at the normalised name. What is no name has none.
            name = match["name"] or match["named"]
            project = names.normalised(name.encode("latin-1", "replace").decode("utf-8", "replace"))
            if not names.is_project(project):
                return answer(start_response, 404, "Not found: this is not a project's name.")
            place = f"/simple/{project}/" if match["name"] else f"/pypi/{project}/json"
            if path not in (place, f"/{project}/json"):
                return answer(start_response, 301, "", [("Location", quote(place))])
            kind = "legacy" if match["named"] else "json" if "+json" in environ.get("HTTP_ACCEPT", "") else "html"
            return self._page(project, kind, start_response)
        return self._pypiserver(environ, _staying(start_response))

    def _page(self, project: str, kind: str, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with a project's page of a kind, as it will be on disk within moments."""
        with self._store.catalogue.reading() as known:
            entries = known.of_project(project)
            decisions = known.decisions(project)
            url = known.served_at
        try:
            read = [entry if entry.facts else self._store.read(entry) for entry in entries if not entry.refused]
        except FactsError as error:
            log.error("%s", error)
            return answer(start_response, 503, NO_FACTS, [("Retry-After", "60")])
        listed = [entry for entry in read if entry]
        if decisions.is_quarantined:
            listed = []
        elif not pages.listed(listed):
            return answer(start_response, 404, f"There is no project {project} on this index.")
        content_type, text = _PAGES[kind]
        # The public index's JSON has no provenance.
        more = () if kind == "legacy" else (url,)
        content = text(project, listed, decisions, *more).encode()
        headers = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
        start_response("200 OK", [*headers, ("Cache-Control", "no-cache"), ("Vary", "Accept")])
        return [content]


# What NGINX says that a client wants, by which it looks on disk first.
_PAGES = {
    "html": ("text/html; charset=utf-8", pages.project_html),
    "json": ("application/vnd.pypi.simple.v1+json", pages.project_json),
    "legacy": ("application/json", legacy.project_json),
}


def _staying(start_response: StartResponse) -> StartResponse:
    """Have redirects stay on the host that the client knows: to another one, it would not send its login."""

    def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        stays = [(name, _HOST.sub("", value) if name.lower() == "location" else value) for name, value in headers]
        return start_response(status, stays, *rest)

    return begin


def reading(store: Store) -> WsgiApp:
    """Return pypiserver's application, which reads from our backend; what changes something never gets there."""
    words = ["run", "-P", ".", "-a", ".", "--disable-fallback", "--backend", "simple-dir", str(store.packages)]
    config = Config.from_args(words)
    assert isinstance(config, RunConfig), "the words do not say `run`"
    bottle = pypiserver.app_from_config(config)
    config.backend = BackendProxy(IndexedBackend(config, store))
    application: WsgiApp = pypiserver.setup_routes_from_config(bottle, config)
    return application


class Listening(NamedTuple):
    """Where NGINX connects, beside gunicorn: with uploads, with questions about public projects, and for other nodes."""

    uploads: socket.socket
    public: socket.socket
    peers: socket.socket | None = None


def changes(store: Store, settings: Settings, gate: Gate | None = None) -> Changes:
    """Return what takes forms."""
    own = store, settings.overwrite, settings.anonymous_uploads, ChangeLog(settings.logs)
    check_new = gate.check_new if gate else lambda _project: None
    return Changes(*own, check_new, settings.quotas, settings.reserve)


def create(settings: Settings, sockets: Sockets, listening: Listening, processes: int) -> WsgiApp:
    """Start what runs beside gunicorn, and return the application.

    Called in each of gunicorn's processes, after the fork, as threads do not survive one.
    """
    most = _UPLOADS // processes + _MORE_UPLOADS
    store = settings.store()
    store.catalogue.hold()
    # This process may follow one that was killed.
    store.facts.marks.unmark_young(COMPARED_SECONDS)

    def prune() -> None:
        ChangeLog(settings.logs).prune(settings.change_log)
        store.empty_trash()

    keeper = Keeper(store, settings.freshness, prune, Opening(store, settings.upstreams))
    if listening.peers:
        peers = Peers(store, settings.sockets / WAY_OUT, settings.freshness)
        store.tell, keeper.looks = peers.tell, peers.looks
        peers.start(listening.peers, sockets.stopping)
    keeper.start()
    gate = Gate.of(store, settings.upstreams, settings.outlet)
    Receiver(listening.uploads, changes(store, settings, gate).answer, most, sockets.stopping).start()
    PublicServer(listening.public, gate, sockets.stopping).start()
    sockets.start_leading(*filter(None, listening))
    return Application(store, sockets.uploads, Metrics(store, settings))


def check() -> None:
    """Find out whether this package works with the pypiserver that is here, without a look at the index.

    Raises:
        Exception: what does not work.
    """
    with tempfile.TemporaryDirectory() as folder:
        packages, index = Path(folder, "packages"), Path(folder, "index")
        for created in (packages, index):
            created.mkdir()
        store = Store(packages, index)
        store.prepare()
        application = reading(store)
        for path, status in (("/simple/", "200"), ("/simple/probe/", "404"), ("/", "200")):
            answered = _asked(application, path)
            if not answered.startswith(status):
                raise RuntimeError(f"GET {path} is answered with {answered}")


def _asked(application: WsgiApp, path: str) -> str:
    """Return the status line of an answer."""
    status_lines: list[str] = []
    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    list(application(environ, lambda status, headers, error=None: status_lines.append(status)))
    return status_lines[0]


def serve() -> None:
    """Run gunicorn, which finds its settings in GUNICORN_CMD_ARGS.

    Raises:
        SystemExit: if the index cannot be prepared.
    """
    from gunicorn.app.base import Application as Gunicorn

    settings = Settings.of_environment()
    sockets = settings.replica_sockets()
    store = settings.store()
    try:
        # Files may have come while no server ran: what is private is looked at before anything is served as public.
        store.facts.marks.close()
        store.prepare()
    except Exception as error:
        raise SystemExit(f"{settings.packages} or {settings.index} cannot be used: {error}") from error
    try:
        peers = sockets.listen_peers() if settings.nodes else None
        listening = Listening(sockets.listen(), sockets.listen_public(), peers)
    except OSError as error:
        raise SystemExit(f"{settings.sockets} or {settings.index} cannot be used: {error}") from error

    class Server(Gunicorn):
        """gunicorn with our application."""

        def init(self, _parser: object, _options: object, _words: object) -> dict[str, object]:
            # A process that is to end may wait for its uploads; it takes no more.
            return {"bind": f"unix:{sockets.pages}", "worker_exit": lambda _arbiter, _worker: sockets.stopping.set()}

        def load(self) -> WsgiApp:
            return create(settings, sockets, listening, self.cfg.workers)

    sys.argv = ["gunicorn"]
    Server().run()
