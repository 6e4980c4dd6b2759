# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report at the end of a run, from what its modules have returned and one look at the containers."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates

Facts = Mapping[str, Any]
EXTENSION = "pypiserver/wheelhouse_index"
# With more files than this, a folder and its number of files stand for them.
_NAMED = 6
# And so many tokens are listed.
_TOKENS = 50
# What starts was asked by the run itself: see roles/stack/files/up.sh.
_HEALTHY = re.compile(r"running .*\((healthy|health: starting)\)")
# What Compose says of a container: its project, service and number, and what was done to it.
_DONE = re.compile(r" Container (?P<name>\S+)-\d+ +(?P<what>Created|Recreated|Started)\s*$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Running:
    """What runs on a host.

    Attributes:
        engine: version of Docker Engine; empty where none answers.
        compose: version of Compose; empty where there is none.
        containers: image and state of each container of the index, by service.
    """

    engine: str = ""
    compose: str = ""
    containers: Sequence[tuple[str, str, str]] = ()

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Running:
        """Read what roles/pypi/files/look.sh prints."""
        found: dict[str, list[str]] = {"engine": [], "compose": [], "container": []}
        for word, _space, rest in (line.partition(" ") for line in lines):
            found.setdefault(word, []).append(rest.strip())
        containers = [line.split("|", 2) for line in found["container"] if line.count("|") >= 2]
        return cls(
            "".join(found["engine"][:1]),
            "".join(found["compose"][:1]).removeprefix("v"),
            sorted((service, image, state) for service, image, state in containers),
        )

    @property
    def unwell(self) -> list[str]:
        """Services of which a container is not healthy."""
        return sorted({service for service, _image, state in self.containers if not _HEALTHY.match(state)})


def report(run: Facts, at: datetime.datetime) -> tuple[list[str], list[str]]:
    """Say, a sentence or two each, where the index is and who gets in, what runs, and what the run has changed.

    Args:
        run: what __stack_run in roles/stack/vars/main.yml collects.
        at: the time.

    Returns:
        The sentences, and what there is to warn of.
    """
    running, changes = Running.parse(run["running"]), run["changes"]
    tokens = (changes.get("logins") or {}).get("tokens") or {}
    certificate, warnings = about_certificate(run["certificate"], run["tls"], run["authority_file"], at)
    who = "The index answers" if run["answers"] else "Nothing answers"
    warnings += [f"pypi_images_pull=newer: an image stays as it is: {kept}" for kept in changes.get("kept") or []]
    where = f"{who} on {run['address']} (asked on the host itself, at {run['asked']})."
    sentences = [
        " ".join([where, *run["access"]]),
        certificate,
        "" if run["check"] else _logins("Logins", changes.get("logins") or {}),
        "" if run["check"] else _logins("Tokens", tokens),
        _listed(tokens.get("valid") or []),
        _versions(running),
        "Check mode: nothing was changed. The tasks above show what a run would change."
        if run["check"]
        else _changes(run["before"], running, changes),
    ]
    return [sentence for sentence in sentences if sentence], warnings


def about_certificate(info: Facts, tls: str, authority_file: str, at: datetime.datetime) -> tuple[str, list[str]]:
    """Say for whom the certificate is and for how long, and what there is to warn of.

    Args:
        info: what the filter ``community.crypto.x509_certificate_info`` says of it; empty if there is none.
        tls: pypi_tls.
        authority_file: where the controller has what clients are to trust.
        at: the time.
    """
    if not info:
        return "", []
    certificate = certificates.about(info, at)
    names, end = ", ".join(certificate.names), f"{certificate.not_after:%Y-%m-%d}"
    text = (
        f"The certificate is for {names}, by {certificate.issuer}, and good for {certificate.days} days, until {end}."
    )
    if tls == "self_signed":
        text += f" Clients have to trust {os.path.expanduser(authority_file)} on the controller."
    warnings = []
    if certificate.due and tls in ("provided", "on_host"):
        warnings.append(f"pypi_tls_certificate: the certificate ends in {certificate.days} days ({end})")
    if certificate.due and tls == "acme":
        warnings.append(
            f"the certificate ends in {certificate.days} days and was not renewed: `systemctl status` and `journalctl --unit` of "
            "wheelhouse-*-certificate.service on the host say why"
        )
    return text, warnings


def _logins(kind: str, changes: Mapping[str, Any]) -> str:
    words = {"added": "new", "updated": "changed", "removed": "removed"}
    found = [f"{word}: {', '.join(changes[what])}" for what, word in words.items() if changes.get(what)]
    return f"{kind} {'; '.join(found)}." if found else ""


def _listed(tokens: Sequence[str]) -> str:
    """Name the tokens with what each may, or the first of many."""
    more = f", and {len(tokens) - _TOKENS} more" if len(tokens) > _TOKENS else ""
    return f"Tokens: {', '.join(tokens[:_TOKENS])}{more}." if tokens else ""


def _versions(running: Running) -> str:
    if not running.engine:
        return "No engine runs."
    health = "all containers are healthy"
    if running.unwell:
        health = f"not healthy: {', '.join(running.unwell)}"
    elif not running.containers:
        health = "there are no containers"
    images = sorted({image for _service, image, _state in running.containers}, reverse=True)
    programs = [f"Docker {running.engine}", f"Compose {running.compose or 'is missing'}", *images]
    return f"{', '.join(programs)}; {health}."


def _changes(before: Facts, running: Running, changes: Facts) -> str:
    found = []
    for program, was, now in (
        ("Docker", before.get("engine", ""), running.engine),
        ("Compose", before.get("compose", ""), running.compose),
    ):
        if now != was:
            found.append(f"{program} {now or 'missing'}" + (f" instead of {was}" if was and now else ""))
    if changes.get("images"):
        found.append(f"images {', '.join(changes['images'])}")
    found += _containers(running, changes)
    if restored := int(changes.get("restored", 0)):
        found.append(f"{restored:,} file{'s' if restored > 1 else ''} restored")
    files = _files(changes.get("written") or {})
    if files:
        found.append(f"files {', '.join(_shortened(files))}")
    # Text before ansible-core 2.19.
    folders = int(changes.get("folders", 0))
    if folders:
        found.append(f"{folders} folder{'s' if folders > 1 else ''}")
    if changes.get("rotation"):
        found.append("rotation of the access log")
    if changes.get("account"):
        found.append(f"account {changes['account']}")
    return f"Changed by this run: {'; '.join(found)}." if found else "This run changed nothing."


def _containers(running: Running, changes: Facts) -> list[str]:
    """Say which services have new containers, or were started again; or that NGINX was reloaded."""
    said = _DONE.findall(str(changes.get("up") or ""))
    found = []
    created = {name for name, what in said if what != "Started"}
    for word, names in (("created", created), ("started", {name for name, _what in said} - created)):
        services = {
            one for one, _image, _state in running.containers if any(name.endswith(f"-{one}") for name in names)
        }
        if services:
            found.append(f"containers {word}: {', '.join(sorted(services))}")
    return found or (["NGINX reloaded"] if changes.get("reloaded") else [])


def _files(written: Mapping[str, Facts]) -> list[str]:
    """Return the files that were written or removed, by their path in the tree."""
    names = [
        folder + name
        for folder, result in written.items()
        for what in ("created", "updated", "removed")
        for name in result.get(what, ())
    ]
    # The revision is the digest of the others. A change of the extension is one, whatever the number of its files.
    names = [name for name in sorted(names) if name != "nginx/revision.conf"]
    return list(dict.fromkeys(EXTENSION if name.startswith(f"{EXTENSION}/") else name for name in names))


def _shortened(names: list[str]) -> list[str]:
    """Names of files, or where they are many, their top folders, each with its number of files."""
    if len(names) <= _NAMED:
        return names
    folders = [f"{name.partition('/')[0]}/" if "/" in name else name for name in names]
    counts = {folder: folders.count(folder) for folder in folders}
    return [f"{folder} ({count})" if folder.endswith("/") else folder for folder, count in counts.items()]
