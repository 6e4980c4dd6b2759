"""Whose the tree is, and who else could get at it: what is refused before anything changes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import ownership
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import Host

HOME = "/home/pypi/index"
FOUND = (
    "@@account\npypi:x:998:997:Index:/home/pypi:/usr/sbin/nologin\n@@group\npypi:x:997:\n@@sharing\npypi\n"
    "@@parents\n0 root 0 root 755 /\n0 root 0 root 755 /home\n0 root 0 root 755 /home/pypi\n"
    "0 root 997 pypi 750 /home/pypi/index\n"
    "@@owners\n998:997 pypi packages\n998:997 pypi index\n998:997 pypi index/catalogue.sqlite\n"
    "@@tree\nd ./packages\nl ./logs\n"
)


def host(before: str = "", after: str = "") -> Host:
    assert before in FOUND
    return Host.parse(FOUND.replace(before, after, 1) if before else FOUND)


def test_nothing_is_said_where_all_is_well() -> None:
    assert ownership.shared_group(host(), "pypi") == ""
    assert ownership.foreign_parents(host(), HOME) == ""
    assert ownership.another_owner(host(), "pypi", HOME) == ""
    assert ownership.replaceable(host(), "pypi", HOME) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("pypi:x:997:\n", "users:x:997:alice,root,bob\n", "the group users of pypi has other accounts, alice and bob"),
        ("@@sharing\npypi\n", "@@sharing\npypi\ncarol\n", "the group pypi of pypi has other accounts, carol"),
        ("pypi:x:997:\n", "pypi:x:997:root,pypi\n", ""),
    ],
)
def test_a_group_that_others_are_in(before: str, after: str, said: str) -> None:
    found = ownership.shared_group(host(before, after), "pypi")
    assert bool(found) == bool(said)
    assert said in found
    if said:
        assert "groupadd pypi-index && usermod --gid pypi-index pypi" in found


def test_a_group_that_a_new_account_would_share() -> None:
    found = Host.parse("@@account\n@@group\npypi:x:997:alice\n@@sharing\n")
    assert "the account pypi would get the group pypi, and alice is in it already" in ownership.shared_group(
        found, "pypi"
    )


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("0 root 0 root 777 /home", "any account can write to /home (mode 0777, root:root)"),
        ("0 root 0 root 1777 /home", ""),
        ("0 root 100 users 775 /home", "the group users can write to /home"),
        ("0 root 0 root 775 /home", ""),
        ("1000 alice 1000 alice 755 /home", "alice can write to /home"),
        ("998 pypi 997 pypi 775 /home", ""),
    ],
)
def test_a_folder_above_that_others_can_write_to(folder: str, said: str) -> None:
    found = ownership.foreign_parents(host("0 root 0 root 755 /home\n", folder + "\n"), HOME)
    assert bool(found) == bool(said)
    assert said in found


def test_what_the_account_or_others_could_replace_is_warned_of() -> None:
    (text,) = ownership.replaceable(
        host("0 root 0 root 755 /home/pypi\n", "998 pypi 997 pypi 755 /home/pypi\n"), "pypi", HOME
    )
    assert "/home/pypi belongs to pypi" in text and "chown root /home/pypi" in text
    (text,) = ownership.replaceable(host("750 /home/pypi/index", "770 /home/pypi/index"), "pypi", HOME)
    assert "could be written to by others (mode 0770)" in text


HAND_OVER = "chown --recursive --no-dereference --from={} 998:997 {}"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(
            "998:997 pypi packages",
            "4321:4300 packager packages",
            (
                "packages belongs to packager (uid 4321), and the service account is pypi (uid 998)",
                HAND_OVER.format(4321, f"{HOME}/ {HOME}/logs/"),
                "If not, set pypi_system_user: packager.",
            ),
            id="another account's",
        ),
        pytest.param(
            "998:997 pypi packages", "996:996 996 packages", ("packages belongs to uid 996, and",), id="of no account"
        ),
        pytest.param("998:997 pypi packages", "0:0 root packages", (), id="root's, which a run corrects"),
        pytest.param(
            "998:997 pypi index/catalogue.sqlite",
            "0:0 root index/catalogue.sqlite",
            ("index/catalogue.sqlite belongs to root", HAND_OVER.format(0, f"{HOME}/index/")),
            id="restored by root",
        ),
        pytest.param(
            "pypi:x:998:997:Index:/home/pypi:/usr/sbin/nologin",
            "",
            ("to pypi (uid 998), and there is no account other", "Set pypi_system_user: pypi, or create other"),
            id="the account is not there, and the owner is",
        ),
    ],
)
def test_a_tree_of_another_account(before: str, after: str, said: tuple[str, ...]) -> None:
    user = "other" if not after else "pypi"
    found = ownership.another_owner(host(before, after), user, HOME)
    assert bool(found) == bool(said)
    assert all(words in found for words in said), found


def test_a_link_in_the_place_of_a_folder_that_root_trusts() -> None:
    assert ownership.linked(host(), HOME) == ""
    message = ownership.linked(host("l ./logs\n", "l ./nginx\nl ./authentication\n"), HOME)
    assert message.startswith(
        f"pypi_home: nginx and authentication in {HOME} are links, which root does not follow."
    ), message


def test_a_disk_of_a_host_that_was_installed_again() -> None:
    found: Any = Host.parse("@@account\n@@owners\n996:995 996 packages\n996:995 996 index\n996:995 996 index/.lock\n")
    text = ownership.another_owner(found, "pypi", HOME)
    assert "index and packages belong to uid 996, and there is no account pypi" in text
    assert "groupadd --system --gid 995 pypi && useradd --system --uid 996 --gid 995" in text
