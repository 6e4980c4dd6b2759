"""What can go wrong with pages and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .hosts import ELSEWHERE, FILES

# Faults of pages and of files alike; a project's own go before those of all.
BOTH = (
    "ok",
    "slow",
    "hang",
    "drip",
    "half",
    "reset",
    "401",
    "403",
    "404",
    "429",
    "500",
    "redirect",
    "stranger",
    "headers",
)
# Headers by which a server would rule over clients of another one, or over a proxy in front of it.
OWN_MATTERS = {
    "Set-Cookie": "stranger=1; Path=/",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
    "Refresh": "0; url=https://stranger.example.net/",
    "Access-Control-Allow-Origin": "*",
    "Link": "<https://stranger.example.net/>; rel=preload",
    "X-Accel-Redirect": "/index.html",
    "X-Accel-Expires": "1",
    "X-Wheelhouse-Rule": "stranger",
}
# `one-…` spoils the newest file of the page alone.
OF_PAGES = (
    "html",
    "invalid",
    "type",
    "api2",
    "name",
    "huge",
    "one-host",
    "one-dotted",
    "one-encoded",
    "one-nohash",
    "one-login",
)
OF_FILES = ("altered",)
MODES = {"pages": (*BOTH, *OF_PAGES), "files": (*BOTH, *OF_FILES)}


@dataclass
class Fault:
    """What goes wrong, and how slowly."""

    mode: str = "ok"
    seconds: float = 10.0


def spoil(entry: dict[str, Any], mode: str) -> None:
    """Spoil the entry of a file on a page."""
    if mode == "one-host":
        entry["url"] = entry["url"].replace(FILES, ELSEWHERE)
    elif mode == "one-dotted":
        entry["url"] = entry["url"].replace("/packages/", "/packages/../packages/")
    elif mode == "one-encoded":
        entry["url"] = entry["url"].replace("/packages/", "/packages/%2e%2e/packages/")
    elif mode == "one-nohash":
        entry["hashes"] = {}
    else:
        entry["url"] = entry["url"].replace("https://", "https://user:password@")
