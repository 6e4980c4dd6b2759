"""NGINX's files: what is accepted goes live, and what NGINX refuses changes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import playbook
from tests.support.playbook import Run

PLAYBOOK = str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml"))
TEMPLATES = Path(__file__).parents[3] / "roles/nginx/templates"
FILES = sorted(
    str(path.relative_to(TEMPLATES).with_suffix(""))
    for path in TEMPLATES.rglob("*.j2")
    if path.stem.endswith((".conf", ".js"))
)
# Every variable that shows in the files, away from its default.
SETTINGS: dict[str, Any] = {
    "pypi_url": "https://pypi.example.com:8443",
    "pypi_trusted_proxies": ["192.0.2.10", "198.51.100.0/24", "2001:db8::/32"],
    "pypi_verdict_lifetime": "30s",
    "pypi_max_upload": "0",
    "pypi_overwrite": True,
    "pypi_login_source": "http",
    "pypi_login_source_url": "https://auth.example.com/pypi",
}


def applied(*arguments: str, tags: str = "nginx", **variables: Any) -> Run:
    """Run role nginx with these variables; fails with the whole output if the run does."""
    return playbook.applied(PLAYBOOK, "--tags", tags, *arguments, **variables)


def refused(*arguments: str, **variables: Any) -> str:
    """Run role nginx with what it has to refuse, and return the message that a person sees."""
    return playbook.refused("--tags", "nginx", *arguments, playbook=PLAYBOOK, **variables)


@pytest.fixture
def nginx(home: str) -> str:
    return f"{home}/nginx"


@pytest.fixture
def live(host: Any, nginx: str) -> Callable[[], str]:
    """Every file below nginx/ with its content, owner, mode, number and time."""
    return lambda: host.check_output(
        f"cd {nginx} && find . -printf '%p %u:%g %m\\n' | sort"
        " && find . -type f -exec sha256sum {} + -exec stat --format '%n %i %Y' {} + | sort"
    )


@pytest.fixture
def by_hand(host: Any, nginx: str) -> Iterator[Callable[..., str]]:
    """Puts files beside ours, as an administrator does, and takes them away after the test."""
    written = []

    def write(name: str, text: str, owner: str = "pypi") -> str:
        written.append(f"{nginx}/{name}")
        host.check_output(f"install -o {owner} -m 0600 /dev/null {nginx}/{name} && echo %s >{nginx}/{name}", text)
        return text

    yield write
    host.check_output("rm -f " + " ".join(written))


def checks(host: Any, since: str) -> list[str]:
    """Return the images of the containers that were made since then; nothing but the check makes one here."""
    now = host.check_output("date +%s.%N")
    made = host.check_output(
        f"docker events --since {since} --until {now} --filter event=create --format '{{{{.Actor.Attributes.image}}}}'"
    )
    return made.split()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_roots_and_the_containers_group_alone_reads_it(host: Any, nginx: str, name: str) -> None:
    file = host.file(f"{nginx}/{name}")
    assert (file.user, file.group, file.mode) == ("root", "pypi", 0o640)
    assert "ansible" in file.content_string.splitlines()[0].lower(), "the first line says who writes the file"


def test_nothing_else_is_left_in_the_folder(host: Any, nginx: str) -> None:
    assert host.check_output(f"cd {nginx} && find . -type f | sort").split() == sorted(f"./{name}" for name in FILES)


def test_the_check_ran_as_the_service_user_in_the_stacks_mounts(host: Any, home: str) -> None:
    # NGINX makes the folders that it is configured to have, also when it only checks.
    made = host.file(f"{home}/nginx_cache/proxy")
    assert (made.is_directory, made.user, made.group) == (True, "pypi", "pypi")


def test_every_setting_passes_in_nginx_1_30_and_1_26(host: Any, nginx: str) -> None:
    start = host.check_output("date +%s.%N")
    applied(**SETTINGS, pypi_anonymous_uploads=True)
    older = {"pypi_image_nginx": "nginx:1.26", "pypi_images_archive": "/srv/ground/nginx-1.26.tar"}
    applied(tags="images,nginx", **older, **SETTINGS)
    assert checks(host, start) == ["nginx:1.30", "nginx:1.26"]
    for version in ("1.30", "1.26"):
        said = host.check_output(f"docker run --rm --network none --entrypoint nginx nginx:{version} -v 2>&1")
        assert f"nginx/{version}." in said, "the image is not what its tag says"
    text = host.file(f"{nginx}/conf.d/pypi.conf").content_string
    for part in ("server_name pypi.example.com;", "set_real_ip_from 2001:db8::/32;", "client_max_body_size 0;"):
        assert part in text, text


@pytest.fixture
def nodes(host: Any, home: str, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Arguments of a run on this host, which is one of four nodes with a shared folder."""
    inventory = tmp_path / "nodes.ini"
    inventory.write_text(
        "[pypi]\nnode-2 ansible_host=192.0.2.2 pypi_http_port=8080\nNode-3 pypi_node_address=pypi-3.example.com\n"
        "node-4 ansible_host=2001:db8::4\n"
    )
    host.check_output(
        f"mount -t tmpfs tmpfs {home}/packages && install -d -o pypi {home}/packages/.wheelhouse"
        f" && touch {home}/packages/.wheelhouse/format && chown pypi {home}/packages"
    )
    yield "--inventory", str(inventory), "--limit", "pypi-nginx"
    host.check_output(f"umount {home}/packages")


@pytest.mark.parametrize(
    ("tls", "scheme", "ports"), [("none", "http", (8080, 80)), ("self_signed", "https", (443, 443))]
)
def test_nginx_accepts_what_nodes_say_to_each_other(
    host: Any, nginx: str, nodes: tuple[str, ...], tls: str, scheme: str, ports: tuple[int, int]
) -> None:
    start = host.check_output("date +%s.%N")
    applied(*nodes, pypi_nodes="pypi", pypi_tls=tls)
    assert checks(host, start)[-1] == "nginx:1.30"
    text = host.file(f"{nginx}/conf.d/peers.conf").content_string
    for part in (
        f"server 192.0.2.2:{ports[0]} max_fails=0;",
        f"server pypi-3.example.com:{ports[1]} max_fails=0 resolve;",
        f"server [2001:db8::4]:{ports[1]} max_fails=0;",
        f"proxy_pass {scheme}://pypi_peer_1/_peer/$pypi_message;",
    ):
        assert part in text, text
    assert len(re.findall("^upstream ", text, re.M)) == 3, text
    plain = host.file(f"{nginx}/conf.d/http.conf").content_string
    assert ("include /etc/pypi-nginx/health.conf;" in plain) == (tls != "none")


def test_an_index_that_is_open_to_readers_asks_publishers_alone_for_a_password(host: Any, nginx: str) -> None:
    start = host.check_output("date +%s.%N")
    applied(pypi_authenticate=["update"])
    assert checks(host, start) == ["nginx:1.30"]
    text = "".join(host.file(f"{nginx}/{name}.conf").content_string for name in ("pages", "files", "uploads"))
    assert re.findall("auth_request ([^;]*);", text) == ["/_verdict/login"]


def test_what_is_served_is_on_the_list_that_the_extension_reads(host: Any, nginx: str) -> None:
    suffixes = (
        (Path(__file__).parents[3] / "roles/pypiserver/files/wheelhouse_index/files/suffixes.txt").read_text().split()
    )
    assert "(?:" + "|".join(map(re.escape, suffixes)) + ")" in host.file(f"{nginx}/files.conf").content_string


def test_what_the_inventory_says_is_back_and_a_second_run_checks_nothing(host: Any) -> None:
    assert applied().changed == 1
    start = host.check_output("date +%s.%N")
    assert applied().changed == 0
    assert checks(host, start) == []


def test_files_beside_ours_are_kept_and_judged_with_them(host: Any, nginx: str, by_hand: Callable[..., str]) -> None:
    text = by_hand("conf.d/also.conf", "include /etc/pypi-nginx/tls/*.include; # also")
    by_hand("tls/some.include", "map $uri $also { default 1; }")
    start = host.check_output("date +%s.%N")
    applied(pypi_verdict_lifetime="7s")
    assert checks(host, start) == ["nginx:1.30"]
    assert host.file(f"{nginx}/conf.d/also.conf").content_string.strip() == text
    assert "proxy_cache_valid 200 204 403 7s;" in host.file(f"{nginx}/verdict.conf").content_string


@pytest.mark.parametrize(
    ("name", "text", "owner", "said"),
    [
        ("conf.d/wrong.conf", "lissten 80;", "pypi", 'unknown directive "lissten" in /etc/pypi-nginx/conf.d/wrong.conf:1'),
        # The check is not root's: what only root may read, it cannot.
        ("conf.d/secret.conf", "# nothing", "root", "/etc/pypi-nginx/conf.d/secret.conf"),
        # The root of its container is read-only.
        ("conf.d/deep.conf", "proxy_cache_path /etc/nginx/deep keys_zone=deep:1m;", "pypi", "Read-only file system"),
    ],
)  # fmt: skip
def test_a_set_that_nginx_refuses_leaves_the_live_files_alone(
    live: Callable[[], str], by_hand: Callable[..., str], name: str, text: str, owner: str, said: str
) -> None:
    by_hand(name, text, owner)
    before = live()
    message = refused(pypi_verdict_lifetime="8s")
    assert said in message, message
    assert "the live ones in /home/pypi/pypi-server/nginx stay as they are" in message, message
    assert live() == before


def test_a_size_that_is_too_large_for_nginx_is_refused_in_its_own_words(live: Callable[[], str]) -> None:
    before = live()
    # Already in check mode.
    message = refused("--check", pypi_max_upload="99999999999999999999g")
    assert '"client_max_body_size" directive invalid value in /etc/pypi-nginx/conf.d/pypi.conf:' in message, message
    assert live() == before


@pytest.fixture
def without_njs(host: Any) -> Iterator[str]:
    """An image of NGINX as the official -slim ones are."""
    image = "nginx:1.30-slim"
    host.check_output(
        "docker run --name slim --network none --entrypoint sh nginx:1.30 -c 'rm -v /usr/lib/nginx/modules/ngx_http_js_module.so'"
        f" && docker commit slim {image} && docker rm slim"
    )
    yield image
    host.check_output(f"docker rmi {image}")


def test_an_image_without_njs_is_refused_in_one_line(live: Callable[[], str], without_njs: str) -> None:
    before = live()
    message = refused(pypi_image_nginx=without_njs)
    said = f"pypi_image_nginx: {without_njs} has no njs (ngx_http_js_module.so), which decides on tokens; give an image with it"
    assert said in message and "dlopen" not in message, message
    assert live() == before


def test_check_and_diff_show_what_would_change_and_change_nothing(live: Callable[[], str]) -> None:
    before = live()
    done = applied("--check", "--diff", pypi_verdict_lifetime="9s")
    assert done.changed == 1, done.output
    assert "+proxy_cache_valid 200 204 403 9s;" in done.output, done.output
    assert live() == before


def test_what_a_killed_run_left_is_cleared_away(host: Any, nginx: str) -> None:
    host.check_output(f"install -d -o pypi {nginx}/.staged-killed && touch {nginx}/.staged-killed/nginx.conf")
    host.check_output(f"truncate --size 100 {nginx}/conf.d/pypi.conf")
    applied()
    assert not host.file(f"{nginx}/.staged-killed").exists
    assert host.file(f"{nginx}/conf.d/pypi.conf").size > 1000
