# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of variables that are not public ones: slips, and those of earlier versions."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import batches
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import rights

# What playbooks read and no role has a default for: hosts, size of a batch, where to import from, whether packages are
# removed with the index; what to yank; which name to give back to upstream; and what to do with what was removed.
_OF_PLAYS = (
    "pypi_hosts",
    "pypi_serial",
    "pypi_bundle_hosts",
    "pypi_import_from",
    "pypi_import_username",
    "pypi_import_password",
    "pypi_import_projects",
    "pypi_remove_data",
)
OF_YANK = ("pypi_project", "pypi_version", "pypi_file", "pypi_login", "pypi_since", "pypi_reason", "pypi_unyank")
OF_GIVE_BACK = ("pypi_project", "pypi_give_back_confirm")
OF_TRASH = ("pypi_trash_do", "pypi_project", "pypi_version", "pypi_file", "pypi_since")
# How the doctor works.
OF_DOCTOR = ("pypi_doctor_read", "pypi_doctor_report", "pypi_doctor_strict")
# And which backup comes back, on which host.
OF_RESTORE = ("pypi_restore_confirm", "pypi_restore_snapshot")
# And the token to make.
OF_TOKEN = (
    "pypi_token_id",
    *(f"pypi_token_{right}" for right in rights()),
    "pypi_token_read",
    "pypi_token_expires",
    "pypi_token_file",
    "pypi_token_inventory",
)
# And the facts that roles set, and what the inventories of clouds could not make sense of.
_NO_ROLES = (
    *_OF_PLAYS,
    *OF_YANK,
    *OF_GIVE_BACK,
    *OF_TRASH,
    *OF_DOCTOR,
    *OF_RESTORE,
    *OF_TOKEN,
    "pypi_unknown_tags",
)
# How much a name must be like a public one to be taken for a slip: an inventory may have names of its own.
_LIKENESS = 0.85
# Where it says what to yank, or what a token may: with a slip, that would be more than was meant.
_LIKENESS_OF_PLAY = 0.75
_VERSION = "pin and hold the packages by the host's package manager (docs/docker.md#a-version)"
_COMPOSE = "install the plugin by a role of your own (docs/docker.md#compose-from-an-address)"
_REPOSITORY = "set it for apt or dnf by a role of your own (docs/docker.md#a-mirror)"
# Variables of earlier versions whose loss would go unnoticed, and change what is served, installed or verified; each with
# what to do instead. Other unknown names are slips (``misspelt``), or an inventory's own.
REMOVED: Mapping[str, str] = {
    "pypi_acme_email": "remove it: the ACME server gets no address",
    "pypi_adopt": (
        "remove it: set up the index beside the other server, then import its packages with wheelhouse.pypi.import "
        "(docs/import.md)"
    ),
    "pypi_auth": "use pypi_login_source",
    "pypi_auth_url": "use pypi_login_source_url",
    "pypi_backend": "remove it: there is one way to serve now, pages as files",
    "pypi_bundle_distribution": "remove it: a bundle is for the distribution of the machine that makes it (docs/airgap.md)",
    "pypi_bundle_sha256": "remove it: compare `sha256sum` of the file with what wheelhouse.pypi.bundle printed",
    "pypi_cache_size": "remove it: pages are files, and no cache of them is kept",
    "pypi_debug_headers": "remove it: pages are files, and no cache is asked",
    "pypi_docker_compose_by": _COMPOSE,
    "pypi_docker_compose_sha256": _COMPOSE,
    "pypi_docker_compose_url": _COMPOSE,
    "pypi_docker_daemon": "write /etc/docker/daemon.json by a role of your own (docs/docker.md#settings)",
    "pypi_docker_group": "add accounts to the group by a role of your own (docs/docker.md#the-group-docker)",
    "pypi_docker_hold": _VERSION,
    "pypi_docker_replace": "replace the engine by a role of your own (docs/docker.md#replace-an-engine)",
    "pypi_docker_repository_ca_file": _REPOSITORY,
    "pypi_docker_repository_key_fingerprint": "give the key itself in pypi_docker_repository_key_file",
    "pypi_docker_repository_key_url": "download the key and give its path in pypi_docker_repository_key_file",
    "pypi_docker_repository_proxy": _REPOSITORY,
    "pypi_docker_version": _VERSION,
    "pypi_external_url": "use pypi_url",
    "pypi_fallback": "remove it: an unknown project is a 404, unless pypi_upstreams has it",
    "pypi_freshness_seconds": "use pypi_freshness, a duration such as 2s",
    "pypi_images_archive_on": "remove it: pypi_images_archive is looked for on the controller, then on the host",
    "pypi_images_source": "remove it: with pypi_images_archive images come from that file, without it from a registry",
    "pypi_log_days": "use pypi_log_retention, a duration such as 90d",
    "pypi_log_max_files": "remove it: five files of pypi_log_max_size are kept for each container",
    "pypi_server_name": "use pypi_url, such as https://pypi.example.com",
    "pypi_tls_files_on": "remove it, and set pypi_tls: on_host for files of the host",
    "pypi_user": "use pypi_system_user",
    "pypi_verdict_seconds": "use pypi_verdict_lifetime, a duration such as 10m",
}


def removed(names: Iterable[str]) -> list[Problem]:
    """Return a problem for each name of a variable that an earlier release had: what it says would silently not count."""
    return [Problem(name, "was removed from the collection", REMOVED[name]) for name in sorted({*names} & {*REMOVED})]


def undefined(name: str, message: str) -> Problem:
    """A variable whose value refers to another one that is missing; ``message`` is Ansible's own."""
    missing = message.strip().rstrip(".")
    mend = "define it. Passwords are usually in vault.yml, in group_vars/ of the inventory"
    return Problem(name, missing, mend)


def misspelt(names: Iterable[str], public: Collection[str], of_play: Collection[str] = ()) -> list[Problem]:
    """Names that begin with pypi_ and are almost those of public variables: what they say would silently not count.

    Args:
        names: of all variables.
        public: of the roles'.
        of_play: what the playbook that runs takes beside them.
    """
    strange = sorted(name for name in names if name.startswith("pypi_") and name not in {*public, *_NO_ROLES, *REMOVED})
    return [
        Problem(name, "unknown variable", f"did you mean {near[0]}?")
        for name in strange
        if (near := _near(name, public, of_play))
    ]


def _near(name: str, public: Collection[str], of_play: Collection[str]) -> list[str]:
    """Return the name that this one may be a slip of, if there is one."""
    near = difflib.get_close_matches(name, [*public, *_OF_PLAYS], 1, _LIKENESS)
    return near or difflib.get_close_matches(name, of_play, 1, _LIKENESS_OF_PLAY)


def serial(value: Any, batch: int, hosts: int) -> list[Problem]:
    """pypi_serial, which counts only if the play that runs has read it.

    Args:
        value: what the host has for it.
        batch: how many hosts are in the batch that runs.
        hosts: how many the play has.
    """
    try:
        most = batches.largest(value, hosts)
    except ValueError as error:
        return [
            Problem(
                "pypi_serial",
                f"{error.args[0]!r} is not a batch size",
                "give a number of hosts from 1 on, a share such as 25%, or a list of these",
            )
        ]
    if batch <= most:
        return []
    return [
        Problem(
            "pypi_serial",
            f"{value!r} was not read in time: the batch has {batch} of {hosts} hosts, as a play is cut into batches before "
            "Ansible reads the inventory's variables",
            f"give it on the command line: -e pypi_serial={value if isinstance(value, (str, int)) else '...'}",
        )
    ]


def unknown_tags(tags: Any) -> list[Problem]:
    """Tags or labels of a cloud's instance that look like settings and are none; inventories/aws and gcp collect them."""
    return [
        Problem(f"tag {tag}", "is unknown to the inventory", "correct or remove it; docs/clouds.md lists them all")
        for tag in sorted(map(str, tags or ()))
    ]
