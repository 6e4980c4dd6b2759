"""Who may do what to the store, decided where the form of a request is read: every change is a POST to the same address.

Needs nothing of the other modules, as it serves without them, too, when they do not load.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# By the form's field :action. What is in neither is none of pypiserver's, which says so.
NEEDS = {"file_upload": "publish", "remove_pkg": "delete"}
CLOSED = ("doc_upload", "submit", "verify")
# What a file system takes, and room for what is put behind it.
NAME_BYTES = 240
# The header by which NGINX says who it is; one that a client sends does not get through NGINX.
LOGIN = "HTTP_X_WHEELHOUSE_LOGIN"
# And what it may, where a service of the operator's own says it.
RIGHTS = "HTTP_X_WHEELHOUSE_RIGHTS"
Rights = tuple[str, ...]


def may(folder: Path, login: str) -> Rights:
    """Return the rights of a login that NGINX has let in to change something.

    Args:
        folder: with the file ``rights``, which names those who do not just publish.
        login: the name.
    """
    try:
        lines = (folder / "rights").read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except FileNotFoundError:
        lines = []
    for line in lines:
        name, colon, rights = line.partition(":")
        if colon and name == login and not line.startswith("#"):
            return tuple(rights.split(","))
    return ("publish",)


def refusal(action: str, login: str, has: Rights | None) -> str:
    """Say why somebody may not do something; empty where he may.

    Args:
        action: the form's ``:action``.
        login: who asks.
        has: what he may; None where everybody may publish and delete.
    """
    if action in CLOSED:
        return f"{action} is not done here: this index takes file_upload and remove_pkg."
    need = NEEDS.get(action)
    if need is None or has is None:
        return ""
    if not login or need not in has:
        return f"The login {login or 'of nobody'} may not {need}."
    return ""


class Guard:
    """A WSGI application in front of pypiserver's."""

    def __init__(self, application: WsgiApp, has: Callable[[dict[str, Any]], Rights | None]) -> None:
        self._application = application
        self._has = has

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer 403, or let pypiserver answer."""
        if environ.get("REQUEST_METHOD") == "POST":
            try:
                action, names = _asked(environ)
            except Exception as error:  # of bottle's parser, which raises what comes
                log.warning("A form cannot be read: %s", error)
                return _answer(start_response, "400 Bad Request", "The form cannot be read.")
            if any(len(name.encode("utf-8", "replace")) > NAME_BYTES for name in names):
                return _answer(start_response, "400 Bad Request", f"A file's name has at most {NAME_BYTES} bytes.")
            login = environ.get(LOGIN, "")
            reason = refusal(action, login, self._has(environ))
            if reason:
                log.warning("Refused %s to %r", action, login)
                return _answer(start_response, "403 Forbidden", reason)
        return self._application(environ, start_response)


def guarded(application: WsgiApp, authenticated: Iterable[str]) -> WsgiApp:
    """Return pypiserver's application behind the guard.

    Args:
        application: pypiserver's.
        authenticated: the actions that need a login, as pypiserver's ``-a`` has them.
    """
    if os.environ.get("WHEELHOUSE_RIGHTS") == "header":
        return Guard(application, by_header)
    if "update" not in authenticated:
        return Guard(application, lambda _environ: None)
    folder = Path(os.environ.get("WHEELHOUSE_AUTHENTICATION", "/data/authentication"))
    return Guard(application, lambda environ: may(folder, environ.get(LOGIN, "")))


def by_header(environ: dict[str, Any]) -> Rights:
    """Return what a service of the operator's own says that somebody may; who it lets in publishes, if it says nothing."""
    return tuple(environ.get(RIGHTS, "").replace(",", " ").split()) or ("publish",)


def create(words: Sequence[str]) -> WsgiApp:
    """Return pypiserver as it ships, behind the guard."""
    import pypiserver
    from pypiserver.config import Config

    config: Any = Config.from_args(list(words))
    application = pypiserver.setup_routes_from_config(pypiserver.app_from_config(config), config)
    return guarded(application, config.authenticate)


def main() -> None:
    """Run pypiserver as it ships, behind the guard; without it where even this does not load."""
    words = sys.argv[1:]
    try:
        from gunicorn.app.wsgiapp import run

        create(words)
    except Exception:
        traceback.print_exc()
        print("Rights cannot be told apart: whoever may publish may delete as well", file=sys.stderr, flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "pypiserver", *words])
    port = words[words.index("-p") + 1] if "-p" in words else "8080"
    sys.argv = ["gunicorn", "--bind", f"0.0.0.0:{port}", f"wheelhouse_index.rights:create({words!r})"]
    run()


def _asked(environ: dict[str, Any]) -> tuple[str, list[str]]:
    """Return a form's ``:action`` and the names of its files.

    Pypiserver finds the form read already, so that none of the two sees another action.
    """
    from pypiserver.bottle_wrapper import BaseRequest

    request = BaseRequest(environ)
    return str(request.forms.get(":action", "")), [str(file.raw_filename) for file in request.files.values()]


def _answer(start_response: Callable[..., Any], status: str, text: str) -> Iterable[bytes]:
    body = f"{text}\n".encode("utf-8", "replace")
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    main()
