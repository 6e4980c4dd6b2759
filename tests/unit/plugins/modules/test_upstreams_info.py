"""upstreams_info on the host: what is no index, and hosts of files that are not configured."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import upstream_pages
from ansible_collections.wheelhouse.pypi.plugins.modules import upstreams_info

from tests.ground.public_index import FILES, PAGES, WHEELS, servers
from tests.support import packages
from tests.support.public_index import PublicIndex

Run = Callable[..., dict[str, Any]]


class StandIn:
    """A stand-in for public indexes, and the module that asks it."""

    def __init__(self, folder: Path, run_module: Run) -> None:
        projects = folder / "projects"
        projects.mkdir()
        packages.wheel(projects, "pip", "26.2")
        self.index, self.control = servers(folder, projects, megabytes=1)
        for server in (self.index, self.control):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port = self.index.server_port
        self.public = PublicIndex("127.0.0.1", self.control.server_port)
        self.authorities = (folder / "tls" / "authority.pem").read_text()
        self._run_module = run_module

    def url(self, path: str = "/simple/", host: str = PAGES) -> str:
        """Return an address of the stand-in."""
        return f"https://{host}:{self.port}{path}"

    def hosts(self, *names: str) -> list[str]:
        """Return host names with the port."""
        return [f"{name}:{self.port}" for name in names]

    def info(self, url: str, hosts: list[str], **more: Any) -> dict[str, Any]:
        """Return what the module says of one upstream."""
        arguments = {key: more.pop(key) for key in ("authorities", "packages", "policy") if key in more}
        return self._run_module(
            upstreams_info,
            upstreams=[{"url": url, "hosts": hosts, **more}],
            private=["acme-*"],
            **{"authorities": self.authorities, **arguments},
        )

    def close(self) -> None:
        """End it."""
        for server in (self.index, self.control):
            server.shutdown()
            server.server_close()


@pytest.fixture
def stand_in(tmp_path: Path, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A stand-in whose host names are those of this machine."""
    found = StandIn(tmp_path, run_module)
    looked_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: looked_up("127.0.0.1" if host in (PAGES, FILES, WHEELS) else host, *more, **named),
    )
    yield found
    found.close()


def test_an_index_whose_hosts_are_all_there_has_no_problem(stand_in: StandIn) -> None:
    found = stand_in.info(stand_in.url(), stand_in.hosts(PAGES, FILES))
    assert (found["problems"], found["unasked"], found.get("changed", False)) == ([], [], False)


def test_a_host_of_files_that_is_missing_is_named_with_the_line_to_add(stand_in: StandIn) -> None:
    found = stand_in.info(stand_in.url(), stand_in.hosts(PAGES))
    (files,) = stand_in.hosts(FILES)
    assert found["problems"] == [f"{stand_in.url()} has files on {files}; add to its entry file_hosts: [{files}]"]


def test_an_address_that_is_no_index_is_refused(stand_in: StandIn) -> None:
    (problem,) = stand_in.info(stand_in.url("/nothing/"), stand_in.hosts(PAGES))["problems"]
    assert "neither a list of projects nor a page" in problem and "ends before a project" in problem


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("401", "give its entry a username and password"),
        ("403", "give its entry a username and password"),
        ("redirect", "redirects are not followed"),
        ("invalid", "is no page of the simple API"),
    ],
)
def test_what_answers_as_no_index_does_is_refused(stand_in: StandIn, mode: str, said: str) -> None:
    stand_in.public.break_(mode, "pages")
    (problem,) = stand_in.info(stand_in.url(), stand_in.hosts(PAGES))["problems"]
    assert said in problem


@pytest.mark.parametrize("mode", ["500", "reset", "429"])
def test_what_may_work_tomorrow_is_no_problem(stand_in: StandIn, mode: str) -> None:
    stand_in.public.break_(mode, "pages")
    found = stand_in.info(stand_in.url(), stand_in.hosts(PAGES))
    assert found["problems"] == []
    (reason,) = found["unasked"]
    assert reason.startswith(f"{stand_in.url()} cannot be asked from this host: ")


def test_a_certificate_of_an_unknown_authority_is_not_trusted(stand_in: StandIn) -> None:
    (reason,) = stand_in.info(stand_in.url(), stand_in.hosts(PAGES), authorities="")["unasked"]
    assert "certificate verify failed" in reason


def test_authorities_that_are_none_are_refused(stand_in: StandIn) -> None:
    (problem,) = stand_in.info(stand_in.url(), [], authorities="x")["problems"]
    assert "pypi_upstream_ca_file: no usable certificate" in problem


def test_private_names_that_are_public_as_well_are_compared_file_by_file(stand_in: StandIn, tmp_path: Path) -> None:
    for name in ("acme-squatted", "both", "other"):
        stand_in.public.publish(name)
    store = tmp_path / "packages" / ".wheelhouse"
    for name in ("both", "only-here"):
        (store / "files" / name).mkdir(parents=True)
        (store / "names").mkdir(exist_ok=True)
        (store / "names" / name).touch()
    sha256 = hashlib.sha256(stand_in.public.content("both-1.0-py3-none-any.whl")).hexdigest()
    for number, digest in enumerate((sha256, "0" * 64, "no digest")):
        (store / "files/both" / f"both-{number}.whl.json").write_text(json.dumps({"sha256": digest}))
    stand_in.public.begin()
    found = stand_in.info(stand_in.url(), stand_in.hosts(PAGES, FILES), packages=str(tmp_path / "packages"))
    assert found["shared"] == [
        f"acme-squatted: reserved here (pypi_private_names), and on {stand_in.url()} as well",
        f"both: private here, and on {stand_in.url()} as well; 1 of 2 files are the same",
    ]
    assert not stand_in.public.asked("only-here"), "a private name went upstream"


@pytest.mark.parametrize(("broken", "said"), [(False, "it has no list of projects"), (True, "its answer ends early")])
def test_an_upstream_whose_list_is_not_known_is_named(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, broken: bool, said: str
) -> None:
    def projects(*_: object) -> set[str]:
        if broken:
            raise OSError(said)
        return set()

    monkeypatch.setattr(upstream_pages.Asker, "projects", projects)
    found = stand_in.info(stand_in.url(), stand_in.hosts(PAGES, FILES))
    assert found["problems"] == found["shared"] == []
    assert found["unasked"] == [f"{stand_in.url()}: which private names it has as well is not known: {said}"]


def test_a_host_without_an_index_has_no_private_names(stand_in: StandIn, tmp_path: Path) -> None:
    found = stand_in.info(stand_in.url(), stand_in.hosts(PAGES, FILES), packages=str(tmp_path / "nothing"))
    assert found["shared"] == []


def test_an_upstream_that_is_in_use_is_not_asked_again(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.public.break_("401", "pages")
    hosts = stand_in.hosts(PAGES, FILES)
    policy = tmp_path / "upstreams.json"
    policy.write_text(json.dumps({"upstreams": [{"url": stand_in.url(), "hosts": hosts}]}))
    assert stand_in.info(stand_in.url(), hosts, policy=str(policy))["problems"] == []
    assert stand_in.info(stand_in.url(), hosts[:1], policy=str(policy))["problems"]
    for text in ("", "{}", '{"upstreams": 1}'):
        policy.write_text(text)
        assert stand_in.info(stand_in.url(), hosts, policy=str(policy))["problems"]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ('<a href="x-1.0.tar.gz#sha256=0">x</a> <a href="https://help.example.com/">help</a>', {"index.example.org"}),
        ('<base href="//cdn.example.org/"><a href="x-1.0-py3-none-any.whl">x</a>', {"cdn.example.org"}),
        ('<a href="https://cdn.example.org:443/x?#egg=1&sha256=0">x</a>', {"cdn.example.org"}),
    ],
)
def test_links_to_files_alone_name_hosts(text: str, hosts: set[str]) -> None:
    assert upstream_pages._hosts((False, text), "https://index.example.org/simple/x/") == hosts


def test_a_page_that_is_nested_too_deep_is_none() -> None:
    with pytest.raises(upstream_pages.Wrong, match="no page of the simple API"):
        upstream_pages._hosts((True, "[" * 100_000), "https://index.example.org/simple/x/")
