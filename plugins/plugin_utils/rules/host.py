# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the index is on its host, and what runs it there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.network import DNS_LABEL
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem, matching
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints

# Folders that belong to the system: the index is to have one of its own below, or elsewhere.
SYSTEM_FOLDERS = frozenset(
    {
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root"),
        *("/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/log"),
    }
)
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")
_IMAGE = re.compile(
    rf"(?:(?:{DNS_LABEL}(?:\.{DNS_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?\Z"
)


instance = matching(
    re.compile(r"[a-z0-9][a-z0-9_-]*\Z"),
    "a name of a Compose project",
    "give lower case letters, digits, _ and -, a letter or digit first",
)
processors = matching(
    re.compile(r"(?!0*\.?0*\Z)[0-9]+(?:\.[0-9]+)?\Z"), "a number of processors", "give one such as 2 or 1.5", empty=True
)


def home(value: Any) -> Complaints:
    """pypi_home: becomes the source of container mounts, and is owned by the service user as a whole."""
    path = str(value)
    normal = re.sub("/+", "/", posixpath.normpath(path))
    if not path.startswith("/"):
        yield f"{path!r} is not absolute", "give a path that begins with /, such as /home/pypi/pypi-server"
    elif ".." in path.split("/"):
        yield f"{path!r} contains ..", "give the path without it"
    elif re.search(r"""[\s:$'"`\\,\x00-\x1f\x7f]""", path):
        yield (
            f"{path!r} contains a space, colon, comma, dollar sign, quote or backslash, which container mounts do not support",
            "give a path without",
        )
    elif normal in SYSTEM_FOLDERS:
        yield f"{path!r} is a system folder", "give a folder below it that is for the index alone"
    elif path != normal:
        # Paths on the host are compared with it, letter by letter.
        yield f"{path!r} is not normalised", f"give {normal}"


def account(value: Any) -> Complaints:
    """pypi_system_user."""
    if value == "root":
        yield "'root' must not run the containers", "give an account of its own; the run creates it if it is missing"
    else:
        yield from matching(
            _ACCOUNT, "a name of an account", "give letters, digits, _ . and -, at most 32, no digit first"
        )(value)


def image(value: Any) -> Complaints:
    """A reference to a container image."""
    match = _IMAGE.match(str(value))
    if not match:
        yield (
            f"{value!r} is not an image reference",
            "give [registry/]name:tag or [registry/]name@sha256:digest, in lower case",
        )
    elif not match["tag"] and not match["digest"]:
        yield f"{value!r} has no tag", "give one, or a digest: what 'latest' is changes without notice"


def registry_login_is_whole(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A name without its password, or the other way round, is a slip."""
    name, password = "pypi_images_username", "pypi_images_password"
    if name in variables and password in variables and bool(variables[name]) != bool(variables[password]):
        missing, there = (password, name) if variables[name] else (name, password)
        yield Problem(missing, f"is empty, while {there} is not", "give both, or neither")


def newer_images_have_a_registry(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A file has no newer images, and those that it has brought are of no registry."""
    for source in ("pypi_images_archive", "pypi_bundle"):
        if variables.get("pypi_images_pull") == "newer" and variables.get(source):
            yield Problem(
                "pypi_images_pull",
                f"newer asks a registry, while images come from a file ({source})",
                f"give missing and a file with the newer images, or remove {source}",
            )
