"""Who may change what: NGINX says who asks and with which rights, and each action needs one.

``publish`` is a right on all projects, ``publish:acme-*`` one on those whose normalised name the pattern matches.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

# Refuses what a login may not do to one of these projects.
Check = Callable[..., None]
# By the form's field :action.
NEEDS = {"file_upload": "publish", "remove_pkg": "delete", "yank": "yank", "unyank": "yank", "set_status": "yank"}
# Headers that NGINX sends; what a client sends under these names does not get through NGINX.
LOGIN = "X-Wheelhouse-Login"
RIGHTS = "X-Wheelhouse-Rights"
# Says "token" where the login is the id of one. Refusals alone read it.
KIND = "X-Wheelhouse-Kind"
# When a token's time is over, in seconds since 1970; missing if never.
END = "X-Wheelhouse-End"
# NGINX is answered which right a form needs, for its log.
NEED = "X-Wheelhouse-Need"

# All that the token of a run has which proves the index: its uploads and removals are tried, and change nothing. So it widens
# nothing, even where another has it.
_REHEARSE = "rehearse"
# Its project. Without a login that NGINX knows, the upload would be one that pypi_anonymous_uploads takes.
_OF_REHEARSALS = "wheelhouse-proof"

# As the collection's htpasswd.RIGHT: in a pattern, * alone is special.
_WORD = re.compile(r"([a-z]+)(?::([a-z0-9*]+(?:-[a-z0-9*]+)*))?", re.ASCII)
_SEPARATORS = re.compile(r"[ ,]+")
_SHOWN = 100


def is_rehearsal(headers: Mapping[str, str]) -> bool:
    """Tell whether a request is to change nothing."""
    return headers.get(RIGHTS, "") == _REHEARSE


def refusal(action: str, headers: Mapping[str, str], anonymous_uploads: bool, project: str = "") -> str:
    """Say why a request may not do something; empty where it may.

    Args:
        action: the form's ``:action``, one of ``NEEDS``.
        headers: NGINX's; one that is missing grants nothing.
        anonymous_uploads: whether publishing needs no login. All else always does.
        project: the normalised name of what is to change; empty while it is not known, which a right on any project
            is enough for.
    """
    if project == _OF_REHEARSALS:
        return f"{project} is the name by which a run proves the index, and takes no change."
    need = NEEDS[action]
    login = headers.get(LOGIN, "")
    end = headers.get(END, "")
    # NGINX has looked at the time when the form began to arrive.
    if end and not (end.isdecimal() and time.time() < int(end)):
        return f"The token {login} has expired. Ask the operator of this index for another."
    patterns = _patterns(headers.get(RIGHTS, ""), need)
    if login and any(not project or fnmatchcase(project, pattern) for pattern in patterns):
        return ""
    if anonymous_uploads and need == "publish":
        return ""
    if not login:
        return f"Log in to {need}: this request came without a login."
    of_project = f" {project[:_SHOWN]}" if project and patterns else ""
    right = f"'{need}'{of_project and f' on{of_project}'}"
    kind = "token" if headers.get(KIND) == "token" else "login"
    return (
        f"The {kind} {login} has no right to {need}{of_project}. Ask the operator of this index for the right {right}."
    )


def _patterns(said: str, need: str) -> list[str]:
    """Return which projects a right is on, as NGINX says it; a word that cannot be read grants nothing."""
    words = map(_WORD.fullmatch, _SEPARATORS.split(said))
    return [word[2] or "*" for word in words if word and word[1] == need]
