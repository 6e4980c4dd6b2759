"""The store to measure with: as many files as were asked for, always the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.bench import store


@pytest.mark.parametrize(("projects", "files"), [(2000, 6502), (30, 100), (307, 1000), (30769, 100_000)])
def test_a_store_has_as_many_files_and_projects_as_asked_for(projects: int, files: int) -> None:
    found = list(store.releases(projects, files))
    assert (len(found), len({release.file for release in found})) == (files, files)
    counts = Counter(release.project for release in found)
    assert len(counts) == projects
    assert counts[store.MEASURED] == store.MEASURED_FILES
    assert f"project-{projects - 2:05d}" in counts


def test_wheels_of_usual_size_are_of_different_projects() -> None:
    kilos = store.kilos(300)
    assert len({release.project for release in kilos}) == 300
    assert {release.padding for release in kilos} == {20_000}


def test_a_wheel_is_the_same_each_time(tmp_path: Path) -> None:
    release = store.kilos(1)[0]
    (tmp_path / "again").mkdir()
    first, second = (store.written(folder, release) for folder in (tmp_path, tmp_path / "again"))
    assert first.name == release.file
    assert store.digest(first) == store.digest(second)
    assert 20_000 < first.stat().st_size < 22_000
