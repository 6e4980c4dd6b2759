"""The doctor: nothing wrong with a healthy index, and six faults at once each by its name, also while a container is down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import Run, run
from tests.support.stack import Stack

DOCTOR = "wheelhouse.pypi.doctor"
TIMER = "wheelhouse-pypi-server-logs.timer"


@pytest.fixture(scope="module", autouse=True)
def published(index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three files of as many projects."""
    names = [packages.wheel(tmp_path_factory.mktemp("dist"), f"examined-{what}") for what in ("file", "page", "claim")]
    assert [index.upload(publisher, file).status for file in names] == [200] * 3
    return [file.name for file in names]


def examined(index: Index, report: Path, **variables: Any) -> tuple[Run, dict[str, list[dict[str, str]]]]:
    """Run the doctor; return the run, and its findings by level."""
    done = run(DOCTOR, variables={"pypi_url": index.url, "pypi_doctor_report": str(report), **variables})
    assert done.changed == 0, done.output
    (found,) = json.loads(report.read_text()).values()
    print(
        "\n".join(
            line for line in done.output.splitlines() if '"ok ' in line or '"warning ' in line or '"error ' in line
        )
    )
    levels: dict[str, list[dict[str, str]]] = {"ok": [], "warning": [], "error": []}
    for finding in found["findings"]:
        levels[finding["level"]].append(finding)
    return done, levels


def state(host: Any, home: str) -> str:
    """Return what the doctor might change: every file but the logs and the index's own locks, the containers, the units."""
    skipped = f"-path {home}/logs -prune -o -path '{home}/index/.*' -prune"
    files = f"find {home} {skipped} -o -printf '%p %T@ %s %u %m\\n' | sort"
    containers = "docker ps --all --no-trunc --format '{{.ID}} {{.State}}'"
    return str(host.check_output(f"{files}; {containers}; systemctl list-units --all --plain 'wheelhouse-*'"))


def test_a_healthy_index_has_no_error_and_the_doctor_changes_nothing(
    host: Any, home: str, index: Index, variables: Mapping[str, Any], tmp_path: Path
) -> None:
    before = state(host, home)
    done, found = examined(index, tmp_path / "report.json")
    assert (done.code, found["error"]) == (0, []), done.output
    # A host in a container has no time service, its images may be old, and tests before this one have stopped services.
    assert {one["check"] for one in found["warning"]} <= {"clock", "images", "requests"}, done.output
    expected = {"answer", "disk", "containers", "timers", "store", "logins"}
    assert {one["check"] for one in found["ok"]} >= expected, done.output
    assert "hashes verified of all" in done.message()
    assert state(host, home) == before
    for user in variables["pypi_users"]:
        assert user["password"] not in done.output + (tmp_path / "report.json").read_text()


def test_a_warning_fails_the_run_where_that_is_wanted(index: Index, tmp_path: Path) -> None:
    # The front page needs a login here, and by these variables it does not.
    given = {"pypi_authenticate": ["update"], "pypi_doctor_strict": "true"}
    done, found = examined(index, tmp_path / "report.json", **given)
    assert done.code == 2, done.output
    assert found["error"] == []
    assert any("answers 401 instead of 200" in one["text"] for one in found["warning"]), found


@pytest.fixture
def ill(host: Any, stack: Stack, published: list[str]) -> Iterator[None]:
    """An index with six faults; pypi-server is down, so it repairs none of them."""
    home, (file, _page, _claim) = stack.home, published
    path, page = f"{home}/packages/{file}", f"{home}/index/simple/examined-page"
    claim = f"{home}/packages/.wheelhouse/names/examined-claim"
    host.check_output(f"docker stop pypi-server-pypi-server-1 && systemctl stop {TIMER}")
    # A byte in the middle is another, and size and time are as before.
    host.check_output(
        f"cp --preserve=all {path} /root/file && printf x | dd of={path} bs=1 seek=200 conv=notrunc status=none"
        f" && touch --reference=/root/file {path} && ! cmp --silent {path} /root/file"
    )
    host.check_output(f"mv {page}/index.html /root/page && mv {claim} /root/claim")
    # A file system that is nearly full; NGINX goes on with the folder below it.
    host.check_output(
        f"mount -t tmpfs -o size=1m tmpfs {home}/nginx_cache && head -c 980k /dev/zero >{home}/nginx_cache/full"
    )
    yield
    host.check_output(f"umount {home}/nginx_cache && mv /root/page {page}/index.html && mv /root/claim {claim}")
    host.check_output(f"mv /root/file {path} && systemctl start {TIMER} && docker start pypi-server-pypi-server-1")
    stack.wait_until_healthy("pypi-server")


@pytest.mark.usefixtures("ill")
def test_faults_are_found_and_named_each_with_its_remedy(
    index: Index, variables: Mapping[str, Any], published: list[str], tmp_path: Path
) -> None:
    users = [
        {**user, **({"expires": "2026-01-31"} if user["name"] == "leaver" else {})} for user in variables["pypi_users"]
    ]
    # No disk has as much left.
    given = {"pypi_users": users, "pypi_disk_reserve": "99%", "pypi_doctor_read": "all"}
    done, found = examined(index, tmp_path / "report.json", **given)
    assert done.code == 2, done.output
    said = {one["text"]: one["remedy"] for one in found["error"]}
    expected = (
        "pypi-server is exited", f"{TIMER} is inactive", f"clients refuse (1): {published[0]}",
        "pages that are missing (1): examined-page", "could answer (1): examined-claim", "nginx_cache: ",
        "login leaver expired on 2026-01-31", "have to stay so (pypi_disk_reserve)",
    )  # fmt: skip
    for words in expected:
        (text,) = [text for text in said if words in text] or [""]
        assert said.get(text), f"{words!r} is not in {said}"
    assert len(said) == len(expected), said
    # Ansible breaks long lines where it shows YAML.
    shown = " ".join(done.output.replace('\\"', '"').split())
    assert [text for text in said if text not in shown] == []
