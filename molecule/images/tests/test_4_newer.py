"""A tag that moves in the registry, on a host with a whole index: the doctor names it, and a run switches to what works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra

from tests.support import faulty_images, playbook
from tests.support.long import only_long

NAME = "pypi-images"
testinfra_hosts = [f"ansible://{NAME}"]
REGISTRY = "127.0.0.1:5000"
NGINX = f"{REGISTRY}/{faulty_images.NGINX}"
PYPISERVER = f"{REGISTRY}/{faulty_images.PYPISERVER}"
MIRROR = {
    "pypi_images_archive": "",
    "pypi_images_mirror": REGISTRY,
    "pypi_images_username": "robot",
    "pypi_images_password": "registry-password",
}
NEWER = {**MIRROR, "pypi_images_pull": "newer"}
UNTOUCHED = "That was beside what serves, which goes on untouched: its files are back, and it was proved."


def push(host: Any, image: str, name: str) -> None:
    """Have the registry give an image by a name; the host goes on with the one that it has by that name."""
    before = host.run("docker image inspect --format '{{.Id}}' %s", name)
    host.check_output("docker tag %s %s && DOCKER_CONFIG=/run/pusher docker push --quiet %s", image, name, name)
    if before.rc == 0:
        host.check_output("docker tag %s %s", before.stdout.strip(), name)


@pytest.fixture(scope="module", autouse=True)
def index(host: Any) -> Iterator[None]:
    """An index of images of the registry."""
    host.check_output("docker load --quiet --input /srv/ground/stack.tar")
    host.check_output(
        "echo registry-password |"
        f" DOCKER_CONFIG=/run/pusher docker login --username robot --password-stdin {REGISTRY} 2>/dev/null"
    )
    for image in (faulty_images.NGINX, faulty_images.PYPISERVER):
        host.run("docker rmi %s", f"{REGISTRY}/{image}")
        push(host, image, f"{REGISTRY}/{image}")
    playbook.site(**MIRROR)
    yield
    playbook.applied("wheelhouse.pypi.uninstall", pypi_remove_data=True)


def identity(host: Any, image: str) -> str:
    return str(host.check_output("docker image inspect --format '{{.Id}}' %s", image))


def running(host: Any) -> dict[str, str]:
    """Return the id of the image of each service."""
    format_ = "{{.Image}} {{.Id}}"
    return {
        service: host.check_output("docker inspect --format %s %s", format_, f"pypi-server-{service}-1")
        for service in ("auth", "nginx", "pypi-server")
    }


def examined(tmp_path: Path) -> list[dict[str, str]]:
    """Return what the doctor says of the images."""
    report = tmp_path / "doctor.json"
    done = playbook.run("wheelhouse.pypi.doctor", variables={**MIRROR, "pypi_doctor_report": str(report)})
    assert done.changed == 0, done.output
    assert MIRROR["pypi_images_password"] not in done.output + report.read_text()
    (found,) = json.loads(report.read_text()).values()
    return [one for one in found["findings"] if one["check"] == "images" and "was built" not in one["text"]]


def test_a_newer_image_that_works_is_named_by_the_doctor_and_switched_to_by_a_run(host: Any, tmp_path: Path) -> None:
    before = running(host)
    assert {(one["level"], one["text"]) for one in examined(tmp_path)} == {
        ("ok", f"{image} has the digest that its registry has") for image in (NGINX, PYPISERVER)
    }
    host.check_output(
        "docker create --name newer %s && docker commit --change 'LABEL newer=yes' newer newer:nginx && docker rm newer",
        faulty_images.NGINX,
    )
    push(host, "newer:nginx", NGINX)
    (warning,) = [one for one in examined(tmp_path) if one["level"] != "ok"]
    assert (warning["level"], warning["text"]) == ("warning", f"{NGINX} has a newer digest in its registry")
    assert warning["remedy"] == "run wheelhouse.pypi.site with -e pypi_images_pull=newer"
    assert playbook.site(**MIRROR).changed == 0

    done = playbook.site(**NEWER)
    assert done.proved_candidate
    old = re.findall(rf"images {NGINX} \(before: (\S+@sha256:\w+)\); containers created: auth, nginx", done.message())
    assert len(old) == 1, done.output
    newer, now = identity(host, "newer:nginx"), running(host)
    assert [now[service].split()[0] for service in ("auth", "nginx")] == [newer, newer]
    assert now["pypi-server"] == before["pypi-server"]
    assert identity(host, "wheelhouse/previous:pypi-server.nginx") == newer
    assert {one["level"] for one in examined(tmp_path)} == {"ok"}
    assert playbook.site(**NEWER).changed == 0

    # The way back, by what the run has said, and without the registry. The next test goes forward again.
    host.check_output("systemctl stop docker-registry")
    back = playbook.site(**MIRROR, pypi_image_nginx=old[0])
    assert back.proved_candidate
    assert running(host)["nginx"].split()[0] == before["nginx"].split()[0]
    host.check_output("systemctl start docker-registry")


@pytest.mark.parametrize("is_killed", [False, pytest.param(True, marks=only_long)], ids=["one run", "killed"])
def test_a_newer_image_that_does_not_work_is_not_switched_to_nor_by_the_next_run(
    host: Any, tmp_path: Path, is_killed: bool
) -> None:
    before, tagged = running(host), identity(host, PYPISERVER)
    faulty_images.crashing(host, "fault:next")
    push(host, "fault:next", PYPISERVER)
    if is_killed:
        # When it has pulled; the next one asks for nothing newer.
        with playbook.running(playbook.SITE, **NEWER):
            moved = f"until [ $(docker image inspect --format '{{{{.Id}}}}' {PYPISERVER}) != {tagged} ]; do sleep 0.05; done"
            testinfra.get_host(f"docker://{NAME}").check_output("timeout 300 sh -c %s", moved)
    playbook.says(
        playbook.refused(**(MIRROR if is_killed else NEWER)),
        "wheelhouse-candidate-pypi-server-pypi-server-1 was healthy, and then ended",
        UNTOUCHED,
    )
    assert running(host) == before
    assert identity(host, PYPISERVER) == tagged
    assert not host.file("/home/pypi/pypi-server/.newer").exists
    assert identity(host, "wheelhouse/previous:pypi-server.pypi-server") == before["pypi-server"].split()[0]
    # NGINX goes forward to the image that its tag names by now; pypiserver has its old one.
    playbook.site(**MIRROR)
    now = running(host)
    assert now["nginx"].split()[0] == identity(host, NGINX)
    assert now["pypi-server"] == before["pypi-server"]
    assert [one["text"] for one in examined(tmp_path) if one["level"] != "ok"] == [
        f"{PYPISERVER} has a newer digest in its registry"
    ]
