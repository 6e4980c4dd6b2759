"""The policy for public projects: which upstream answers, and which files pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import wheelhouse_index
from wheelhouse_index.__main__ import main
from wheelhouse_index.public.policy import Judge, Policy, PolicyError
from wheelhouse_index.server.settings import Settings

from tests.support.public import policy

NOW = 1_800_000_000.0
DAY = 86400
OTHER = {"url": "https://wheels.example.net/whl/", "names": ["torch*"], "hosts": [], "no_upload_time": "allow"}


class File(NamedTuple):
    version: str
    uploaded: float | None


def policy_of(**more: Any) -> Policy:
    return Policy.of_text(json.dumps(policy(**more)))


def rule(own: Policy, project: str, version: str, age: float | None = None, number: int = 0) -> str:
    held = Judge(own, project, number, NOW).held(File(version, None if age is None else NOW - age))
    print(project, version, held)
    return held.rule if held else ""


@pytest.mark.parametrize(
    ("denied", "version", "is_held"),
    [
        ("demo", "1.0", True),
        ("de*", "1.0", True),
        ("dem", "1.0", False),
        ("demo<2", "1.9", True),
        ("demo<2", "2.0", False),
        ("demo>1.0,<2.0", "1.0", False),
        ("demo>1.0,<2.0", "1.5", True),
        ("demo==1.0", "1.0.0", True),
        ("demo==1.*", "1.7.post1", True),
        ("demo>=2", "3.0rc1", True),
        ("demo==1.0", "1.0+cu1", True),
        # In doubt it is refused.
        ("demo<2", "final-build", True),
        ("demo==1.0", "", True),
    ],
)
def test_a_denial_is_of_names_and_versions(denied: str, version: str, is_held: bool) -> None:
    assert rule(policy_of(denied=[denied]), "demo", version) == ("denied" if is_held else "")


@pytest.mark.parametrize(
    ("exempt", "version", "age", "expected"),
    [
        ([], "1.0", 3 * DAY, ""),
        ([], "1.0", 3 * DAY - 1, "minimum-age"),
        ([], "1.0", None, "unknown-age"),
        ([], "1.0", -DAY, "minimum-age"),
        (["demo==1.0"], "1.0", 0, ""),
        (["demo==1.0"], "1.1", 0, "minimum-age"),
        (["demo"], "1.1", 0, ""),
        (["demo==1.0"], "1.0", None, ""),
        (["demo>=0"], "final-build", 0, "minimum-age"),
        (["other"], "1.0", 0, "minimum-age"),
    ],
)
def test_a_minimum_age_and_what_is_exempt(exempt: list[str], version: str, age: float | None, expected: str) -> None:
    assert rule(policy_of(minimum_age=3 * DAY, exempt=exempt), "demo", version, age) == expected


def test_an_exemption_is_none_from_a_denial_and_an_upstream_without_times_may_be_trusted() -> None:
    assert rule(policy_of(denied=["demo==1.0"], exempt=["demo"]), "demo", "1.0", 0) == "denied"
    own = policy_of(minimum_age=DAY, upstreams=[OTHER])
    assert rule(own, "torch", "1.0", None) == ""
    assert rule(own, "torch", "1.0", 0) == "minimum-age"


def test_a_line_says_when_a_file_becomes_available_and_what_to_ask_the_operator_for() -> None:
    held = Judge(policy_of(minimum_age=3 * DAY), "demo", 0, NOW).held(File("1.0", NOW - 10))
    assert held and held.reason == (
        "too young, available from 2027-01-18 08:00 UTC."
        " To have it now, ask the operator to add to pypi_upstream_exempt: demo==1.0"
    )


def test_only_what_is_allowed_passes() -> None:
    own = policy_of(allowed=["demo", "lib-*"])
    assert [rule(own, name, "1.0") for name in ("demo", "lib-x", "other")] == ["", "", "not-allowed"]
    assert own.held("demo") is None
    held = own.held("other")
    assert held and "pypi_upstream_allowed: other" in held.reason


def test_one_upstream_answers_for_a_name() -> None:
    general = policy()["upstreams"][0]
    for upstreams, expected in (([general, OTHER], (0, 1)), ([OTHER, general], (1, 0)), ([OTHER], (None, 0))):
        own = policy_of(upstreams=upstreams)
        assert (own.upstream_of("demo"), own.upstream_of("torchvision")) == expected


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"upstreams": []}, "upstreams"),
        ({"upstreams": [{}]}, "upstreams[0]: url"),
        ({"upstreams": [{**OTHER, "url": "http://x/"}]}, "url is not an https address"),
        ({"upstreams": [{**OTHER, "url": "https://u:p@x/"}]}, "url is not an https address"),
        ({"upstreams": [{**OTHER, "url": "https://x/simple"}]}, "url is not an https address"),
        ({"upstreams": [{**OTHER, "hosts": ["A b"]}]}, "hosts"),
        ({"upstreams": [{**OTHER, "names": ["Torch"]}]}, "names"),
        ({"upstreams": [{**OTHER, "no_upload_time": "x"}]}, "no_upload_time"),
        ({"private": ["acme_x"]}, "private"),
        ({"private": "acme"}, "private is not a list"),
        ({"denied": ["demo<"]}, "denied"),
        ({"denied": ["demo 1.0"]}, "denied"),
        ({"exempt": [7]}, "exempt"),
        ({"minimum_age": -1}, "minimum_age"),
        ({"minimum_age": True}, "minimum_age"),
        ({"digest": "xyz"}, "digest"),
    ],
)
def test_a_policy_that_cannot_be_used_names_what_is_wrong(
    change: dict[str, Any],
    named: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "upstreams.json"
    file.write_text(json.dumps({**policy(), **change}))
    with pytest.raises(PolicyError) as raised:
        Policy.of_text(file.read_text())
    assert named in str(raised.value)
    monkeypatch.setenv("WHEELHOUSE_UPSTREAMS", str(file))
    assert main(["check"]) == 1
    line = capsys.readouterr().err
    print(line)
    assert line.count("\n") == 1 and named in line and str(file) in line


def test_a_check_passes_with_a_policy_and_without(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "upstreams.json"
    monkeypatch.setenv("WHEELHOUSE_UPSTREAMS", str(file))
    assert main(["check"]) == 0
    file.write_text(json.dumps(policy(denied=["a", "b<2"], exempt=["c==1.0"], minimum_age=5)))
    assert main(["check"]) == 0


def test_the_policy_is_beside_the_package_where_the_role_writes_it() -> None:
    assert Settings().upstreams == Path(wheelhouse_index.__file__).parents[1] / "upstreams.json"
