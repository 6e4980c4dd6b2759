"""Entries of pypi_tokens: what wheelhouse.pypi.token makes of its variables, and of a file of the inventory."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import token_entries
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.in_clear import Loader

NEW = {"id": "new", "hash": "6" * 64}
LINE = token_entries.line(NEW)
OLD = f"id: x\n    hash: '{'5' * 64}'\n"
VAULT = "!vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      3061\n"


@pytest.mark.parametrize(
    ("given", "entry"),
    [
        ({"publish": "acme-*,widgets"}, {"publish": ["acme-*", "widgets"]}),
        *(({"publish": text, "yank": "x"}, {"yank": ["x"]}) for text in ("off", "0", "no", "False", "n", False)),
        *(({"delete": text}, {"delete": True}) for text in ("on", "1", "yes", "True", "y", True)),
        ({"publish": ["a"], "read": "off"}, {"publish": ["a"], "read": False}),
        ({"read": "on", "expires": "2099-03-31"}, {"read": True, "expires": "2099-03-31"}),
        # What the rules refuse.
        ({"publish": "", "read": "maybe"}, {"publish": [""], "read": "maybe"}),
        ({"file": "/tmp/token", "inventory": "tokens.yml"}, {}),
    ],
)
def test_an_entry_has_what_was_given(given: dict[str, Any], entry: dict[str, Any]) -> None:
    assert token_entries.entry({"id": "a", **given}) == {"id": "a", **entry}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"---\npypi_tokens:\n  {LINE}\n"),
        ("pypi_tokens:", f"pypi_tokens:\n  {LINE}\n"),
        ("pypi_tokens: []  # none\n", f"pypi_tokens:  # none\n  {LINE}\n"),
        (
            "pypi_tokens:  # ours\n  # the first\n  - " + OLD,
            f"pypi_tokens:  # ours\n  {LINE}\n  # the first\n  - {OLD}",
        ),
        (f"pypi_tokens:\n    -\n      {OLD.replace('    ', '      ')}", None),
        (f"pypi_tokens:\n- {OLD.replace('    ', '  ')}other:\n    - 1\n\n\n", None),
        (f"pypi_tokens:\n  - id: x\n    secret: {VAULT}", None),
        ("pypi_tokens:\n  - {id: x, secret: !unsafe '{{'}\nother: '{{ 1 }}'  # a comment", None),
        (("a: 1\n\npypi_tokens:\n  - " + OLD).replace("\n", "\r\n"), None),
        ("pypi_tokens: []\nother:\n      - 1\n", f"pypi_tokens:\n  {LINE}\nother:\n      - 1\n"),
    ],
)
def test_an_entry_comes_first_and_all_else_stays(before: str, after: str | None) -> None:
    result = token_entries.added(before, NEW)
    print(result)
    assert result.count(LINE) == 1
    if after is not None:
        assert result == after
    else:
        without = [line for line in result.splitlines(keepends=True) if LINE not in line]
        assert "".join(without) == before
    # A second one goes where the first did.
    again = token_entries.added(result, {**NEW, "id": "newer"})
    assert again.index("id: newer,") < again.index("id: new,")
    assert ("\r\n" in before) == ("\r\n" in again) and again.count("\r") in (0, again.count("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "$ANSIBLE_VAULT;1.1;AES256\n3061\n",
        "other: 1\n",
        "- pypi_tokens:\n",
        "pypi_tokens: [{id: x, hash: y}]\n",
        "pypi_tokens:\n  id: x\n",
        "pypi_tokens:\n  text\n",
        "pypi_tokens: []\npypi_tokens: []\n",
        "---\npypi_tokens: []\n---\na: 1\n",
        "a: {{ b }}\npypi_tokens:\n",
        "pypi_tokens:\n  - 'x\n",
        "pypi_tokens:\n- {expires: 2099-02-31}\n",
    ],
)
def test_a_file_without_such_a_list_is_refused(text: str) -> None:
    assert token_entries.added(text, NEW) == ""


def test_a_file_that_lacks_a_token_of_the_inventory_is_refused() -> None:
    text = f"pypi_tokens:\n- {OLD.replace('    ', '  ')}"
    assert token_entries.added(text, NEW, ["x"])
    assert token_entries.added(text, NEW, ["x", "elsewhere"]) == ""
    assert token_entries.added("", NEW, ["x"]) == ""


@pytest.mark.parametrize("digest", ["1" * 64, "0" * 64, "1" * 62 + "e5", "12e" + "3" * 61])
def test_a_line_is_read_as_it_was_meant(digest: str) -> None:
    entry = {"id": "no", "hash": digest, "publish": ["*-plugin", "1"], "yank": True, "expires": "2099-03-31"}
    line = token_entries.line(entry)
    print(line)
    assert yaml.load(line, Loader=Loader) == [entry]
    assert '"' not in line and "\n" not in line
