"""Of several nodes, each keeps on its own disk which names are private: before it answers for any other, it knows all of them."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress

from ..fact_store.journal import Record
from ..files import names
from ..files.entry import guessed
from .joining import Joining, is_path
from .known import Known, entry_of


class Naming(Joining):
    """Keeps names; arguments and attributes as for ``Folders``."""

    def claim_known(self, projects: Collection[str]) -> None:
        """Claim projects, as ``Restoring`` does, and have the other nodes know."""
        super().claim_known(projects)
        if self.nodes and projects:
            with self._alone(), self.catalogue.writing() as known:
                known.changes.claimed.update(filter(names.is_project, self._still_known(known, projects)))

    def gather_names(self) -> None:
        """Know all names that are private, and take those for free that were given back: before anything public is served.

        Raises:
            FactsError, OSError: if packages/ cannot be used.
        """
        if not self.nodes:
            return
        marks = self.facts.marks
        with self._alone(), self.catalogue.reading() as known:
            self.facts.check()
            # Both before the look at the names: who claims one from now on has it kept, and what is kept has its claim.
            marks.prepare_names()
            kept = marks.names()
            projects = {*known.all_projects(), *known.decided(), *known.removed_of(), *awaited_in(known)}
            wanted = set(filter(names.is_project, projects | self.facts.claims.names()))
            marks.claim(wanted - kept)
            for project in kept - wanted:
                self._unclaim(project)

    def _unclaim(self, project: str) -> None:
        """Take a name for free that is not claimed any more. Only within the lock."""
        self.facts.marks.unclaim(project)
        # Who does not wait for the lock may have claimed it just now, and have seen that it is kept.
        if self.facts.claims.has(project):
            self.facts.marks.claim([project])

    def _free_names(self, known: Known, projects: Collection[str]) -> None:
        """Have names free that were given back; who has published by one since has journalled that, or looked for its claim."""
        for project in set(projects) - awaited_in(known):
            if not self._still_known(known, [project]) and not self.facts.claims.has(project):
                self._unclaim(project)


def awaited_in(known: Known) -> set[str]:
    """Return the projects of files that are waited for."""
    found = set()
    for path, _node, text, _since in known.awaited():
        row = json.loads(text)[0]
        found.add(entry_of(row).project if row else guessed(path.rpartition("/")[2]).project)
    return found


def named_in(known: Known, record: Record) -> set[str]:
    """Return the projects that a record speaks of, but for those that it gives back."""
    found = {*record.decided, *record.claimed}
    for path, row in record.files.items():
        if not is_path(path):
            continue
        project = known.project_of(path)
        if row:
            with suppress(ValueError, TypeError):
                project = entry_of(row).project
        found.add(project or guessed(path.rpartition("/")[2]).project)
    # They become names of files.
    return set(filter(names.is_project, found))
