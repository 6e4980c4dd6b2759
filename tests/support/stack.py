"""The containers of an index, as somebody with a shell on the host sees them."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from tests.support.clients import Index, Login, upload_form

SERVICES = ("pypi-server", "auth", "nginx")


def eventually(happened: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something is true.

    Args:
        happened: says whether it is; an OSError counts as not yet.
        what: the sentence that fails the test.
        seconds: how long to wait at most.
    """
    end = time.monotonic() + seconds
    # Most questions start a program on the host, which takes from what is waited for.
    pause = 0.2
    while True:
        try:
            if happened():
                return
        except OSError:
            pass
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)
        pause = min(1.5 * pause, 1.0)


class Stack:
    """The Compose project below a home."""

    def __init__(self, host: Any, home: str) -> None:
        self.host = host
        self.home = home

    def compose(self, command: str) -> str:
        """Run docker compose in the tree, and return what it printed."""
        return self.host.check_output(f"cd {self.home} && docker compose --ansi never {command}")

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container, the first of several; fails where there is none."""
        return self.inspect_all(service)[0]

    def inspect_all(self, service: str = "") -> list[dict[str, Any]]:
        """Return what the engine knows of a service's containers, or of all, by their names; fails where there is none."""
        labels = [f"project={Path(self.home).name}", "oneoff=False", *([f"service={service}"] if service else [])]
        filters = " ".join(f"--filter label=com.docker.compose.{label}" for label in labels)
        # One command, and not Compose's, which takes several times as long: this is asked all the time.
        found = self.host.check_output(
            f'containers=$(docker ps --all --quiet {filters}) && [ -z "$containers" ] || docker inspect $containers'
        )
        assert found, f"{service or 'no service'} has no container"
        return sorted(json.loads(found), key=lambda container: str(container["Name"]))

    def running(self) -> dict[str, tuple[str, str]]:
        """Return, by service, which container runs and since when; fails where one of them has none."""
        found: dict[str, tuple[str, str]] = {}
        for state in self.inspect_all():
            service = state["Config"]["Labels"]["com.docker.compose.service"]
            found.setdefault(service, (state["Id"], state["State"]["StartedAt"]))
        assert set(SERVICES) <= set(found), f"of {SERVICES} these have a container: {sorted(found)}"
        return {service: found[service] for service in SERVICES}

    def wait_until_healthy(self, service: str) -> None:
        """Wait until all containers of a service run and are healthy; one that Docker has not asked yet is asked now."""

        def is_healthy(container: Mapping[str, Any]) -> bool:
            state = container["State"]
            if not state["Running"] or state["Health"]["Status"] == "healthy":
                return bool(state["Running"])
            check = shlex.join(container["Config"]["Healthcheck"]["Test"][1:])
            return (
                state["Health"]["Status"] == "starting"
                and self.host.run(f"docker exec {container['Id']} {check}").rc == 0
            )

        eventually(lambda: all(map(is_healthy, self.inspect_all(service))), f"{service} is healthy")

    def log(self, service: str) -> list[str]:
        """Return the lines that a service's container has written."""
        return self.host.check_output(f"docker logs {self.inspect(service)['Id']} 2>&1").splitlines()

    def requests(self, uri: str) -> list[dict[str, Any]]:
        """Return what NGINX's access log has on an address; waits for at least one line."""
        found: list[dict[str, Any]] = []
        # The host picks the lines: there are tens of thousands of others.
        picked = f"docker logs {self.inspect('nginx')['Id']} 2>&1 | grep --text --fixed-strings -- %s || true"
        written = json.dumps(uri, ensure_ascii=False)[1:-1]

        def logged() -> bool:
            lines = self.host.check_output(picked, written).splitlines()
            known = [json.loads(line) for line in lines if line.startswith("{")]
            found[:] = [line for line in known if line["uri"] == uri]
            return bool(found)

        eventually(logged, f"{uri} is in the access log", 10)
        return found


@contextmanager
def traffic(index: Index, login: Login, path: str, clients: int = 3) -> Iterator[list[str]]:
    """Ask for a page again and again while something else happens.

    Yields:
        A list that fills with each answer's status, or with the error that came instead of one.
    """
    answers: list[str] = []
    done = Event()

    def ask() -> None:
        while not done.is_set():
            try:
                answers.append(str(index.request(path, login).status))
            except (OSError, HTTPException) as error:
                answers.append(repr(error))
            # A connection each: without a pause, this machine would be out of ports in a minute. A shorter one takes
            # from what is watched the processor that it needs.
            done.wait(0.02)

    threads = [Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        done.set()
        for thread in threads:
            thread.join()


class SlowUpload:
    """An upload of which one half has arrived, and the rest comes in drops until somebody wants it whole."""

    def __init__(self, index: Index, login: Login, file: Path) -> None:
        body, headers = upload_form(file)
        parts = urlsplit(index.url)
        assert parts.hostname
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._connection.putrequest("POST", "/")
        for name, value in {**login.header(), **headers, "Content-Length": str(len(body))}.items():
            self._connection.putheader(name, value)
        self.sent = len(body) // 2
        self._connection.endheaders(body[: self.sent])
        self._rest = body[self.sent :]
        self._hurry = Event()
        self._drops = Thread(target=self._drip, daemon=True)
        self._drops.start()

    def _drip(self) -> None:
        while len(self._rest) > 1 and not self._hurry.wait(1):
            self._connection.send(self._rest[:1])
            self._rest = self._rest[1:]

    def finish(self) -> int:
        """Send the rest, and return the status of the answer."""
        self._hurry.set()
        self._drops.join()
        self._connection.send(self._rest)
        answer = self._connection.getresponse()
        answer.read()
        self._connection.close()
        return answer.status

    def give_up(self) -> None:
        """Close the connection."""
        self._hurry.set()
        self._drops.join()
        self._connection.close()
