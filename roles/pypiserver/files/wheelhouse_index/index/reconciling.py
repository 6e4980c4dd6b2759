"""What was decided on projects, in the store of facts and in the catalogue: it is merged, and then the same in both."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..common.answers import one_line
from ..fact_store.decisions import NOTHING, UNKNOWN, DecisionFiles, Decisions
from ..fact_store.quarantine import Quarantine
from ..fact_store.records import FactsError
from .known import Known

log = logging.getLogger(__name__)


class Reconciler:
    """Has files and catalogue say the same.

    Args:
        files: what the store of facts says.
        quarantine: a project that has files there, and no decision, was quarantined by one that is lost.
    """

    def __init__(self, files: DecisionFiles, quarantine: Quarantine) -> None:
        self._files = files
        self._quarantine = quarantine
        # What was said of files that cannot be read: it is said once.
        self._damaged: dict[str, str] = {}

    def differing(self, known: Known) -> dict[str, Decisions]:
        """Return the projects on which files and catalogue do not say the same, each with what its file says."""
        noted, found = known.decided(), {}
        for project in sorted({*self._files.projects(), *noted, *self._quarantine.projects()}):
            if project in noted and self._files.says(project, noted[project]):
                self._damaged.pop(project, None)
            elif (kept := self.said(known, project)) != known.decisions(project):
                found[project] = kept
        return found

    def take(
        self, known: Known, found: Mapping[str, Decisions], is_new: bool = False, is_news: bool = False
    ) -> list[str]:
        """Have files and catalogue say the same of projects.

        Args:
            known: the catalogue.
            found: they, each with what its file said: one that says so still is not parsed again.
            is_new: whether the store of facts is another one than before: then it counts where it says anything.
            is_news: whether another node says that it has decided: what is taken in as it is there is no reason for a line.

        Returns:
            Those whose pages may be others now.
        """
        changed = []
        for project, kept in found.items():
            before = known.decisions(project)
            if not self._files.says(project, kept.text()):
                kept = self.said(known, project)
            if kept == before:
                continue
            said = [one for one in (kept, before) if one not in (NOTHING, UNKNOWN)]
            after = (said[0] if is_new else said[0].merged(said[-1])) if said else kept
            # Else a new catalogue learns what was decided: nothing is merged.
            if before in said and not (is_news and after == kept):
                _log(project, kept, before, after)
            if after != kept:
                self._files.put(project, after)
            if after != before:
                known.decide(project, after)
                changed.append(project)
        return changed

    def said(self, known: Known, project: str) -> Decisions:
        """Return what the store of facts says; where its file cannot be read, what is known, or that nothing is."""
        try:
            kept = self._files.at(project)
        except FactsError as error:
            if self._damaged.get(project) != str(error):
                log.error("%s", error)
                self._damaged[project] = str(error)
            before = known.decisions(project)
            return before if before != NOTHING else UNKNOWN
        self._damaged.pop(project, None)
        if kept:
            return kept
        return UNKNOWN if self._quarantine.has(project) else NOTHING


def _log(project: str, kept: Decisions, before: Decisions, after: Decisions) -> None:
    """Say in a line what a merge has changed, in packages/ or in what was known."""
    differing = {
        "restored": after.made - kept.made,
        "taken in": after.made - before.made,
        "replaced or taken back": (kept.made | before.made) - after.made,
    }
    said = [
        f"{what}: {', '.join(one.id for one in sorted(made - UNKNOWN.made))}"
        for what, made in differing.items()
        if made - UNKNOWN.made
    ]
    if said:
        log.warning("Merged what was decided on %s; %s", project, one_line("; ".join(said)))
