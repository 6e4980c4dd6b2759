"""Every host takes reads and uploads, and after a 200 all of them show it."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.support import packages
from tests.support.attestations import attestation
from tests.support.clients import NOBODY, Login, upload_form
from tests.support.nodes import (
    PACKAGES,
    PUBLISHER,
    READER,
    Node,
    Publisher,
    Uploads,
    differs,
    not_served,
)
from tests.support.stack import eventually

TRIES = 20
# Of each of the three hosts.
UPLOADS = 334 if os.environ.get("WHEELHOUSE_LONG") else 30
# What the nodes ask each other, and what looks like it.
ASKED = ("/_peer/pypi-nodes-2/00000001.journal/0", "/_peer/pypi-nodes-1/00000001.journal/999999", "/_peer/stranger/x/1")
NEARLY = ("/_peer", "/_peer/", "/_peer/pypi-nodes-2/", "/_peer/pypi-nodes-2/00000001.journal/x", "/_peer/../_peer/x")


def at_once(*calls: Callable[[], int]) -> list[int]:
    """Make calls at the same moment; return what each returned."""
    barrier, found = Barrier(len(calls)), [-1] * len(calls)

    def call(number: int) -> None:
        barrier.wait()
        found[number] = calls[number]()

    threads = [Thread(target=call, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_an_upload_to_any_is_shown_by_all_on_the_next_request(nodes: list[Node], tmp_path: Path, project: str) -> None:
    expected: dict[str, bytes] = {}
    for number, node in enumerate(nodes * 3):
        file = packages.wheel(tmp_path, project, f"{number}.0", padding=os.urandom(20000))
        assert node.upload(file) == 200, node
        expected[file.name] = file.read_bytes()
        assert [differs(one, project, expected) for one in nodes] == [""] * 3
        assert [not_served(one, project, file.name, expected[file.name]) for one in nodes] == [""] * 3
    for node in nodes:
        names = [entry["name"] for entry in json.loads(node.get("/simple/").body)["projects"]]
        assert project in names, node


def test_none_is_stale_under_load(nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]) -> None:
    uploads = Uploads()
    threads = [
        Publisher(node, f"{project}-{number}", tmp_path / str(number), uploads, nodes, limit=UPLOADS)
        for number, node in enumerate(nodes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
        assert thread.error is None, thread.error
    times = sorted(uploads.seconds)
    figures["nodes_stale"] = (
        f"{len(uploads.stale)} of {uploads.questions} questions to all hosts right after a 200; {uploads.count} uploads, "
        f"median {statistics.median(times) * 1000:.0f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.0f} ms, "
        f"refused {uploads.refused or 'none'}"
    )
    assert uploads.stale == []
    assert uploads.refused == {}
    assert uploads.count == 3 * UPLOADS


def test_removals_and_yanks_are_shown_by_all_on_the_next_request(
    nodes: list[Node], tmp_path: Path, project: str
) -> None:
    expected: dict[str, bytes] = {}
    for number in range(6):
        file = packages.wheel(tmp_path, project, f"{number}.0")
        assert nodes[number % 3].upload(file) == 200
        expected[file.name] = file.read_bytes()
    for number in range(6):
        name = f"{packages.escaped(project)}-{number}.0-py3-none-any.whl"
        release = {"name": project, "version": f"{number}.0"}
        assert nodes[(number + 1) % 3].ask("yank", **release, reason="broken") == 200
        assert [differs(one, project, expected, frozenset({name})) for one in nodes] == [""] * 3
        assert nodes[(number + 2) % 3].ask("unyank", **release) == 200
        assert [differs(one, project, expected) for one in nodes] == [""] * 3
        assert nodes[number % 3].ask("remove_pkg", **release) == 200
        del expected[name]
        assert [differs(one, project, expected) for one in nodes] == [""] * 3
        for path in (f"/packages/{name}", f"/packages/{name}.metadata"):
            assert [one.get(path).status for one in nodes] == [404] * 3, path


def test_a_removed_name_takes_its_first_content_alone_on_any(nodes: list[Node], tmp_path: Path, project: str) -> None:
    first = packages.wheel(tmp_path, project)
    (tmp_path / "other").mkdir()
    other = packages.wheel(tmp_path / "other", project, padding=b"other")
    assert nodes[0].upload(first) == 200
    assert nodes[1].ask("remove_pkg", name=project, version="1.0") == 200
    assert [one.upload(other) for one in nodes] == [409] * 3
    assert nodes[2].upload(first) == 200
    assert [differs(one, project, {first.name: first.read_bytes()}) for one in nodes] == [""] * 3


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_a_status_counts_on_all(nodes: list[Node], tmp_path: Path, project: str, status: str) -> None:
    file, next_file = packages.wheel(tmp_path, project), packages.wheel(tmp_path, project, "2.0")
    assert nodes[0].upload(file) == 200
    assert nodes[1].ask("set_status", name=project, status=status, reason="compromised") == 200
    hidden = status == "quarantined"
    for node in nodes:
        page = json.loads(node.get(f"/simple/{project}/").body)
        assert page["project-status"]["status"] == status, node
        assert bool(page["files"]) != hidden, node
        assert node.get(f"/packages/{file.name}").status == (404 if hidden else 200), node
        assert node.upload(next_file) == 403, node
    assert nodes[2].ask("set_status", name=project, status="active") == 200
    assert [differs(one, project, {file.name: file.read_bytes()}) for one in nodes] == [""] * 3
    assert [not_served(one, project, file.name, file.read_bytes()) for one in nodes] == [""] * 3


def test_attestations_are_served_by_all(nodes: list[Node], tmp_path: Path, project: str) -> None:
    file = packages.wheel(tmp_path, project)
    made = attestation(file.name, file.read_bytes())
    body, headers = upload_form(file, attestations=json.dumps([made]))
    assert nodes[1].index.request("/", PUBLISHER, "POST", body, headers).status == 200
    for node in nodes:
        answer = node.get(f"/packages/{file.name}.provenance")
        assert answer.status == 200, (node, answer)
        assert json.loads(answer.body)["attestation_bundles"][0]["attestations"] == [made], node


def test_of_two_contents_of_one_name_at_once_exactly_one_is_accepted(
    nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    found: Counter[tuple[int, ...]] = Counter()
    expected: dict[str, bytes] = {}
    for number in range(TRIES):
        pair = [nodes[number % 3], nodes[(number + 1) % 3]]
        files = []
        for node in pair:
            folder = tmp_path / f"{node.name}-{number}"
            folder.mkdir()
            files.append(packages.wheel(folder, project, f"{number}.0", padding=os.urandom(200)))
        statuses = at_once(*(lambda node=node, file=file: node.upload(file) for node, file in zip(pair, files)))
        found[tuple(sorted(statuses))] += 1
        assert statuses.count(200) == 1, (number, statuses)
        winner = files[statuses.index(200)]
        expected[winner.name] = winner.read_bytes()
        assert [differs(one, project, expected) for one in nodes] == [""] * 3
        assert [not_served(one, project, winner.name, expected[winner.name]) for one in nodes] == [""] * 3
    figures["one name, two contents at once"] = ", ".join(f"{count} times {pair}" for pair, count in found.items())
    assert set(found) == {(200, 409)}


def test_one_content_at_once_is_accepted_by_all(nodes: list[Node], tmp_path: Path, project: str) -> None:
    expected: dict[str, bytes] = {}
    for number in range(TRIES):
        file = packages.wheel(tmp_path, project, f"{number}.0", padding=os.urandom(200))
        assert at_once(*(lambda node=node, file=file: node.upload(file) for node in nodes)) == [200] * 3, number
        expected[file.name] = file.read_bytes()
        assert [differs(one, project, expected) for one in nodes] == [""] * 3


def test_what_is_copied_in_by_hand_appears_on_all(
    nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    took = []
    expected: dict[str, bytes] = {}
    for number, node in enumerate(nodes):
        file = packages.wheel(tmp_path, project, f"{number}.0")
        expected[file.name] = file.read_bytes()
        subprocess.run(["docker", "cp", str(file), f"{node.name}:/root/"], check=True, capture_output=True)
        began = time.monotonic()
        node.host.check_output(
            f"install -o pypi -g pypi -m 0600 /root/{file.name} {PACKAGES}/.{file.name}.part"
            f" && mv {PACKAGES}/.{file.name}.part {PACKAGES}/{file.name}"
        )
        eventually(lambda: [differs(one, project, expected) for one in nodes] == [""] * 3, "all list it", 15)
        took.append(time.monotonic() - began)
        assert [not_served(one, project, file.name, expected[file.name]) for one in nodes] == [""] * 3
    figures["a file copied in is listed by all"] = f"after {max(took):.1f} s at most (pypi_freshness 2s)"


def test_pip_and_uv_install_from_each(nodes: list[Node], tmp_path: Path, project: str) -> None:
    done = nodes[0].index.twine_upload(PUBLISHER, packages.wheel(tmp_path, project))
    assert done.returncode == 0, done.stdout + done.stderr
    done = nodes[1].index.uv_publish(PUBLISHER, packages.wheel(tmp_path, project, "2.0"))
    assert done.returncode == 0, done.stdout + done.stderr
    for node in nodes:
        for install in (node.index.pip_install, node.index.uv_install):
            target = tmp_path / node.name / install.__name__
            done = install(READER, target, project)
            assert done.returncode == 0, done.stdout + done.stderr
            asked = f"import {packages.escaped(project)} as it; print(it.VERSION)"
            said = subprocess.run([sys.executable, "-c", asked], cwd=target, capture_output=True, text=True, check=True)
            assert said.stdout.strip() == "2.0"


def test_the_health_address_is_open_and_says_no_more_than_that(nodes: list[Node]) -> None:
    for node in nodes:
        answer = node.index.request("/health")
        assert (answer.status, answer.body.strip(), answer.headers["cache-control"]) == (200, b"ok", "no-store"), answer
        assert node.index.request("/health", method="HEAD").status == 200
        assert node.index.request("/health", Login("reader", "wrong")).status == 200
        assert node.index.request("/health", method="POST", body=b"").status in (403, 405)


@pytest.mark.parametrize("login", [NOBODY, READER, PUBLISHER], ids=["nobody", "reader", "publisher"])
def test_what_nodes_say_to_each_other_is_refused_to_strangers(nodes: list[Node], login: Login) -> None:
    forged = {"X-Wheelhouse-Peer": f"{'0' * 32} {'0' * 64}"}
    for node in nodes:
        for headers in ({}, forged):
            for path in ASKED:
                answer = node.index.request(path, login, headers=headers)
                assert answer.status in (403, 404), (path, answer)
            for path in NEARLY:
                # To NGINX these are names of projects, of which there are none.
                answer = node.index.request(path, login, headers=headers)
                assert answer.status in (303, 400, 401, 404), (path, answer)
            assert node.index.request(ASKED[0], login, "POST", b"", headers).status in (403, 404, 405)


def test_the_key_of_the_nodes_is_served_to_none(nodes: list[Node]) -> None:
    assert nodes[0].host.check_output(f"stat -c '%U %a' {PACKAGES}/.wheelhouse/nodes/key") == "pypi 600"
    for node in nodes:
        for path in ("/packages/.wheelhouse/nodes/key", "/packages/%2ewheelhouse/nodes/key"):
            assert node.index.request(path, PUBLISHER).status in (400, 403, 404), (node, path)


def test_what_all_have_is_one_index(nodes: list[Node]) -> None:
    lists = [node.get("/simple/").body for node in nodes]
    assert len(json.loads(lists[0])["projects"]) > 3
    digests = {node.name: hashlib.sha256(body).hexdigest() for node, body in zip(nodes, lists)}
    assert len(set(digests.values())) == 1, digests
    for entry in json.loads(lists[0])["projects"]:
        expected = {name: found["hashes"]["sha256"] for name, found in nodes[0].files(entry["name"]).items()}
        for node in nodes[1:]:
            found = {name: one["hashes"]["sha256"] for name, one in node.files(entry["name"]).items()}
            assert found == expected, (node, entry["name"])
