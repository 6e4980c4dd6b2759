"""What the action plugins hand to the module and what they keep to themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.action import (
    check_variables,
    htpasswd,
    htpasswd_hash,
)
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import hashing

from tests.collection import ROOT

Search = Callable[..., None]
ALICE = {"name": "alice", "password": "S3cret", "publish": True}
HASH = "$2y$04$" + "e" * 53
OTHER = "$2y$04$" + "u" * 53


class Recorder:
    """Stands for the remote side: keeps what modules were called with, answers htpasswd_info with ``present``."""

    def __init__(self, present: dict[str, str] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.present = present or {}

    def __call__(self, module_args: dict[str, Any], task_vars: Any, module_name: str = "") -> dict[str, Any]:
        self.calls.append((module_name.rpartition(".")[2], module_args))
        if module_name.endswith("_info"):
            return {"changed": False, "users": self.present, "invocation": {}}
        return {"changed": True, "added": ["alice"], "invocation": {"module_args": module_args}}


def run(module: Any, arguments: dict[str, Any], remote: Any = None, **task_vars: Any) -> dict[str, Any]:
    """Run an action plugin outside Ansible."""
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, environment=None, no_log=False)
    action: ActionBase = module.ActionModule(
        task=task,
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
        play_context=SimpleNamespace(check_mode=False),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    action._execute_module = remote or (lambda **_options: pytest.fail("the host is not to be asked"))
    result: dict[str, Any] = action.run(task_vars=task_vars)
    return result


# -- htpasswd ----------------------------------------------------------------------------------------------------------


def test_a_host_gets_hashes_only(assert_no_secret: Search) -> None:
    remote = Recorder()
    result = run(htpasswd, {"path": "/x", "users": [ALICE], "hashes": {"alice": HASH}, "mode": "0640"}, remote)
    ((name, sent),) = remote.calls
    assert (name, sent["hashes"]) == ("htpasswd", {"alice": HASH})
    assert sent["users"] == [{"name": "alice", "rights": ["publish"], "state": "present"}]
    assert sent["mode"] == "0640"
    assert "S3cret" not in json.dumps(sent)
    assert "bcrypt_cost" not in sent
    assert_no_secret(result)
    assert result["changed"]
    assert result["added"] == ["alice"]
    assert "invocation" not in result


def test_rights_on_projects_are_words_in_a_fixed_order() -> None:
    remote = Recorder()
    users = [{**ALICE, "publish": ["widgets", "acme-*", "widgets"], "yank": "yes", "delete": []}]
    run(htpasswd, {"path": "/x", "users": users, "hashes": {"alice": HASH}}, remote)
    assert remote.calls[0][1]["users"][0]["rights"] == ["publish:acme-*", "publish:widgets", "yank"]


def test_passwords_without_a_hash_are_hashed_after_one_look(assert_no_secret: Search) -> None:
    remote = Recorder()
    bob = {"name": "bob", "hash": OTHER}
    gone = {"name": "gone", "state": "absent"}
    result = run(htpasswd, {"path": "/x", "users": [ALICE, bob, gone], "bcrypt_cost": "4"}, remote)
    assert [name for name, _arguments in remote.calls] == ["htpasswd_info", "htpasswd"]
    hashes = remote.calls[1][1]["hashes"]
    assert hashes["bob"] == OTHER
    assert hashes["alice"].startswith("$2y$04$")
    assert len(hashes) == 2
    assert_no_secret(result)

    again = Recorder(hashes)
    run(htpasswd, {"path": "/x", "users": [ALICE, bob, gone], "bcrypt_cost": 4}, again)
    assert again.calls[1][1]["hashes"] == hashes


def test_a_host_that_cannot_be_read_is_not_written(assert_no_secret: Search) -> None:
    def failing(**_options: Any) -> dict[str, Any]:
        return {"failed": True, "msg": "is a folder", "users": {"alice": HASH}}

    result = run(htpasswd, {"path": "/x", "users": [ALICE]}, failing)
    assert result["failed"]
    assert result["msg"] == "is a folder"
    assert_no_secret(result)


BAD_ENTRIES = [
    ({"name": "al:S3cret", "password": "S3cret"}, "user 'al...' has a colon in the name"),
    ({"name": "alice", "hash": "{SHA}S3cret"}, "user 'alice' has a hash in a scheme that is not accepted: {SHA}"),
    ({"name": "alice", "hash": "S3cret"}, "user 'alice' has a hash in a scheme that is not accepted: plain text"),
    ({"name": "alice", "hash": HASH + "x"}, "$2y$, but not well-formed"),
    ({"name": "alice", "password": ""}, "user 'alice' has an empty password"),
    ({"name": "alice", "password": "S3cret" * 13}, "more than 72 bytes"),
    ("alice:S3cret", "entry 1 is not a mapping"),
]


@pytest.mark.parametrize(("entry", "words"), BAD_ENTRIES)
@pytest.mark.parametrize("module", [htpasswd, htpasswd_hash, check_variables])
def test_bad_users_are_named_and_the_host_is_not_asked(
    module: Any, entry: Any, words: str, assert_no_secret: Search
) -> None:
    arguments_of: dict[Any, dict[str, Any]] = {
        htpasswd: {"path": "/x", "users": [entry]},
        htpasswd_hash: {"wanted": "wanted", "present": "present"},
        check_variables: {"variables": {"pypi_users": [entry]}},
    }
    hostvars = {"one": {"wanted": {"users": [entry], "bcrypt_cost": 4}}}
    with pytest.raises(AnsibleActionFail) as caught:
        run(module, arguments_of[module], hostvars=hostvars, ansible_play_batch=["one"], ansible_play_hosts_all=["one"])
    assert words in str(caught.value)
    assert_no_secret(str(caught.value).replace("$2y$, but", "").replace("($2a$, $2b$, $2y$, $5$, $6$, $apr1$)", ""))


# -- htpasswd_hash -----------------------------------------------------------------------------------------------------


def hash_for(hostvars: dict[str, dict[str, Any]], **task_vars: Any) -> dict[str, Any]:
    """Run htpasswd_hash for the hosts given."""
    batch = task_vars.pop("ansible_play_batch", list(hostvars))
    return run(
        htpasswd_hash,
        {"wanted": "wanted", "present": "present", "earlier": "hashed"},
        hostvars=hostvars,
        ansible_play_batch=batch,
        ansible_play_hosts_all=list(hostvars),
    )


def test_each_host_has_its_own_users_and_cost() -> None:
    bob = {"name": "bob", "hash": HASH}
    result = hash_for(
        {
            "one": {"wanted": {"users": [ALICE, bob], "bcrypt_cost": "4"}},
            "two": {"wanted": {"users": [ALICE], "bcrypt_cost": 5}},
            "three": {"wanted": {"users": [{**ALICE, "password": "S3cret 2"}], "bcrypt_cost": 4}},
            "four": {"wanted": {"users": []}},
            "five": {},
        }
    )
    hosts = result["hosts"]
    assert sorted(hosts) == ["four", "one", "three", "two"]
    assert hosts["four"] == {}
    assert hosts["one"]["bob"] == HASH
    assert hosts["one"]["alice"].startswith("$2y$04$")
    assert hosts["two"]["alice"].startswith("$2y$05$")
    assert hosts["three"]["alice"] not in (hosts["one"]["alice"], hosts["two"]["alice"])
    assert (result["changed"], result["hashed"], result["verified"]) == (False, 3, 0)
    assert "S3cret" not in json.dumps(result)


def test_hashes_on_any_host_are_kept_for_all() -> None:
    good = hashing.load_bcrypt().using(rounds=4, ident="2b").hash("S3cret")
    wanted = {"users": [ALICE], "bcrypt_cost": 4}
    result = hash_for(
        {
            "one": {"wanted": wanted, "present": {"skipped": True}},
            "two": {"wanted": wanted, "present": {"users": {"alice": good}}},
            "three": {"wanted": wanted, "present": {"failed": True, "msg": "?"}},
        }
    )
    assert {host["alice"] for host in result["hosts"].values()} == {good}
    assert result["verified"] == 1


def test_a_later_batch_knows_what_the_first_found_out() -> None:
    wanted = {"users": [ALICE], "bcrypt_cost": 4}
    hostvars: dict[str, dict[str, Any]] = {"one": {"wanted": wanted}, "two": {"wanted": wanted}}
    first = hash_for(hostvars, ansible_play_batch=["one"])
    hostvars["one"]["hashed"] = first
    second = hash_for(hostvars, ansible_play_batch=["two"])
    assert second["hosts"]["two"] == first["hosts"]["one"]
    assert (second["hashed"], second["verified"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "hostvars", "words"),
    [
        ({"wanted": "wanted"}, {}, "present must be the name"),
        ({"wanted": [ALICE], "present": "present"}, {}, "wanted must be the name"),
        ({"wanted": "wanted", "present": "present"}, {"one": {}}, "no host of the play has a variable wanted"),
        (
            {"wanted": "wanted", "present": "present"},
            {"one": {"wanted": [ALICE]}},
            "one: the variable must be a mapping",
        ),
        (
            {"wanted": "wanted", "present": "present"},
            {"one": {"wanted": {"users": [ALICE], "bcrypt_cost": 40}}},
            "one: pypi_bcrypt_cost: 40 is not",
        ),
    ],
)
def test_wrong_arguments_are_told(
    arguments: dict[str, Any], hostvars: dict[str, Any], words: str, assert_no_secret: Search
) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run(htpasswd_hash, arguments, hostvars=hostvars, ansible_play_batch=list(hostvars), ansible_play_hosts_all=[])
    assert words in str(caught.value)
    assert_no_secret(str(caught.value))


# -- check_variables ---------------------------------------------------------------------------------------------------


def test_good_variables_pass_with_their_warnings() -> None:
    result = run(
        check_variables,
        {"variables": {"pypi_authenticate": ["update"], "pypi_anonymous_uploads": True, "pypi_users": []}},
    )
    assert result["changed"] is False
    assert "everyone who reaches the index may upload" in result["warnings"][0]


# What each playbook takes: plugin_utils/test_rules.py.
@pytest.mark.parametrize(
    ("playbook", "slip", "meant"),
    [
        ("yank", "pypi_filename", "pypi_file"),
        ("give_back", "pypi_give_back_confrim", "pypi_give_back_confirm"),
        ("trash", "pypi_trash_doo", "pypi_trash_do"),
        ("doctor", "pypi_doctor_reprt", "pypi_doctor_report"),
        ("restore", "pypi_restore_confrim", "pypi_restore_confirm"),
    ],
)
def test_a_slip_in_a_variable_of_a_playbook_is_refused(playbook: str, slip: str, meant: str) -> None:
    (play,) = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
    arguments = {"variables": {"pypi_instance": "index"}}
    with pytest.raises(AnsibleActionFail, match=f"{slip}: unknown variable; did you mean {meant}\\?"):
        run(check_variables, arguments, **play["vars"], **{slip: "x"})
    run(check_variables, arguments, **play["vars"], **{meant: "x"})


def test_a_misspelt_size_of_batches_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match=r"pypi_serail: unknown variable; did you mean pypi_serial\?"):
        run(check_variables, {"variables": {"pypi_instance": "index"}}, pypi_serail="1")


def test_a_controller_that_cannot_hash_is_told_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise hashing.HashingError("libpass is missing. Run: pip install")

    monkeypatch.setattr(hashing, "load_bcrypt", broken)
    with pytest.raises(AnsibleActionFail, match="Run: pip install"):
        run(check_variables, {"variables": {"pypi_users": [ALICE]}})
    for needs_none in ({"name": "a", "hash": HASH}, {"name": "a", "state": "absent", "password": "S3cret"}):
        run(check_variables, {"variables": {"pypi_users": [needs_none]}})


def test_variables_are_a_mapping() -> None:
    with pytest.raises(AnsibleActionFail, match="must be a mapping"):
        run(check_variables, {"variables": ["pypi_users"]})


def test_a_variable_that_was_removed_is_refused_but_where_its_index_is_to_be_removed() -> None:
    arguments = {"variables": {"pypi_instance": "index"}}
    with pytest.raises(AnsibleActionFail, match="pypi_backend: was removed from the collection"):
        run(check_variables, arguments, pypi_backend="simple-dir")
    result = run(check_variables, arguments, pypi_backend="simple-dir", __pypi_removing=True)
    assert result["changed"] is False
