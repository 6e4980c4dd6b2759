"""Each pip that people have installs from every form of page, and takes the releases that it should."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import packages as made
from tests.support import pips
from tests.support.index import Index
from tests.support.long import only_long
from tests.support.served import HTML_ONLY, serving

pytestmark = pytest.mark.skipif(
    not Path(sys.executable).with_name("uv").exists(), reason="the clients are in .venv alone"
)

# By project, which pip is asked for in this spelling: what it takes.
WHEELS = {
    "Capital.Dots": ["capital_dots-1.0-py3-none-any.whl", "leaf-1.5-py3-none-any.whl"],
    "picky": ["picky-1.0-py3-none-any.whl"],
}
# pip builds these to find out what they need.
SDISTS = {"buildable": ["buildable-1.0.tar.gz"], "zipped": ["zipped-1.0.zip"]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """An index with one project per kind of page: its address, and the requests that it has had."""
    folder = tmp_path_factory.mktemp("index")
    index = Index(folder)
    files = [
        # Metadata that spell the name as no page does.
        made.wheel(folder, "Capital.Dots", more="Requires-Dist: leaf<2\n"),
        made.wheel(folder, "leaf", "1.5"),
        made.wheel(folder, "leaf", "2.0"),
        # Newer releases are for a Python to come.
        made.wheel(folder, "picky"),
        made.wheel(folder, "picky", "2.0", more="Requires-Python: >=9\n"),
        made.sdist(folder, "picky", "3.0", more="Requires-Python: >=9\n"),
        made.sdist(folder, "picky", "4.0", more="Requires-Python: >=9\n", suffix=".zip"),
        # Nothing but a file: no metadata on the page.
        made.sdist(folder, "buildable"),
        made.sdist(folder, "zipped", suffix=".zip"),
    ]
    for file in files:
        answer = index.upload(file.name, file.read_bytes())
        assert answer.status == 200, (file.name, answer)
    with serving(index) as (address, asked):
        yield address, asked


# Those between do as their neighbours, and those that ask for JSON read HTML as the newest does.
SELDOM = {
    *((version, form) for version in ("21.3", "22.2", "22.3.1", "23.1.2", "24.0", "25.0") for form in ("HTML", "JSON")),
    *((version, "HTML") for version in pips.ASKS_FOR_JSON if version != pips.NEWEST),
}
FORMS = [
    pytest.param(version, form, marks=only_long if (version, form) in SELDOM else ())
    for form, versions in (("HTML", pips.VERSIONS), ("JSON", pips.ASKS_FOR_JSON))
    for version in versions
]


@pytest.mark.parametrize(("version", "form"), FORMS, ids=lambda value: str(value))
def test_every_pip_takes_what_fits_from_every_form_of_page(
    version: str, form: str, served: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = served
    asked.clear()
    base = address + (HTML_ONLY if form == "HTML" else "")
    # Building has nothing to do with the form of a page: once for each pip.
    builds = form == "JSON" or version not in pips.ASKS_FOR_JSON
    wanted = {**WHEELS, **(SDISTS if builds else {})}
    done = pips.download(version, f"{base}/simple/", tmp_path, tuple(wanted))
    print(f"pip {version}, {form}:", *asked, done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {name for taken in wanted.values() for name in taken}
    read = {line.rpartition("/")[2] for line in asked if line.endswith(".metadata")}
    metadata = {f"{wheel}.metadata" for taken in WHEELS.values() for wheel in taken}
    assert read == (metadata if version in pips.READS_METADATA else set())
