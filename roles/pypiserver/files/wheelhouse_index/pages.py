"""The simple pages as text: HTML (PEP 503, 592, 658, 714) and JSON (PEP 691, 700). Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

from .entry import Entry

API_VERSION = "1.1"
# 31 December 9999.
_LAST_NS = 253_402_300_799_999_999_999
# Another number has all pages written anew.
FORMAT = 1

_HEAD = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="pypi:repository-version" content="{version}">
    <title>{title}</title>
  </head>
  <body>
    <h1>{title}</h1>
"""
_TAIL = "  </body>\n</html>\n"


def listed(entries: Iterable[Entry]) -> list[Entry]:
    """Return the files that a page has, from old to new: all that have been read, signatures aside."""
    files = [entry for entry in entries if entry.facts and not entry.name.endswith(".asc")]
    return sorted(files, key=lambda entry: entry.order)


def signed(entries: Iterable[Entry]) -> set[str]:
    """Return the paths of files that have a signature beside them."""
    return {entry.path.removesuffix(".asc") for entry in entries if entry.name.endswith(".asc")}


def project_html(project: str, entries: Sequence[Entry]) -> str:
    """Return a project's page. Addresses are relative, so it is right behind any host name and prefix."""
    signatures = signed(entries)
    lines = [f"    {_link(entry, entry.path in signatures)}<br>\n" for entry in listed(entries)]
    return _page(f"Links for {project}", lines)


def project_json(project: str, entries: Sequence[Entry]) -> str:
    """Return a project's page for machines."""
    signatures = signed(entries)
    files = listed(entries)
    return _json(
        {
            "meta": {"api-version": API_VERSION},
            "name": project,
            "versions": [version for version in dict.fromkeys(entry.version for entry in files) if version],
            "files": [_file(entry, entry.path in signatures) for entry in files],
        }
    )


def list_html(projects: Iterable[str]) -> str:
    """Return the list of projects."""
    lines = [f'    <a href="{quote(name)}/">{escape(name)}</a><br>\n' for name in projects]
    return _page("Simple index", lines)


def list_json(projects: Iterable[str]) -> str:
    """Return the list of projects for machines."""
    return _json({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in projects]})


def front_html(projects: int, files: int) -> str:
    """Return the front page."""
    counted = f"{_count(files, 'distribution file')} of {_count(projects, 'project')}"
    return _page(
        "Python packages",
        [
            f"    <p>This index has {counted}.</p>\n",
            "    <p><a href=\"simple/\">All projects</a>: this is the address for pip's and uv's <code>index-url</code>."
            " twine uploads to the address of this page.</p>\n",
        ],
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _page(title: str, lines: Iterable[str]) -> str:
    return "".join((_HEAD.format(version=API_VERSION, title=escape(title)), *lines, _TAIL))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"


def _address(entry: Entry) -> str:
    return f"../../packages/{quote(entry.path)}"


def _link(entry: Entry, signature: bool) -> str:
    assert entry.facts
    attributes = {"href": f"{_address(entry)}#sha256={entry.facts.sha256}"}
    if entry.facts.requires_python:
        attributes["data-requires-python"] = entry.facts.requires_python
    if entry.facts.metadata_sha256:
        digest = f"sha256={entry.facts.metadata_sha256}"
        # The second is what installers looked for before PEP 714.
        attributes |= {"data-core-metadata": digest, "data-dist-info-metadata": digest}
    if signature:
        attributes["data-gpg-sig"] = "true"
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{escape(entry.name)}</a>"


def _file(entry: Entry, signature: bool) -> dict[str, Any]:
    assert entry.facts
    digest = {"sha256": entry.facts.metadata_sha256} if entry.facts.metadata_sha256 else False
    file: dict[str, Any] = {
        "filename": entry.name,
        "url": _address(entry),
        "hashes": {"sha256": entry.facts.sha256},
        "size": entry.stamp.size,
        "upload-time": _time(entry.stamp.mtime_ns),
        "core-metadata": digest,
        "dist-info-metadata": digest,
    }
    if entry.facts.requires_python:
        file["requires-python"] = entry.facts.requires_python
    if signature:
        file["gpg-sig"] = True
    return file


def _time(nanoseconds: int) -> str:
    """Return a moment as PEP 700 writes it; the nearest that can be written."""
    seconds, rest = divmod(min(max(nanoseconds, 0), _LAST_NS), 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
