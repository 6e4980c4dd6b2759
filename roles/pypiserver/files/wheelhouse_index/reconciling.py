"""What was decided on projects, in the store of facts and in the catalogue: the later decision counts in both."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .catalogue import Known
from .decisions import NOTHING, UNKNOWN, DecisionFiles
from .records import FactsError

log = logging.getLogger(__name__)


def differing(files: DecisionFiles, known: Known) -> list[str]:
    """Return the projects on which files and catalogue do not say the same, or of which the file cannot be read."""
    found = []
    for project in {*files.projects(), *known.decided()}:
        try:
            kept = files.at(project) or NOTHING
        except FactsError:
            found.append(project)
        else:
            if kept.revision != known.decisions(project).revision:
                found.append(project)
    return found


def take(files: DecisionFiles, known: Known, projects: Iterable[str]) -> list[str]:
    """Have files and catalogue say the same of projects; return those whose pages may be others now."""
    changed = []
    for project in projects:
        before = known.decisions(project)
        try:
            kept = files.at(project) or NOTHING
        except FactsError as error:
            log.error("%s", error)
            kept = before if project in known.decided() else UNKNOWN
        if kept.revision < before.revision:
            log.warning("Restored what was decided on %s: the copy in packages/ was of an earlier day", project)
            files.put(project, before)
        elif kept != before:
            known.decide(project, kept)
            changed.append(project)
    return changed
