"""What an auditor looks at: CIS Docker Benchmark 1.6, sections 4 and 5, NGINX's configuration, files, and secrets."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Index, Login
from tests.support.playbook import site
from tests.support.stack import SERVICES, Stack

GIXY = Path(__file__).parents[3] / ".venv-audit" / "bin" / "gixy"
SENSITIVE = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr", "/var/run/docker.sock", "/run/docker.sock")

Facts = Mapping[str, Any]
CHECKS: dict[str, Callable[[Facts], bool]] = {
    "4.1 a user is made for the container": lambda one: one["Config"]["User"].split(":")[0] not in ("", "0", "root"),
    "4.6 there is a health check": lambda one: bool(one["Config"]["Healthcheck"]["Test"]),
    "4.10 no secret is in the environment": lambda one: "password" not in str(one["Config"]["Env"]).lower(),
    "5.3 no capability is left": lambda one: (
        one["HostConfig"]["CapDrop"] == ["ALL"] and not one["HostConfig"]["CapAdd"]
    ),
    "5.4 it is not privileged": lambda one: one["HostConfig"]["Privileged"] is False,
    "5.5 no folder of the system is mounted": lambda one: (
        not {mount["Source"] for mount in one["Mounts"]} & set(SENSITIVE)
    ),
    "5.9 the network is not the host's": lambda one: (
        one["HostConfig"]["NetworkMode"] not in ("host", "bridge", "default")
    ),
    "5.10 memory is limited": lambda one: one["HostConfig"]["Memory"] > 0,
    "5.11 processors are shared": lambda one: one["HostConfig"]["CpuShares"] > 0,
    "5.12 the root is read-only": lambda one: one["HostConfig"]["ReadonlyRootfs"] is True,
    "5.15 processes are its own": lambda one: one["HostConfig"]["PidMode"] == "",
    "5.16 IPC is its own": lambda one: one["HostConfig"]["IpcMode"] != "host",
    "5.17 no device of the host is there": lambda one: not one["HostConfig"]["Devices"],
    "5.19 mounts are not shared": lambda one: "shared" not in {mount["Propagation"] for mount in one["Mounts"]},
    "5.20 its name is its own": lambda one: one["HostConfig"]["UTSMode"] == "",
    "5.21 seccomp is the engine's own": lambda one: "seccomp" not in str(one["HostConfig"]["SecurityOpt"]),
    "5.24 control groups are its own": lambda one: one["HostConfig"]["CgroupParent"] == "",
    "5.25 it gains no privilege": lambda one: "no-new-privileges:true" in one["HostConfig"]["SecurityOpt"],
    "5.26 it is healthy": lambda one: one["State"]["Health"]["Status"] == "healthy",
    # Threads count, and pypi-server has one for each upload.
    "5.28 processes are limited": lambda one: 0 < one["HostConfig"]["PidsLimit"] <= 500,
    "5.29 the bridge docker0 is not used": lambda one: "bridge" not in one["NetworkSettings"]["Networks"],
    "5.30 users are its own": lambda one: one["HostConfig"]["UsernsMode"] != "host",
    "5.31 the engine's socket is not there": lambda one: "docker.sock" not in str(one["Mounts"]),
}
# What the benchmark asks for and the stack does not do, each with the reason.
WAIVED = {
    "4.2, 4.3, 4.7 to 4.9": "about building images: those of the stack are built by others, and pinned by pypi_image_…",
    "4.5": "content trust is a setting of the one that pulls; a digest in pypi_image_… pins an image for good",
    "4.11": "images come from a registry or an archive of the operator's choice",
    "5.1, 5.2": "AppArmor and SELinux are the host's: the engine's own profile counts where they are on",
    "5.6": "nothing in the images runs SSH; test_nothing_runs_but_nginx_and_pypiserver",
    "5.7": "80 and 443 are what a web server is for; inside, it listens on 8080 and 8443",
    "5.8": "one service publishes, and it the index's ports alone: scenario stack",
    "5.13": "0.0.0.0 by default, as clients are elsewhere; pypi_bind_address names one address",
    "5.14": "restart is unless-stopped: an index that gives up after five failures would not come back by itself",
    "5.18": "the engine's own limits count; pypi-server has one of its own for descriptors",
    "5.22, 5.23": "nothing is run in the containers but health checks, without privileges",
    "5.27": "versions are pinned; docs/operations.md says how to upgrade",
}
# What gixy calls a fault and is none here, each with the reason.
GIXY_WAIVED = {
    "host_spoofing": "the front page says the name that was asked for; redirects say none, and pypi_url says another",
    "worker_rlimit_nofile_vs_connections": "the engine's limit of a container is far above",
    "proxy_pass_normalized": "the path of a verdict is one of two words",
    "http_splitting": "a control character in the address is a 400 before; test_a_path_writes_no_header",
    "try_files_is_evil_too": "open_file_cache would go on serving a page that has been replaced",
}


@pytest.fixture(scope="module")
def containers(stack: Stack) -> dict[str, Facts]:
    """What the engine knows of each service's container."""
    return {service: stack.inspect(service) for service in SERVICES}


@pytest.mark.parametrize("check", CHECKS)
def test_cis_docker(containers: dict[str, Facts], check: str) -> None:
    wrong = {service: facts["HostConfig"] for service, facts in containers.items() if not CHECKS[check](facts)}
    assert not wrong, json.dumps(wrong, indent=1)


def test_every_number_of_the_two_sections_is_checked_or_waived() -> None:
    numbers = {check.split()[0] for check in CHECKS}
    for waiver in WAIVED:
        for part in waiver.split(", "):
            first, _to, last = part.partition(" to ")
            section, number = first.split(".")
            numbers |= {f"{section}.{n}" for n in range(int(number), int((last or first).split(".")[1]) + 1)}
    # 4.4 is about scanning images, and 4.12 about signatures: both are done before they come here.
    assert {f"5.{n}" for n in range(1, 32)} <= numbers
    assert {f"4.{n}" for n in range(1, 12)} - numbers == {"4.4"}


def test_nothing_runs_but_nginx_and_pypiserver(host: Any, stack: Stack) -> None:
    for service in SERVICES:
        names = set(host.check_output(f"docker top {stack.inspect(service)['Id']} -o pid,comm").split()[3::2])
        # The last is the engine's own, which begins a health check.
        assert names <= {"nginx", "python3", "gunicorn", "curl", "sh", "runc:[2:INIT]"}, (service, names)


def test_gixy_finds_no_fault_in_what_nginx_has_loaded(stack: Stack, tmp_path: Path) -> None:
    for service, main in (("nginx", "nginx.conf"), ("auth", "auth.conf")):
        dump = tmp_path / main
        dump.write_text(stack.compose(f"exec -T {service} nginx -T -q -c /etc/pypi-nginx/{main}"))
        done = subprocess.run(
            [str(GIXY), "-ll", "--skips", ",".join(GIXY_WAIVED), str(dump)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_answers_say_neither_version_nor_more_than_they_must(index: Index) -> None:
    headers = index.request("/simple/").headers
    assert headers["server"] == "nginx"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "x-powered-by" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/simple/",
        "/simple/access-project/",
        "/+simple/access-project/",
        "/packages/",
        "/nothing/json",
        "/%0a",
        "/a.whl",
        "/RPC2",
    ],
)
def test_every_page_has_the_headers(index: Index, variables: Mapping[str, Any], path: str) -> None:
    answer = index.request(path, Login("reader", "reader-password"))
    assert answer.headers["x-content-type-options"] == "nosniff", answer
    assert "content-security-policy" in answer.headers, answer


def test_no_other_account_on_the_host_reads_what_is_ours_and_the_services_own_changes_none(
    host: Any, home: str
) -> None:
    assert (host.file(home).user, host.file(home).group, host.file(home).mode) == ("root", "pypi", 0o750)
    ours = " ".join(f"{home}/{folder}" for folder in ("authentication", "nginx", "pypiserver", "docker-compose.yml"))
    assert host.check_output(f"find {ours} ! -type l -perm /027 -print") == ""
    assert host.run(f"setpriv --reuid 65534 --regid 65534 --clear-groups ls {home}").rc != 0


def test_no_password_is_anywhere(host: Any, variables: Mapping[str, Any], index: Index) -> None:
    done = site("-vvv")
    (token,) = (entry["secret"] for entry in variables["pypi_tokens"])
    assert index.request("/simple/", Login("__token__", token)).status == 200
    passwords = [*(user["password"] for user in variables["pypi_users"]), token]
    pairs = [f"{user['name']}:{user['password']}" for user in variables["pypi_users"]] + [f"__token__:{token}"]
    secrets = [*passwords, *(base64.b64encode(pair.encode()).decode() for pair in pairs)]
    hashes = [
        line.split(":")[1]
        for line in host.file("/home/pypi/pypi-server/authentication/.htpasswd").content_string.split()
    ]
    # The inventory itself is shown by -vvv in the arguments of tasks that pypi_no_log hides.
    assert not [secret for secret in (*secrets, *hashes) if secret in done.output]
    patterns = "\n".join([*secrets, *hashes])
    host.check_output("umask 077; printf %%s %s >/root/patterns", patterns)
    try:
        there = host.run(
            "grep -rlaFf /root/patterns /etc /home /opt /srv /usr/local /var/log /var/tmp /var/lib/docker/containers"
            " /root/.ansible 2>/dev/null"
        ).stdout.split()
        assert set(there) <= {"/home/pypi/pypi-server/authentication/.htpasswd"}
        running = host.run("grep -laFf /root/patterns /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null").stdout
        assert running == ""
        images = host.check_output("docker image inspect $(docker image ls --quiet) && docker inspect $(docker ps -aq)")
        assert not [secret for secret in (*secrets, *hashes) if secret in images]
        assert host.run("journalctl --no-pager | grep -qaFf /root/patterns").rc == 1
    finally:
        host.check_output("rm /root/patterns")
    assert not [name for name, value in os.environ.items() if name.startswith("ANSIBLE") and value in passwords]
