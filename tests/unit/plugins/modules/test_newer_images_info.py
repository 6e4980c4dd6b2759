"""Which images have newer digests in their registries; the engine is a stand-in with its API on a socket."""

from __future__ import annotations

import base64
import http.server
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import newer_images_info

NGINX, OWN = "nginx:1.30", "registry.example.com:5000/own/pypiserver:v2"
SECRET = "S3cret-of-the-registry"
# What the engine has, and what registries have.
HAS = {
    NGINX: ["nginx@sha256:1", "mirror.example.com/nginx@sha256:2"],
    OWN: ["registry.example.com:5000/own/pypiserver@sha256:3"],
    "retagged:1": ["elsewhere.example.com/nginx@sha256:2"],
    "built:here": None,
}
Call = Callable[..., dict[str, Any]]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    registries: dict[str, Any]
    logins: dict[str, dict[str, str]]
    store: list[list[str]]


class _Api(http.server.BaseHTTPRequestHandler):
    """Answers as the engine does; an answer that is a number is that many seconds of silence."""

    server: _Server

    def do_GET(self) -> None:
        if self.path == "/info":
            return self._answer(200, {"DriverStatus": self.server.store})
        kind, image = self.path[1:].removesuffix("/json").split("/", 1)
        status, said = 404, {"message": f"No such image:\n{image}"}  # type: tuple[int, Any]
        if kind == "images" and image in HAS:
            status, said = 200, {"RepoDigests": HAS[image]}
        if kind == "distribution":
            login = self.headers.get("X-Registry-Auth")
            self.server.logins[image] = json.loads(base64.urlsafe_b64decode(login)) if login else {}
            answer = self.server.registries.get(image, (404, {"message": "manifest unknown"}))
            if isinstance(answer, float):
                time.sleep(answer)
            status, said = answer if isinstance(answer, tuple) else (200, {"Descriptor": {"digest": answer}})
        self._answer(status, said)

    def _answer(self, status: int, said: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[_Server]:
    with _Server(str(tmp_path / "docker.sock"), _Api) as server:
        server.registries, server.logins, server.store = {}, {}, [["Backing Filesystem", "extfs"]]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def asked(run_module: Call, tmp_path: Path) -> Call:
    def ask(*images: str, **arguments: Any) -> dict[str, Any]:
        found = run_module(newer_images_info, images=list(images), socket=str(tmp_path / "docker.sock"), **arguments)
        assert not found.get("changed")
        return {**found, "found": {one["name"]: one["found"] for one in found["images"]}}

    return ask


def test_an_image_is_newer_where_the_registry_has_a_digest_that_the_host_lacks(engine: _Server, asked: Call) -> None:
    engine.registries = {NGINX: "sha256:2", OWN: "sha256:33"}
    found = asked(NGINX, OWN, "built:here", "nginx@sha256:1", check=True)
    assert found["found"] == {NGINX: "same", OWN: "newer", "built:here": "local", "nginx@sha256:1": "pinned"}
    assert found["unasked"] == []
    # Of nothing else was a registry asked.
    assert set(engine.logins) == {NGINX, OWN}


def test_an_image_that_the_registry_of_its_name_did_not_give_is_local(engine: _Server, asked: Call) -> None:
    engine.registries = {"retagged:1": "sha256:9"}
    assert asked("retagged:1")["found"] == {"retagged:1": "local"}
    engine.registries = {"retagged:1": "sha256:2"}
    assert asked("retagged:1")["found"] == {"retagged:1": "same"}


def test_with_images_in_containerd_one_that_the_registry_does_not_know_is_local(engine: _Server, asked: Call) -> None:
    engine.store = [["driver-type", "io.containerd.snapshotter.v1"]]
    engine.registries = {OWN: "sha256:33"}
    assert asked(OWN)["found"] == {OWN: "local"}
    engine.registries["registry.example.com:5000/own/pypiserver@sha256:3"] = (500, {"message": "no route"})
    assert asked(OWN)["unasked"] == [f"{OWN}: no route"]
    engine.registries["registry.example.com:5000/own/pypiserver@sha256:3"] = "sha256:3"
    assert asked(OWN)["found"] == {OWN: "newer"}


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("docker.io/library/nginx:1.30", "nginx"),
        ("nginx@sha256:1", "nginx"),
        ("docker.io/own/nginx", "own/nginx"),
        ("registry.example.com:5000/nginx", "registry.example.com:5000/nginx"),
        ("registry.example.com:5000/library/nginx:1.30@sha256:1", "registry.example.com:5000/library/nginx"),
    ],
)
def test_names_are_as_the_engine_writes_them(image: str, name: str) -> None:
    assert newer_images_info.repository_of(image) == name


def test_a_login_is_shown_to_its_own_registry_alone(engine: _Server, asked: Call) -> None:
    engine.registries = {NGINX: "sha256:1", OWN: "sha256:3"}
    login = {"username": "robot", "password": SECRET}
    for registry, shown_to in (("registry.example.com:5000", OWN), ("", NGINX)):
        found = asked(NGINX, OWN, registry=registry, **login)
        assert {image for image, login in engine.logins.items() if login} == {shown_to}
        assert engine.logins[shown_to] == login
        assert SECRET not in json.dumps(found["images"])


def test_no_answer_is_a_result_and_silence_has_an_end(engine: _Server, asked: Call) -> None:
    engine.registries = {NGINX: 30.0, OWN: (500, {"message": "connection\nrefused"})}
    began = time.monotonic()
    found = asked(NGINX, OWN, "no/such:1", timeout=1)
    assert time.monotonic() - began < 8
    assert set(found["found"].values()) == {"unasked"}
    assert found["unasked"] == [
        f"{NGINX}: no answer within 1 s",
        f"{OWN}: connection refused",
        "no/such:1: No such image: no/such:1",
    ]


def test_without_an_engine_there_is_no_answer_either(asked: Call) -> None:
    assert asked(NGINX)["found"] == {NGINX: "unasked"}
    assert asked()["images"] == []


@pytest.mark.parametrize("answer", [(200, []), (200, {}), (200, {"Descriptor": {}}), (200, "sha256:1")])
def test_an_answer_without_a_digest_is_none(engine: _Server, asked: Call, answer: Any) -> None:
    engine.registries = {NGINX: answer}
    assert asked(NGINX)["found"] == {NGINX: "unasked"}
