"""A right of a login stands in the argument spec alone: everything else that speaks of rights follows it."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from tests.collection import develop

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(develop()), str(ROOT / "roles/pypiserver/files")]

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd  # noqa: E402
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules, specs  # noqa: E402
from wheelhouse_index.requests import rights as index_rights  # noqa: E402


def test_each_right_is_needed_for_something_and_nothing_needs_another() -> None:
    assert set(index_rights.NEEDS.values()) == set(specs.rights())


def test_each_right_is_on_the_page_about_rights() -> None:
    page = (ROOT / "docs/access.md").read_text(encoding="utf-8")
    assert [right for right in specs.rights() if f"\n| `{right}` |" not in page] == []


def test_each_right_can_be_given_and_nothing_else_is_one() -> None:
    user = {"name": "a", "password": "S3cret"}
    for right in specs.rights():
        assert htpasswd.RIGHT.match(right), "as NGINX's map and the header have it"
        assert rules.problems({"pypi_users": [{**user, right: True}]}) == []
        assert rules.problems({"pypi_users": [{**user, right: ["acme-*"]}]}) == []
    (problem,) = rules.problems({"pypi_users": [{**user, "administer": True}]})
    assert "has an unknown key" in problem.problem


# Patterns that match a legal name, and those that match none.
LEGAL = ("acme", "acme-*", "*", "**", "*-plugin", "a*z", "a-*-b", "7", "0-*")
ILLEGAL = (
    "",
    "-",
    "-a",
    "a-",
    "a--b",
    "*-",
    "-*",
    "a-*-",
    "Acme",
    "a_b",
    "a.b",
    "a b",
    "a,b",
    "a:b",
    "a?",
    "[a]",
    "\u00fc",
    "a\n",
    "a\t",
)


def test_inventory_module_and_index_agree_on_patterns() -> None:
    for right, pattern in itertools.product(specs.rights(), (*LEGAL, *ILLEGAL)):
        word = f"{right}:{pattern}"
        user = {"name": "a", "password": "S3cret", right: [pattern]}
        # A name that the pattern matches if any does.
        name = pattern.replace("*", "x")
        (action, *_others) = (action for action, need in index_rights.NEEDS.items() if need == right)
        environ = {index_rights.LOGIN: "a", index_rights.RIGHTS: word}
        verdicts = {
            "inventory": rules.problems({"pypi_users": [user]}) == [],
            "module": bool(htpasswd.RIGHT.match(word)),
            "index": index_rights.refusal(action, environ, False, name or "x") == "",
        }
        assert set(verdicts.values()) == {pattern in LEGAL}, (word, verdicts)
