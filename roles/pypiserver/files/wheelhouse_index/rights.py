"""Who may change what: NGINX says who asks and with which rights, and each action needs one.

``publish`` is a right on all projects, ``publish:acme-*`` one on those whose normalised name the pattern matches.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

# Refuses what a login may not do to one of these projects.
Check = Callable[..., None]
# By the form's field :action.
NEEDS = {"file_upload": "publish", "remove_pkg": "delete", "yank": "yank", "unyank": "yank", "set_status": "yank"}
# Headers that NGINX sends; what a client sends under these names does not get through NGINX.
LOGIN = "HTTP_X_WHEELHOUSE_LOGIN"
RIGHTS = "HTTP_X_WHEELHOUSE_RIGHTS"
# Says "token" where the login is the id of one. Refusals alone read it.
KIND = "HTTP_X_WHEELHOUSE_KIND"
PEER = "HTTP_X_WHEELHOUSE_PEER"

# As the collection's htpasswd.RIGHT: in a pattern, * alone is special.
_WORD = re.compile(r"([a-z]+)(?::([a-z0-9*]+(?:-[a-z0-9*]+)*))?", re.ASCII)
_SEPARATORS = re.compile(r"[ ,]+")
_SHOWN = 100
_SECRET = re.compile(r'"([0-9a-f]{64})"')


def refusal(action: str, environ: Mapping[str, Any], anonymous_uploads: bool, project: str = "") -> str:
    """Say why a request may not do something; empty where it may.

    Args:
        action: the form's ``:action``, one of ``NEEDS``.
        environ: the request, with NGINX's headers; a header that is missing grants nothing.
        anonymous_uploads: whether publishing needs no login. All else always does.
        project: the normalised name of what is to change; empty while it is not known, which a right on any project
            is enough for.
    """
    need = NEEDS[action]
    login = environ.get(LOGIN, "")
    patterns = _patterns(environ.get(RIGHTS, ""), need)
    if login and any(not project or fnmatchcase(project, pattern) for pattern in patterns):
        return ""
    if anonymous_uploads and need == "publish":
        return ""
    if not login:
        return f"Log in to {need}: this request came without a login."
    of_project = f" {project[:_SHOWN]}" if project and patterns else ""
    right = f"'{need}'{of_project and f' on{of_project}'}"
    kind = "token" if environ.get(KIND) == "token" else "login"
    return (
        f"The {kind} {login} has no right to {need}{of_project}. Ask the operator of this index for the right {right}."
    )


def _patterns(said: str, need: str) -> list[str]:
    """Return which projects a right is on, as NGINX says it; a word that cannot be read grants nothing."""
    words = map(_WORD.fullmatch, _SEPARATORS.split(said))
    return [word[2] or "*" for word in words if word and word[1] == need]


class Peer:
    """The secret by which this package knows NGINX.

    Args:
        file: NGINX's file with the secret; without one, every request is a stranger's.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: tuple[int, bytes] = (0, b"")

    def is_nginx(self, environ: Mapping[str, Any]) -> bool:
        """Tell whether a request comes from NGINX."""
        secret = self._secret()
        said = str(environ.get(PEER, "")).encode("utf-8", "replace")
        return bool(secret) and hmac.compare_digest(secret, said)

    def _secret(self) -> bytes:
        try:
            changed = os.stat(self._file).st_mtime_ns
            if changed != self._known[0]:
                match = _SECRET.search(self._file.read_text(encoding="ascii"))
                self._known = (changed, match[1].encode() if match else b"")
        except (OSError, UnicodeDecodeError):
            self._known = (0, b"")
        return self._known[1]
