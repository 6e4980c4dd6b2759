"""The open reference starts with the index's main file, whose log asks for variables of the index's own files."""

from __future__ import annotations

import re

from tests.ground.paths import ROOT

MAIN = ROOT / "roles/nginx/templates/nginx.conf.j2"
REFERENCE = ROOT / "tests/bench/static/static.conf"


def test_the_open_reference_has_the_variables_of_the_log() -> None:
    wanted = set(re.findall(r"\$(pypi_\w+)", MAIN.read_text(encoding="utf-8")))
    assert len(wanted) > 1
    assert set(re.findall(r"^map \$\w+ \$(pypi_\w+)", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)) == wanted
