"""What has to stand in two files, because each has a format of its own, says the same in both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from wheelhouse_index.app import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_what_compose_tells_the_extension_is_a_setting_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = (ROOT / "roles/stack/templates/docker-compose.yml.j2").read_text(encoding="utf-8")
    names = re.findall(r"^ +(WHEELHOUSE_\w+):", compose, re.M)
    assert names
    default = Settings.of_environment()
    for name in names:
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert Settings.of_environment() != default, name


def test_galaxy_names_no_platform_that_docker_is_not_installed_on() -> None:
    (platforms,) = (
        meta["galaxy_info"]["platforms"]
        for path in sorted(ROOT.glob("roles/*/meta/main.yml"))
        if "platforms" in (meta := yaml.safe_load(path.read_text(encoding="utf-8")))["galaxy_info"]
    )
    known = yaml.safe_load((ROOT / "roles/docker/vars/main.yml").read_text(encoding="utf-8"))["__docker_distributions"]
    oldest = {name: float(data["oldest"]) for name, data in known.items()} | {"EL": float(known["RedHat"]["oldest"])}
    numbers = {"bookworm": 12, "trixie": 13, "jammy": 22.04, "noble": 24.04}
    for platform in platforms:
        for version in platform["versions"]:
            assert float(numbers.get(version, version)) >= oldest[platform["name"]], platform
