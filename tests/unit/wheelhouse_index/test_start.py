"""How it starts, and that it refuses to where it does not work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from wheelhouse_index import __main__ as start
from wheelhouse_index import __version__
from wheelhouse_index.files import incoming
from wheelhouse_index.server import app

from tests.support.index import Index
from tests.support.index_server import EXTENSION, Server, environment_of
from tests.support.packages import file


def test_it_works_with_the_pypiserver_that_is_here() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wheelhouse_index", "check"], cwd=EXTENSION, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_has_the_version_of_the_collection() -> None:
    collection: Any = yaml.safe_load(Path(EXTENSION).parents[2].joinpath("galaxy.yml").read_text(encoding="utf-8"))
    assert collection["version"] == __version__


@pytest.mark.parametrize("words", [["check"], ["serve"]])
def test_a_pypiserver_that_it_does_not_understand_is_refused_naming_both_versions(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def changed(_store: object) -> object:
        raise AttributeError("module 'pypiserver' has no attribute 'app_from_config'")

    monkeypatch.setattr(app, "reading", changed)
    monkeypatch.setattr(app, "serve", lambda: pytest.fail("it serves"))
    assert start.main(words) == 1
    said = capsys.readouterr().err
    assert f"wheelhouse.pypi {__version__} does not work with pypiserver {start._theirs()}: AttributeError" in said


@pytest.mark.parametrize("words", [[], ["run"], ["serve", "check"]])
def test_other_words_are_refused(words: list[str]) -> None:
    assert start.main(words) == 2


def test_where_a_folder_is_missing_it_does_not_start_and_says_which(tmp_path: Path) -> None:
    server = Server(tmp_path, environment={"WHEELHOUSE_INDEX": str(tmp_path / "nowhere")})
    with pytest.raises(AssertionError, match="nowhere cannot be used"):
        server.start()


def test_what_others_have_left_among_uploads_is_no_reason_not_to_start(in_memory: Path) -> None:
    folder = in_memory / "packages" / ".incoming" / "folder"
    folder.mkdir(parents=True)
    (folder.parent / "left").write_bytes(b"of an upload that was killed")
    Index(in_memory)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_an_upload_that_goes_on_is_not_taken_for_a_leftover(in_memory: Path) -> None:
    index = Index(in_memory)
    with incoming.arriving(index.store.incoming) as arriving:
        assert arriving.file
        incoming.prepare(index.store.incoming)
        assert arriving.path.exists()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert app.Settings.of_environment() == app.Settings()
    for name, value in {"FRESHNESS_SECONDS": "5", "OVERWRITE": "1", "ANONYMOUS_UPLOADS": "0", "REPLICA": "x"}.items():
        monkeypatch.setenv(f"WHEELHOUSE_{name}", value)
    assert app.Settings.of_environment() == app.Settings(freshness=5.0, overwrite=True, replica="x")


def test_a_refusal_is_in_the_status_line_too(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        name = "foo-1.0-py3-none-any.whl"
        assert server.upload(name, file(name)).reason == "OK"
        answer = server.upload(name, file(name, b"other"))
        assert (answer.status, answer.reason) == (409, answer.text.strip())
        assert answer.reason.startswith(f"{name} already exists with other content.")


def test_the_health_check_starts_without_what_is_slow_to_import(tmp_path: Path) -> None:
    # It runs every few seconds, in each container.
    program = """
import sys
from wheelhouse_index.__main__ import main
try:
    main(["health"])
except OSError:
    print(*sys.modules)
"""
    own = {**environment_of(tmp_path), "WHEELHOUSE_SOCKETS": str(tmp_path / "none")}
    done = subprocess.run([sys.executable, "-c", program], env=own, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "wheelhouse_index.requests.sockets" in loaded
    assert not loaded & {"pypiserver", "sqlite3", "packaging", "wheelhouse_index.index.store"}
