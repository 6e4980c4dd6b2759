"""What follows from the survey of a host."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.wheelhouse.pypi.plugins.module_utils import docker_cli
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import (
    Survey,
    port_holder,
    survey_command,
)

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
ANY_80 = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
LOOPBACK_80 = "   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
ANY6_80 = "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 0"
LOOPBACK6_80 = (
    "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 0"
)
MAPPED_80 = "   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 0"
CLIENT_80 = "   1: 0100007F:D431 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0"
APACHE = 'LISTEN 0 511 *:80 *:* users:(("apache2",pid=812,fd=4),("apache2",pid=811,fd=4))'


@pytest.mark.parametrize(
    ("sockets", "published", "address", "holder"),
    [
        pytest.param([], [], "0.0.0.0", "", id="free"),
        pytest.param([HEADER, CLIENT_80], [], "0.0.0.0", "", id="a client is no listener"),
        pytest.param([ANY_80], [], "0.0.0.0", "apache2 (process 812)", id="same wildcard"),
        pytest.param([ANY6_80], [], "127.0.0.1", "apache2 (process 812)", id="IPv6 wildcard takes IPv4 too"),
        pytest.param([LOOPBACK_80], [], "0.0.0.0", "apache2 (process 812)", id="wildcard wants all addresses"),
        pytest.param([LOOPBACK_80], [], "192.0.2.7", "", id="another address"),
        pytest.param([LOOPBACK6_80], [], "::1", "apache2 (process 812)", id="IPv6 loopback"),
        pytest.param([MAPPED_80], [], "127.0.0.1", "apache2 (process 812)", id="IPv4 inside IPv6"),
        pytest.param([ANY_80], ["pypi-server|n|0.0.0.0:80->8080/tcp, :::80->8080/tcp"], "0.0.0.0", "", id="ours"),
        pytest.param([ANY_80], ["other|web-1|0.0.0.0:80->80/tcp"], "0.0.0.0", "the container web-1", id="container"),
        pytest.param([], ["other|web-1|[::]:80->80/tcp"], "0.0.0.0", "the container web-1", id="no userland proxy"),
        pytest.param([], ["other|web-1|0.0.0.0:8080->80/tcp"], "0.0.0.0", "", id="another port"),
        pytest.param([LOOPBACK6_80], [], "0.0.0.0", "", id="IPv6 is not in the way of IPv4"),
        pytest.param([ANY_80], [], "::", "", id="nor IPv4 in the way of IPv6"),
        pytest.param([LOOPBACK6_80], [], "::", "apache2 (process 812)", id="wildcard wants all of IPv6"),
    ],
)
def test_port_holder(sockets: list[str], published: list[str], address: str, holder: str) -> None:
    survey = Survey(sockets=tuple(sockets), published=tuple(published), listeners=(APACHE,))
    assert str(port_holder(survey, "pypi-server", address, 80)) == holder


def test_a_container_that_is_going_to_be_replaced_is_not_in_the_way() -> None:
    survey = Survey(sockets=(ANY_80,), published=("by-hand|web-1|0.0.0.0:80->80/tcp||/srv",), listeners=(APACHE,))
    assert port_holder(survey, "pypi-server", "0.0.0.0", 80, going=["web-1"]) == ""


def test_a_holder_without_a_name_is_still_a_holder() -> None:
    assert port_holder(Survey(sockets=(ANY_80,)), "pypi-server", "0.0.0.0", 80) == "another process"


def test_parse_takes_sections_apart() -> None:
    survey = Survey.parse(
        "@@python\n/usr/bin/python3\n3.13\n@@system\nDebian GNU/Linux 13 (trixie)\n"
        "@@release\ndebian 13\n@@machine\nx86_64\n@@bundle\nleft\n"
        "@@account\npypi:x:998:997:Index:/home/pypi:/usr/sbin/nologin\n@@engine\n26.1.5+dfsg1\n"
        "@@daemon\n/usr/sbin/dockerd\n@@compose\nv2.26.1\n@@packages\nii |docker-cli\niU |docker.io\n"
        "un |docker-ce\npackage moby-engine is not installed\n"
        "@@tree\nthere\n@@images\nsha256:1 nginx:1.30\n@@published\n@@sockets\n@@listeners\n"
        "@@files\nd 0700 998:997 .\nf 0600 998:997 ./nginx/nginx.conf\nl 0777 0:0 ./packages\n"
        "@@certificate\n-----BEGIN CERTIFICATE-----\nMIIB\n\n@@authority\n\n"
        "@@renewal\n0123  -\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n\nNeedDaemonReload=no\n"
        "@@rotation\n4567  -\nActiveState=inactive\nUnitFileState=disabled\nNeedDaemonReload=no\n@@certbot\n/usr/bin/certbot\n"
        "@@sums\n0abc  nginx/nginx.conf\n@@services\nnginx 111\n"
        "@@containers\nc1|running Up 2 hours (healthy)|nginx:1.30|nginx|111|sha256:1\n"
        "@@revision\nnginx r1\nauth r1\n@@answer\n401\n"
    )
    assert (survey.python, survey.python_version) == ("/usr/bin/python3", (3, 13))
    assert survey.system == "Debian GNU/Linux 13 (trixie)"
    assert survey.account_home == "/home/pypi"
    assert survey.facts() == {
        "current": True,
        "distribution": "debian-13",
        "architecture": "x86_64",
        "bundle_left": True,
        "account": "998:997",
        "daemon": "/usr/sbin/dockerd",
        "engine": "26.1.5+dfsg1",
        "compose": "2.26.1",
        "source": "distro",
        "unfinished": ["docker.io"],
        "tree": True,
        "certificate": "-----BEGIN CERTIFICATE-----\nMIIB",
        "authority": "",
        "renewal": "0123",
        "rotation": "4567 stopped",
        "certbot": True,
        "images": ["nginx:1.30"],
        "files": {
            ".": {"type": "d", "mode": "0700", "owner": "998:997"},
            "nginx/nginx.conf": {"type": "f", "mode": "0600", "owner": "998:997", "sha256": "0abc"},
            "packages": {"type": "l", "mode": "0777", "owner": "0:0"},
        },
        "containers": {"nginx": {"id": "c1", "image": "nginx:1.30", "healthy": True}},
        "settled": True,
        "revision": "r1",
        "answer": "401",
    }


GOOD = (
    "@@images\nsha256:1 nginx:1.30\n@@services\nnginx 111\n"
    "@@containers\nc1|running Up 2 hours (healthy)|nginx:1.30|nginx|111|sha256:1\n"
)


@pytest.mark.parametrize(
    ("before", "after", "settled"),
    [
        pytest.param("", "", True, id="as it is to be"),
        pytest.param("(healthy)", "(unhealthy)", False, id="not healthy"),
        pytest.param("(healthy)", "(health: starting)", False, id="not yet healthy"),
        pytest.param("running Up", "exited Exited", False, id="stopped"),
        pytest.param("|111|", "|222|", False, id="another configuration"),
        pytest.param("nginx|111|sha256:1", "nginx|111|sha256:2", False, id="another image"),
        pytest.param(
            "c1|running", "c2|running Up 1 s (healthy)|nginx:1.30|old|1|sha256:1\nc1|running", False, id="an orphan"
        ),
        pytest.param("@@services\nnginx 111", "@@services\nnginx 111\nauth 222", False, id="one is missing"),
        pytest.param("@@services\nnginx 111\n", "@@services\n", False, id="no Compose file"),
    ],
)
def test_a_stack_is_settled_when_nothing_is_to_be_done(before: str, after: str, settled: bool) -> None:
    assert Survey.parse(GOOD.replace(before, after, 1)).settled(1) is settled


# An engine with a container of a service, and one that `docker compose run` has left.
DOCKER = """#!/bin/sh
case "$*" in
'ps '*oneoff=False*) ;;
'ps '*' --format {{.ID}}|'*) echo 'c2|exited Exited (0) 2 hours ago|nginx:1.30|nginx|111|sha256:1' ;;
'ps '*) echo c2 ;;
esac
case "$*" in
'ps '*' --format {{.ID}}|'*) echo 'c1|running Up 2 hours (healthy)|nginx:1.30|nginx|111|sha256:1' ;;
'ps '*' --format '*) ;;
'ps '*) echo c1 ;;
'inspect '*c2) echo exited ;;
'inspect '*) echo 'running (healthy)' ;;
'image '*) echo 'sha256:1 nginx:1.30' ;;
'exec c1 '*) echo r1 ;;
esac
"""


def test_a_container_of_docker_compose_run_is_no_service_that_is_unwell(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", script, "sh", *arguments]
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    survey = Survey.parse(
        run(survey_command(["python3"], "index", "nobody", "/nowhere", ["nginx:1.30"], "::", None)).stdout
    )
    assert [one.id for one in survey.containers] == ["c1"]
    assert survey.revision == "r1"
    files = Path(__file__).parents[3] / "roles/stack/files"
    up = run((files / "up.sh").read_text(encoding="utf-8"), "index", "/nowhere", "1", "up")
    assert (up.returncode, up.stderr) == (0, "")
    reload = run((files / "reload.sh").read_text(encoding="utf-8"), "index", "r1", "same", "reload")
    assert (reload.returncode, reload.stdout, reload.stderr) == (0, "", "")


@pytest.mark.parametrize("script", ["roles/stack/templates/rotate.sh.j2", "roles/nginx/templates/renew.sh.j2"])
def test_timers_talk_to_no_container_of_docker_compose_run(script: str) -> None:
    text = (Path(__file__).parents[3] / script).read_text(encoding="utf-8")
    assert text.count("docker ps ") == text.count("--filter label=com.docker.compose.oneoff=False") == 1


GOES = "ActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\nNeedDaemonReload=no"
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("digest", "systemd", "told"),
    [
        pytest.param("4567", GOES, "4567", id="it runs"),
        pytest.param("4567", GOES.replace("active", "inactive", 1), "4567 stopped", id="never started, or stopped"),
        pytest.param("4567", GOES.replace("enabled", "disabled"), "4567 stopped", id="not after a boot"),
        pytest.param("4567", GOES.replace("no", "yes", 1), "4567 stopped", id="systemd has an older file"),
        pytest.param("4567", "", "4567 stopped", id="no systemd"),
        pytest.param(EMPTY, "ActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no", "", id="there is none"),
        pytest.param(EMPTY, GOES.replace("enabled", ""), " stopped", id="it has outlived its files"),
    ],
)
def test_a_timer_that_does_not_run_is_not_what_it_should_be(digest: str, systemd: str, told: str) -> None:
    survey = Survey.parse(f"@@renewal\n{digest}  -\n{systemd}\n@@rotation\n{digest}  -\n{systemd}\n")
    assert (survey.renewal, survey.rotation) == (told, told)


def test_systemd_is_asked_about_both_timers(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\n[ "$3" != wheelhouse-dev-logs.timer ] || echo "{GOES}"\n')
    (tmp_path / "systemctl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = survey_command(["python3"], "dev", "nobody", "/nowhere", [], "0.0.0.0", None)
    answer = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True).stdout
    before, _marker, rotation = answer.partition("@@rotation\n")
    assert "ActiveState" not in before
    assert rotation.splitlines()[1:5] == GOES.splitlines()


def test_a_stack_with_replicas_is_settled_when_all_are_there() -> None:
    line = "c{}|running Up 1 s (healthy)|pypiserver:1|pypi-server|111|sha256:1\n"
    both = (
        "@@images\nsha256:1 pypiserver:1\n@@services\npypi-server 111\n@@containers\n" + line.format(2) + line.format(1)
    )
    survey = Survey.parse(both)
    assert [survey.settled(number) for number in (1, 2, 3)] == [False, True, False]
    assert survey.facts(2)["containers"] == {"pypi-server": {"id": "c1 c2", "image": "pypiserver:1", "healthy": True}}
    unwell = Survey.parse(both.replace("(healthy)", "(unhealthy)", 1)).facts(2)
    assert (unwell["settled"], unwell["containers"]["pypi-server"]["healthy"]) == (False, False)


@pytest.mark.parametrize(
    ("lines", "revision"),
    [("nginx r1\nauth r1", "r1"), ("nginx r1\nauth r2", ""), ("nginx r1\nauth", ""), ("nginx r1", ""), ("", "")],
)
def test_a_revision_counts_when_nginx_and_auth_have_loaded_it(lines: str, revision: str) -> None:
    assert Survey.parse(f"@@revision\n{lines}\n").revision == revision


def test_scripts_and_modules_drop_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[3]
    of_roles = yaml.safe_load((root / "roles/pypi/vars/main.yml").read_text(encoding="utf-8"))["__pypi_own_docker"]
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


def test_the_command_works_in_a_plain_shell() -> None:
    awkward = "it's; echo escaped-$((1))"
    command = survey_command(["/no/python3", "python3"], awkward, awkward, awkward, [awkward], awkward, 1)
    # As Ansible runs it where there is no become.
    answer = subprocess.run(["sh", "-c", f"{command} && sleep 0"], capture_output=True, text=True, check=True).stdout
    survey = Survey.parse(answer)
    assert "escaped-1" not in answer
    assert survey.python.endswith("/python3")
    assert survey.python_version == sys.version_info[:2]
    assert not survey.tree
    assert any("local_address" in line for line in survey.sockets)


def test_the_tree_is_told_file_by_file_without_packages_and_pages(tmp_path: Path) -> None:
    for name in ("packages/a.whl", "nginx_cache/pages/1", "index/x", "nginx/conf.d/pypi.conf", "docker-compose.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text\n")
    (tmp_path / "docker-compose.yml").chmod(0o600)
    command = survey_command(["python3"], "index", "root", str(tmp_path), [], "0.0.0.0", None)
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    files = Survey.parse(answer).files
    assert set(files) == {
        *(".", "packages", "nginx_cache", "nginx_cache/pages", "index", "nginx", "nginx/conf.d"),
        *("nginx/conf.d/pypi.conf", "docker-compose.yml"),
    }
    assert files["docker-compose.yml"] == {
        "type": "f",
        "mode": "0600",
        "owner": f"{os.getuid()}:{os.getgid()}",
        "sha256": hashlib.sha256(b"text\n").hexdigest(),
    }


def test_files_of_somebody_else_in_the_place_of_ours_are_seen(tmp_path: Path) -> None:
    for name in ("nginx/conf.d", "authentication"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "docker-compose.yml").write_text(
        'name: "x"\nx-service:\n  labels: &labels\n    org.wheelhouse.instance: "dev"\n'
    )
    (tmp_path / "nginx/conf.d/pypi.conf").write_text("proxy_pass http://pypi-server:8080;")
    (tmp_path / "authentication/.htpasswd").touch()
    (tmp_path / "here").symlink_to(tmp_path)

    def survey() -> Survey:
        command = survey_command(["python3"], "index", "nobody", str(tmp_path / "here"), [], "0.0.0.0", None)
        return Survey.parse(subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout)

    assert survey().foreign == ("nginx/conf.d/pypi.conf", "authentication/.htpasswd")
    assert (survey().folder, survey().index) == (str(tmp_path.resolve()), "dev")
    (tmp_path / "authentication/credentials.conf").touch()
    (tmp_path / "compose.yaml").write_text("services: {}")
    # The tree is ours by now: what somebody has broken in it is not a server of his.
    assert survey().foreign == ("compose.yaml",)
    # A run that takes the server over has replaced all files, and its last step is still to be done.
    (tmp_path / "compose.yaml").unlink()
    (tmp_path / "adopted").mkdir()
    (tmp_path / "adopted/unfinished").touch()
    assert survey().foreign == ("nginx/conf.d/pypi.conf", "adopted/unfinished")
    (tmp_path / "nginx/conf.d/pypi.conf").write_text("include /etc/pypi-auth/credentials.conf;")
    assert survey().foreign == ("adopted/unfinished",)


def test_a_host_without_python_has_none() -> None:
    answer = subprocess.run(
        ["sh", "-c", survey_command(["/no/python3"], "index", "nobody-of-that-name", "/nowhere", [], "0.0.0.0", None)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Survey.parse(answer).python == ""
    assert Survey.parse(answer).account == ""
    assert Survey.parse(answer).renewal == ""


@pytest.mark.parametrize(
    ("lines", "source"),
    [
        ([], ""),
        (["ii |docker-ce", "ii |docker-ce-cli", "rc |docker.io"], "docker_ce"),
        (["ii |docker.io", "un |docker-ce"], "distro"),
        (["iH |docker.io"], "distro"),
        (["ii |moby-engine"], "distro"),
        (["ii |docker-ce.rpm", "package docker is not installed"], "docker_ce"),
        (["ii |docker.rpm"], "distro"),
        (["ii |docker-compose", "ii |containerd", "ii |docker"], ""),
    ],
)
def test_whose_packages_the_engine_is_from(lines: list[str], source: str) -> None:
    assert Survey.parse("\n".join(["@@packages", *lines])).source == source


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("debian 13", "debian-13"),
        ("ubuntu 24.04", "ubuntu-24.04"),
        ("rocky 9.4", "rocky-9"),
        ("amzn 2023", "amzn-2023"),
        # Debian's next one has no number yet.
        ("debian", "debian"),
        ("debian forky", "debian-forky"),
        ("", ""),
    ],
)
def test_what_hosts_must_share_to_share_packages(release: str, name: str) -> None:
    assert Survey.parse(f"@@release\n{release}\n").distribution == name
