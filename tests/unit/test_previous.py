"""What the script keeps of a stack that was proved, and what it puts back; Docker is a script that says what it was asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "roles" / "stack" / "files" / "previous.sh"
COMPOSE = "services:\n  nginx:\n    image: nginx:1.30\n  pypi-server:\n    image: own/pypiserver:v2\n"
DOCKER = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$1 $2" in
"ps --all") echo one two ;;
"inspect --format") printf 'pypi-server sha256:b own/pypiserver:v2\\nnginx sha256:a nginx:1.30\\n' ;;
"image inspect") cat "$ASKED.image.$5" 2>/dev/null ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A tree with a stack that is kept, then replaced by another one."""
    home = tmp_path / "home"
    for name, text in {
        "docker-compose.yml": COMPOSE,
        "nginx/nginx.conf": "old",
        "nginx/conf.d/own.conf": "theirs",
        "nginx/revision.conf": "return 200 abc;\n",
        "nginx/tls/key.pem": "old key",
        "pypiserver/gunicorn.conf.py": "old",
        "authentication/tokens.conf": "old",
        ".unproved": "",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    for image, digest in (("nginx:1.30", "a"), ("own/pypiserver:v2", "b")):
        at(tmp_path, image).parent.mkdir(parents=True, exist_ok=True)
        at(tmp_path, image).write_text(f"sha256:{digest}\n")
    assert run(home, "keep") == ""
    for name in ("nginx/nginx.conf", "nginx/tls/key.pem", "pypiserver/gunicorn.conf.py", "authentication/tokens.conf"):
        (home / name).write_text("new")
    for name in ("nginx/conf.d/new.conf", "nginx/conf.d/later.conf", "nginx/public_ca.pem", "pypiserver/new.py"):
        (home / name).write_text("new")
    (home / "docker-compose.yml").write_text("new")
    return home


def at(folder: Path, image: str) -> Path:
    """Return the file that says which image has a name."""
    return folder / f"asked.image.{image}"


def run(home: Path, verb: str) -> str:
    command = [
        "sh",
        "-c",
        SCRIPT.read_text(encoding="utf-8"),
        "previous.sh",
        verb,
        str(home),
        "dev",
        "nginx.conf conf.d/new.conf",
    ]
    environment = {"PATH": f"{home.parent}:/usr/bin:/bin", "ASKED": str(home.parent / "asked")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_images_are_kept_by_a_name_of_their_own_and_no_login_is_kept(home: Path) -> None:
    asked = (home.parent / "asked").read_text().splitlines()
    assert "tag sha256:a wheelhouse/previous:dev.nginx" in asked
    assert "tag sha256:b wheelhouse/previous:dev.pypi-server" in asked
    kept = {str(path.relative_to(home / ".previous")) for path in (home / ".previous").rglob("*") if path.is_file()}
    assert kept == {
        *("docker-compose.yml", "images", "nginx/nginx.conf", "nginx/conf.d/own.conf", "nginx/revision.conf"),
        "pypiserver/gunicorn.conf.py",
    }
    assert (home / ".previous").stat().st_mode & 0o777 == 0o700
    assert not (home / ".unproved").exists()


def test_files_come_back_and_logins_certificates_and_files_of_others_stay(home: Path) -> None:
    assert run(home, "back") == "abc\n" + COMPOSE
    texts = {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}
    assert {name: text for name, text in texts.items() if not name.startswith(".previous")} == {
        "docker-compose.yml": COMPOSE,
        "nginx/nginx.conf": "old",
        "nginx/conf.d/own.conf": "theirs",
        "nginx/conf.d/later.conf": "new",
        "nginx/revision.conf": "return 200 abc;\n",
        "nginx/tls/key.pem": "new",
        "pypiserver/gunicorn.conf.py": "old",
        "authentication/tokens.conf": "new",
    }
    # A run that was killed meanwhile may be followed by another one.
    assert run(home, "back") == "abc\n" + COMPOSE


@pytest.mark.parametrize("now", ["sha256:other\n", None])
def test_an_image_whose_name_leads_elsewhere_comes_back_by_the_kept_one(home: Path, now: str | None) -> None:
    if now is None:
        at(home.parent, "own/pypiserver:v2").unlink()
    else:
        at(home.parent, "own/pypiserver:v2").write_text(now)
    wanted = COMPOSE.replace("own/pypiserver:v2", "wheelhouse/previous:dev.pypi-server")
    assert run(home, "back") == "abc\n" + wanted
    assert (home / "docker-compose.yml").read_text() == wanted


def test_without_a_stack_that_was_proved_nothing_comes_back(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert run(tmp_path / "home", "back") == ""
