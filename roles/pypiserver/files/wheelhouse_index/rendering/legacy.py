"""A project in the shape of the public index's ``/pypi/NAME/json``: a file in index/json/.

pip-tools takes digests from it, Renovate dates, bandersnatch and pulp what there is to copy. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from ..common.times import time_text
from ..fact_store.decisions import NOTHING, Decisions
from ..files import names
from ..files.entry import Entry
from . import pages

# What the public index has of a release and this one does not know. Clients read these keys without looking whether
# they are there.
_UNKNOWN_TEXT = (
    *("author", "author_email", "description", "description_content_type", "download_url", "home_page", "keywords"),
    *("license", "maintainer", "maintainer_email", "package_url", "platform", "project_url", "release_url", "summary"),
)
_UNKNOWN = (
    *("bugtrack_url", "docs_url", "dynamic", "license_expression", "license_files", "project_urls", "provides_extra"),
    "requires_dist",
)


def project_json(project: str, entries: Sequence[Entry], decisions: Decisions = NOTHING) -> str:
    """Return a project's document.

    The addresses of files begin with ``/packages/``. NGINX puts scheme and host before them, by which the client has
    asked: pip-tools looks for the address that pip has found on the simple page, and pulp completes none.

    Args:
        project: its normalized name.
        entries: its files; those that no page has, and those without a version, are left out.
        decisions: what was decided on it.
    """
    signatures = pages.signed(entries)
    releases = _releases(pages.listed(entries))
    documents = {
        version: [_file(entry, entry.path in signatures, decisions) for entry in files]
        for version, files in releases.items()
    }
    standing = [version for version, files in releases.items() if not all(map(decisions.yank_of, files))]
    newest = max(standing or releases, key=_newness, default="")
    return pages.json_text(
        {
            "info": _info(project, newest, releases.get(newest, []), decisions),
            # This index does not count its changes.
            "last_serial": 0,
            "releases": documents,
            "urls": documents.get(newest, []),
        }
    )


def _releases(files: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return the files of each version, from old to new; a version in its normal form, as installers write it."""
    found: dict[str, list[Entry]] = {}
    # Files may spell one version differently: 1.0 and 1.0.0.
    spelt: dict[Version | str, str] = {}
    for entry in files:
        if entry.version and not entry.name.endswith(names.VARIANTS):
            version = _parsed(entry.version) or entry.version
            found.setdefault(spelt.setdefault(version, str(version)), []).append(entry)
    return {version: found[version] for version in sorted(found, key=_order)}


def _order(version: str) -> tuple[bool, Version, str]:
    """Return what versions are sorted by: those that PEP 440 does not know are the oldest."""
    parsed = _parsed(version)
    return parsed is not None, parsed or Version("0"), version


def _newness(version: str) -> tuple[bool, tuple[bool, Version, str]]:
    """Return by what the newest version is found: as on the public index, any final one before all pre-releases."""
    parsed = _parsed(version)
    return parsed is not None and not parsed.is_prerelease, _order(version)


@lru_cache(maxsize=4096)
def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


def _info(project: str, version: str, files: Sequence[Entry], decisions: Decisions) -> dict[str, Any]:
    yanks = [decisions.yank_of(entry) for entry in files]
    specifiers = [entry.facts.requires_python for entry in files if entry.facts and entry.facts.requires_python]
    return {
        "name": project,
        "version": version,
        "requires_python": specifiers[-1] if specifiers else None,
        "yanked": bool(yanks) and all(yanks),
        "yanked_reason": next((yank.reason for yank in yanks if yank and yank.reason), None) if all(yanks) else None,
        "classifiers": [],
        "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
        **dict.fromkeys(_UNKNOWN_TEXT, ""),
        **dict.fromkeys(_UNKNOWN),
    }


def _file(entry: Entry, signature: bool, decisions: Decisions) -> dict[str, Any]:
    assert entry.facts
    kind, python = _kind(entry.name)
    time = time_text(entry.time_ns)
    yank = decisions.yank_of(entry)
    return {
        "comment_text": "",
        "digests": {"sha256": entry.facts.sha256},
        "downloads": -1,
        "filename": entry.name,
        "has_sig": signature,
        "packagetype": kind,
        "python_version": python,
        "requires_python": entry.facts.requires_python or None,
        "size": entry.stamp.size,
        "upload_time": time.partition(".")[0],
        "upload_time_iso_8601": time,
        # As pip writes it, so with `%2B` for `+`: pip-tools compares.
        "url": f"/packages/{quote(entry.path)}",
        "yanked": yank is not None,
        "yanked_reason": (yank.reason or None) if yank else None,
    }


def _kind(name: str) -> tuple[str, str]:
    """Return what kind of distribution file a name is of, and for which Python, as the public index says it."""
    parts = name.rpartition(".")[0].split("-")
    if name.endswith(".whl"):
        return "bdist_wheel", parts[-3] if len(parts) > 3 else ""
    if name.endswith(".egg"):
        tags = [part.removeprefix("py") for part in parts[2:] if part.startswith("py")]
        return "bdist_egg", tags[0] if tags else ""
    return "sdist", "source"
