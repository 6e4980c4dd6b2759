"""The service account and the tree that it owns, and what was there before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ground.paths import ROOT

NAME = "pypi-layout"
testinfra_hosts = [f"ansible://{NAME}"]

# The tree of docs/architecture.md: every folder, and nothing else. Root's, and readable for the group of the account...
ROOTS = {
    "nginx",
    "nginx/conf.d",
    "nginx/tls",
    "authentication",
    "pypiserver",
    "pypiserver/wheelhouse_index",
    *(
        f"pypiserver/wheelhouse_index/{file.parent.name}"
        for file in ROOT.glob("roles/pypiserver/files/wheelhouse_index/*/__init__.py")
    ),
}
# ... or the account's alone, as its containers write there.
ACCOUNTS = {"nginx_cache", "nginx_cache/acme", "packages", "index", "logs", "sockets"}
HOMES = {
    "/home/pypi/pypi-server": "pypi:pypi",
    "/home/pypi/dev": "pypi:pypi",
    "/srv/packager/index": "packager:builders",
    "/srv/linked": "pypi:pypi",
}
WHEEL = "old-1.0-py3-none-any.whl"


def below(host: Any, home: str) -> dict[str, str]:
    """Return what is below a folder, and what it is, leaving out what people have put into packages/."""
    listed = host.check_output("find %s -mindepth 1 ! -name %s -printf '%%P is %%y %%U:%%G %%m\\n'", home, WHEEL)
    return dict(line.split(" is ") for line in listed.splitlines())


@pytest.mark.parametrize(("home", "owner"), HOMES.items())
def test_the_tree_is_the_designs_and_the_account_can_write_only_to_its_data(host: Any, home: str, owner: str) -> None:
    name, group = owner.split(":")
    uid, gid = host.user(name).uid, host.group(group).gid
    wanted = {**dict.fromkeys(ROOTS, f"d 0:{gid} 750"), **dict.fromkeys(ACCOUNTS, f"d {uid}:{gid} 700")}
    if home == "/srv/linked":
        wanted["packages"] = "l 0:0 777"
    assert below(host, home) == wanted
    assert host.check_output("stat --format '%%U:%%G %%a' %s", home) == f"root:{group} 750"


def test_the_account_can_neither_replace_its_tree_nor_what_is_in_it(host: Any) -> None:
    as_account = "setpriv --reuid=pypi --regid=pypi --clear-groups"
    for command in (
        "mv /home/pypi/pypi-server /home/pypi/other",
        "mv /home/pypi/pypi-server/nginx /home/pypi/pypi-server/packages/nginx",
        "touch /home/pypi/pypi-server/docker-compose.override.yml",
        "ln -s /etc /home/pypi/pypi-server/nginx/tls/link",
    ):
        done = host.run(f"{as_account} {command}")
        assert done.rc != 0 and "Permission denied" in done.stderr, command
    host.check_output(
        f"{as_account} sh -c 'touch /home/pypi/pypi-server/packages/x && rm /home/pypi/pypi-server/packages/x'"
    )


def test_the_new_account_is_one_of_the_system_and_nobody_can_log_in_to_it(host: Any) -> None:
    account = host.user("pypi")
    assert 100 <= account.uid < 1000
    assert account.shell == "/usr/sbin/nologin"
    assert account.home == "/home/pypi"
    assert account.groups == ["pypi"]
    assert account.password in ("!", "!!", "*")
    assert host.check_output("stat --format '%U:%G %a' /home/pypi") == "root:root 755"


def test_another_account_cannot_look_into_the_tree(host: Any) -> None:
    done = host.run("setpriv --reuid=nobody --regid=nogroup --clear-groups ls /home/pypi/pypi-server/packages")
    assert done.rc != 0
    assert "Permission denied" in done.stderr


def test_an_account_that_was_there_is_used_and_not_altered(host: Any) -> None:
    assert host.check_output("getent passwd packager") == "packager:x:4321:4300:Builds packages:/srv/packager:/bin/bash"
    assert host.check_output("id packager") == "uid=4321(packager) gid=4300(builders) groups=4300(builders)"
    assert host.user("packager").password.startswith("$6$salt$w/1HM7noOO2sXan")
    assert host.check_output("stat --format '%U:%G %a' /srv/packager") == "packager:builders 751"


def test_files_in_a_folder_that_was_there_stay_as_they_are(host: Any) -> None:
    wheel = host.file(f"/srv/packager/index/packages/{WHEEL}")
    assert wheel.content_string == "a distribution file"
    assert (wheel.user, wheel.group, wheel.mode) == ("nobody", "nogroup", 0o640)


def test_packages_that_are_a_link_to_a_larger_disk_are_left_alone(host: Any) -> None:
    assert host.file("/srv/linked/packages").linked_to == "/srv/large-disk"
    assert host.check_output("stat --format '%U:%G %a' /srv/large-disk") == "nobody:nogroup 770"
    assert host.check_output("ls -A /srv/large-disk") == ""
