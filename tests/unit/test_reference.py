"""The reference pages: the generator's parts, and that what lies in the tree is what it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import reference

DEFAULTS = """\
---
# Every variable.

# --- Address ------------

# The port.
pypi_port: 80

# --- Who gets in --------

pypi_users: []
pypi_home: /home/{{ pypi_system_user }}
"""
SPECS = """\
---
argument_specs:
  variables:
    short_description: All
    options:
      pypi_port:
        description:
          - The port, or O(pypi_users) | both.
          - More on it.
        type: int
        default: 80

      pypi_users:
        description: [Logins.]
        type: list
        elements: dict
        default: []
        options:
          name:
            description: [Its name.]
            type: str
            required: true
          password:
            description: [Its password.]
            type: str
            no_log: true

      pypi_home:
        description: [The folder.]
        type: path
        default: /home/{{ pypi_system_user }}
"""
README = """\
# wheelhouse.pypi.edge

Serves `a` copy
of the index.

## Variables

<!-- variables: made by `make docs` -->
old
<!-- end of variables -->

## Used alone
"""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection with a role that reads variables in every way that counts."""
    files = {
        "roles/pypi/defaults/main.yml": DEFAULTS,
        "roles/pypi/meta/argument_specs.yml": SPECS,
        "roles/pypi/meta/main.yml": "galaxy_info: {description: All variables}",
        "roles/pypi/README.md": README,
        "roles/pypi/tasks/main.yml": "",
        "roles/edge/README.md": README,
        "roles/edge/meta/main.yml": "galaxy_info: {description: A copy}",
        "roles/edge/tasks/main.yml": "# not pypi_home\n- wheelhouse.pypi.known:\n",
        "roles/edge/templates/sub/page.j2": "listen {{ pypi_port }}; {{ pypi_portfolio }}",
        "plugins/action/known.py": "users = task_vars['pypi_users']",
        "plugins/action/other.py": "home = task_vars['pypi_home']",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_pages_in_the_tree_are_what_make_docs_writes() -> None:
    assert not list(reference.stale(reference.ROOT)), "run `make docs`"


def test_role_reads_what_its_files_and_plugins_name(collection: Path) -> None:
    names = ["pypi_port", "pypi_users", "pypi_home"]
    assert reference.reads(collection, "edge", names) == ["pypi_port", "pypi_users"]


def test_readme_keeps_its_prose_and_gets_the_table(collection: Path) -> None:
    made = reference.pages(collection)["roles/edge/README.md"]
    assert made.startswith("# wheelhouse.pypi.edge\n\nServes `a` copy\nof the index.\n")
    assert made.endswith("<!-- end of variables -->\n\n## Used alone\n")
    assert (
        "| [`pypi_port`](../../docs/variables.md#pypi_port) | int | `80` | The port, or `pypi_users` \\| both. |"
        in made
    )
    assert "pypi_home" not in made
    assert "\nold\n" not in made


def test_page_of_variables_groups_them_as_the_defaults_do(collection: Path) -> None:
    made = reference.pages(collection)["docs/variables.md"]
    headings = [line for line in made.splitlines() if line.startswith("##")]
    assert headings == ["## Address", "### `pypi_port`", "## Who gets in", "### `pypi_users`", "### `pypi_home`"]
    assert "*path, default `/home/{{ pypi_system_user }}`*\n" in made
    assert "| `name` | str, required | Its name. |" in made
    assert "| `password` | str, secret | Its password. |" in made
    assert "*int, default `80`*; read by edge\n" in made


def test_writing_twice_changes_nothing(collection: Path) -> None:
    for name, text in reference.pages(collection).items():
        (collection / name).parent.mkdir(parents=True, exist_ok=True)
        (collection / name).write_text(text, encoding="utf-8")
    assert reference.stale(collection) == {}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("pypi_port: 80", "pypi_port: 81", "pypi_port: default is 81, its spec says 80"),
        ("pypi_port: 80", 'pypi_port: "80"', "pypi_port: default is '80', its spec says 80"),
        ("pypi_port: 80\n", "pypi_port: 80\npypi_new: 1\n", "pypi_new has a default and no description"),
        ("pypi_users: []\n", "", "pypi_users is described and has no default"),
        ("/home/{{ pypi_system_user }}", "/srv/{{ pypi_system_user }}", "pypi_home: default is '/srv"),
        (
            "pypi_users: []\npypi_home: /home/{{ pypi_system_user }}\n",
            "pypi_home: /home/{{ pypi_system_user }}\npypi_users: []\n",
            "in another order",
        ),
    ],
)
def test_disagreement_is_named(collection: Path, old: str, new: str, says: str) -> None:
    path = collection / reference.DEFAULTS
    path.write_text(DEFAULTS.replace(old, new), encoding="utf-8")
    with pytest.raises(reference.SourceError, match=says.replace("[", r"\[")):
        reference.pages(collection)


def test_readme_without_a_place_for_the_table_is_named(collection: Path) -> None:
    (collection / "roles/edge/README.md").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(reference.SourceError, match=r"roles/edge/README\.md: .* place"):
        reference.pages(collection)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '`""`'),
        (True, "`true`"),
        (0, "`0`"),
        ([], "`[]`"),
        (["list", "update"], "`[list, update]`"),
        ("{{ a | b }}", "`{{ a | b }}`"),
    ],
)
def test_defaults_are_written_as_in_an_inventory(value: object, text: str) -> None:
    assert reference.literal(value) == text
