"""Whether the nodes of an index agree: what one of them says, for wheelhouse.pypi.doctor to compare with the others."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..fact_store.facts import FactStore
from ..fact_store.journal import NAME, Nodes, Place


def of_node(
    store: FactStore, index: Path, nodes: Nodes, seconds: float, wait: Callable[[float], Any]
) -> dict[str, Any]:
    """Return what this node lists, how far the journals went meanwhile, and what is known of the nodes.

    Args:
        store: the facts, which all nodes share.
        index: the pages of this node.
        nodes: all of them.
        seconds: within which a well node has read what the others have journalled.
        wait: sleeps.

    Returns:
        ``pages``, a digest of what is listed; ``ends``, where each node's journals ended all that time, and None if one of them
        grew; ``said``, the seconds since each node has said that it lives, None for one that never has; ``strangers``, whose
        journals are there and who is no node.

    Raises:
        OSError: if the shared folder cannot be read.
    """
    every = sorted((nodes.own, *nodes.others))
    ends = _ends(store, every)
    wait(seconds)
    pages = listed(index)
    said = {}
    for node in every:
        beat, _read = store.journals.seen(node)
        said[node] = max(time.time() - beat / 1e9, 0) if beat else None
    with os.scandir(store.journals.folder) as entries:
        folders = [one.name for one in entries if one.is_dir(follow_symlinks=False) and NAME.fullmatch(one.name)]
    return {
        "pages": pages,
        "ends": ends if ends == _ends(store, every) else None,
        "said": said,
        "strangers": sorted(set(folders) - set(every)),
    }


def listed(index: Path) -> str:
    """Return a digest of the pages of all projects that list anything."""
    digest = hashlib.sha256()
    with suppress(FileNotFoundError):
        for project in sorted(os.listdir(index / "simple")):
            with suppress(OSError):
                text = (index / "simple" / project / "index.json").read_bytes()
                # Those without a file may be there or not.
                if _has_files(text):
                    digest.update(f"{project} {hashlib.sha256(text).hexdigest()}\n".encode())
    return digest.hexdigest()


def _has_files(text: bytes) -> bool:
    try:
        return bool(json.loads(text)["files"])
    except (ValueError, KeyError, TypeError):
        # Damaged, and so another than that of the other nodes.
        return True


def _ends(store: FactStore, nodes: list[str]) -> dict[str, Place]:
    return {node: store.journals.end(node) for node in nodes}
