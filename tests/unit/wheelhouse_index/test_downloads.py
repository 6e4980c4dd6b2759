"""``downloads`` says who downloaded what, from all files of the access log."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.commands import downloads

FILE = "/packages/hello_wheelhouse-1.1-py3-none-any.whl"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHEELHOUSE_LOGS", str(tmp_path))
    return tmp_path


def line(uri: str, time: str = "2026-11-22T11:30:12", **changed: Any) -> str:
    said = {"time": f"{time}+00:00", "client": "192.0.2.50", "user": "bob", "method": "GET", "route": "file"}
    return (
        json.dumps(
            {**said, "uri": uri, "status": 200, "verdict": "204", "agent": "pip/26.0", **changed}, separators=(",", ":")
        )
        + "\n"
    )


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert downloads.main(options) == 0
    return capsys.readouterr().out.splitlines()


def test_all_files_of_the_log_are_read_the_oldest_first(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with gzip.open(logs / "access-2026-11-21T00-00-01Z.log.gz", "wt") as oldest:
        oldest.write(line(FILE, "2026-11-20T10:00:00", user="ann"))
    (logs / "access-2026-11-22T00-00-01Z.log").write_text(line(FILE, "2026-11-21T10:00:00", user=""))
    (logs / "access.log").write_text(line(FILE))
    (logs / "changes-2026-11-22.log").write_text("{}\n")
    said = "192.0.2.50 hello-wheelhouse 1.1 hello_wheelhouse-1.1-py3-none-any.whl pip/26.0"
    assert listed(capsys) == [
        f"2026-11-20T10:00:00+00:00 ann {said}",
        f"2026-11-21T10:00:00+00:00 - {said}",
        f"2026-11-22T11:30:12+00:00 bob {said}",
    ]


@pytest.mark.parametrize("block", [1, 150, 1024 * 1024])
@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--project", "Hello.Wheelhouse"], "1 2 3"),
        (["--project", "hello"], ""),
        (["--version", "1.1.0"], "1 2"),
        (["--file", "hello-wheelhouse-2.0.tar.gz"], "3"),
        (["--login", "ci+x"], "2"),
        (["--login", ""], "4"),
        (["--client", "192.0.2.0/24"], "1 3 4"),
        (["--client", "2001:db8::1"], "2"),
        (["--since", "2026-11-23"], "3 4"),
        (["--until", "2026-11-23"], "1 2"),
        (["--project", "torch", "--since", "2026-11-01T00:00:00Z"], "4"),
    ],
    ids=" ".join,
)
def test_options_say_which(
    logs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    found: str,
    block: int,
) -> None:
    monkeypatch.setattr(downloads, "_BLOCK_BYTES", block)
    public = "/public/torch/files.example.org/a/torch-2.9-cp313-cp313-linux_x86_64.whl"
    (logs / "access.log").write_text(
        line(FILE, agent="1")
        + line("/packages/old/Hello%5Fwheelhouse-1.1-py3-none-any.whl?x", agent="2", user="ci+x", client="2001:db8::1")
        + line("/packages/hello-wheelhouse-2.0.tar.gz", "2026-11-23T00:00:00", agent="3", status=206)
        + line(public, "2026-11-24T00:00:00", agent="4", route="public", verdict="")
    )
    assert " ".join(said.split()[-1] for said in listed(capsys, *options)) == found


def test_what_is_no_download_of_a_file_is_left_out(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "access.log").write_text(
        line(FILE, method="HEAD")
        + line(FILE, status=304)
        + line(FILE, status=401)
        + line(FILE + ".metadata")
        + line(FILE + ".asc")
        + line("/simple/hello-wheelhouse/", route="project")
    )
    assert downloads.main([]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "downloads: nothing matches\n")


def test_pseudonyms_are_the_same_for_the_same_and_say_nothing(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "access.log").write_text(line(FILE) + line(FILE) + line(FILE, user="ann"))
    first, second, other = (json.loads(said) for said in listed(capsys, "--pseudonyms", "--json"))
    assert first["login"] == second["login"] != other["login"]
    assert first["client"] == other["client"]
    assert "bob" not in str(first)
    assert "192.0.2.50" not in str(first)
    (again, *_) = (json.loads(said) for said in listed(capsys, "--pseudonyms", "--json"))
    assert again["login"] != first["login"]


def test_what_cannot_be_read_is_named_and_the_rest_is_listed(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = gzip.compress(line(FILE).encode() * 1000)
    (logs / "access-2026-11-21T00-00-01Z.log.gz").write_bytes(whole[:-20])
    (logs / "access-2026-11-21T00-00-02Z.log.gz").write_bytes(whole[:20] + b"\xff" * 20 + whole[40:])
    strange = line(FILE, agent="\x1b[2J").encode().replace(b"2J", b"2J\xff")
    (logs / "access.log").write_bytes(strange + b'{"route":"file"}\n{"route":"file","ti')
    assert downloads.main(["--login", "bob", "--json"]) == 1
    said = capsys.readouterr()
    for second in (1, 2):
        assert f"access-2026-11-21T00-00-0{second}Z.log.gz (" in said.err
    assert downloads.main([]) == 1
    said = capsys.readouterr()
    assert "2 lines of access.log" in said.err
    assert "\x1b" not in said.out


def test_a_log_that_is_rotated_meanwhile_is_read_once(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "access.log").write_text(line(FILE))
    # What the timer does: first another name, then a new file; a file that is being compressed is there twice.
    (logs / "access-2026-11-22T12-00-00Z.log").hardlink_to(logs / "access.log")
    assert len(listed(capsys)) == 1
    (logs / "access-2026-11-22T12-00-00Z.log.gz").write_bytes(gzip.compress(line(FILE).encode())[:-9])
    assert len(listed(capsys)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--since", "yesterday"], "'yesterday' is not a day or a time; give one such as 2026-11-20"),
        (["--project", "-"], "'-' is not the name of a project"),
        (["--client", "here"], "'here' is not an address or a network"),
        (["--user", "bob"], "unrecognized arguments: --user bob"),
    ],
)
def test_a_wrong_option_gets_one_line(
    logs: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        downloads.main(options)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert message in said


def test_it_begins_without_pypiserver_which_takes_longer_than_a_month_of_logs() -> None:
    script = "import sys; from wheelhouse_index.commands import downloads; print('pypiserver' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
