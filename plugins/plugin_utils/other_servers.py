# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other servers and indexes on a host: which of them have the folder, the name or the port that an index is to have."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import INSTEAD, Neighbour, Survey

# What Compose reads on top of a Compose file.
_BESIDE = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
    ".env",
)
# A sentence names no more than this, and counts the rest.
_NAMES = 20


def here(survey: Survey, instance: str, home: str, removing: bool) -> str:
    """Refuse a folder that holds a server which is no index of ours.

    Args:
        survey: the host.
        instance: pypi_instance.
        home: pypi_home.
        removing: the index is to be removed.
    """
    found = _another_server(survey, instance, home)
    if not found:
        return ""
    if removing:
        return (
            f"{home} holds another server ({named(found)}), and no index. Nothing was changed: this playbook removes only "
            "what wheelhouse.pypi.site has set up."
        )
    return (
        f"{home} holds another server ({named(found)}). Nothing was changed. Set up the index beside it, with another "
        f"pypi_instance than {instance} (and another pypi_home and pypi_http_port, where these are set), then bring its "
        f"packages in: wheelhouse.pypi.import with pypi_import_from={home}/packages (docs/import.md)."
    )


def _another_server(survey: Survey, instance: str, home: str) -> list[str]:
    """Return the files and containers by which a server in the folder of the index is known."""
    folders = _folders(survey, home)
    # Indexes from before there was the label that names them.
    ours = {one.project for one in survey.neighbours if one.settings}
    return [
        *survey.foreign,
        *(
            one.name
            for one in survey.neighbours
            if not one.index
            and one.project
            and one.project not in ours
            and (one.folder in folders or (one.project == instance and not one.folder))
        ),
    ]


def obeyed_by_hand(survey: Survey, home: str) -> str:
    """Refuse files in the tree of an index that a run does not read, and `docker compose` there would: none is ours."""
    found = [name for name in INSTEAD + _BESIDE if name in survey.files]
    if not found:
        return ""
    return (
        f"pypi_home: {home} has {named(found)}, which no role writes and `docker compose` obeys there. Nothing was changed. "
        "Look at what it says and who wrote it: with the service account's rights it could have been put there to gain "
        "root's. Then remove it (what it set belongs into variables), and run again."
    )


def elsewhere(survey: Survey, instance: str, home: str) -> str:
    """Refuse an index whose folder or name another one has: one would lose its files, or its containers, to the other."""
    folders = _folders(survey, home)
    # Indexes from before there was the label that names them have their project's name.
    indexes = {
        one.index or one.project for one in survey.neighbours if one.folder in folders and (one.index or one.settings)
    }
    other = next((name for name in sorted(indexes | {survey.index}) if name not in ("", instance)), "")
    if other:
        return (
            f"pypi_home: {home} is the folder of the index {other}. Give {instance} one of its own, or run with "
            f"pypi_instance: {other}. To give that index another name, remove it first (wheelhouse.pypi.uninstall; its "
            "packages and logins stay)."
        )
    others = [one for one in survey.neighbours if one.project == instance and one.folder and one.folder not in folders]
    if not others:
        return ""
    names, folder = named(one.name for one in others), others[0].folder
    if others[0].index:
        return (
            f"pypi_instance: {instance} is the name of the index in {folder}, with the containers {names}, and pypi_home "
            f"is {home}. Give this one another pypi_instance and pypi_http_port. If it is the same index and has moved, "
            f"remove these containers first (docker rm --force)."
        )
    return (
        f"pypi_instance: {instance} is the name of the Compose project in {folder}, with the containers {names}. Give the "
        f"index another pypi_instance and pypi_http_port. If that is a package index, bring its packages in afterwards: "
        f"wheelhouse.pypi.import with pypi_import_from={folder}/packages (docs/import.md)."
    )


def hint(holder: Neighbour) -> str:
    """Say more about a container in the way, where it is of a Compose project."""
    if not holder.project or not holder.folder:
        return ""
    if holder.index:
        return f" It is of the index in {holder.folder}."
    return (
        f" If that is the package index in {holder.folder} which this one replaces: let it run, set up this one on another "
        "port, import the packages, then switch (docs/import.md)."
    )


def named(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    names = list(names)
    if len(names) > _NAMES:
        return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _folders(survey: Survey, home: str) -> set[str]:
    """Return the folder of the index, as it is named and as it is without links."""
    return {posixpath.normpath(home), survey.folder} - {""}
