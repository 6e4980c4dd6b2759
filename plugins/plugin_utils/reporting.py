# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report at the end of a run, from the surveys of the host before and after it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates

Facts = Mapping[str, Any]
EXTENSION = "pypiserver/wheelhouse_index"
# With more files than this, a folder and its number of files stand for them.
_NAMED = 6


def report(
    before: Facts,
    after: Facts,
    address: str,
    asked: str,
    access: list[str],
    check: bool,
    certificate: str = "",
    logins: Mapping[str, list[str]] | None = None,
) -> list[str]:
    """Say, a sentence or two each, where the index is and who gets in, what runs, and what the run has changed.

    Args:
        before: the fact ``pypi_host`` at the beginning of the run.
        after: the same at its end.
        address: of the index, for those who use it.
        asked: where on the host it was asked for an answer.
        access: sentences about who may do what.
        check: the run was one in check mode.
        certificate: a sentence about it; empty where there is none.
        logins: those that the run has ``added``, ``updated`` and ``removed``.
    """
    changes = (
        "Check mode: nothing was changed. The tasks above show what a run would change."
        if check
        else _changes(before, after)
    )
    where = " ".join([_where(after, address, asked), *access])
    sentences = [where, certificate, _logins(logins or {}), _versions(after), changes]
    return [sentence for sentence in sentences if sentence]


def about_certificate(after: Facts, tls: str, authority_file: str, at: datetime.datetime) -> tuple[str, list[str]]:
    """Say for whom the certificate is and for how long, and what there is to warn of.

    Args:
        after: the fact ``pypi_host`` at the end of the run.
        tls: pypi_tls.
        authority_file: where the controller has what clients are to trust.
        at: the time.
    """
    told = certificates.about(after["certificate"], at) if tls != "none" else None
    if told is None:
        return "", []
    ends = f"{told.days} days, until {told.until:%Y-%m-%d}"
    text = f"The certificate is for {', '.join(told.names)}, by {told.issuer}, and good for {ends}."
    if tls == "self_signed":
        text += f" Clients have to trust {authority_file} on the controller."
    warnings = []
    if told.due and tls == "acme":
        warnings.append(
            f"the certificate ends in {told.days} days and was not renewed: `systemctl status` and `journalctl --unit` of "
            "wheelhouse-*-certificate.service on the host say why"
        )
    return text, warnings


def _logins(logins: Mapping[str, list[str]]) -> str:
    words = {"added": "new", "updated": "changed", "removed": "removed"}
    found = [f"{word}: {', '.join(logins[what])}" for what, word in words.items() if logins.get(what)]
    return f"Logins {'; '.join(found)}." if found else ""


def _where(after: Facts, address: str, asked: str) -> str:
    who = "The index answers" if after["answer"] else "Nothing answers"
    return f"{who} on {address} (asked on the host itself, at {asked})."


def _versions(after: Facts) -> str:
    if not after["engine"]:
        return "No engine runs."
    unwell = sorted(name for name, container in after["containers"].items() if not container["healthy"])
    health = "all containers are healthy"
    if unwell:
        health = f"not healthy: {', '.join(unwell)}"
    elif not after["containers"]:
        health = "there are no containers"
    running = sorted({container["image"] for container in after["containers"].values()}, reverse=True)
    programs = [f"Docker {after['engine']}", f"Compose {after['compose'] or 'is missing'}", *running]
    return f"{', '.join(programs)}; {health}."


def _changes(before: Facts, after: Facts) -> str:
    changes = _engine(before, after)
    images = [name for name in after["images"] if name not in before["images"]]
    if images:
        changes.append(f"images {', '.join(images)}")
    changes += [*_containers(before, after), *_files(before, after)]
    if not before["account"] and after["account"]:
        changes.append(f"account {after['user']}")
    if not changes:
        return "This run changed nothing."
    return f"Changed by this run: {'; '.join(changes)}."


def _engine(before: Facts, after: Facts) -> list[str]:
    found = []
    for program, key in (("Docker", "engine"), ("Compose", "compose")):
        was, now = before[key], after[key]
        if now != was:
            found.append(f"{program} {now or 'missing'}" + (f" instead of {was}" if was and now else ""))
    return found


def _containers(before: Facts, after: Facts) -> list[str]:
    started = [
        name
        for name, container in sorted(after["containers"].items())
        if container["id"] != before["containers"].get(name, {}).get("id")
    ]
    found = []
    if started:
        found.append(f"containers created: {', '.join(started)}")
    elif after["revision"] != before["revision"]:
        found.append("NGINX reloaded")
    return found


def _files(before: Facts, after: Facts) -> list[str]:
    there, now = before["files"], after["files"]
    # The revision is the digest of the others.
    changed = [
        name
        for name, file in sorted(now.items())
        if file["type"] == "f" and file != there.get(name) and name != "nginx/revision.conf"
    ]
    # A change of the extension is one, whatever the number of its files.
    changed = list(dict.fromkeys(EXTENSION if name.startswith(f"{EXTENSION}/") else name for name in changed))
    removed = [name for name, file in sorted(there.items()) if file["type"] == "f" and name not in now]
    folders = [name for name, file in sorted(now.items()) if file["type"] == "d" and file != there.get(name)]
    found = []
    if changed:
        found.append(f"files {', '.join(_shortened(changed))}")
    if removed:
        found.append(f"files removed: {', '.join(removed)}")
    if folders:
        found.append(f"{len(folders)} folder{'s' if len(folders) > 1 else ''}")
    return found


def _shortened(names: list[str]) -> list[str]:
    """Names of files, or where they are many, their top folders, each with its number of files."""
    if len(names) <= _NAMED:
        return names
    folders = [f"{name.partition('/')[0]}/" if "/" in name else name for name in names]
    counts = {folder: folders.count(folder) for folder in folders}
    return [f"{folder} ({count})" if folder.endswith("/") else folder for folder, count in counts.items()]
