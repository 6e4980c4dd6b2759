"""What a run does to containers that run: it reloads or recreates what changed, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.long import only_long
from tests.support.playbook import SETTINGS, refused, site
from tests.support.stack import SlowUpload, Stack, eventually, traffic

# The files of NGINX with their revision, put aside and brought back.
# With fractions of seconds: the revision is of times, too.
SAVE = "tar -C {home} --format posix -cf /root/saved.tar nginx docker-compose.yml"
BRING_BACK = "tar -C {home} -xf /root/saved.tar"
# Makes a wheel of a version and a size in the working folder.
WHEEL = """
import os, sys, zipfile
version, padding = sys.argv[1], int(sys.argv[2])
with zipfile.ZipFile(f"limit-{version}-py3-none-any.whl", "w") as wheel:
    wheel.writestr("padding", os.urandom(padding))
    wheel.writestr(f"limit-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
    wheel.writestr(f"limit-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\\nName: limit\\nVersion: {version}\\n")
    wheel.writestr(f"limit-{version}.dist-info/RECORD", "")
"""
LOADED = "exec -T nginx curl --silent http://127.0.0.1:8081/health"
LOADED_BY_AUTH = "exec -T auth curl --silent http://127.0.0.1:8080/health"


def uploads(index: Index, publisher: Login, folder: Path, name: str) -> list[int]:
    """Upload a release twice, with another content each time, and return the statuses."""
    return [index.upload(publisher, packages.wheel(folder, name, padding=os.urandom(64))).status for _ in range(2)]


def test_new_settings_of_nginx_are_loaded_without_losing_a_request(
    host: Any, index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack
) -> None:
    host.check_output(SAVE.format(home=stack.home))
    uri = f"/?{uuid4().hex}"
    index.request(uri, reader)
    client = stack.requests(uri)[0]["client"]
    before = stack.running()
    file = packages.wheel(tmp_path, f"during-{uuid4().hex}", padding=os.urandom(2 * 1024 * 1024))
    upload = SlowUpload(index, publisher, file)
    with traffic(index, reader, "/simple/") as answers:
        done = site("--tags", "nginx", pypi_url="https://pypi.example.com", pypi_trusted_proxies=[client])
        time.sleep(1)
    assert done.changed == 3, done.output  # the files, their revision, the reload
    assert stack.running() == before
    assert len(answers) > 100, "there was hardly any traffic"
    assert set(answers) == {"200"}, {answer: answers.count(answer) for answer in set(answers)}
    assert upload.finish() == 200
    assert host.file(f"{stack.home}/packages/{file.name}").size == file.stat().st_size


def test_redirects_stay_where_the_client_is(index: Index, reader: Login) -> None:
    answer = index.request("/some-project/", reader)
    assert answer.status in (302, 303), answer
    assert answer.headers["location"] == "/simple/some-project/"
    answer = index.request("/simple/Some_Project/", reader)
    assert answer.headers["location"] == "/simple/some-project/", answer


def test_a_trusted_proxy_names_the_client(index: Index, reader: Login, stack: Stack) -> None:
    uri = f"/simple/?{uuid4().hex}"
    index.request(uri, reader, headers={"X-Forwarded-For": "198.51.100.7"})
    assert stack.requests(uri)[0]["client"] == "198.51.100.7"


def test_a_reload_that_a_dead_run_left_out_is_made_good(host: Any, index: Index, reader: Login, stack: Stack) -> None:
    # The old files are on disk again, and NGINX has not reloaded.
    host.check_output(BRING_BACK.format(home=stack.home))
    revision = host.file(f"{stack.home}/nginx/revision.conf").content_string
    assert stack.compose(LOADED) not in revision
    before = stack.running()
    done = site("--tags", "nginx")
    assert done.changed == 1, done.output
    assert stack.compose(LOADED) in revision
    assert stack.running() == before
    answer = index.request("/some-project/", reader)
    assert answer.headers["location"] == "/simple/some-project/"


@only_long
def test_auth_loads_its_configuration_when_the_same_run_recreates_nginx(
    host: Any, stack: Stack, variables: Mapping[str, Any]
) -> None:
    before = stack.running()
    done = site("--tags", "nginx,stack", pypi_logins_per_minute=77, pypi_http_port=8081)
    after = stack.running()
    assert [service for service in before if after[service] != before[service]] == ["nginx"], done.output
    revision = host.file(f"{stack.home}/nginx/revision.conf").content_string
    for loaded in (LOADED, LOADED_BY_AUTH):
        assert stack.compose(loaded).strip() in revision, done.output
    site("--tags", "nginx,stack")


def test_files_that_were_changed_and_loaded_by_hand_are_put_right_and_loaded(
    host: Any, index: Index, reader: Login, stack: Stack
) -> None:
    file = f"{stack.home}/nginx/conf.d/pypi.conf"
    host.check_output(f"sed -i 's/^    server_name .*/&\\n    add_header X-By-Hand yes always;/' {file}")
    stack.compose("exec -T nginx nginx -c /etc/pypi-nginx/nginx.conf -s reload")

    def by_hand() -> bool:
        return "x-by-hand" in index.request("/no-such/page", reader).headers

    eventually(by_hand, "what was written by hand is loaded", 10)
    done = site("--tags", "nginx")
    eventually(lambda: not by_hand(), f"NGINX runs what the run wrote: {done.output}", 10)


def test_settings_that_nginx_refuses_leave_the_running_stack_alone(
    host: Any, index: Index, reader: Login, stack: Stack
) -> None:
    before, loaded = stack.running(), stack.compose(LOADED)
    wrong = f"{stack.home}/nginx/conf.d/wrong.conf"
    host.check_output(f"echo 'lissten 80;' >{wrong} && chown pypi {wrong}")
    try:
        # Ours are as they were: refused before NGINX reloads. That new ones do not go live: scenario nginx.
        message = refused("--tags", "nginx")
        assert 'unknown directive "lissten" in /etc/pypi-nginx/conf.d/wrong.conf:1' in message, message
        assert (stack.running(), stack.compose(LOADED)) == (before, loaded)
        assert index.request("/simple/", reader).status == 200
    finally:
        host.check_output(f"rm {wrong}")


def test_a_client_that_is_no_trusted_proxy_cannot_take_another_address(
    index: Index, reader: Login, stack: Stack
) -> None:
    uri = f"/simple/?{uuid4().hex}"
    index.request(uri, reader, headers={"X-Forwarded-For": "198.51.100.7"})
    assert stack.requests(uri)[0]["client"] != "198.51.100.7"


def test_only_the_service_whose_definition_changed_is_recreated_and_reads_go_on(
    index: Index, publisher: Login, tmp_path: Path, stack: Stack
) -> None:
    name = f"twice-{uuid4().hex}"
    assert uploads(index, publisher, tmp_path, name) == [200, 409]
    before = stack.running()
    with traffic(index, publisher, f"/simple/{name}/") as answers:
        site("--tags", "stack", pypi_overwrite=True)
    assert len(answers) > 50, "there was hardly any traffic"
    assert set(answers) == {"200"}, {answer: answers.count(answer) for answer in set(answers)}
    after = stack.running()
    assert [service for service in before if after[service] != before[service]] == ["pypi-server"]
    assert uploads(index, publisher, tmp_path, name) == [200, 200]


def test_new_users_count_at_once_and_the_verdicts_of_others_hold(
    index: Index, publisher: Login, reader: Login, stack: Stack, variables: Mapping[str, Any]
) -> None:
    leaver, joiner = Login("leaver", "leaver-password"), Login("joiner", "joiner-password")
    for login, status in ((publisher, 200), (reader, 200), (leaver, 200), (joiner, 401)):
        assert index.request("/simple/", login).status == status, login.name
    before = stack.running()
    stays, *_ = variables["pypi_users"]
    users = [stays, {"name": "reader", "password": "another-password"}, {**vars(joiner)}]
    done = site("--tags", "users", pypi_users=users)
    assert index.request("/simple/", leaver).status == 401, done.output
    assert index.request("/simple/", reader).status == 401, done.output
    assert index.request("/simple/", Login("reader", "another-password")).status == 200, done.output
    assert index.request("/simple/", joiner).status == 200, done.output
    assert stack.running() == before

    # No login can be verified now: only cached verdicts let requests in.
    stack.compose("stop auth")
    try:
        assert index.request("/simple/", publisher).status == 200
        assert index.request("/simple/", leaver).status == 500
    finally:
        stack.compose("start auth")
    eventually(lambda: index.request("/simple/", leaver).status == 401, "passwords are verified again")


def test_limit_of_uploads_and_address_are_what_the_variables_say_and_the_next_run_brings_back_the_inventory(
    host: Any, index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack
) -> None:
    site(*SETTINGS, pypi_max_upload="1m", pypi_bind_address="127.0.0.1")
    with pytest.raises(OSError):
        index.request("/simple/", publisher)
    # Only the host itself gets through now.
    curl = f"curl --silent --user {publisher.name}:{publisher.password} http://127.0.0.1:8080"
    for version, padding, status in (("1", 900_000, "200"), ("2", 2_000_000, "413")):
        name = f"limit-{version}-py3-none-any.whl"
        host.check_output("cd /root && python3 -c %s %s %s", WHEEL, version, str(padding))
        form = f"--form :action=file_upload --form content=@/root/{name}"
        said = host.check_output(f"{curl}/ {form} --output /dev/null --write-out '%{{http_code}}'")
        assert said == status
    assert "limit-1-" in host.check_output(f"{curl}/simple/limit/")
    assert not host.file(f"{stack.home}/packages/limit-2-py3-none-any.whl").exists
    site()
    assert index.request("/simple/no-such-project/", publisher).status == 404
    # The tests before this one have given the reader another password, and had files replaced.
    assert index.request("/simple/", reader).status == 200
    assert uploads(index, publisher, tmp_path, f"twice-{uuid4().hex}") == [200, 409]
