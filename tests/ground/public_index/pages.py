"""The forms of a page."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlsplit

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"


def as_html(document: dict[str, Any], anonymous: bool) -> bytes:
    """Return a page as HTML; an anonymous one has nothing but names and hashes."""
    lines = [
        "<!DOCTYPE html>",
        "<html>",
        "<head>",
        f'<meta name="pypi:repository-version" content="{document["meta"]["api-version"]}">',
    ]
    if not anonymous:
        lines.append(f'<meta name="pypi:project-status" content="{document["project-status"]["status"]}">')
    lines += [f"<title>Links for {document['name']}</title>", "</head>", "<body>"]
    for file in document["files"]:
        fragment = "".join(f"#{kind}={digest}" for kind, digest in file["hashes"].items())
        marks = {}
        if not anonymous:
            marks = {
                "data-requires-python": file["requires-python"],
                "data-yanked": file["yanked"] or None,
                "data-provenance": file["provenance"],
                "data-core-metadata": f"sha256={file['core-metadata']['sha256']}" if file["core-metadata"] else None,
            }
        given = "".join(f' {name}="{html.escape(value)}"' for name, value in marks.items() if value)
        address = urlsplit(file["url"]).path if anonymous else file["url"]
        lines.append(f'<a href="{html.escape(address + fragment)}"{given}>{file["filename"]}</a><br>')
    return "\n".join([*lines, "</body>", "</html>", ""]).encode()
