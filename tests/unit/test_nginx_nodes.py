"""What leads to public projects, as NGINX's templates make it for one host and for several that share packages/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment

TEMPLATES = Path(__file__).resolve().parents[2] / "roles/nginx/templates"
GATES = ("public_gate.conf", "public_names.conf")


def rendered(file: str, nodes: str) -> str:
    """Return a template without its comments."""
    text = (TEMPLATES / f"{file}.j2").read_text(encoding="utf-8")
    values = {"pypi_nodes": nodes, "pypi_upstreams": ["x"], "__pypi_upstreams": {"digest": "d"}}
    names = {"__nginx_project": "p", "__nginx_public_file": "f", "__nginx_needs": {"list": "", "download": ""}}
    environment = Environment(trim_blocks=True)
    environment.filters["wheelhouse.pypi.seconds"] = str
    made = environment.from_string(text).render(ansible_managed="", **values, **names)
    return re.sub(r"^ *#.*\n", "", made, flags=re.M)


@pytest.mark.parametrize("file", GATES)
def test_one_host_looks_at_its_packages(file: str) -> None:
    text = rendered(file, "")
    wanted = ("$pypi_reserved", "packages/.wheelhouse/names/", "packages/.wheelhouse/format", "public/.open")
    assert sorted(wanted, key=text.index) == list(wanted)
    assert "lease" not in text and ".private" not in text


@pytest.mark.parametrize("file", GATES)
def test_one_of_several_hosts_needs_a_lease_and_leaves_the_shared_folder_alone(file: str) -> None:
    text = rendered(file, "eu")
    wanted = ("$pypi_reserved", "public/.private/$pypi_project", '$pypi_leased = ""', "public/.private/.open")
    assert sorted(wanted, key=text.index) == list(wanted)
    assert "/data/packages" not in text


@pytest.mark.parametrize(("nodes", "folder"), [("", "/public/d"), ("eu", "/$pypi_marks/d")])
def test_marks_of_one_of_several_hosts_are_found_with_a_lease_alone(nodes: str, folder: str) -> None:
    found = re.findall(r"try_files (\S+)/\$pypi_project/", rendered("public.conf", nodes))
    assert found == [folder, folder]


@pytest.mark.parametrize("file", ["public_page.conf", "public_file.conf"])
def test_what_comes_from_the_cache_is_looked_at_once_more_when_the_answer_begins(file: str) -> None:
    assert ("js_header_filter lease.still;" in rendered(file, "eu")) is True
    assert ("lease" in rendered(file, "")) is False
