"""A right of a login stands in the argument spec alone: everything else that speaks of rights follows it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.collection import develop

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(develop()), str(ROOT / "roles/pypiserver/files")]

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd  # noqa: E402
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules, specs  # noqa: E402
from wheelhouse_index import rights  # noqa: E402


def test_each_right_is_needed_for_something_and_nothing_needs_another() -> None:
    assert set(rights.NEEDS.values()) == set(specs.rights())


def test_each_right_is_on_the_page_about_rights() -> None:
    page = (ROOT / "docs/access.md").read_text(encoding="utf-8")
    assert [right for right in specs.rights() if f"`{right}: true`" not in page] == []


def test_each_right_can_be_given_and_nothing_else_is_one() -> None:
    user = {"name": "a", "password": "S3cret"}
    for right in specs.rights():
        assert htpasswd.RIGHT.match(right), "as NGINX's map and the header have it"
        assert rules.problems({"pypi_users": [{**user, right: True}]}) == []
    (problem,) = rules.problems({"pypi_users": [{**user, "administer": True}]})
    assert "has an unknown key" in problem.problem
