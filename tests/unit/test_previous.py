"""What the script keeps of a stack that was proved, and what it puts back; Docker is a script that says what it was asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "roles" / "stack" / "files" / "previous.sh"
ASKED = ("http://127.0.0.1:80", "true")
COMPOSE = "services:\n  nginx:\n    image: nginx:1.30\n  pypi-server:\n    image: own/pypiserver:v2\n"
BACK = "\n".join([*ASKED, "abc", COMPOSE])
DOCKER = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$1 $2" in
"ps --all") echo one two ;;
"inspect --format") printf 'pypi-server sha256:b own/pypiserver:v2\\nnginx sha256:a nginx:1.30\\n' ;;
"tag sha256:"*) [ ! -e "$ASKED.pruned" ] ;;
"image inspect") cat "$ASKED.image.$5" 2>/dev/null ;;
esac
"""
# Counts, and then is the program itself.
KILLING = """#!/bin/sh
echo >>"$ASKED.programs"
[ "$(wc -l <"$ASKED.programs")" -lt "$KILL_AT" ] || kill -9 0
PATH=${{PATH#*:}} exec {name} "$@"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tree(tmp_path)


def tree(folder: Path) -> Path:
    """Make a tree with a stack that is kept, then replaced by another one."""
    home = folder / "home"
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
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    for image, digest in (("nginx:1.30", "a"), ("own/pypiserver:v2", "b")):
        at(folder, image).parent.mkdir(parents=True, exist_ok=True)
        at(folder, image).write_text(f"sha256:{digest}\n")
    assert run(home, "proved", *ASKED) == ""
    for name in ("nginx/nginx.conf", "nginx/tls/key.pem", "pypiserver/gunicorn.conf.py", "authentication/tokens.conf"):
        (home / name).write_text("new")
    for name in ("nginx/conf.d/new.conf", "nginx/conf.d/later.conf", "nginx/public_ca.pem", "pypiserver/new.py"):
        (home / name).write_text("new")
    (home / "docker-compose.yml").write_text("new")
    return home


def at(folder: Path, image: str) -> Path:
    """Return the file that says which image has a name."""
    return folder / f"asked.image.{image}"


def rename(home: Path, now: str | None) -> None:
    """Have the name of pypiserver's image lead to another one, or to none."""
    if now is None:
        at(home.parent, "own/pypiserver:v2").unlink()
    else:
        at(home.parent, "own/pypiserver:v2").write_text(now)


def call(home: Path, verb: str, *arguments: str, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script; all of it is killed before the nth program that it starts, if one is given."""
    script = SCRIPT.read_text(encoding="utf-8")
    command = [
        "sh",
        "-c",
        script,
        "previous.sh",
        verb,
        str(home),
        "dev",
        *(arguments or ["nginx.conf conf.d/new.conf"]),
    ]
    environment = {"PATH": f"{home.parent}:/usr/bin:/bin", "ASKED": str(home.parent / "asked")}
    if kill_at:
        environment = {**environment, "PATH": f"{_killing(home.parent)}:{environment['PATH']}", "KILL_AT": str(kill_at)}
        (home.parent / "asked.programs").unlink(missing_ok=True)
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, start_new_session=bool(kill_at)
    )


def _killing(folder: Path) -> Path:
    """Make what is found before the programs that change something, and return its folder."""
    made = folder / "killing"
    made.mkdir(exist_ok=True)
    for name in ("mv", "rm", "cp", "mkdir", "sed", "docker", "chmod", "chown", "cat"):
        (made / name).write_text(KILLING.format(name=name))
        (made / name).chmod(0o755)
    return made


def run(home: Path, verb: str, *arguments: str) -> str:
    done = call(home, verb, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def texts(home: Path) -> dict[str, str]:
    """Return what the files of a tree hold, without what was kept."""
    found = {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if not name.startswith(".previous/")}


def test_images_are_kept_by_a_name_of_their_own_and_no_login_is_kept(home: Path) -> None:
    asked = (home.parent / "asked").read_text().splitlines()
    assert "tag sha256:a wheelhouse/previous:dev.nginx" in asked
    assert "tag sha256:b wheelhouse/previous:dev.pypi-server" in asked
    kept = {str(path.relative_to(home / ".previous")) for path in (home / ".previous").rglob("*") if path.is_file()}
    assert kept == {
        *("docker-compose.yml", "images", "asked", "nginx/nginx.conf", "nginx/conf.d/own.conf", "nginx/revision.conf"),
        "pypiserver/gunicorn.conf.py",
    }
    assert (home / ".previous").stat().st_mode & 0o777 == 0o700
    assert not (home / ".unproved").exists()


def test_files_come_back_and_logins_certificates_and_files_of_others_stay(home: Path) -> None:
    assert run(home, "back") == BACK
    assert texts(home) == {
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
    assert run(home, "back") == BACK


@pytest.mark.parametrize("verb", ["back", "proved"])
def test_what_is_killed_at_any_moment_is_made_good_by_the_next_call(tmp_path: Path, verb: str) -> None:
    old, new = ("old", COMPOSE), ("new", "new")
    found = set()
    for kill_at in range(1, 100):
        home = tree(tmp_path / str(kill_at))
        done = call(home, verb, *(ASKED if verb == "proved" else ()), kill_at=kill_at)
        assert done.returncode in (0, -9), done
        assert run(home, "back") != "", f"{kill_at}: nothing is kept any more"
        after = texts(home)
        assert (after["authentication/tokens.conf"], after["nginx/tls/key.pem"]) == ("new", "new")
        assert not [name for name in after if name.startswith(".previous")], (kill_at, after)
        assert after["pypiserver/gunicorn.conf.py"] == after["nginx/nginx.conf"], (kill_at, after)
        found.add((after["nginx/nginx.conf"], after["docker-compose.yml"]))
        if done.returncode == 0:
            break
    assert kill_at > 10, "hardly anything was killed"
    # What was kept is put back as a whole, or what was to be kept instead.
    assert found == ({old} if verb == "back" else {old, new})


@pytest.mark.parametrize("now", ["sha256:other\n", None])
def test_an_image_whose_name_leads_elsewhere_comes_back_by_the_kept_one(home: Path, now: str | None) -> None:
    rename(home, now)
    wanted = COMPOSE.replace("own/pypiserver:v2", "wheelhouse/previous:dev.pypi-server")
    assert run(home, "back") == BACK.replace(COMPOSE, wanted)
    assert (home / "docker-compose.yml").read_text() == wanted


@pytest.mark.parametrize(
    ("replaced", "moved"), [("own/pypiserver:v2 other:1", True), ("own/pypiserver:v22", False), ("", False)]
)
def test_the_tag_of_an_image_that_this_run_has_replaced_goes_back_as_well(
    home: Path, replaced: str, moved: bool
) -> None:
    rename(home, "sha256:other\n")
    (home / ".newer").write_text(replaced.replace(" ", "\n"))
    run(home, "back")
    assert not (home / ".newer").exists()
    asked = (home.parent / "asked").read_text().splitlines()
    assert ("tag sha256:b own/pypiserver:v2" in asked) == moved
    assert "tag sha256:a nginx:1.30" not in asked


@pytest.mark.parametrize("now", ["sha256:other\n", None])
def test_an_image_that_is_missing_is_named_before_anything_is_replaced(home: Path, now: str | None) -> None:
    rename(home, now)
    (home.parent / "asked.pruned").touch()
    before = texts(home)
    done = call(home, "back")
    assert (done.returncode, done.stdout) == (1, "")
    words = "The image of pypi-server is not on this host any more: own/pypiserver:v2, sha256:b. Load or pull it."
    assert words in done.stderr, done.stderr
    assert texts(home) == before


def test_a_disk_without_room_leaves_all_as_it_was(home: Path) -> None:
    before = texts(home)
    full = home.parent / "cp"
    full.write_text("#!/bin/sh\necho no space >&2\nexit 1\n")
    full.chmod(0o755)
    done = call(home, "back")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no space\n")
    assert texts(home) == before


def test_folders_that_were_removed_or_added_since_are_put_right(home: Path) -> None:
    (home / "directory").mkdir()
    (home / "directory/password").write_text("old")
    (home / "directory").chmod(0o750)
    run(home, "proved", *ASKED)
    (home / "directory/password").unlink()
    (home / "directory").rmdir()
    (home / "bridge").mkdir()
    (home / "bridge/proxy").write_text("new")
    run(home, "back")
    assert (home / "directory/password").read_text() == "old"
    assert (home / "directory").stat().st_mode & 0o777 == 0o750
    assert not (home / "bridge/proxy").exists()


def test_a_stack_without_a_revision_comes_back(home: Path) -> None:
    (home / "nginx/revision.conf").unlink()
    run(home, "proved", *ASKED)
    (home / "nginx/revision.conf").write_text("return 200 new;\n")
    assert run(home, "back").splitlines()[:4] == [*ASKED, "", "new"]
    assert not (home / "nginx/revision.conf").exists()


def test_what_serves_without_a_proof_stays_unproved(home: Path) -> None:
    (home / ".unproved").touch()
    for verb in ("keep", "loaded"):
        run(home, verb, *ASKED)
        assert (home / ".unproved").exists()
    run(home, "proved", *ASKED)
    assert not (home / ".unproved").exists()


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        (["docker-compose.yml"], True),
        (["docker-compose.yml", ".previous"], False),
        # Of a first run that failed: a second one without changes would go back to what never worked.
        (["docker-compose.yml", ".unproved"], False),
    ],
)
def test_a_first_run_that_failed_is_not_kept(there: list[str], kept: bool) -> None:
    play = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))[-1]
    (task,) = [one for one in play["tasks"][1]["block"] if one["name"] == "Keep what serves"]
    said = {"ansible_check_mode": False, "__pypi_preflight": {"engine": "docker", "there": there}}
    assert Environment().compile_expression(task["when"])(said) is kept


def test_a_reload_alone_keeps_files_of_nginx_alone(home: Path) -> None:
    """With ``--tags nginx`` the Compose file and settings were written, and nothing was started with them."""
    run(home, "loaded", "http://127.0.0.1:80", "false")
    (home / "nginx/nginx.conf").write_text("newer")
    assert run(home, "back") == BACK.replace("true", "false")
    assert (home / "nginx/nginx.conf").read_text() == "new"
    assert (home / "pypiserver/gunicorn.conf.py").read_text() == "old"


def test_keeping_what_is_on_another_disk_leaves_its_certificates(home: Path) -> None:
    (home / "nginx").rename(home.parent / "disk")
    (home / "nginx").symlink_to(home.parent / "disk")
    run(home, "proved", *ASKED)
    assert (home / "nginx/tls/key.pem").read_text() == "new"
    (home / "nginx/nginx.conf").write_text("newer")
    run(home, "back")
    assert (home.parent / "disk/nginx.conf").read_text() == "new"


def test_without_a_stack_that_was_proved_nothing_comes_back(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert run(tmp_path / "home", "back") == ""
