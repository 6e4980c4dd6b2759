"""Uploads, removals and decisions: each is a form that is posted to the front page."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from ..common.answers import Answer, Refusal
from ..fact_store.change_log import ATTEST, ChangeLog
from ..fact_store.facts import UnmountedError
from ..fact_store.quarantine import StayedError
from ..fact_store.recording import ConflictError, Origin
from ..fact_store.records import UPLOAD, FactsError
from ..files import attesting, incoming, installable, metadata, names
from ..files.entry import Facts
from ..files.incoming import Upload
from ..files.names import Release
from ..index.quotas import NONE, Quotas, is_new
from ..index.reserve import NONE as NO_RESERVE
from ..index.reserve import Reserve
from ..index.store import Store
from . import deciding, finding, forms, rights
from .forms import Body, File, Form

log = logging.getLogger(__name__)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The second: one of the files beside a database cannot be made.
_FULL_DATABASE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
# The form's field :action.
PUBLISH = "file_upload"
# As NGINX says it.
ADDRESS = "X-Forwarded-For"
NO_ROOM = "The disk of this index is full; nothing was stored. Ask its operator to make room."
UNWRITABLE = "This index cannot write to its folders. Try again later; the log of pypi-server names the reason."
NO_FACTS = (
    "This index cannot use its facts; nothing was changed. Ask its operator: the log of pypi-server names the reason."
)
UNMOUNTED = "The packages of this index are not mounted at the moment; nothing was changed. Try again in a few minutes."
BROKEN = "This index failed on that request; the log of pypi-server names the reason. Ask its operator."


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error means that there is no room."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) in _FULL_DATABASE
    return isinstance(error, OSError) and error.errno in _FULL


class Changes:
    """What becomes of forms that are posted to the front page.

    Args:
        store: what is changed.
        overwrite: whether an upload may replace a file.
        anonymous_uploads: whether publishing needs no login.
        change_log: where each change is noted.
        check_new: refuses a new name that is a public project's; asked with the project.
        quotas: that uploads have to fit into.
        reserve: what they leave free on the disk.
    """

    def __init__(
        self,
        store: Store,
        overwrite: bool,
        anonymous_uploads: bool,
        change_log: ChangeLog,
        check_new: Callable[[str], None] = lambda _project: None,
        quotas: Quotas = NONE,
        reserve: Reserve = NO_RESERVE,
    ) -> None:
        self._store = store
        self._reserve = reserve
        self._check_new = check_new
        self._change_log = change_log
        self._overwrite = overwrite
        self._anonymous_uploads = anonymous_uploads
        self._quotas = quotas

    def answer(self, headers: Mapping[str, str], body: Body, is_awaited: Callable[[], bool] = lambda: True) -> Answer:
        """Do what the form asks for, or say in one line why not.

        Args:
            headers: those that NGINX has sent.
            body: of the request.
            is_awaited: tells whether the answer will reach the client.
        """

        def check_awaited() -> None:
            if not is_awaited():
                raise Refusal(400, "The client hung up before the file was published: nothing was stored.")

        need = ""
        # What is not published by the end is removed.
        with ExitStack() as stack:
            try:

                def new_file(form: Form, name: str, least: int) -> incoming.Arriving:
                    self._check_early(form, headers)
                    # Or it would be written below the mount point.
                    self._store.check_mounted()
                    packages, folder = self._store.packages, self._store.incoming
                    if rights.is_rehearsal(headers):
                        # Nothing of it stays: an index at its limits is not broken.
                        return stack.enter_context(incoming.arriving(folder, lambda _size: None))
                    fits, leaves = self._fits(form, name), self._reserve.of_file(packages, name, least)
                    fits(least)

                    def check(size: int) -> None:
                        fits(size)
                        leaves(size)

                    return stack.enter_context(incoming.arriving(folder, check))

                length = headers.get("Content-Length", "")
                kind = headers.get("Content-Type", "")
                form = forms.read(kind, body, new_file, int(length) if length.isdecimal() else 0)
                need = rights.NEEDS.get(form.value(":action"), "")
                said = Answer(200, self._change(form, headers, check_awaited))
            except forms.MalformedFormError as error:
                said = Answer(400, str(error))
            except Refusal as error:
                log.warning("Refused with %s: %s", error.status, error.reason)
                said = Answer(error.status, error.reason)
            except UnmountedError as error:
                log.error("%s", error)
                said = Answer(503, UNMOUNTED, [("Retry-After", "60")])
            except FactsError as error:
                log.error("%s", error)
                said = Answer(503, NO_FACTS, [("Retry-After", "60")])
            except StayedError as error:
                log.error("%s", error)
                said = Answer(503, f"This was decided, but {error}")
            except (OSError, sqlite3.Error) as error:
                if is_full(error):
                    log.error("The disk is full: %s", error)
                    said = Answer(507, NO_ROOM)
                else:
                    log.exception("An upload or removal failed")
                    said = Answer(503, UNWRITABLE, [("Retry-After", "5")])
            except Exception:
                # A bug of ours.
                log.exception("An upload or removal failed")
                said = Answer(500, BROKEN)
        return replace(said, headers=[*said.headers, (rights.NEED, need)]) if need else said

    def _change(self, form: Form, headers: Mapping[str, str], check_awaited: Callable[[], None]) -> str:
        action = form.value(":action")
        if action not in rights.NEEDS:
            known = ", ".join(rights.NEEDS)
            raise Refusal(400, f"Unknown :action {action[:40]!r}: this index takes {known}.")
        if rights.is_rehearsal(headers):
            return self._rehearse(form)
        check = partial(self._check, action, headers)
        check(form.value("name"))
        login = headers.get(rights.LOGIN, "")
        note = partial(self._change_log.note, login=login, address=headers.get(ADDRESS, ""))
        if action == "remove_pkg":
            return self._remove(form, check, note)
        if action in deciding.ACTIONS:
            return deciding.ACTIONS[action](self._store, form, login, check, partial(note, action))
        # twine takes 400 and "already exists" for a file that is there, other clients 409.
        conflict = 400 if "twine" in headers.get("User-Agent", "") else 409
        return self._publish(form, conflict, Origin(UPLOAD, login), check, note, check_awaited)

    def _check(self, action: str, headers: Mapping[str, str], *projects: str) -> None:
        """Refuse what a login may not do to each of these projects, in whatever spelling; an empty one is not known yet."""
        for project in projects:
            if reason := rights.refusal(action, headers, self._anonymous_uploads, names.normalised(project)):
                raise Refusal(403, reason)

    def _check_early(self, form: Form, headers: Mapping[str, str]) -> None:
        """Refuse a file before it is kept, where what came before it says whose it is; the whole form is checked later."""
        if (action := form.value(":action")) in rights.NEEDS and not rights.is_rehearsal(headers):
            self._check(action, headers, form.value("name"))

    def _rehearse(self, form: Form) -> str:
        """Do what an upload or a removal takes, and change nothing: no file, claim or line of a log comes of it."""
        if file := form.file("content"):
            uploaded(file, form).saved()
        else:
            finding.found(self._store, form.value("name"), form.value("version"), form.value("filename"))
        self._store.rehearse()
        return "Nothing was changed, as this was a rehearsal."

    def _fits(self, form: Form, name: str) -> incoming.Check:
        """Return what refuses a file, by a size that it will have at least, that cannot fit into a quota for certain.

        Not one that may be there already, or that would replace another: where it is published decides.
        """
        project, version = form.value("name"), form.value("version")
        if not self._quotas or not project or form.value(":action") != PUBLISH:
            return lambda size: None
        release = Release(project, version)
        self._store.sum_sizes()
        with self._store.catalogue.reading() as known:
            quotas = self._quotas.of(known, release.project)

        def check(size: int) -> None:
            nonlocal quotas
            try:
                for quota in quotas:
                    quota.check(size, name)
            except Refusal:
                with self._store.catalogue.reading() as known:
                    if is_new(known, name, release):
                        raise
                quotas = []

        return check

    def _publish(
        self,
        form: Form,
        conflict: int,
        origin: Origin,
        check: rights.Check,
        note: Callable[..., object],
        check_awaited: Callable[[], None],
    ) -> str:
        file = form.file("content")
        if file is None:
            raise Refusal(400, "The form has no distribution file: send it as 'content'.")
        upload = uploaded(file, form)
        # The form need not name it.
        check(upload.facts.release.project)
        try:
            self._check_new(upload.facts.release.project)
        except Refusal as error:
            if error.status == 409 != conflict:
                # By 409, twine's --skip-existing would take the file for one that is there.
                raise Refusal(403, error.reason) from error
            raise
        # What was copied or imported may be sent again, for its attestations or after it was removed.
        if upload.objection and not self._store.has_had(upload):
            raise Refusal(400, upload.objection)
        upload.attestations = _attestations(form, upload)
        uploads = [upload]
        if signature := form.file("gpg_signature"):
            if signature.name != upload.name + names.SIGNATURE:
                raise Refusal(400, f"The signature {signature.name[:80]!r} must be called {upload.name}.asc.")
            facts = Facts(signature.content.sha256, upload.facts.release)
            uploads.append(Upload(signature.name, signature.content, facts))
        try:
            added = self._store.add(uploads, self._overwrite, origin, check_awaited, self._quotas)
            project, attested = upload.facts.release.project, set(added.attested)
            # What was new may have been the signature alone.
            if new := {one.name: one.facts.sha256 for one in uploads if one.name in added.files}:
                note(PUBLISH, project=project, files=new)
            if upload.attestations and upload.name not in added.files:
                attested = self._store.attest(upload, origin.login)
        except ConflictError as error:
            raise Refusal(conflict, str(error)) from error
        if attested:
            note(ATTEST, project=project, files=dict.fromkeys(sorted(attested), upload.facts.sha256))
        kept = " Its attestations stay as they are." if upload.attestations and not attested else ""
        if new:
            return f"Published {upload.name}.{kept}"
        if attested:
            return f"Added its attestations to {upload.name}, which already exists with this content."
        return f"Nothing to do: {upload.name} already exists with this content.{kept}"

    def _remove(self, form: Form, check: rights.Check, note: Callable[..., object]) -> str:
        name, version, filename = (form.value(field) for field in ("name", "version", "filename"))
        if not filename and not (name and version):
            raise Refusal(400, "Name what to remove: 'name' and 'version', or 'filename'.")
        to_remove = {entry.path: entry for entry in finding.found(self._store, name, version, filename)}
        with self._store.catalogue.reading() as known:
            # A signature goes with its file.
            signatures = [known.at(path + names.SIGNATURE) for path in to_remove]
            to_remove |= {entry.path: entry for entry in signatures if entry}
        if not to_remove:
            asked = filename or f"{name} {version}"
            if away := deciding.quarantined(self._store, name, version, filename):
                check(project := away[0][0])
                raise Refusal(
                    409,
                    f"{asked[:200]} is in quarantine, where it is not served: nothing was removed."
                    f" To remove it, yank it, set the status of {project} to active, then remove it.",
                )
            raise Refusal(404, f"{asked[:200]} is not on this index: nothing was removed.")
        # Copied files of one name may be of several projects.
        projects = {entry.project for entry in to_remove.values()}
        check(*projects)
        for project in projects:
            own = {path: entry for path, entry in to_remove.items() if entry.project == project}
            self._store.remove(project, list(own))
            note(
                "remove_pkg",
                project=project,
                files={path: entry.facts.sha256 if entry.facts else "" for path, entry in own.items()},
            )
        return f"Removed {', '.join(sorted({entry.name for entry in to_remove.values()}))}."


def uploaded(file: File, form: Form) -> Upload:
    """Return a distribution file that may be published, and whose it is.

    Raises:
        Refusal: if name, digest, content and form do not fit together.
    """
    name = file.name
    if not names.is_served(name) or name.endswith(names.SIGNATURE):
        raise Refusal(400, f"{name[:80]!r} is not a distribution file's name. {_names_wanted(name)}")
    digest = form.value("sha256_digest")
    if digest and digest.lower() != file.content.sha256:
        raise Refusal(
            400, f"{name} arrived with the SHA-256 {file.content.sha256}; the form says {digest[:64]}. Send it again."
        )
    try:
        found, is_all = metadata.inside(name, file.content.opened()), True
    except metadata.BrokenArchiveError as error:
        raise Refusal(400, f"{error} Build it again.") from error
    except metadata.BeyondLimitsError:
        found, is_all = None, False
    release = _release(name, found, form)
    objection = installable.objection(name, release, found, is_all)
    requires = found.requires_python if found else metadata.specifier(form.value("requires_python"))
    facts = Facts(file.content.sha256, release, requires, found.sha256 if found else "")
    return Upload(name, file.content, facts, found.content if found else b"", objection)


def _attestations(form: Form, upload: Upload) -> bytes:
    """Return the attestations that come with a file, as JSON; nothing where there are none."""
    text = form.value("attestations")
    return attesting.checked(text, upload.name, upload.facts.sha256, upload.facts.release) if text else b""


def _names_wanted(name: str) -> str:
    if len(name) > names.NAME_BYTES:
        return f"A name has at most {names.NAME_BYTES} letters."
    if not names.suffix(name):
        return f"It ends with one of {', '.join(names.SUFFIXES)}."
    if name.endswith(names.WHEEL):
        return "A wheel is called NAME-VERSION-PYTHON-ABI-PLATFORM.whl, with _ for - in its name."
    return "It is NAME-VERSION, of letters, digits and . _ + ! ~ -."


def _release(name: str, found: metadata.Metadata | None, form: Form) -> Release:
    """Return whose a file is.

    Raises:
        Refusal: if its name, its metadata and the form speak of different releases, or none says enough.
    """
    said = Release(form.value("name"), form.value("version"))
    inner = found.release if found else None
    if inner and not names.claimed(name, inner):
        raise Refusal(
            400, f"{name} holds {str(inner)[:200]}: file name and metadata differ. Build it again and do not rename it."
        )
    own = inner or (said if said.name and said.version else names.of_file(name))
    if own is None or not names.is_project(own.project) or not names.claimed(name, own):
        raise Refusal(
            400, f"{name} is not a file of {str(own)[:200]}, which the form names. Correct the form or the file name."
        )
    for field, sent, own_value, same in (
        ("name", said.name, own.name, names.normalised(said.name) == own.project),
        ("version", said.version, own.version, names.same_version(said.version, own.version)),
    ):
        if sent and not same:
            raise Refusal(
                400, f"The form's {field} {sent[:100]!r} is not that of {name}, {own_value!r}. Correct the form."
            )
    return own
