"""Uploads compared with what is there."""

from __future__ import annotations

from collections.abc import Sequence

from ..common.answers import Refusal
from ..fact_store.decisions import ACTIVE, CLOSED, Decisions
from ..fact_store.recording import ConflictError
from ..files import names
from ..files.entry import Entry
from ..files.incoming import Upload
from ..files.names import Release
from .known import Known


def refuse_closed(project: str, decisions: Decisions) -> None:
    """Refuse an upload to a project that takes none."""
    status = decisions.status
    if status.status in CLOSED:
        reason = f" ({status.reason})" if status.reason else ""
        raise Refusal(
            403, f"{project} is {status.status}{reason}: it takes no uploads. Set its status to {ACTIVE} first."
        )


def compared(known: Known, uploads: Sequence[Upload], overwrite: bool) -> tuple[list[Upload], list[str]]:
    """Compare uploads with what is there.

    Args:
        known: what is there.
        uploads: distribution files, each before its signature if it has one.
        overwrite: whether they may replace files with other content.

    Returns:
        Uploads that are not there yet, byte by byte, and the paths of other files that they replace.

    Raises:
        ConflictError: if one is there with other content, and may not replace it.
    """
    new: list[Upload] = []
    replaced: set[str] = set()
    elsewhere: set[str] = set()
    for upload in uploads:
        same = same_as(known, upload)
        identical = [entry.name for entry in same if entry.facts and entry.facts.sha256 == upload.facts.sha256]
        if identical:
            if upload.name not in identical:
                # The file is there under another name, which a signature for this one would not be beside.
                elsewhere.add(upload.name + names.SIGNATURE)
            continue
        if upload.name in elsewhere:
            continue
        if same and not overwrite:
            spelt = "" if same[0].name == upload.name else f" as {same[0].name}"
            raise ConflictError(
                f"{upload.name} already exists{spelt} with other content. A released file never changes: publish another version."
            )
        if others := sorted({entry.project for entry in same} - {upload.facts.release.project}):
            # The right to publish one project is none to replace the files of another.
            raise ConflictError(
                f"{upload.name} already exists as a file of {', '.join(others)}. Publish it under another version."
            )
        new.append(upload)
        # With a file goes the signature that was made for it.
        replaced |= {path for entry in same for path in (entry.path, entry.path + names.SIGNATURE) if known.at(path)}
    return new, sorted(replaced - {upload.name for upload in new})


def same_as(known: Known, upload: Upload) -> list[Entry]:
    """Return the files that an upload is the same as: of its name, in whatever folder, or of its identity."""
    return same_named(known, upload.name, upload.facts.release)


def same_named(known: Known, name: str, release: Release) -> list[Entry]:
    """Return the files that one of this name and release is the same as; see there."""
    found = [entry for path in known.named(name) if (entry := known.at(path))]
    if not name.endswith(names.SIGNATURE):
        own, version = names.identity(name, release), names.normal_version(release.version)
        # A project has many files, and few of a version.
        of_version = (path for path, said in known.versions(release.project) if names.normal_version(said) == version)
        found += [
            entry
            for path in of_version
            if (entry := known.at(path))
            and not entry.is_signature
            and entry.name != name
            and names.identity(entry.name, entry.release) == own
        ]
    return found
