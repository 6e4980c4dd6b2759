"""The simple pages as text: HTML (PEP 503, 592, 658, 714, 740, 792) and JSON (PEP 691, 700). Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from ..common.times import time_text
from ..fact_store.decisions import ACTIVE, NOTHING, Decisions
from ..files.entry import Entry

API_VERSION = "1.4"
# Another number has all pages rewritten.
FORMAT = 5
# Plain in the path of an address (RFC 3986): versions have them, and some proxies escape `%2B` a second time.
_PLAIN = "/+!"
_ALL_PLAIN = re.compile(r"[A-Za-z0-9_.~/+!-]*", re.ASCII)

_HEAD = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="pypi:repository-version" content="{version}">
{more}    <title>{title}</title>
  </head>
  <body>
    <h1>{title}</h1>
"""
_TAIL = "  </body>\n</html>\n"


def listed(entries: Iterable[Entry]) -> list[Entry]:
    """Return the files that a page has, from old to new: all that have been read, signatures aside.

    Of builds of one wheel the newest comes first, as PDM 2.29 takes the first it finds (findings/pdm-build-number.sh).
    """
    files = [entry for entry in entries if entry.facts and not entry.name.endswith(".asc")]
    if len(files) < 2:
        return files
    newest_first = sorted(files, key=lambda entry: (entry.build.order, entry.path), reverse=True)
    return sorted(newest_first, key=lambda entry: entry.order)


def signed(entries: Iterable[Entry]) -> set[str]:
    """Return the paths of files that have a signature beside them."""
    return {entry.path.removesuffix(".asc") for entry in entries if entry.name.endswith(".asc")}


def project_html(project: str, entries: Sequence[Entry], decisions: Decisions = NOTHING, url: str = "") -> str:
    """Return a project's page. Addresses are relative, so it is right behind any host name and prefix.

    Those of provenance have to be absolute (PEP 740): they are there where the index's own address is given.
    """
    signatures = signed(entries)
    lines = [f"    {_link(entry, entry.path in signatures, decisions, url)}<br>\n" for entry in listed(entries)]
    return page_html(f"Links for {project}", lines, status_html(_status(decisions)))


def status_html(status: Mapping[str, str]) -> str:
    """Return the elements of a page's head that say which status its project has (PEP 792), as JSON says it."""
    names = {"status": "pypi:project-status", "reason": "pypi:project-status-reason"}
    return "".join(f'    <meta name="{names[key]}" content="{escape(value)}">\n' for key, value in status.items())


def _status(decisions: Decisions) -> dict[str, str]:
    """Return a project's status and its reason; nothing for one that is active."""
    status = decisions.status
    if status.status == ACTIVE:
        return {}
    return {"status": status.status, **({"reason": status.reason} if status.reason else {})}


def project_json(project: str, entries: Sequence[Entry], decisions: Decisions = NOTHING, url: str = "") -> str:
    """Return a project's page for machines; ``url`` as for ``project_html``."""
    signatures = signed(entries)
    files = listed(entries)
    status = _status(decisions)
    return json_text(
        {
            "meta": {"api-version": API_VERSION},
            "name": project,
            **({"project-status": status} if status else {}),
            "versions": [version for version in dict.fromkeys(entry.version for entry in files) if version],
            "files": [_file(entry, entry.path in signatures, decisions, url) for entry in files],
        }
    )


def list_html(projects: Iterable[str]) -> str:
    """Return the list of projects."""
    lines = [f'    <a href="{quoted(name)}/">{escape(name)}</a><br>\n' for name in projects]
    return page_html("Simple index", lines)


def list_json(projects: Iterable[str]) -> str:
    """Return the list of projects for machines."""
    return json_text({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in projects]})


def front_html(projects: int, files: int) -> str:
    """Return the front page."""
    counted = f"{_count(files, 'distribution file')} of {_count(projects, 'project')}"
    return page_html(
        "Python packages",
        [
            f"    <p>This index has {counted}.</p>\n",
            "    <p><a href=\"simple/\">All projects</a>: this is the address for pip's and uv's <code>index-url</code>."
            " twine uploads to the address of this page.</p>\n",
        ],
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def page_html(title: str, lines: Iterable[str], more: str = "") -> str:
    """Return a page, given by title, lines of its body, and of its head."""
    return "".join((_HEAD.format(version=API_VERSION, title=escape(title), more=more), *lines, _TAIL))


def json_text(document: dict[str, Any]) -> str:
    """Return a document as compact JSON in ASCII."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"


def quoted(path: str) -> str:
    """Return a path as it is written into an address."""
    # Nearly all are plain.
    return path if _ALL_PLAIN.fullmatch(path) else quote(path, safe=_PLAIN)


def _address(entry: Entry) -> str:
    return f"../../packages/{quoted(entry.path)}"


def _provenance(entry: Entry, url: str) -> str:
    return f"{url}/packages/{quoted(entry.path)}.provenance" if entry.attested and url else ""


def _link(entry: Entry, signature: bool, decisions: Decisions, url: str) -> str:
    assert entry.facts
    attributes = {"href": f"{_address(entry)}#sha256={entry.facts.sha256}"}
    if entry.facts.requires_python:
        attributes["data-requires-python"] = entry.facts.requires_python
    if entry.facts.metadata_sha256:
        attributes["data-core-metadata"] = f"sha256={entry.facts.metadata_sha256}"
    if signature:
        attributes["data-gpg-sig"] = "true"
    if provenance := _provenance(entry, url):
        attributes["data-provenance"] = provenance
    if yank := decisions.yank_of(entry):
        attributes["data-yanked"] = yank.reason
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{escape(entry.name)}</a>"


def _file(entry: Entry, signature: bool, decisions: Decisions, url: str) -> dict[str, Any]:
    assert entry.facts
    digest = {"sha256": entry.facts.metadata_sha256} if entry.facts.metadata_sha256 else False
    file: dict[str, Any] = {
        "filename": entry.name,
        "url": _address(entry),
        "hashes": {"sha256": entry.facts.sha256},
        "size": entry.stamp.size,
        "upload-time": time_text(entry.time_ns),
        # Not under its older name as well: pip 22.3 to 23.1.2 cannot read that in JSON (PEP 714).
        "core-metadata": digest,
    }
    if entry.facts.requires_python:
        file["requires-python"] = entry.facts.requires_python
    if signature:
        file["gpg-sig"] = True
    if provenance := _provenance(entry, url):
        file["provenance"] = provenance
    if yank := decisions.yank_of(entry):
        # Never an empty text: clients do not agree whether that is yanked.
        file["yanked"] = yank.reason or True
    return file
