"""Scripts of the roles that talk to Docker: about the index's own services alone, and to the host's own engine."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.wheelhouse.pypi.plugins.module_utils import docker_cli
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import host

ROLES = Path(__file__).parents[3] / "roles"
# An engine with a container of a service, and one that `docker compose run` has left.
DOCKER = """#!/bin/sh
case "$*" in
'ps '*oneoff=False*) ;;
'ps '*' --format container '*) echo 'container nginx|nginx:1.30|exited Exited (0) 2 hours ago' ;;
'ps '*) echo c2 ;;
esac
case "$*" in
'ps '*' --format container '*) echo 'container nginx|nginx:1.30|running Up 2 hours (healthy)' ;;
'ps '*) echo c1 ;;
'inspect '*c2) echo exited ;;
'inspect '*) echo 'running (healthy)' ;;
'version '*) echo engine 26.1.5 ;;
'compose version '*) echo v2.26.1 ;;
'exec c1 '*) echo r1 ;;
esac
"""


def test_a_container_of_docker_compose_run_is_no_service_that_is_unwell(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", (ROLES / script).read_text(encoding="utf-8"), "sh", *arguments]
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    look = run("pypi/files/look.sh", "index")
    assert look.stdout.splitlines() == [
        "engine 26.1.5",
        "compose 2.26.1",
        "container nginx|nginx:1.30|running Up 2 hours (healthy)",
    ]
    up = run("stack/files/up.sh", "index", str(tmp_path), "1", "up", "same")
    assert (up.returncode, up.stderr) == (0, "")
    reload = run("stack/files/reload.sh", "index", "r1", "same", "reload")
    assert (reload.returncode, reload.stdout, reload.stderr) == (0, "", "")


@pytest.mark.parametrize("answer", [0, 1])
def test_a_container_that_starts_is_asked_by_its_own_health_check(tmp_path: Path, answer: int) -> None:
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh
case "$*" in
'ps '*) echo c1 ;;
'inspect --format {{{{range'*) printf 'sh\\n-c\\ncheck * $PATH\\n\\n' ;;
'inspect --format {{{{.State'*) echo 'running (starting)' ;;
'inspect --format {{{{slice .Name'*) echo 'c1 is what it is' ;;
'exec c1 '*) shift 2; printf '%s\\n' $# "$@" >"{tmp_path}/exec"; exit {answer} ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", (ROLES / "stack/files/up.sh").read_text(), "sh", "index", str(tmp_path), "1", "up", "changed"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (tmp_path / "exec").read_text() == "3\nsh\n-c\ncheck * $PATH\n"
    assert done.returncode == answer, done.stderr
    assert ("The containers are not healthy after" in done.stderr) == bool(answer)


@pytest.mark.parametrize("engine", ["", "#!/bin/sh\nexit 1\n"])
@pytest.mark.parametrize("mode", ["reload", "check"])
def test_where_no_engine_answers_nothing_runs_and_a_reload_is_not_taken_for_done(
    tmp_path: Path, engine: str, mode: str
) -> None:
    if engine:
        (tmp_path / "docker").write_text(engine)
        (tmp_path / "docker").chmod(0o755)

    def run(name: str) -> tuple[int, str, str]:
        script = (ROLES / name).read_text(encoding="utf-8")
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", "index", "r1", "changed", mode],
            env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    assert run("pypi/files/look.sh") == (0, "", "")
    code, out, error = run("stack/files/reload.sh")
    if engine and mode == "reload":
        assert (code, out) == (1, "")
        assert "Docker does not answer: NGINX may not have loaded them" in error
    else:
        assert (code, out, error) == (0, "", "")


def test_logins_that_only_one_of_two_could_load_are_no_success(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\ncase $* in *service=nginx*) echo 1f;; esac\n")
    (tmp_path / "docker").chmod(0o755)
    script = (ROLES / "stack/files/reload.sh").read_text(encoding="utf-8")

    def run(mode: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", "-c", script, "sh", "index", "r1", "same", mode]
        return subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    assert run("check").returncode == 0
    done = run("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "only one of nginx and auth is running" in done.stderr


@pytest.mark.parametrize(("state", "asks"), [("inactive", False), ("failed", False), ("active", True), ("", True)])
def test_the_doctor_talks_to_no_engine_that_is_stopped(tmp_path: Path, state: str, asks: bool) -> None:
    """Its socket would start it. Without systemd's unit there is none to start."""
    systemctl = f"#!/bin/sh\ncase $1 in cat) {'true' if state else 'false'};; is-active) echo {state};; esac\n"
    for name, text in (("docker", f"#!/bin/sh\necho $* >>{tmp_path}/asked\n"), ("systemctl", systemctl)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    doctor = (ROLES / "stack/files/doctor.sh").read_text(encoding="utf-8")
    assert docker_cli.AWAKE_DOCKER in doctor
    for script in (doctor, host.command(["python3"], "no-one", str(tmp_path), ["no/such:image"], diagnosing=True)):
        done = subprocess.run(
            ["sh", "-c", script, "sh", "index", str(tmp_path)],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert (tmp_path / "asked").exists() == asks
        assert script != doctor or ("stopped docker.service" in done.stdout.splitlines()) != asks
        (tmp_path / "asked").unlink(missing_ok=True)


def test_the_doctor_sees_the_units_of_its_own_index_alone(tmp_path: Path) -> None:
    units = [f"wheelhouse-{name}-{what}" for name in ("pypi", "pypi-dev") for what in ("logs.service", "backup.timer")]
    every = "".join(f"  echo {unit} loaded active x\n" for unit in units)
    # It takes a pattern as systemctl does.
    systemctl = f"""#!/bin/sh
[ "$1" = list-units ] || exit 1
{{
{every}}} | while read -r unit rest; do
    for pattern; do case $unit in $pattern) echo "$unit $rest"; break ;; esac; done
done
"""
    (tmp_path / "systemctl").write_text(systemctl)
    (tmp_path / "systemctl").chmod(0o755)
    doctor = (ROLES / "stack/files/doctor.sh").read_text(encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", doctor, "sh", "pypi", str(tmp_path)],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if line.startswith("unit ")]
    assert found == ["unit wheelhouse-pypi-logs.service|active", "unit wheelhouse-pypi-backup.timer|active"]


@pytest.mark.parametrize("script", ["stack/templates/rotate.sh.j2", "nginx/templates/renew.sh.j2"])
def test_timers_talk_to_no_container_of_docker_compose_run(script: str) -> None:
    text = (ROLES / script).read_text(encoding="utf-8")
    assert text.count("docker ps ") == text.count("--filter label=com.docker.compose.oneoff=False") == 1


def test_scripts_and_modules_drop_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    of_roles = yaml.safe_load((ROLES / "pypi/vars/main.yml").read_text(encoding="utf-8"))["__pypi_own_docker"]
    assert of_roles == docker_cli.OWN_DOCKER
    leading = {"COMPOSE_FILE": "/etc/passwd", "COMPOSE_PROJECT_NAME": "other", "DOCKER_HOST": "tcp://192.0.2.1:1"}
    kept = {"PATH": os.environ["PATH"], "HTTPS_PROXY": "http://192.0.2.2:3128"}
    done = subprocess.run(
        ["sh", "-c", f"{of_roles}env"], env={**kept, **leading}, capture_output=True, text=True, check=True
    )
    assert not [name for name in leading if name in done.stdout], done.stdout
    assert "HTTPS_PROXY=http://192.0.2.2:3128" in done.stdout
    for name, value in leading.items():
        monkeypatch.setenv(name, value)
    docker_cli.talk_to_own_engine()
    assert not {*leading} & {*os.environ}


@pytest.mark.parametrize(
    ("missing", "newer", "code", "said"),
    [
        ("a:1 b:1", "", 0, ["pulled a:1", "pulled b:1"]),
        (
            *("a:1", "b:1 away:1 c:1", 0),
            ["pulled a:1", "replaced b:1 b@sha256:old", "kept away:1 connection refused", "replaced c:1 "],
        ),
        ("away:1", "b:1", 1, []),
    ],
)
@pytest.mark.parametrize("user", ["", "robot", "refused"])
def test_only_a_missing_image_that_cannot_be_pulled_fails_the_run(
    tmp_path: Path, user: str, missing: str, newer: str, code: int, said: list[str]
) -> None:
    (tmp_path / "docker").write_text("""#!/bin/sh
case "$*" in
'image inspect --format '*' b:1') echo b@sha256:old; echo other/b@sha256:old; exit ;;
'image inspect --format '*' c:1') echo; exit ;;
'login --username refused '*) echo unauthorized >&2; exit 1 ;;
'image inspect '* | 'pull --quiet away:1') printf 'Trying\\nconnection refused\\n' >&2; exit 1 ;;
'pull '*) echo "docker.io/library/$3" ;;
esac
""")
    (tmp_path / "docker").chmod(0o755)
    script = (ROLES / "images/files/pull.sh").read_text(encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", script, "pull.sh", user, "mirror.example.com", missing, newer, str(tmp_path)],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        input="S3cret", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if user == "refused":
        # Nothing was pulled: what is missing needs the login.
        code, said = 1, []
    assert (done.returncode, done.stdout.splitlines()) == (code, said)
    assert code == 0 or done.stderr.splitlines()[-1] in ("unauthorized", "connection refused")
    noted = tmp_path / ".newer"
    assert (noted.read_text().split() if noted.exists() else []) == (newer.split() if said and newer else [])
    noted.unlink(missing_ok=True)
    assert [path.name for path in tmp_path.iterdir()] == ["docker"], "no login stays"


def test_newer_images_alone_do_without_a_login_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho unauthorized >&2; exit 1\n")
    (tmp_path / "docker").chmod(0o755)
    script = (ROLES / "images/files/pull.sh").read_text(encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", script, "pull.sh", "robot", "", "", "b:1", str(tmp_path / "none")],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, input="S3cret", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "kept b:1 unauthorized\n")


@pytest.mark.parametrize(
    ("dry_run", "serves", "seconds", "was_drained", "is_drained"),
    [
        (" Container x  Recreated", "n1", "1", False, True),
        (" Container x  Recreated", "n1", "600", True, True),
        (" Container x  Running", "n1", "600", False, False),
        # Nothing serves that balancers could leave; a host alone; no time.
        (" Container x  Recreated", "", "600", False, False),
        (" Container x  Recreated", "n1", "", False, False),
        (" Container x  Recreated", "n1", "0", False, False),
    ],
)
def test_a_node_is_drained_before_its_containers_are_replaced(
    tmp_path: Path, dry_run: str, serves: str, seconds: str, was_drained: bool, is_drained: bool
) -> None:
    (tmp_path / "nginx").mkdir()
    drained = tmp_path / "nginx/drained"
    if was_drained:
        drained.touch()
        os.utime(drained, (time.time() - 700, time.time() - 700))
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh
case "$*" in
'ps --all'*) ;;
*service=nginx) echo {serves} ;;
*--dry-run*) echo '{dry_run}' ;;
*' up '*) echo " Container x  Started"; ls "{tmp_path}/nginx" >"{tmp_path}/there" ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    began = time.monotonic()
    done = subprocess.run(
        [
            "sh", "-c", (ROLES / "stack/files/up.sh").read_text(),
            "sh", "index", str(tmp_path), "1", "up", "same", *seconds.split(),
        ],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    took = time.monotonic() - began
    assert (tmp_path / "there").read_text() == ("drained\n" if is_drained else "")
    assert ("drained" in done.stdout.split()) == is_drained
    # Where it was drained for longer than that already, nothing is waited for.
    assert (took >= 1) == (is_drained and not was_drained), took


@pytest.mark.parametrize(
    ("dry_run", "seconds", "refused"),
    [("Recreated", "600", True), ("Running", "600", False), ("Recreated", "0", False)],
)
def test_the_last_node_that_is_well_is_not_drained(tmp_path: Path, dry_run: str, seconds: str, refused: bool) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh
case "$*" in
*service=nginx) echo n1 ;;
*--dry-run*) echo ' Container x  {dry_run}' ;;
*' up '*) touch "{tmp_path}/up" ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    done = subprocess.run(
        [
            "sh", "-c", (ROLES / "stack/files/up.sh").read_text(),
            "sh", "index", str(tmp_path), "1", "up", "same", seconds, "node-2, node-3",
        ],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == int(refused)
    assert ("would serve meanwhile (node-2, node-3: GET /health)" in done.stderr) == refused
    assert (tmp_path / "up").exists() == (not refused)
    assert not (tmp_path / ".unproved").exists() or not refused
    assert not (tmp_path / "nginx/drained").exists()


def test_a_run_that_was_cut_off_while_it_drained_does_not_wake_up_later(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    drained = tmp_path / "nginx/drained"
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh
case "$*" in
*service=nginx) echo n1 ;;
*--dry-run*) echo ' Container x  Recreated' ;;
*' up '*) touch "{tmp_path}/changed" ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    words = [
        "sh",
        "-c",
        (ROLES / "stack/files/up.sh").read_text(),
        "sh",
        "index",
        str(tmp_path),
        "1",
        "up",
        "same",
        "2",
    ]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    first = start()
    while not (drained.exists() and drained.read_text()):
        time.sleep(0.01)
    # As stack/tasks/well.yml of another run does.
    drained.unlink()
    _out, error = first.communicate(timeout=30)
    assert first.returncode == 1
    assert "Another run has taken over" in error
    assert not (tmp_path / "changed").exists()
    earlier = start()
    while not (drained.exists() and drained.read_text()):
        time.sleep(0.01)
    later = start()
    assert later.wait(timeout=30) == 0
    assert earlier.wait(timeout=30) == 1
