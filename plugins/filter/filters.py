# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the collection: each is described in a file of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import (
    batches,
    certificates,
    doctoring,
    durations,
    lock_files,
    reporting,
    token_entries,
    upstreams,
)
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain

_OF_PATTERNS = frozenset(":,!&*?~[")
# These look at the playbook alone, often without an inventory.
_LISTINGS = ("syntax", "listtags", "listtasks", "listhosts")


def batch_sizes(value: Any) -> list[int | str]:
    """Return sizes for the keyword serial; of a value that cannot be, the one that lets a play begin and say so."""
    try:
        return batches.sizes(plain(value))
    except ValueError:
        return [batches.ALL]


def certificate_problems(chain: Any, name: Any = "", key: Any = None, renewal: bool = False) -> list[str]:
    """Return the problems of a chain of certificates at this time, a clause each."""
    return certificates.problems(plain(list(chain)), str(name), certificates.now(), plain(key), renewal)


def doctor(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the findings about an index: the worst level, lines for people, and each for programs."""
    return doctoring.verdict(doctoring.findings(plain(facts), certificates.now()))


def hosts_in(pattern: Any, groups: Mapping[str, Sequence[str]]) -> Any:
    """Return the pattern; fail where it is the name of a group that is missing or empty."""
    name, known = plain(pattern), plain(groups)
    if not isinstance(name, str) or _OF_PATTERNS & set(name) or any(context.CLIARGS.get(one) for one in _LISTINGS):
        return pattern
    if known.get(name) or name in known.get("all", ()) or name in C.LOCALHOST:
        return pattern
    others = sorted(set(known) - {"all", "ungrouped", name})
    there = (
        f"The inventory has the groups {', '.join(others)}."
        if others
        else "The inventory has no hosts: check --inventory."
    )
    raise AnsibleFilterError(
        f"There is no host to work on: the group {name} {'is empty' if name in known else 'is not in the inventory'}. {there} "
        f"Put hosts into {name}, or name another group: --extra-vars pypi_hosts=GROUP"
    )


def nodes_in(hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the hosts that an earlier play of this run has found to be nodes."""
    return [host for host in hostvars if "__pypi_is_node" in hostvars[host]]


def pins(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the versions that lock files name, by project; fail where one is none."""
    try:
        return lock_files.by_name(plain(list(paths)))
    except ValueError as error:
        raise AnsibleFilterError(
            f"pypi_keep_files: {error}; give uv.lock, poetry.lock, pdm.lock, pylock.toml, or pip's requirements with"
            " NAME==VERSION alone"
        ) from error


def report(run: Mapping[str, Any]) -> list[str]:
    """Return the sentences about a run; warn of a certificate that ends soon."""
    sentences, warnings = reporting.report(plain(run), certificates.now())
    for text in warnings:
        Display().warning(text)
    return sentences


def seconds(duration: Any) -> int:
    """Return a duration in seconds; fail where it is none."""
    try:
        return durations.seconds(str(plain(duration)))
    except ValueError as error:
        raise AnsibleFilterError(f"{error}; give a number with s, m, h or d behind it, such as 10m") from error


def token_entry(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of pypi_tokens out of what wheelhouse.pypi.token is given."""
    return token_entries.entry(plain(given))


def token_line(entry: Mapping[str, Any]) -> str:
    """Return an entry of pypi_tokens on one line."""
    return token_entries.line(plain(entry))


def upstream_policy(variables: Mapping[str, Any], secrets: bool = True, nginx: bool = True) -> dict[str, Any]:
    """Return one model of what the variables about upstreams say; empty without upstreams."""
    given = plain(variables)
    try:
        return upstreams.model(given, secrets) if nginx else upstreams.policy(given)
    except (KeyError, TypeError, ValueError):
        # Without the cause, which may have a login in it.
        raise AnsibleFilterError(
            "The variables about upstreams are invalid. wheelhouse.pypi.check_variables says which, and what to give"
        ) from None


def with_token(text: Any, entry: Mapping[str, Any], known: Sequence[str] = ()) -> str:
    """Return the text of a file of the inventory with one more token; empty if that cannot be."""
    return token_entries.added(plain(text), plain(entry), plain(list(known)))


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        functions = (
            batch_sizes,
            certificate_problems,
            doctor,
            hosts_in,
            nodes_in,
            pins,
            report,
            seconds,
            token_entry,
            token_line,
            upstream_policy,
            with_token,
        )
        return {function.__name__: function for function in functions}
