# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords that are in the files of an inventory in clear, such as in a vault.yml that was never encrypted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

# Where a template gets its value from: "{{ vault_pypi_passwords.alice }}".
_VARIABLE = re.compile(r"{{\s*([A-Za-z_]\w*)")
_SUFFIXES = ("", ".yml", ".yaml", ".json")
_ENCRYPTED = b"$ANSIBLE_VAULT"
# Lists of logins, tokens and upstreams, and a directory; and the key of an entry that is not to be in clear.
_LISTS = {"pypi_users": "password", "pypi_tokens": "secret", "pypi_ldap": "bind_password", "pypi_upstreams": "password"}
_TEXTS = ("pypi_images_password", "pypi_backup_password", "pypi_import_password")
# Of restic's variables, those that are passwords.
_ENVIRONMENT, _SECRET = "pypi_backup_environment", re.compile(r"SECRET|PASS|TOKEN|KEY\Z")
# May have a login in it.
_PROXY = "pypi_upstream_proxy"


class Loader(yaml.SafeLoader):
    """Reads an inventory without Ansible's tags: what stands behind !vault is not in clear."""


Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def warnings(task_vars: Mapping[str, Any]) -> list[str]:
    """Return a warning for each file of the inventory that has passwords of logins in clear.

    Args:
        task_vars: variables of a host; ``ansible_inventory_sources`` counts.
    """
    sources = [str(source) for source in task_vars.get("ansible_inventory_sources") or ()]
    files = dict.fromkeys(file for source in sources for file in _files(Path(source)))
    parsed = {file: content for file in files if (content := _content(file)) is not None}
    names = set(_TEXTS).union(*(_variables(content) for content in parsed.values()))
    return [
        f"{file} has passwords in clear. Encrypt it: ansible-vault encrypt {file}"
        for file, content in parsed.items()
        if any(_in_clear(name, value, names) for name, value in _items(content))
    ]


def _files(source: Path) -> Iterator[Path]:
    """The files that Ansible reads variables from: the source itself, and group_vars and host_vars beside it."""
    folder = source if source.is_dir() else source.parent
    candidates = [source] if source.is_file() else [path for path in source.glob("*") if path.is_file()]
    for part in ("group_vars", "host_vars"):
        candidates += sorted((folder / part).rglob("*"))
    return (path for path in candidates if path.is_file() and path.suffix in _SUFFIXES and "~" not in path.name)


def _content(file: Path) -> Any:
    """What is in a file; None if it is encrypted, or not something that this can read."""
    try:
        data = file.read_bytes()
        return None if data.startswith(_ENCRYPTED) else yaml.load(data, Loader=Loader)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _items(content: Any) -> Iterator[tuple[str, Any]]:
    """Each key with its value, at any depth: inventories have variables below hosts and groups."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield str(key), value
            if key not in _LISTS:
                yield from _items(value)


def _passwords(key: str, entries: Any) -> Iterable[str]:
    """The passwords of logins or of a directory, or the secrets of tokens."""
    for entry in entries if isinstance(entries, list) else (entries,):
        if isinstance(entry, Mapping) and isinstance(entry.get(_LISTS[key]), str):
            yield entry[_LISTS[key]]


def _variables(content: Any) -> set[str]:
    """The variables that passwords come from."""
    return {
        name
        for key, value in _items(content)
        if key in _LISTS or key in _TEXTS
        for password in (_passwords(key, value) if key in _LISTS else [str(value)])
        for name in _VARIABLE.findall(password)
    }


def _in_clear(name: str, value: Any, names: set[str]) -> bool:
    if name in _LISTS:
        return any(_is_literal(password) for password in _passwords(name, value))
    if name == _PROXY:
        return isinstance(value, str) and "@" in value and _is_literal(value)
    if name == _ENVIRONMENT:
        return isinstance(value, Mapping) and any(
            _SECRET.search(str(key)) and _has_literal(value[key]) for key in value
        )
    return name in names and _has_literal(value)


def _has_literal(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_literal(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_literal(item) for item in value)
    return isinstance(value, str) and _is_literal(value)


def _is_literal(text: str) -> bool:
    return bool(text) and "{{" not in text
