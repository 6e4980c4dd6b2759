"""The WSGI application: pypiserver with the backend of this package."""

from __future__ import annotations

import io
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pypiserver
from pypiserver.backend import BackendProxy
from pypiserver.bottle_wrapper import response
from pypiserver.config import Config, RunConfig

from .backend import IndexedBackend, says_full
from .forms import Forms
from .keeper import Keeper
from .rights import guarded
from .store import Store

NAME = "indexed"
NO_ROOM = "There is no room for that on the index's disk."
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def configuration(words: Sequence[str]) -> tuple[RunConfig, bool]:
    """Return pypiserver's settings from the words of its command line, and whether our backend is to serve."""
    own = list(words)
    ours = "--backend" in own and own[own.index("--backend") + 1] == NAME
    if ours:
        # Pypiserver's parser knows its own names only.
        own[own.index("--backend") + 1] = "simple-dir"
    config = Config.from_args(own)
    assert isinstance(config, RunConfig), "the words do not say `run`"
    return config, ours


def index_folder() -> Path:
    """Return the folder of the pages."""
    return Path(os.environ.get("WHEELHOUSE_INDEX", "/data/index"))


def store_of(config: RunConfig) -> Store:
    """Return the store of an index."""
    return Store(Path(config.roots[0]).resolve(), index_folder())


def prepare(words: Sequence[str]) -> None:
    """Find out whether this package works here, and make what it needs."""
    config, ours = configuration(words)
    if ours:
        store = store_of(config)
        try:
            store.prepare()
        except Exception as error:
            if says_full(error) or isinstance(error, sqlite3.OperationalError):
                # Nothing that another backend would mend: NGINX goes on serving the pages until it works again.
                raise SystemExit(f"{store.output.folder} cannot be written to: {error}") from error
            raise
        # All of it, as it will be in gunicorn's processes: what pypiserver has changed shows here.
        probe(application(config, store))
    with suppress(FileNotFoundError):
        index_folder().joinpath("not-loaded").unlink()


def probe(made: WsgiApp) -> None:
    """Have pypiserver answer to a form that our own parser has read.

    Raises:
        RuntimeError: if it does not find what the parser has put there.
    """
    edge = "probe"
    body = f'--{edge}\r\nContent-Disposition: form-data; name=":action"\r\n\r\nprobe\r\n--{edge}--\r\n'.encode()
    said: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": f"multipart/form-data; boundary={edge}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    answer = b"".join(made(environ, lambda status, headers, error=None: said.append(status)))
    # It knows no such action; where a password is needed, it asks for that first.
    if not (said[0].startswith("401") or (said[0].startswith("400") and b"probe" in answer)):
        raise RuntimeError(f"pypiserver does not find the fields of a form: it says {said[0]}")


def create(words: Sequence[str]) -> WsgiApp:
    """Return the application. Called in each of gunicorn's processes, after the fork, as threads do not survive one."""
    config, ours = configuration(words)
    store = store_of(config) if ours else None
    if store:
        store.catalogue.hold()
        Keeper(store, float(os.environ.get("WHEELHOUSE_FRESHNESS_SECONDS", "2"))).start()
    return application(config, store)


def application(config: RunConfig, store: Store | None) -> WsgiApp:
    """Return pypiserver's application, with our backend if there is a store for it."""
    bottle = pypiserver.app_from_config(config)
    if store:
        config.backend = BackendProxy(IndexedBackend(config, store))
        # A body is spooled before any backend sees it, and the disk may be full then.
        bottle.error(500)(lambda error: _failure(bottle, error))
    made = guarded(pypiserver.setup_routes_from_config(bottle, config), config.authenticate)
    return Forms(made, store.packages, _unread) if store else made


def _unread(error: Exception) -> tuple[str, str]:
    """Return status and text of the answer to a form that could not be read."""
    if says_full(error):
        return "507 Insufficient Storage", NO_ROOM
    if isinstance(error, OSError):
        raise error
    return "400 Bad Request", str(error)


def _failure(bottle: Any, error: Any) -> Any:
    """Answer where something has gone wrong: with 507 where there is no room, else as pypiserver does."""
    if not says_full(error.exception):
        return bottle.default_error_handler(error)
    response.status = 507
    return NO_ROOM


def serve(words: Sequence[str]) -> None:
    """Run gunicorn, which finds its settings in GUNICORN_CMD_ARGS."""
    from gunicorn.app.wsgiapp import run

    config, _ours = configuration(words)
    sys.argv = ["gunicorn", "--bind", f"{config.host}:{config.port}", f"{__package__}.app:create({list(words)!r})"]
    run()
