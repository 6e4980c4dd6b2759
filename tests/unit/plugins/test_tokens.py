"""Tokens from the inventory to the file on the host: what is refused, what the host gets, and that no token leaves."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.action import htpasswd as action
from ansible_collections.wheelhouse.pypi.plugins.module_utils import tokens as host_tokens
from ansible_collections.wheelhouse.pypi.plugins.modules import htpasswd
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import in_clear, rules, specs
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import tokens

Run = Callable[..., dict[str, Any]]


def token(digit: str) -> str:
    """A token as wheelhouse.pypi.token makes it, of 64 equal digits."""
    text = tokens.PREFIX + digit * 64
    return text + hashlib.sha256(text.encode()).hexdigest()[:8]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


ONE, TWO = token("1"), token("2")
CI = {"id": "ci-acme", "secret": ONE, "publish": ["acme-*"]}
TODAY = datetime.datetime.now(datetime.UTC).date()


def in_days(days: int) -> str:
    return (TODAY + datetime.timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    "entry",
    [
        CI,
        {**CI, "hash": ""},
        {"id": "a", "hash": sha256(ONE)},
        {"id": "Team_1.ci@example+x-y", "hash": sha256(ONE), "secret": None, "read": "no", "yank": True},
        {**CI, "expires": "2020-01-31", "read": False, "delete": ["*"], "yank": []},
        {**CI, "expires": datetime.date(2099, 1, 31), "read": None},
        {"id": "x" * 100, "hash": sha256(ONE)},
    ],
)
def test_good_tokens(entry: dict[str, Any]) -> None:
    assert rules.problems({"pypi_tokens": [entry], "pypi_tokens_max_days": 0}) == []


BAD = [
    ("text", "entry 1 is not a mapping"),
    ({"secret": ONE}, "entry 1 has no id; give one"),
    ({**CI, "id": ONE}, "entry 1 has an invalid id"),
    ({**CI, "id": "a b"}, "entry 1 has an invalid id"),
    ({**CI, "id": "-a"}, "entry 1 has an invalid id"),
    ({**CI, "id": "a:b"}, "entry 1 has an invalid id"),
    ({**CI, "id": "$a"}, "entry 1 has an invalid id"),
    ({**CI, "id": 'a"'}, "entry 1 has an invalid id"),
    ({**CI, "id": "x" * 101}, "entry 1 has an invalid id"),
    ({**CI, "id": "a\n"}, "entry 1 has an invalid id"),
    ({**CI, "id": 7}, "entry 1 has an invalid id"),
    ({**CI, "id": "__token__"}, "entry 1 has an invalid id"),
    ({"id": "a"}, "token 'a' has neither a secret nor a hash; give one of them; run wheelhouse.pypi.token"),
    ({"id": "a", "secret": ONE, "hash": sha256(ONE)}, "has both a secret and a hash"),
    ({"id": "a", "secret": ""}, "has a secret that is not wheelhouse_ with"),
    ({"id": "a", "secret": 7}, "has a secret that is not text"),
    ({"id": "a", "secret": ONE + "\n"}, "has a secret that ends with a newline"),
    (
        {"id": "a", "secret": "S3cret-of-another-kind"},
        "has a secret that is not wheelhouse_ with 72 hexadecimal digits",
    ),
    ({"id": "a", "secret": tokens.PREFIX + "1" * 38}, "has a secret of 120 bits instead of 256; copy it whole"),
    ({"id": "a", "secret": ONE[:-1]}, "has a secret of 252 bits instead of 256"),
    ({"id": "a", "secret": tokens.PREFIX + "1" * 72}, "has a secret that was altered: its checksum differs"),
    ({"id": "a", "hash": ONE}, "has a hash that is not a SHA-256"),
    ({"id": "a", "hash": sha256(ONE).upper()}, "in lower-case hexadecimal digits"),
    ({"id": "a", "hash": sha256(ONE) + "  -"}, "without the - behind it"),
    ({"id": "a", "hash": "$2y$10$" + "e" * 53}, "has a hash that is not a SHA-256"),
    ({**CI, "publish": ["Acme_*"]}, "token 'ci-acme' has 'Acme_*' in publish, which matches no project"),
    ({**CI, "publish": "maybe"}, "has a publish that is neither true nor false"),
    ({**CI, "publish": [f"p{n:04}" for n in range(600)]}, "has rights of more than 3500 letters"),
    ({**CI, "read": ["acme-*"]}, "has a read that is neither true nor false"),
    ({"id": "a", "secret": ONE, "read": False}, "token 'a' has no right; give it publish"),
    ({**CI, "upload": ["acme-*"]}, "has the unknown right 'upload'; the rights are publish, delete, yank"),
    ({**CI, "expire": "2027-03-31"}, "has the unknown key 'expire'; did you mean expires?"),
    ({**CI, "state": "absent"}, "has an unknown key; give id, secret, hash"),
    ({**CI, ONE: True}, "has an unknown key"),
    ({**CI, "expires": "31.03.2027"}, "has an invalid expires: '31.03.2027'; give the last day of the token"),
    ({**CI, "expires": "9999-12-31"}, "too late: 9999-12-31; leave it out for a token that does not expire"),
]


@pytest.mark.parametrize(("entry", "words"), BAD)
def test_bad_tokens_get_one_line_that_shows_no_token(entry: Any, words: str) -> None:
    (problem,) = rules.problems({"pypi_tokens": [entry]})
    assert words in str(problem)
    assert "\n" not in str(problem)
    assert not any(part in str(problem) for part in ("1" * 8, "S3cret", "e" * 53))


@pytest.mark.parametrize(
    "variables",
    [
        {"pypi_tokens": [{**CI, "publish": [ONE]}]},
        {"pypi_tokens": [{**CI, "publish": ONE}]},
        {"pypi_tokens": [{**CI, "expires": ONE}]},
        {"pypi_tokens": [{"id": ONE, "read": ONE}]},
        {"pypi_tokens": [{**CI, ONE: ["x"]}]},
        {"pypi_tokens": ONE},
        {"pypi_tokens_max_days": ONE},
        {"pypi_users": [{"name": "a", "password": ONE, "yank": [ONE]}]},
        {"pypi_http_port": ONE},
        {"pypi_http_port": ONE.upper()},
        {"pypi_tokens": [{"id": ONE.upper(), "read": True}]},
        {"pypi_users": [{"name": "a", "password": ONE.upper()}]},
        {"pypi_quotas": {"index": ONE, "projects": [{"names": [ONE], "size": ONE}]}},
    ],
)
def test_a_token_in_the_wrong_place_is_not_shown(variables: dict[str, Any]) -> None:
    found = rules.problems(variables)
    assert found
    assert "11111111" not in " ".join(map(str, found))


def test_two_tokens_have_neither_one_id_nor_one_secret() -> None:
    (problem,) = rules.problems({"pypi_tokens": [CI, {**CI, "secret": TWO}]})
    assert problem.problem == "token 'ci-acme' is listed 2 times"
    (problem,) = rules.problems({"pypi_tokens": [CI, {"id": "other", "hash": sha256(ONE)}]})
    assert problem.problem == "token 'ci-acme' and token 'other' have the same secret"


def test_no_login_has_the_name_of_a_token() -> None:
    user = {"name": "ci-acme", "password": "S3cret"}
    (problem,) = rules.problems({"pypi_tokens": [CI], "pypi_users": [user]})
    assert str(problem) == ("pypi_tokens: token 'ci-acme' has the name of a login in pypi_users; give it another id")
    assert rules.problems({"pypi_tokens": [CI], "pypi_users": [{**user, "state": "absent"}]}) == []


@pytest.mark.parametrize(
    ("expires", "words"),
    [
        (
            None,
            f"token 'ci-acme' does not expire, while pypi_tokens_max_days is 90; give {in_days(90)} or a day before",
        ),
        (in_days(92), f"expires {in_days(92)}, more than 90 days from now"),
        (in_days(89), None),
        ("2020-01-31", None),
    ],
)
def test_tokens_expire_in_time(expires: Any, words: str | None) -> None:
    found = rules.problems({"pypi_tokens": [{**CI, "expires": expires}], "pypi_tokens_max_days": "90"})
    assert len(found) == (words is not None)
    assert words is None or words in str(found[0])


@pytest.mark.parametrize("days", [-1, 3651, "90d", True])
def test_days_are_a_number(days: Any) -> None:
    (problem,) = rules.problems({"pypi_tokens_max_days": days, "pypi_tokens": [{**CI, "expires": in_days(1)}]})
    assert problem.variable == "pypi_tokens_max_days"


def test_an_index_may_have_tokens_alone() -> None:
    variables = {"pypi_users": [], "pypi_tokens": [CI], "pypi_authenticate": ["list", "download", "update"]}
    assert rules.problems(variables) == []
    assert rules.warnings(variables) == []


def test_an_expired_token_is_named_and_no_reason_to_refuse_a_run() -> None:
    variables = {"pypi_tokens": [{**CI, "expires": "2020-01-31"}]}
    assert rules.problems(variables) == []
    assert rules.warnings(variables) == [
        "pypi_tokens: token 'ci-acme' expired after 2020-01-31; wheelhouse.pypi.users removes it"
    ]
    assert tokens.present(variables) == []


@pytest.mark.parametrize(("days", "warned"), [(0, True), (13, True), (16, False)])
def test_a_token_that_expires_soon_is_a_warning(days: int, warned: bool) -> None:
    found = rules.warnings({"pypi_tokens": [{**CI, "expires": in_days(days)}]})
    expected = f"pypi_tokens: token 'ci-acme' expires after {in_days(days)}; wheelhouse.pypi.token makes another"
    assert found == ([expected] if warned else [])


def test_a_token_in_clear_in_a_file_of_the_inventory_is_a_warning(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    for secret, warned in ((ONE, True), ("{{ vault_pypi_token_ci }}", False)):
        inventory.write_text(f"all: {{vars: {{pypi_tokens: [{{id: ci, secret: '{secret}'}}]}}}}\n")
        found = in_clear.warnings({"ansible_inventory_sources": [str(inventory)]})
        assert found == (
            [f"{inventory} has passwords in clear. Encrypt it: ansible-vault encrypt {inventory}"] if warned else []
        )
    # What the template refers to.
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(f"vault_pypi_token_ci: {ONE}\n")
    assert len(in_clear.warnings({"ansible_inventory_sources": [str(inventory)]})) == 1
    # A hash need not be secret.
    inventory.write_text(f"all: {{vars: {{pypi_tokens: [{{id: ci, hash: '{sha256(ONE)}'}}]}}}}\n")
    assert in_clear.warnings({"ansible_inventory_sources": [str(inventory)]}) == []


def test_the_rights_of_tokens_are_those_of_logins() -> None:
    keys = specs.of_token()
    assert tuple(key for key, option in keys.items() if option["type"] == "raw") == specs.rights()


# -- what the host gets ------------------------------------------------------------------------------------------------


def sent(entries: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Return what the action plugin hands to the module."""
    calls: list[dict[str, Any]] = []
    task = SimpleNamespace(
        args={"path": "/x", "users": [], "tokens": entries}, async_val=0, check_mode=False, diff=False, environment=None
    )
    plugin: Any = action.ActionModule(
        task=task,
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
        play_context=SimpleNamespace(check_mode=False),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )

    def execute(**options: Any) -> dict[str, Any]:
        calls.append(options["module_args"])
        return {"changed": False}

    plugin._execute_module = execute
    plugin.run(task_vars={})
    return calls[0]


def test_a_host_gets_the_sha_256_alone() -> None:
    arguments = sent([{**CI, "expires": "2099-03-31"}, {"id": "old", "secret": TWO, "expires": "2020-01-31"}])
    assert ONE not in json.dumps(arguments)
    assert TWO not in json.dumps(arguments)
    end = int(datetime.datetime(2099, 4, 1, tzinfo=datetime.UTC).timestamp())
    assert arguments["tokens"] == [
        {"id": "ci-acme", "sha256": sha256(ONE), "rights": ["publish:acme-*"], "reads": True, "end": end}
    ]


def test_a_task_without_tokens_keeps_those_of_the_host(run: Run, run_module: Run, tmp_path: Path) -> None:
    assert sent(None).get("tokens") is None
    assert sent([])["tokens"] == []
    run(CI)
    before = (tmp_path / "tokens.conf").read_text()
    result = run_module(htpasswd, path=str(tmp_path), users=[], hashes={})
    assert result["tokens"]["removed"] == []
    assert result["tokens"]["valid"] == ["ci-acme (may read, publish acme-*, does not expire)"]
    assert (tmp_path / "tokens.conf").read_text() == before
    # Nor does a login take the name of one.
    alice = {"name": "ci-acme", "rights": [], "state": "present"}
    result = run_module(htpasswd, path=str(tmp_path), users=[alice], hashes={"ci-acme": "$2y$10$" + "e" * 53})
    assert "a login of the host has the name of token 'ci-acme'" in result["msg"]


def test_logins_that_stay_valid_beside_tokens_alone_are_a_warning(run: Run) -> None:
    assert run(CI, users=["alice", "bob"])["warnings"] == []
    (warning,) = run(CI)["warnings"]
    assert (
        "pypi_users is empty, so 2 logins of the host remain valid beside the tokens. To remove logins, list" in warning
    )
    # Without tokens, an empty list of users is no wish to be rid of passwords.
    assert run()["warnings"] == []


@pytest.fixture
def run(run_module: Run, tmp_path: Path) -> Run:
    """The htpasswd module on a folder with tokens; check mode predicts exactly and writes nothing."""

    def call(*entries: dict[str, Any], users: Any = ()) -> dict[str, Any]:
        arguments = {
            "path": str(tmp_path),
            "users": [{"name": name, "rights": [], "state": "present"} for name in users],
            "hashes": dict.fromkeys(users, "$2y$10$" + "e" * 53),
            "purge": False,
            "tokens": [tokens.for_host(entry) for entry in entries],
        }
        predicted = run_module(htpasswd, check=True, **arguments)
        real = run_module(htpasswd, **arguments)
        for result in (predicted, real):
            result.pop("invocation", None)
            del result["logged"]
        assert predicted == real
        assert sha256(ONE) not in str(real)
        return real

    return call


def test_the_file_has_a_line_for_each_token(run: Run, tmp_path: Path) -> None:
    result = run(
        {**CI, "yank": True, "expires": "2099-03-31"}, {"id": "b", "secret": TWO, "publish": True, "read": False}
    )
    assert result["tokens"] == {
        "added": ["b", "ci-acme"],
        "updated": [],
        "removed": [],
        "valid": ["b (may publish, does not expire)", "ci-acme (may read, publish acme-*, yank, until 2099-03-31)"],
    }
    assert (tmp_path / "tokens.conf").read_text().splitlines()[1:] == [
        f'"{sha256(TWO)}" "never b - publish";',
        f'"{sha256(ONE)}" "4078684800 ci-acme read publish:acme-* yank";',
    ]
    assert "+ token b (may publish, does not expire)" in result["diff"]["prepared"]
    assert "+ token ci-acme (may read, publish acme-*, yank, until 2099-03-31)" in result["diff"]["prepared"]
    assert not run(
        {"id": "b", "secret": TWO, "publish": True, "read": False}, {**CI, "yank": True, "expires": "2099-03-31"}
    )["changed"]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({**CI, "secret": TWO}, "~ token ci-acme: replaced by another token"),
        ({**CI, "publish": True}, "~ token ci-acme: may publish all projects now, was acme-*"),
        ({**CI, "read": False}, "~ token ci-acme: may not read any more"),
        ({**CI, "expires": "2099-03-31"}, "~ token ci-acme: until 2099-03-31, was: does not expire"),
    ],
)
def test_changes_of_tokens_are_named(run: Run, entry: dict[str, Any], line: str) -> None:
    run(CI)
    result = run(entry)
    assert (result["tokens"]["added"], result["tokens"]["updated"]) == ([], ["ci-acme"])
    assert result["diff"]["prepared"].splitlines()[1:] == [line]


def test_a_token_that_is_not_listed_is_revoked_whatever_happens_to_logins(run: Run, tmp_path: Path) -> None:
    run(CI, users=["alice"])
    result = run(users=["alice"])
    assert result["tokens"]["removed"] == ["ci-acme"]
    assert result["diff"]["prepared"].splitlines()[1:] == ["- token ci-acme"]
    assert sha256(ONE) not in (tmp_path / "tokens.conf").read_text()


def test_a_login_that_is_on_the_host_alone_has_no_name_of_a_token(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / ".htpasswd").write_text("ci-acme:$2y$10$" + "e" * 53 + "\n")
    result = run_module(htpasswd, path=str(tmp_path), users=[], hashes={}, purge=False, tokens=[tokens.for_host(CI)])
    assert "a login of the host has the name of token 'ci-acme'" in result["msg"]
    assert not (tmp_path / "tokens.conf").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"id": "a b"}, {"sha256": "0" * 63}, {"rights": ["publish;"]}, {"id": 'a";'}, {"rights": ['publish:x";']}],
)
def test_what_would_spoil_the_file_is_refused_on_the_host_as_well(
    run_module: Run, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    entry = {**tokens.for_host(CI), **wrong}
    assert run_module(htpasswd, path=str(tmp_path), users=[], hashes={}, tokens=[entry])["failed"]
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / "tokens.conf").exists()


def test_what_cannot_be_read_of_a_file_is_no_token() -> None:
    text = b'"00" "never a read";\n"' + b"0" * 64 + b'" "soon a read";\nnonsense\n\xff\n'
    assert host_tokens.parse(text) == []
    assert host_tokens.parse(None) == []
