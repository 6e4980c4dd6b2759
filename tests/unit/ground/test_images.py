"""What the proving ground builds, under which names, and when the official images are used instead."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ground import apt, archive, images, overlay, registry, rootfs
from tests.ground.recipes import BARE, EL9_ENGINE, STACK

SOURCE = apt.Archive("http://debian.example.com/debian", "", ())
Engine = Callable[[str], Path]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Put a ``docker`` on the path that does what a shell script says; return the log of its calls."""

    def pretend(script: str) -> Path:
        program, calls = tmp_path / "docker", tmp_path / "calls"
        program.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(images, "ARCHIVES", tmp_path / "archives")
        monkeypatch.setattr(registry, "LOGS", tmp_path / "logs")
        return calls

    return pretend


# An engine with a registry in reach, and with no image but those that it pulled.
ONLINE = """
here=$(dirname "$0")/pulled
case "$1 $2" in
"pull "*) echo "Pulling from $2"; echo "$2" >>"$here" ;;
"image inspect") for name; do :; done; grep -qx "$name" "$here" 2>/dev/null && echo "sha256:$name" ;;
"save --output") echo "all of them" >"$3" ;;
esac
"""
OFFLINE = """
case "$1" in
pull) echo "Error response from daemon: dial tcp: lookup failed" >&2; exit 1 ;;
image) exit 1 ;;
esac
"""


def test_official_images_are_used_where_a_registry_answers(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    calls = engine(ONLINE)
    assert images._use_official([STACK])
    assert (images.ARCHIVES / "stack.tar").read_text() == "all of them\n"
    assert images.origin(STACK) == "the official ones, from the registry"
    assert images._is_there(STACK, SOURCE)
    assert "nginx:1.30, pypiserver/pypiserver:v2.4.2: the official images are used" in capsys.readouterr().out
    # They stay in the archive only: on the engine they would pass for what a host has pulled.
    removed = [line for line in calls.read_text().splitlines() if line.startswith("image rm")]
    assert removed == ["image rm nginx:1.30", "image rm pypiserver/pypiserver:v2.4.2"]


def test_stand_ins_are_built_where_none_does(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine(OFFLINE)
    assert not images._use_official([STACK])
    assert not (images.ARCHIVES / "stack.tar").exists()
    assert "no answer; stand-ins are built" in capsys.readouterr().out


def test_a_registry_that_keeps_silent_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine("exec sleep 60")
    monkeypatch.setattr(registry, "_ANSWER_SECONDS", 0.2)
    assert not registry.pull("nginx:1.30")


def test_a_name_changes_with_all_that_is_inside() -> None:
    name = rootfs.key(BARE, SOURCE, {})
    assert name == rootfs.key(BARE, SOURCE, {})
    others = [
        rootfs.key(replace(BARE, packages=(*BARE.packages, "vim")), SOURCE, {}),
        rootfs.key(BARE, replace(SOURCE, main="http://other.example.com"), {}),
        rootfs.key(BARE, SOURCE, {"etc/motd": b"hello"}),
    ]
    assert len({name, *others}) == 4


def test_a_layers_name_changes_with_what_is_below(monkeypatch: pytest.MonkeyPatch) -> None:
    name = images.tag(EL9_ENGINE, SOURCE)
    assert name == images.tag(EL9_ENGINE, SOURCE)
    other = replace(SOURCE, main="http://other.example.com")
    script = overlay.setup
    monkeypatch.setattr(overlay, "setup", lambda folders: script(folders) + b"true\n")
    assert len({name, images.tag(EL9_ENGINE, SOURCE), images.tag(EL9_ENGINE, other)}) == 3


def test_an_archive_is_what_docker_load_takes(tmp_path: Path) -> None:
    layer, target = tmp_path / "layer.tar", tmp_path / "image.tar"
    overlay.write({"etc/motd": b"hello", "bin/run": b"#!/bin/sh\n"}, layer)
    archive.write([archive.Image("example:1", {"Cmd": ["run"]}, layer)], target)
    with tarfile.open(target) as made:
        (entry,) = json.load(made.extractfile("manifest.json") or io.BytesIO())
        config = json.load(made.extractfile(entry["Config"]) or io.BytesIO())
        with tarfile.open(fileobj=made.extractfile(entry["Layers"][0])) as inner:
            modes = {member.name: oct(member.mode) for member in inner if member.isfile()}
    assert entry["RepoTags"] == ["example:1"]
    assert config["config"] == {"Cmd": ["run"]}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{archive.sha256(layer)}"]
    assert modes == {"bin/run": "0o755", "etc/motd": "0o644"}
