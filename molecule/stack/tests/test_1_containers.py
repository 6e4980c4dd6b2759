"""What runs: three healthy containers without rights of their own, and one open port."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.clients import Index, Login
from tests.support.stack import SERVICES, Stack, eventually

each_service = pytest.mark.parametrize("service", SERVICES)


def test_compose_accepts_the_file_in_the_tree(stack: Stack) -> None:
    assert sorted(stack.compose("config --services").split()) == sorted(SERVICES)
    assert stack.compose("config --quiet") == ""


@each_service
def test_folders_are_labelled_for_several_containers_where_selinux_is_enforced(stack: Stack, service: str) -> None:
    mounts = json.loads(stack.compose("config --format json"))["services"][service]["volumes"]
    assert mounts
    assert {(mount["target"], mount.get("bind", {}).get("selinux")) for mount in mounts} == {
        (mount["target"], "z") for mount in mounts
    }


@each_service
def test_a_service_is_healthy(stack: Stack, service: str) -> None:
    # Docker asks some time after the start, and a run does not wait for that.
    eventually(lambda: stack.inspect(service)["State"]["Health"]["Status"] == "healthy", f"{service} is healthy", 30)


@each_service
def test_all_processes_are_the_service_users_and_have_no_rights(host: Any, stack: Stack, service: str) -> None:
    user = host.user("pypi")
    assert user.uid != 0
    processes = host.check_output(f"docker top {stack.inspect(service)['Id']} -o pid").split()[1:]
    assert processes
    for process in processes:
        # A health check may be among them, and have ended by now.
        lines = [line.split() for line in host.run(f"cat /proc/{process}/status").stdout.splitlines()]
        status = {line[0]: line[1:] for line in lines if line}
        if not status:
            continue
        assert status["Uid:"] == [str(user.uid)] * 4, status
        assert status["Gid:"] == [str(user.gid)] * 4, status
        for capabilities in ("CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"):
            assert int(status[capabilities][0], 16) == 0, status
        assert status["NoNewPrivs:"] == ["1"], status


@each_service
def test_the_root_of_a_container_is_read_only(stack: Stack, service: str) -> None:
    said = stack.compose(f"exec -T {service} sh -c 'touch /etc/x /usr/x 2>&1 || true'")
    assert said.count("Read-only file system") == 2, said


@each_service
def test_a_container_is_restarted_and_its_log_rotated(stack: Stack, service: str) -> None:
    settings = stack.inspect(service)["HostConfig"]
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"
    assert settings["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "3m", "max-file": "5"}}


def test_nothing_listens_but_the_published_port(host: Any, stack: Stack) -> None:
    listeners = [line.split()[3] for line in host.check_output("ss -Hltn").splitlines()]
    # containerd listens on loopback for the engine.
    assert [address for address in listeners if not address.startswith("127.")] == ["0.0.0.0:8080"]
    assert [service for service in SERVICES if stack.inspect(service)["HostConfig"]["PortBindings"]] == ["nginx"]


def test_the_passwords_are_in_a_network_without_a_way_out_and_pypiserver_is_in_none(host: Any, stack: Stack) -> None:
    (network,) = stack.inspect("auth")["NetworkSettings"]["Networks"]
    assert host.check_output("docker network inspect --format '{{.Internal}}' %s", network) == "true"
    assert stack.inspect("pypi-server")["HostConfig"]["NetworkMode"] == "none"
    assert stack.compose("exec -T pypi-server cat /proc/net/tcp /proc/net/tcp6").count("\n") == 1, (
        "it listens on a port"
    )


def test_an_account_of_the_host_does_not_reach_pypiserver(host: Any, stack: Stack) -> None:
    sockets = f"{stack.home}/sockets"
    form = "--form :action=file_upload --header 'X-Wheelhouse-Login: publisher' --header 'X-Wheelhouse-Rights: publish'"
    asked = {
        how: f"curl --silent --max-time 10 --unix-socket {sockets}/current/{how} --write-out '%{{http_code}}' --output /dev/null"
        for how in ("pages.sock http://x/health", f"uploads.sock {form} http://x/_upload")
    }
    for how, command in asked.items():
        stranger = host.run(f"setpriv --reuid nobody --regid nogroup --clear-groups {command}")
        assert (stranger.rc, stranger.stdout) == (7, "000"), (how, stranger)
        # NGINX runs as the account.
        account = host.run(f"setpriv --reuid pypi --regid pypi --clear-groups {command}")
        assert account.stdout == ("200" if "health" in how else "400"), (how, account)
    listed = host.file(sockets)
    assert (listed.user, listed.group, listed.mode) == ("pypi", "pypi", 0o700)


def test_pypiserver_sees_no_password_and_no_hash(stack: Stack) -> None:
    mounted = {mount["Destination"]: mount["RW"] for mount in stack.inspect("pypi-server")["Mounts"]}
    written = {"/data/packages": True, "/data/index": True, "/data/logs": True, "/data/sockets": True}
    assert mounted == {**written, "/data/pypiserver": False}


def test_no_password_or_hash_is_in_a_containers_environment_or_command(host: Any, stack: Stack) -> None:
    hashes = [line.split(":")[1] for line in host.file(f"{stack.home}/authentication/.htpasswd").content_string.split()]
    assert len(hashes) == 4
    for service in SERVICES:
        known = str(stack.inspect(service))
        assert not [secret for secret in (*hashes, "publisher-password", "reader-password") if secret in known]


def test_the_front_page_counts_and_leads_to_the_projects(index: Index, reader: Login) -> None:
    page = index.request("/", reader)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), page
    assert re.search(rb"This index has [0-9,]+ distribution files? of [0-9,]+ projects?", page.body), page.body.decode()
    assert b'href="simple/"' in page.body, page.body.decode()
