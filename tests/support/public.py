"""An index that serves public projects, as tests see it: its policy, and what NGINX gets."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from wheelhouse_index.common.answers import Answer
from wheelhouse_index.public.gate import Gate, Reply
from wheelhouse_index.public.opening import Opening
from wheelhouse_index.public.outlet import Outlet as Asking
from wheelhouse_index.public.policies import Policies
from wheelhouse_index.public.server import answer
from wheelhouse_index.public.verifying import Verifier
from wheelhouse_index.server import app
from wheelhouse_index.server.keeper import Keeper

from tests.support.index import Index
from tests.support.outlet import FILES_HOST, HOST, URL, Outlet


def policy(**more: Any) -> dict[str, Any]:
    """Return a policy as the role writes it; ``more`` in place of what it would say."""
    upstream = {"url": URL, "names": [], "hosts": [HOST, FILES_HOST], "no_upload_time": "refuse"}
    own: dict[str, Any] = {
        "upstreams": [upstream],
        "private": ["acme-*", "internal-tools"],
        "shadowed": [],
        "minimum_age": 0,
        "denied": [],
        "allowed": [],
        "exempt": [],
        "freshness": 600,
        **more,
    }
    return {"digest": hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:12], **own}


class Public:
    """The part of an index that public projects are decided on by.

    Args:
        folder: of the index.
        outlet: stands in for NGINX.
        settings: of the index, as their attributes.
    """

    def __init__(self, folder: Path, outlet: Outlet, **settings: Any) -> None:
        self.outlet = outlet
        self.index = Index(folder, **settings)
        self.file = folder / "upstreams.json"
        self.marks = self.index.store.facts.marks
        self.digest = ""
        self.put()
        self.restart()

    def put(self, **more: Any) -> str:
        """Put another policy in force; return its digest."""
        content = policy(**more)
        self.file.write_text(json.dumps(content))
        self.digest = str(content["digest"])
        return self.digest

    def restart(self, patience: float = 5.0) -> None:
        """Start the parts that have a memory, as another process has them; with a patience in seconds."""
        asking = Asking(self.outlet.place, self.marks, patience, patience * 3)
        self.verifier = Verifier(asking, self.marks, delay=0.0)
        store = self.index.store
        self.gate = Gate(store, Policies(self.file, self.marks.keep_policies), asking, self.verifier)
        self.index.keeper = Keeper(store, 0.0, opening=Opening(store, self.file))
        self.index.changes = app.changes(store, self.index.settings, self.gate)

    def open(self) -> None:
        """Have the keeper look until public projects are served."""
        for _ in range(5):
            self.index.keeper.step()
            if self.marks.is_open():
                return
        raise AssertionError("the keeper does not open")

    def ask(self, path: str, form: str = "json", digest: str = "") -> Answer | Reply:
        """Ask as NGINX does."""
        return answer(self.gate, f"GET {path} HTTP/1.1\r\n", {"X-Policy": digest or self.digest, "X-Form": form})

    def marked(self) -> set[str]:
        """Return the marks that there are, by their paths; NGINX does not look for what stands for the last look."""
        top = self.marks.folder
        found = {str(path.relative_to(top)) for path in top.glob("*/*/**/*") if path.is_file() and path.name != ".seen"}
        return {path.partition("/")[2] for path in found if not path.startswith(".")}
