"""Figures of backups and restores, beside restic alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from . import start
from .figures import Figure
from .hosts import SERVING, WORK, ask, play
from .pace import Pace, in_turn
from .rollout import HOME, seconds
from .sides import Side
from .store import MEASURED_FILES, Release, written

_PASSWORD = "bench-backup"
_REPOSITORY = f"{start.BENCH}/backup"
SETTINGS = {"pypi_backup_repository": _REPOSITORY, "pypi_backup_password": _PASSWORD}
# Of all runs of this part.
VARIABLES = {**start.VARIABLES, **SETTINGS}
_UNIT = "wheelhouse-pypi-server-backup.service"
_FILE_BYTES = 100_000
_NEW = 100
_RESTIC = f"RESTIC_REPOSITORY={_REPOSITORY} RESTIC_PASSWORD={_PASSWORD} RESTIC_CACHE_DIR={HOME}/backup/cache restic"
_numbers = count(1)


def releases(project: str, files: int) -> Iterator[Release]:
    """Return releases of one series, ten of each project."""
    for number in range(files):
        place, version = divmod(number, MEASURED_FILES)
        yield Release(f"{project}-{place:05d}", f"1.0.{version}", _FILE_BYTES)


def settle() -> None:
    """Wait until all files of packages/ are on their pages."""
    compose = ("docker", "compose", "--project-directory", HOME, "exec", "-T", "pypi-server")
    ask(SERVING, *compose, "python3", "-m", "wheelhouse_index", "settled")


def backups(pace: Pace) -> Iterator[Figure]:
    """A backup into a new repository, and one after 100 more files, by the unit of the timer."""
    full, more = [], []
    for _ in range(pace.slow_rounds):
        ask(SERVING, "sh", "-c", f"rm -rf {_REPOSITORY} {HOME}/backup/cache; {_RESTIC} init --quiet")
        full.append(seconds(_backup))
        with TemporaryDirectory(dir=WORK) as folder:
            for release in releases(f"new-{next(_numbers)}", _NEW):
                written(Path(folder), release)
            start.fill(Path(folder))
        settle()
        more.append(seconds(_backup))
    yield Figure.quotient("backup_increment", more, full)
    yield Figure.of("backup_full_s", "s", full)


def restores(pace: Pace, ours: Side) -> Iterator[Figure]:
    """restore.yml on a host whose packages and pages are lost, until every page serves, and restic alone."""
    _backup()
    listed = ours.index.request(ours.simple, ours.login).body

    def restore() -> float:
        ask(SERVING, "sh", "-c", _LOSE)
        took = seconds(lambda: play("wheelhouse.pypi.restore", variables=VARIABLES | {"pypi_restore_confirm": SERVING}))
        assert ours.index.request(ours.simple, ours.login).body == listed, "the restored index lists other projects"
        return took

    def restic() -> float:
        target = f"{start.BENCH}/restored"
        took = seconds(lambda: ask(SERVING, "sh", "-c", f"{_RESTIC} restore latest --verify --target {target}"))
        ask(SERVING, "rm", "-r", target)
        return took

    here, there = in_turn(pace.slow_rounds, restore, restic)
    yield Figure.quotient("restore_vs_restic", here, there)
    yield Figure.of("restore_s", "s", here)
    yield Figure.of("restic_restore_s", "s", there)


_LOSE = f"""set -e; cd {HOME}
    docker compose --progress quiet stop --timeout 1 pypi-server
    find packages/ index/ -mindepth 1 -delete
    docker compose --progress quiet up --detach --wait --no-recreate --pull never"""


def _backup() -> None:
    ask(SERVING, "systemctl", "start", _UNIT)
