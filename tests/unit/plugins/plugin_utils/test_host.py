"""What a run asks of a host before anything changes, and what it reads from the answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import Host, command


def asked(home: str | Path, user: str = "nobody-of-that-name", python: str = "python3", suffix: str = "") -> Host:
    """Ask this machine."""
    text = command([python], user, str(home), ["no/such:image"])
    # As Ansible runs it where there is no become.
    return Host.parse(subprocess.run(["sh", "-c", text + suffix], capture_output=True, text=True, check=True).stdout)


def test_answers_are_taken_apart() -> None:
    host = Host.parse(
        "@@python\n/usr/bin/python3\n3.13\n@@system\nDebian GNU/Linux 13 (trixie)\n"
        "@@release\ndebian 13\n@@machine\nx86_64\n"
        "@@account\npypi:x:998:997:Index:/home/pypi:/usr/sbin/nologin\n@@engine\n26.1.5+dfsg1\n"
        "@@space\nFilesystem 1024-blocks Used Available Capacity Mounted on\n"
        "overlay 100 10 90 10% /\n/dev/sdb1 20000 8000 12000 40% /home/pypi\n"
        "@@propagation\nshared,slave\nshared\n"
        "@@daemon\n/usr/sbin/dockerd\n@@compose\nv2.26.1\n@@packages\nii |docker-cli\niU |docker.io\n"
        "un |docker-ce\npackage moby-engine is not installed\n"
        "@@images\nnginx:1.30\n@@published\n@@sockets\n@@listeners\n"
        "@@tree\nd .\nf ./nginx/nginx.conf\nl ./packages\n"
    )
    assert (host.python, host.python_version) == ("/usr/bin/python3", (3, 13))
    assert host.system == "Debian GNU/Linux 13 (trixie)"
    assert host.account_home == "/home/pypi"
    assert host.free == 12000
    assert host.tree["packages"] == "l"
    assert host.result() == {
        "distribution": "debian-13",
        "architecture": "x86_64",
        "account": "998:997",
        "daemon": "/usr/sbin/dockerd",
        "engine": "26.1.5+dfsg1",
        "compose": "2.26.1",
        "source": "distro",
        "unfinished": ["docker.io"],
        "shared": True,
        "images": ["nginx:1.30"],
        "there": [".", "nginx/nginx.conf", "packages"],
    }


def test_nodes_that_share_packages_are_named(tmp_path: Path) -> None:
    assert asked(tmp_path).nodes == ()
    for name in ("node-1", "x\n@@images\nnginx:1.30"):
        (tmp_path / "packages/.wheelhouse/nodes" / name).mkdir(parents=True)
    host = asked(tmp_path)
    assert sorted(host.nodes) == ["node-1", "x?@@images?nginx:1.30"]
    assert host.images == ()


def test_a_name_with_a_line_break_begins_no_answer_of_its_own(tmp_path: Path) -> None:
    for folder in ("index", "nginx"):
        (tmp_path / folder / "x\n@@images\nnginx:1.30").mkdir(parents=True)
    (tmp_path / "packages").mkdir()
    host = asked(tmp_path)
    assert host.images == ()
    assert host.tree["nginx/x?@@images?nginx:1.30"] == "d"
    assert [one.name for one in host.owners] == ["packages", "index", "index/x?@@images?nginx:1.30"]


def test_the_command_works_in_a_plain_shell() -> None:
    awkward = "it's; echo escaped-$((1))"
    host = asked(awkward, awkward, suffix=" && sleep 0")
    assert "escaped-1" not in str(host)
    assert host.python.endswith("/python3")
    assert host.python_version == sys.version_info[:2]
    assert (host.tree, host.images) == ({}, ())
    assert any("local_address" in line for line in host.sockets)


def test_the_tree_is_named_without_packages_and_pages(tmp_path: Path) -> None:
    for name in ("packages/a.whl", "nginx_cache/pages/1", "index/x", "nginx/conf.d/pypi.conf", "docker-compose.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text\n")
    host = asked(tmp_path)
    assert set(host.tree) == {
        *(".", "packages", "nginx_cache", "nginx_cache/pages", "index", "nginx", "nginx/conf.d"),
        *("nginx/conf.d/pypi.conf", "docker-compose.yml"),
    }
    assert host.free is not None and host.free > 0


def test_files_of_another_server_in_the_place_of_ours_are_seen(tmp_path: Path) -> None:
    for name in ("nginx/conf.d", "authentication"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "docker-compose.yml").write_text('services: {pypi: {image: "pypiserver/pypiserver"}}\n')
    (tmp_path / "nginx/conf.d/pypi.conf").write_text("proxy_pass http://pypi-server:8080;")
    (tmp_path / "authentication/.htpasswd").touch()
    (tmp_path / "here").symlink_to(tmp_path)
    host = asked(tmp_path / "here", "nobody")
    assert host.foreign == ("docker-compose.yml", "nginx/conf.d/pypi.conf", "authentication/.htpasswd")
    assert (host.folder, host.index) == (str(tmp_path.resolve()), "")
    (tmp_path / "compose.yaml").write_text("services: {}")
    assert "compose.yaml" in asked(tmp_path, "nobody").foreign
    (tmp_path / "docker-compose.yml").write_text(
        'name: "x"\nx-service:\n  labels: &labels\n    org.wheelhouse.instance: "dev"\n'
    )
    # The tree is ours: what was broken in it by hand is no other server.
    assert (asked(tmp_path, "nobody").foreign, asked(tmp_path, "nobody").index) == ((), "dev")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("authentication/credentials.conf", ""),
        ("docker-compose.yml", 'labels: {org.wheelhouse.instance: "pypi"}\n'),
    ],
)
def test_an_index_that_has_lost_its_rights_is_still_ours(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "authentication").mkdir()
    (tmp_path / "authentication/.htpasswd").touch()
    assert asked(tmp_path, "nobody").foreign == ("authentication/.htpasswd",)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert asked(tmp_path, "nobody").foreign == ()


@pytest.mark.parametrize(
    ("text", "number"), [('{"format": 12, "id": "x"}\n', 12), ("{}\n", 0), ('{"format": "1"}\n', 0), (None, 0)]
)
def test_the_format_of_the_store_is_read(tmp_path: Path, text: str | None, number: int) -> None:
    (tmp_path / "packages/.wheelhouse").mkdir(parents=True)
    if text is not None:
        (tmp_path / "packages/.wheelhouse/format").write_text(text)
    assert asked(tmp_path).store == number


def test_a_host_without_python_has_none() -> None:
    host = asked("/nowhere", python="/no/python3")
    assert (host.python, host.account) == ("", "")


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
    assert Host.parse("\n".join(["@@packages", *lines])).source == source


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
    assert Host.parse(f"@@release\n{release}\n").distribution == name
