"""The reference pages, made from what is written once: ``python -m tests.reference`` writes them, ``--check`` compares.

A variable has its default in ``roles/pypi/defaults/main.yml`` and its description in ``roles/pypi/meta/argument_specs.yml``.
From there come the tables in the roles' READMEs and ``docs/variables.md``. What a role reads is found in its files and in
those of the collection's plugins that it names. aar-doc 2.4.0 makes neither: its page is one table without anchors and
groups, with choices and keys far below it, and it knows one role.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SPECS = "roles/pypi/meta/argument_specs.yml"
DEFAULTS = "roles/pypi/defaults/main.yml"
VARIABLES_PAGE = "docs/variables.md"

_GROUP = re.compile(r"^# -{3} (?P<title>.+?) -{3,}$")
_DEFAULT = re.compile(r"^(?P<name>pypi_\w+):")
_WORD = re.compile(r"\bpypi_\w+")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_PLUGIN = re.compile(r"\bwheelhouse\.pypi\.(\w+)")
_MARKUP = re.compile(r"\b[OVC]\((.*?)\)")
_TABLE = re.compile(r"(?<=<!-- variables: made by `make docs` -->\n).*?(?=<!-- end of variables -->)", re.DOTALL)

Options = Mapping[str, Mapping[str, Any]]


class SourceError(Exception):
    """Something in the sources has to be mended by hand; the message says what."""


def groups(defaults: str) -> dict[str, list[str]]:
    """Map the headings of the defaults file to the variables below them, both in the file's order."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in defaults.splitlines():
        if match := _GROUP.match(line):
            title = match["title"]
            found[title] = []
        elif match := _DEFAULT.match(line):
            found.setdefault(title, []).append(match["name"])
    return found


def disagreements(defaults: Mapping[str, Any], options: Options) -> list[str]:
    """Return what is wrong between defaults and specs, a sentence each; empty when they agree."""
    wrong = [f"{name} has a default and no description in {SPECS}" for name in defaults if name not in options]
    wrong += [f"{name} is described and has no default in {DEFAULTS}" for name in options if name not in defaults]
    for name, option in options.items():
        if name not in defaults:
            continue
        if "default" not in option:
            wrong.append(f"{name}: its spec names no default")
        elif (type(option["default"]), option["default"]) != (type(defaults[name]), defaults[name]):
            wrong.append(f"{name}: default is {defaults[name]!r}, its spec says {option['default']!r}")
    if not wrong and list(defaults) != list(options):
        wrong.append(f"the variables in {SPECS} are in another order than in {DEFAULTS}")
    return wrong


def words(texts: Iterable[str]) -> set[str]:
    """Return the names that look like public variables in texts, comments aside."""
    return {word for text in texts for word in _WORD.findall(_COMMENT.sub("", text))}


def reads(root: Path, role: str, names: Sequence[str]) -> list[str]:
    """Return the public variables that a role reads, in the order of ``names``, which are all of them."""
    parts = ("tasks", "handlers", "templates", "files", "vars")
    files = [path for part in parts for path in sorted((root / "roles" / role).glob(f"{part}/**/*")) if path.is_file()]
    texts = [path.read_text(encoding="utf-8") for path in files]
    plugins = {name for text in texts for name in _PLUGIN.findall(text)}
    for kind, name in itertools.product(("action", "modules", "lookup", "filter"), sorted(plugins)):
        plugin = root / "plugins" / kind / f"{name}.py"
        if plugin.is_file():
            texts.append(plugin.read_text(encoding="utf-8"))
    found = words(texts)
    return [name for name in names if name in found]


def markdown(text: str) -> str:
    """Return a description with Ansible's markup said in Markdown."""
    return _MARKUP.sub(lambda match: f"`{match[1]}`", text)


def paragraphs(option: Mapping[str, Any]) -> list[str]:
    """Return the paragraphs of a description."""
    description = option["description"]
    return [description] if isinstance(description, str) else list(description)


def literal(value: Any) -> str:
    """Return a value as it is written in an inventory: Jinja stays Jinja, booleans are YAML's."""
    if value is None:
        return "none"
    if value == "":
        return '`""`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def kind(option: Mapping[str, Any]) -> str:
    """Return the type of an option in words, with its elements."""
    if option["type"] == "raw":
        # The rights of logins alone.
        return "bool or list of str"
    if option.get("elements") == "raw":
        # Upstreams alone.
        return "list of str or dict"
    return f"list of {option['elements']}" if option.get("elements") else str(option["type"])


def cell(text: str) -> str:
    """Return text that fits a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(names: Sequence[str], options: Options, link: str) -> str:
    """Return the table of variables for a README, or a sentence when there are none."""
    if not names:
        return "It reads no variable of its own.\n"
    rows = ["| variable | type | default | |", "|---|---|---|---|"]
    for name in names:
        option = options[name]
        text = cell(markdown(paragraphs(option)[0]))
        rows.append(f"| [`{name}`]({link}#{name}) | {kind(option)} | {cell(literal(option['default']))} | {text} |")
    return "\n".join(rows) + "\n"


def with_table(readme: str, variables: str) -> str:
    """Return a README with the table of variables in its place."""
    page, count = _TABLE.subn(lambda _: f"\n{variables}\n", readme)
    if count != 1:
        raise SourceError("a README needs one pair of lines that mark the place of its table of variables")
    return page


def facts_line(option: Mapping[str, Any]) -> str:
    """Return type, choices and default of an option in one line."""
    parts = [kind(option)]
    if option.get("choices"):
        parts.append("of " + ", ".join(f"`{choice}`" for choice in option["choices"]))
    if option.get("required"):
        parts.append("required")
    if "default" in option:
        parts.append(f"default {literal(option['default'])}")
    if option.get("no_log"):
        parts.append("secret")
    return ", ".join(parts).replace(", of ", " of ")


def variables_page(grouped: Mapping[str, Sequence[str]], options: Options, readers: Mapping[str, Sequence[str]]) -> str:
    """Return the page of all variables.

    Args:
        grouped: headings, each with its variables.
        options: the specs.
        readers: variables, each with the roles that read it.
    """
    page = [
        "# Variables",
        "",
        "<!-- Made by `make docs` from roles/pypi/meta/argument_specs.yml: edit there. -->",
        "",
        "Everything that can be set. `pypi_users` is enough to begin with, as the rest has defaults. The simplest inventory:",
        "",
        "```yaml",
        "pypi:",
        "  hosts: {pypi.example.com: {}}",
        """  vars: {pypi_users: [{name: ci, password: "{{ lookup('ansible.builtin.env', 'PYPI_PASSWORD') }}", publish: true}]}""",
        "```",
        "",
        "Set others where inventories hold variables, such as `group_vars/pypi/main.yml`. A value that cannot work is refused",
        "before anything on the host changes.",
        "",
        "The playbooks run on the hosts of the group `pypi`; `--extra-vars pypi_hosts=GROUP` names others, and",
        "`--extra-vars pypi_serial=1` takes them [one after the other](fleets.md#in-batches).",
        "",
    ]
    for title, names in grouped.items():
        page.append(f"- {title}: " + ", ".join(f"[`{name}`](#{name})" for name in names))
    for title, names in grouped.items():
        page += ["", f"## {title}"]
        for name in names:
            option = options[name]
            read_by = f"; read by {', '.join(readers[name])}" if readers.get(name) else ""
            page += ["", f"### `{name}`", "", f"*{facts_line(option)}*{read_by}"]
            for paragraph in paragraphs(option):
                page += ["", markdown(paragraph)]
            if option.get("options"):
                page += ["", f"Each of `{name}` has:", "", "| key | | |", "|---|---|---|"]
                for key, part in option["options"].items():
                    text = " ".join(paragraphs(part))
                    page.append(f"| `{key}` | {cell(facts_line(part))} | {cell(markdown(text))} |")
    return "\n".join(page) + "\n"


def options_of(specs: str) -> dict[str, Any]:
    """Return the options of the only entry point in a file of argument specs."""
    (entry,) = yaml.safe_load(specs)["argument_specs"].values()
    options: dict[str, Any] = entry["options"]
    return options


def pages(root: Path) -> dict[str, str]:
    """Return what the generated files must contain, by their paths in the collection.

    Raises:
        SourceError: when defaults and specs disagree, or a README has no place for its table.
    """
    defaults_text = (root / DEFAULTS).read_text(encoding="utf-8")
    options = options_of((root / SPECS).read_text(encoding="utf-8"))
    if wrong := disagreements(yaml.safe_load(defaults_text), options):
        raise SourceError("\n".join(wrong))

    readers: dict[str, list[str]] = {name: [] for name in options}
    made: dict[str, str] = {}
    for folder in sorted(path for path in (root / "roles").iterdir() if (path / "tasks").is_dir()):
        readme = f"roles/{folder.name}/README.md"
        if not (root / readme).is_file():
            raise SourceError(f"{readme} is missing")
        if folder.name == "pypi":
            # It has all of them, on the page of variables.
            continue
        read = reads(root, folder.name, list(options))
        text = (root / readme).read_text(encoding="utf-8")
        try:
            made[readme] = with_table(text, table(read, options, f"../../{VARIABLES_PAGE}"))
        except SourceError as error:
            raise SourceError(f"{readme}: {error}") from error
        for name in read:
            readers[name].append(folder.name)
    made[VARIABLES_PAGE] = variables_page(groups(defaults_text), options, readers)
    return made


def stale(root: Path) -> dict[str, str]:
    """Return the generated files that differ from what they are to hold, with what they are to hold."""
    found = {}
    for name, text in pages(root).items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found[name] = text
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or say which ones are out of date; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description="Makes the reference pages.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is out of date")
    check = parser.parse_args(arguments).check
    try:
        found = stale(ROOT)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in found.items():
        print(f"{name} is out of date: run `make docs`" if check else f"wrote {name}")
        if not check:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
