"""Containers on the engines, and the role applied to them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import playbook

ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
SETTINGS = "/etc/docker/daemon.json"


class Engine:
    """The engine of a host, and a container on it that answers."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.name = host.backend.host

    def applied(self, *arguments: str, **variables: Any) -> playbook.Run:
        return playbook.applied(ROLE, *arguments, pypi_hosts=self.name, **variables)

    def refused(self, *arguments: str, **variables: Any) -> str:
        return playbook.refused(*arguments, playbook=ROLE, pypi_hosts=self.name, **variables)

    def settings(self) -> Any:
        file = self.host.file(SETTINGS)
        return json.loads(file.content_string) if file.exists else None

    def process(self) -> str:
        return str(self.host.check_output("cat /run/docker.pid"))

    def info(self, what: str) -> str:
        return str(self.host.check_output("docker info --format '{{.%s}}'", what))

    def started(self) -> str:
        return str(self.host.check_output("docker inspect --format '{{.State.StartedAt}}' web"))

    def answers(self) -> None:
        """The container does what it is for; a new one may need a moment."""
        done = self.host.run(
            "curl -sS --retry 20 --retry-delay 1 --retry-all-errors --max-time 5 http://127.0.0.1:8000/"
        )
        assert "nginx" in done.stdout, done

    @contextmanager
    def kept(self) -> Iterator[None]:
        """The container keeps running meanwhile."""
        before = self.started()
        yield
        assert self.started() == before
        self.answers()

    def gap(self) -> float:
        """Seconds between the end of the container and its start, as the engine knows them."""
        times = self.host.check_output(
            "docker inspect --format '{{.State.FinishedAt}} {{.State.StartedAt}}' web"
        ).split()
        seconds = [
            time.mktime(time.strptime(one[:19], "%Y-%m-%dT%H:%M:%S")) + float(f"0.{one[20:26]}") for one in times
        ]
        return seconds[1] - seconds[0]


def said_gap(done: playbook.Run) -> float:
    """The gap that the run has stated."""
    match = re.search(r"These containers were down meanwhile: web ([0-9.]+) s", done.message())
    assert match, done.output
    return float(match[1])


@pytest.fixture(scope="module")
def engine(host: Any) -> Engine:
    if host.run("docker inspect web").rc != 0:
        host.check_output("docker load --quiet --input /srv/ground/stack.tar")
        host.check_output(
            "docker run --detach --name web --restart unless-stopped --publish 127.0.0.1:8000:80 nginx:1.30"
        )
    found = Engine(host)
    found.answers()
    return found
