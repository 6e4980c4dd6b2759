"""What was decided on projects, in the store of facts and in the catalogue: the later decision counts in both."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .catalogue import Known
from .decisions import ACTIVE, ARCHIVED, DEPRECATED, NOTHING, QUARANTINED, UNKNOWN, DecisionFiles, Decisions
from .quarantine import Quarantine
from .records import FactsError

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

    def differing(self, known: Known) -> list[str]:
        """Return the projects on which files and catalogue do not say the same."""
        projects = {*self._files.projects(), *known.decided(), *self._quarantine.projects()}
        return [project for project in sorted(projects) if self._kept(known, project) != known.decisions(project)]

    def take(self, known: Known, projects: Iterable[str], is_new: bool = False) -> list[str]:
        """Have files and catalogue say the same of projects.

        Args:
            known: the catalogue.
            projects: they.
            is_new: whether the store of facts is another one than before: then it counts where it says anything.

        Returns:
            Those whose pages may be others now.
        """
        changed = []
        for project in projects:
            before = known.decisions(project)
            kept = self._kept(known, project)
            if kept == before:
                continue
            after = kept if is_new and kept.revision else _later(kept, before)
            if after != kept:
                log.warning("Restored what was decided on %s: the copy in packages/ was of an earlier day", project)
                self._files.put(project, after)
            if after != before:
                known.decide(project, after)
                changed.append(project)
        return changed

    def _kept(self, known: Known, project: str) -> Decisions:
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


def _later(kept: Decisions, before: Decisions) -> Decisions:
    """Return what counts of what the store of facts and the catalogue say."""
    if kept.revision != before.revision:
        return max(kept, before, key=lambda one: one.revision)
    if not kept.revision:
        return kept
    # Each was changed without the other: no yank is lost, and the stricter status counts.
    status = max(kept.status, before.status, key=lambda one: _STRICTNESS.index(one.status))
    return kept.changed(
        status=status, releases={**before.releases, **kept.releases}, files={**before.files, **kept.files}
    )


_STRICTNESS = [ACTIVE, DEPRECATED, ARCHIVED, QUARANTINED]
