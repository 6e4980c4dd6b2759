"""What runs do to a host where something has changed, and what they refuse before anything changes."""

from __future__ import annotations

import os
from typing import Any

from tests.support import hosts, playbook

NAME = "pypi-layout"
testinfra_hosts = [f"ansible://{NAME}"]
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
HOME = "/home/pypi/pypi-server"


def refused(**variables: Any) -> str:
    return playbook.refused(playbook=ROLE, **variables)


def test_a_mode_and_an_owner_that_have_drifted_are_corrected_and_shown(host: Any) -> None:
    host.check_output("chmod 0755 %s/nginx/tls && chown root:root %s/authentication", HOME, HOME)
    host.check_output("chmod 0750 %s/index", HOME)
    done = playbook.applied(ROLE)
    assert done.changed == 1, done.output
    for name, wanted in {
        "nginx/tls": "root:pypi 750",
        "authentication": "root:pypi 750",
        "index": "pypi:pypi 700",
    }.items():
        assert host.check_output("stat --format '%%U:%%G %%a' %s/%s", HOME, name) == wanted
    assert f"-{HOME}/nginx/tls owner=root:pypi mode=0755" in done.message()
    assert f"-{HOME}/authentication owner=root:root mode=0750" in done.message()
    assert f"-{HOME}/index owner=pypi:pypi mode=0750" in done.message()


def test_check_mode_says_what_would_be_made_for_an_account_that_is_not_there_yet(host: Any) -> None:
    with hosts.untouched(host):
        done = playbook.applied(
            ROLE, "--check", "--diff", pypi_system_user="newcomer", pypi_home="/home/newcomer/pypi-server"
        )
    assert done.changed > 0
    assert "+/home/newcomer/pypi-server/packages owner=newcomer mode=0700" in done.message(), done.output


def test_a_file_in_the_place_of_a_folder_is_an_error(host: Any) -> None:
    host.check_output("mkdir /srv/other && touch /srv/other/packages")
    with hosts.untouched(host):
        message = refused(pypi_home="/srv/other")
    playbook.says(message, "/srv/other/packages exists and is not a folder. Move it away, then run again.")


def test_packages_on_a_disk_that_is_not_mounted_are_an_error(host: Any) -> None:
    host.check_output("mkdir /srv/unmounted && ln -s /mnt/disk/packages /srv/unmounted/packages")
    with hosts.untouched(host):
        message = refused(pypi_home="/srv/unmounted")
    playbook.says(
        message,
        "/srv/unmounted/packages is a symbolic link to /mnt/disk/packages, and that is not there",
        "Mount or make it, or remove the link, then run again.",
    )


def test_a_group_with_other_accounts_is_refused(host: Any) -> None:
    host.check_output("useradd alice && gpasswd --add alice builders")
    variables = {"pypi_system_user": "packager", "pypi_home": "/srv/packager/index"}
    try:
        with hosts.untouched(host):
            message = refused(**variables)
        playbook.says(
            message,
            "pypi_system_user: the group builders of packager has other accounts, alice, and keys and password hashes of the "
            "index are readable for that group. Nothing was changed. Give packager a group of its own (groupadd packager-index "
            "&& usermod --gid packager-index packager)",
        )
    finally:
        host.check_output("gpasswd --delete alice builders && userdel --remove alice")


def test_a_folder_above_the_index_that_others_can_write_to_is_refused(host: Any) -> None:
    host.check_output("mkdir -p /srv/open/index && chmod 0777 /srv/open")
    with hosts.untouched(host):
        message = refused(pypi_home="/srv/open/index")
    playbook.says(
        message,
        "pypi_home: any account can write to /srv/open (mode 0777, root:root), and so could replace /srv/open/index",
        "Make it root's alone (chown root /srv/open && chmod go-w /srv/open)",
    )


def test_a_link_of_the_accounts_to_another_folder_is_not_followed(host: Any) -> None:
    home = "/srv/led/index"
    host.check_output(
        f"mkdir -p {home} /srv/foreign && ln -s /srv/foreign {home}/packages && chown -h pypi {home}/packages"
    )
    with hosts.untouched(host):
        message = refused(pypi_home=home)
    playbook.says(message, f"{home}/packages is a link of pypi to /srv/foreign, and root follows none but its own")
