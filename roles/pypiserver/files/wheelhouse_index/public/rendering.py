"""Public pages as this index serves them: JSON (PEP 691, 700) and HTML, with addresses that lead here. Pure functions."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from typing import Any

from ..files import names
from ..rendering.pages import API_VERSION, json_text, page_html, quoted, status_html
from .upstream_page import HTML, JSON, TEXT, File, Page

# What NGINX names each form by, and its type.
FORMS = {"json": JSON, "html": HTML, "text": f"{TEXT}; charset=utf-8"}
# Of what is large, a quick compression is worth more than a small one.
_LEVEL, _QUICK_LEVEL, _LARGE_BYTES = 6, 1, 256 * 1024


def rendered(page: Page, files: Iterable[File], form: str) -> tuple[bytes, str]:
    """Return a page in one of the forms, compressed, and its entity tag.

    Args:
        page: what upstream says.
        files: those that are let through.
        form: a key of ``FORMS``.
    """
    text = project_json(page, files) if form == "json" else project_html(page, files)
    body = text.encode()
    packed = gzip.compress(body, _LEVEL if len(body) < _LARGE_BYTES else _QUICK_LEVEL, mtime=0)
    return packed, f'"{sha256(body).hexdigest()[:24]}"'


def project_json(page: Page, files: Iterable[File]) -> str:
    """Return a project's page for machines."""
    files = list(files)
    status = _status(page)
    versions = dict.fromkeys(file.version for file in files)
    return json_text(
        {
            "meta": {"api-version": API_VERSION},
            "name": page.project,
            **({"project-status": status} if status else {}),
            "versions": list(dict.fromkeys(map(names.shown_version, versions))),
            "files": [_file(page.project, file) for file in files],
        }
    )


def project_html(page: Page, files: Iterable[File]) -> str:
    """Return a project's page."""
    lines = [f"    {_link(page.project, file)}<br>\n" for file in files]
    return page_html(f"Links for {page.project}", lines, status_html(_status(page)))


def address(project: str, file: File) -> str:
    """Return where a file is, relative to its project's page: right behind any host name and prefix."""
    return f"../../public/{project}/{file.host}/{quoted(file.path)}"


def _status(page: Page) -> dict[str, str]:
    if not page.status:
        return {}
    return {"status": page.status, **({"reason": page.status_reason} if page.status_reason else {})}


def _file(project: str, file: File) -> dict[str, Any]:
    said: dict[str, Any] = {
        "filename": file.name,
        "url": address(project, file),
        "hashes": {"sha256": file.sha256},
        "core-metadata": {"sha256": file.metadata} if file.metadata else file.metadata is not None,
    }
    if file.size is not None:
        said["size"] = file.size
    if file.upload_time:
        said["upload-time"] = file.upload_time
    if file.requires_python:
        said["requires-python"] = file.requires_python
    if file.provenance:
        said["provenance"] = file.provenance
    if file.yanked is not None:
        # Never an empty text: clients do not agree whether that is yanked.
        said["yanked"] = file.yanked or True
    return said


def _link(project: str, file: File) -> str:
    attributes = {"href": f"{address(project, file)}#sha256={file.sha256}"}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.metadata is not None:
        attributes["data-core-metadata"] = f"sha256={file.metadata}" if file.metadata else "true"
    if file.provenance:
        attributes["data-provenance"] = file.provenance
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{escape(file.name)}</a>"
