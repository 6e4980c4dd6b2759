# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Password hashes, made and verified on the controller, on all of its cores.

bcrypt lets go of Python's lock while it works, so threads are enough: with two cores, 40 verifications at cost 10 took
3.77 s on one thread and 1.87 s on two.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import bcrypt_cost

REQUIREMENTS = ("libpass>=1.9.3", "bcrypt>=3.2")

# Lives as long as this run: ansible-core loads action plugins before it forks its workers, so all of them share it, and
# it is never written anywhere. Where they do not share it, work is repeated, no more.
_RUN_KEY = secrets.token_bytes(32)


class HashingError(Exception):
    """The controller cannot hash; the text says what to install."""


class Login(NamedTuple):
    """A login with its password in plain text, and the bcrypt cost that its hash is to have (2 ** cost rounds)."""

    name: str
    password: str
    cost: int


@dataclass
class Hashed:
    """What came of hashing: the hash of each login, and how it was come by."""

    hashes: dict[Login, str] = field(default_factory=dict)
    # fingerprint of a login -> its hash; tells nothing outside this run
    known: dict[str, str] = field(default_factory=dict)
    fresh: int = 0
    verified: int = 0


def load_bcrypt() -> Any:
    """Return passlib's bcrypt, proved to work; raise HashingError, with the command that mends it, if it does not."""
    try:
        from passlib.hash import bcrypt
    except ImportError as error:
        raise HashingError(_mend("the Python package libpass is missing on the controller")) from error
    try:
        # passlib 1.7.4 raises ValueError for any password if it finds bcrypt 5: only a try shows it.
        works = bcrypt.verify("self-test", bcrypt.using(rounds=4, ident="2y").hash("self-test"))
    except Exception as error:  # whatever it is, hashing is not possible
        versions = ", ".join(f"{name} {_version(name)}" for name in ("libpass", "passlib", "bcrypt"))
        raise HashingError(_mend(f"password hashing on the controller fails ({versions}): {error}")) from error
    if not works:
        raise HashingError(_mend("password hashing on the controller gives hashes that do not verify"))
    return bcrypt


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _mend(problem: str) -> str:
    """The problem with the command that mends it, for the very Python that runs Ansible."""
    install = f"{sys.executable} -m pip install"
    text = f"{problem}. Run: {install} {' '.join(repr(package) for package in REQUIREMENTS)}"
    collection = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    requirements = os.path.join(collection, "requirements.txt")
    if os.path.isfile(requirements):
        text += f" (or: {install} -r {requirements})"
    if _version("passlib") != "missing":
        text += f". Before that: {sys.executable} -m pip uninstall passlib libpass, as both go by the name of passlib"
    return text


def fingerprint(login: Login) -> str:
    """A name for a login and its password that only this run can make or compare."""
    text = "\0".join((login.name, str(login.cost), login.password))
    return hmac.new(_RUN_KEY, text.encode(), hashlib.sha256).hexdigest()


def hash_all(logins: Iterable[Login], present: Iterable[Mapping[str, str]], known: Mapping[str, str]) -> Hashed:
    """Give each distinct login one hash: one that is known or present and good, else a fresh ``$2y$`` one.

    ``present``: login name -> hash, for each host. Hashes of the right cost are tried, the most frequent one first, so
    that hosts come to agree with the fewest changes. ``known``: what an earlier call of this run returned.
    Raise HashingError if the controller cannot hash; it is not asked to if nothing is to be done.
    """
    seen: dict[str, Counter[str]] = {}
    for host in present:
        for name, password_hash in host.items():
            seen.setdefault(name, Counter())[password_hash] += 1

    result = Hashed(known=dict(known))
    todo = []
    for login in dict.fromkeys(logins):
        found = known.get(fingerprint(login))
        if found is None:
            todo.append(login)
        else:
            result.hashes[login] = found
    if not todo:
        return result
    bcrypt = load_bcrypt()

    def work(login: Login) -> tuple[str, bool]:
        for candidate, _count in seen.get(login.name, Counter()).most_common():
            if bcrypt_cost(candidate) == login.cost and _verifies(bcrypt, login.password, candidate):
                return candidate, False
        return bcrypt.using(rounds=login.cost, ident="2y").hash(login.password), True

    with ThreadPoolExecutor(_cores()) as pool:
        for login, (password_hash, is_fresh) in zip(todo, pool.map(work, todo), strict=True):
            result.hashes[login] = password_hash
            result.known[fingerprint(login)] = password_hash
            result.fresh += is_fresh
            result.verified += not is_fresh
    return result


def _cores() -> int:
    """Cores that this process may use; macOS cannot tell these from those that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _verifies(bcrypt: Any, password: str, candidate: str) -> bool:
    try:
        return bcrypt.verify(password, candidate)
    except ValueError:  # looked well-formed, yet is not: no hash of this password, then
        return False
