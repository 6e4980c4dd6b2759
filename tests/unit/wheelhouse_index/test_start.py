"""How it starts: with our backend, with one of pypiserver's own, and where ours does not load."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from wheelhouse_index import __main__ as start
from wheelhouse_index import app, incoming

from tests.support.index import Index, call
from tests.support.index_server import Server

WORDS = ["run", "-p", "8080", "-P", ".", "-a", ".", "--server", "gunicorn"]


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ([*WORDS, "--backend", "indexed", str(Path.cwd())], True),
        ([*WORDS, "--backend", "simple-dir", str(Path.cwd())], False),
        ([*WORDS, str(Path.cwd())], False),
    ],
)
def test_the_words_are_those_of_pypi_server(words: list[str], ours: bool) -> None:
    config, found = app.configuration(words)
    assert found is ours
    assert (config.port, config.roots) == (8080, [Path.cwd()])
    assert "indexed" not in start.shipped(words)
    assert start.shipped(words)[:3] == [sys.executable, "-m", "wheelhouse_index.rights"]


@pytest.fixture
def run(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return what is started in place of this process."""
    started: list[list[str]] = []
    index = Index(in_memory)
    assert index.upload("foo-1.0.tar.gz", b"content").status == 200
    index.keeper.step()
    monkeypatch.setenv("WHEELHOUSE_INDEX", str(index.pages))
    monkeypatch.setattr(sys, "argv", ["wheelhouse_index", *index.words])
    monkeypatch.setattr(os, "execv", lambda _file, words: started.append(words))
    monkeypatch.setattr(app, "serve", lambda words: started.append(["ours", *words]))
    return started


def test_where_it_loads_it_serves_and_what_was_taken_away_is_removed(run: list[list[str]], in_memory: Path) -> None:
    pages = in_memory / "index"
    (pages / "not-loaded").write_text("ImportError")
    (pages / ".unserved-simple-1" / "foo").mkdir(parents=True)
    (pages / ".unserved-index.html-1").touch()
    start.main()
    assert [words[0] for words in run] == ["ours"]
    assert not (pages / "not-loaded").exists()
    assert not list(pages.glob(".unserved*"))


def test_where_it_does_not_load_the_shipped_backend_serves_without_old_pages(
    run: list[list[str]], in_memory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = in_memory / "index"
    monkeypatch.setattr(app, "prepare", _unloadable)
    start.main()
    assert run[0][1:3] == ["-m", "wheelhouse_index.rights"]
    assert run[0][run[0].index("--backend") + 1] == "simple-dir"
    assert not (pages / "simple").exists() and not (pages / "index.html").exists()
    assert "no such interface" in (pages / "not-loaded").read_text()
    assert "the backend simple-dir serves" in capsys.readouterr().err
    # And back: the pages are written again, and no file is read for it.
    monkeypatch.undo()
    index = Index(in_memory)
    (index.packages / "foo-1.0.tar.gz").chmod(0)
    monkeypatch.setattr(incoming, "sha256", _unloadable)
    index.keeper.step()
    assert set(index.said()["foo"]) == {"foo-1.0.tar.gz"} if os.geteuid() == 0 else True


def _unloadable(*_: object) -> None:
    raise ImportError("no such interface")


def test_where_even_the_folder_is_missing_the_shipped_backend_serves(
    run: list[list[str]], in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHEELHOUSE_INDEX", str(in_memory / "nowhere"))
    start.main()
    assert run[0][1:3] == ["-m", "wheelhouse_index.rights"]


def test_for_want_of_room_pages_are_not_taken_away(
    run: list[list[str]], in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(incoming, "prepare", full)
    with pytest.raises(SystemExit, match="cannot be written to"):
        start.main()
    assert (in_memory / "index/simple/foo/index.html").exists()


def test_with_a_backend_of_pypiservers_own_nothing_of_ours_runs(in_memory: Path) -> None:
    (in_memory / "packages").mkdir()
    (in_memory / "packages" / "foo-1.0.tar.gz").write_bytes(b"content")
    words = ["run", "-P", ".", "-a", ".", "--backend", "simple-dir", str(in_memory / "packages")]
    app.prepare(words)
    assert "foo-1.0.tar.gz" in call(app.create(words), "GET", "/simple/foo/").text
    assert [path.name for path in in_memory.iterdir()] == ["packages"]


def test_what_others_have_left_among_uploads_is_no_reason_not_to_start(in_memory: Path) -> None:
    folder = in_memory / "packages" / ".incoming" / "folder"
    folder.mkdir(parents=True)
    (folder.parent / "left").write_bytes(b"of an upload that was killed")
    Index(in_memory)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_an_upload_that_goes_on_is_not_taken_for_a_leftover(in_memory: Path) -> None:
    index = Index(in_memory)
    file, path = incoming._aside(index.packages / ".incoming")
    with file:
        incoming.prepare(index.packages)
        assert path.exists()


def test_a_server_that_cannot_load_it_answers_all_the_same(tmp_path: Path) -> None:
    # As if the folder were not mounted.
    with Server(tmp_path, environment={"WHEELHOUSE_INDEX": str(tmp_path / "nowhere")}) as server:
        assert server.upload("foo-1.0.tar.gz", b"content").status == 200
        assert "foo-1.0.tar.gz" in server.get("/simple/foo/").text
