"""What the doctor says: a healthy index is ok throughout, and each fault is found, named and has a remedy."""

from __future__ import annotations

import ast
import copy
import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import doctoring
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.doctoring import (
    ERROR,
    OK,
    WARNING,
    Finding,
    findings,
    verdict,
)

AT = datetime.datetime(2026, 11, 28, 14, 0, tzinfo=datetime.UTC)
NOW = AT.timestamp()
INSPECTING = Path(__file__).parents[4] / "roles/pypiserver/files/wheelhouse_index/commands/inspecting.py"


def container(service: str, image: str) -> str:
    return f"container {service}|running|healthy|0|2026-11-01T10:00:00.123456789Z|false|{image}|2026-10-01T00:00:00Z"


def node(name: str) -> dict[str, Any]:
    """What was found on one of the three nodes."""
    return {
        "lines": ["extension 0123456789ab", "engine 26.1.5", f"{container('nginx', 'nginx:1.30')}|sha256:{'a' * 64}"],
        "store": {
            "pages": "digest",
            "ends": {one: ["29000000.journal", 100] for one in ("a", "b", "c")},
            "said": {"a": 0.5, "b": 1.5, "c": 29.0},
            "strangers": [],
        },
    }


HEALTHY: dict[str, Any] = {
    "expected_status": 401,
    "answers": {
        name: {"url": "https://pypi.example.com", "status": 401, "milliseconds": 3.2, "error": ""}
        for name in ("local", "public")
    },
    "name": "pypi.example.com",
    "tls": "provided",
    "certificate": [
        {
            "not_before": "20261001000000Z",
            "not_after": "20271001000000Z",
            "subject_alt_name": ["DNS:pypi.example.com"],
            "issuer": {"organizationName": "Example"},
        }
    ],
    "looked": {
        "begin": NOW - 1,
        "end": NOW + 1,
        "lines": [
            f"time {NOW:.0f}",
            "synchronised yes",
            "engine 26.1.5",
            "disk /home/pypi/pypi-server/packages|a1|4096|1000000|500000|65536|60000",
            "disk /home/pypi/pypi-server/index|a1|4096|1000000|500000|65536|60000",
            "disk /var/lib/docker|b2|4096|1000000|500000|0|0",
            container("auth", "nginx:1.30"),
            container("nginx", "nginx:1.30"),
            container("pypi-server", "pypiserver/pypiserver:v2.4.2"),
            'backup {"outcome": "ok", "succeeded": "2026-11-28T02:30:00Z", "overdue": "2026-11-30T02:30:00Z"}',
            'drill {"outcome": "ok", "finished": "2026-11-20T02:30:00Z", "bytes": 130000000, "rto_seconds": 31.2}',
            "unit wheelhouse-pypi-server-logs.timer|active",
            "unit wheelhouse-pypi-server-logs.service|inactive",
        ],
    },
    "services": ["auth", "nginx", "pypi-server"],
    "timers": ["wheelhouse-pypi-server-logs.timer"],
    "store": {
        "files": 6502,
        "projects": 2000,
        "bytes": 130_000_000,
        "hashed": 6502,
        "hashed_bytes": 130_000_000,
        "problems": {},
        "requests": {"all": 7000, "failed": 0, "full": 0, "refused": {"minimum-age": 3}},
    },
    "store_error": "",
    "store_code": 0,
    "backup": True,
    "images": [
        {"name": "pypiserver/pypiserver:v2.4.2", "found": "pinned", "reason": ""},
        {"name": "nginx:1.30", "found": "same", "reason": ""},
    ],
    "images_from_file": False,
    "reserve": "256m",
    "logins": {
        "logins": [
            {"name": "bob", "kind": "login", "rights": ["read"], "expires": "", "last_used": "2026-11-27T10:00:00+00:00"},
            {
                "name": "ci-acme",
                "kind": "token",
                "rights": ["read", "publish acme-*"],
                "expires": "2027-03-31",
                "last_used": "2026-11-28T10:00:00+00:00",
            },
        ],
        "log_begins": "",
    },
    "upstreams": {"problems": [], "unasked": [], "shared": []},
    "nodes": {
        "group": "eu",
        "names": ["a", "b", "c"],
        "own": "a",
        "health": 200,
        "folder": "/home/pypi/pypi-server/packages/.wheelhouse/nodes",
        "looked": {name: node(name) for name in ("a", "b", "c")},
    },
}  # fmt: skip

Change = Callable[[dict[str, Any]], Any]


def line(before: str, after: str) -> Change:
    """Return what replaces text in what doctor.sh has printed."""

    def change(facts: dict[str, Any]) -> None:
        lines = "\n".join(facts["looked"]["lines"])
        assert before in lines
        facts["looked"]["lines"] = lines.replace(before, after).splitlines()

    return change


def backed_up(succeeded: str, overdue: str) -> Change:
    return line('11-28T02:30:00Z", "overdue": "2026-11-30T02:30:00Z', f'{succeeded}", "overdue": "2026-{overdue}')


def answer(name: str, **values: Any) -> Change:
    return lambda facts: facts["answers"][name].update(values)


def certificate(**values: Any) -> Change:
    return lambda facts: facts["certificate"][0].update(values)


def login(number: int, **values: Any) -> Change:
    return lambda facts: facts["logins"]["logins"][number].update(values)


def store(kind: str, count: int = 1) -> Change:
    some = [f"foo-{number}.0.tar.gz" for number in range(min(count, 10))]
    return lambda facts: facts["store"]["problems"].update({kind: {"count": count, "some": some}})


def counted(**values: Any) -> Change:
    return lambda facts: facts["store"]["requests"].update(values)


def asked(found: str, reason: str = "") -> Change:
    return lambda facts: facts["images"][1].update(found=found, reason=reason)


def of_node(name: str, **values: Any) -> Change:
    """Return what sets values of what a node has said of itself and the others."""

    def change(facts: dict[str, Any]) -> None:
        facts["nodes"]["looked"][name]["store"].update(values)

    return change


def runs(name: str, before: str, after: str) -> Change:
    """Return what replaces text in what doctor.sh has printed on a node."""

    def change(facts: dict[str, Any]) -> None:
        its = facts["nodes"]["looked"][name]
        assert before in str(its["lines"])
        its["lines"] = [one.replace(before, after) for one in its["lines"]]

    return change


def without_node(facts: dict[str, Any]) -> None:
    """One node could not be looked at."""
    del facts["nodes"]["looked"]["c"]


def unwell(facts: dict[str, Any]) -> None:
    """The health address says so."""
    facts["nodes"]["health"] = 503


def drained(facts: dict[str, Any]) -> None:
    """As before maintenance."""
    unwell(facts)
    facts["looked"]["lines"].append("drained /home/pypi/pypi-server/nginx/drained")


def set_to(**values: Any) -> Change:
    return lambda facts: facts.update(values)


# By the check that finds them: level, words of what it says, and the fault.
FAULTS: dict[str, list[tuple[str, str, Change]]] = {
    "answer": [
        (ERROR, "on the host itself, does not answer: refused", answer("local", status=0, error="refused")),
        (ERROR, "under its public name, does not answer: no name", answer("public", status=0, error="no name")),
        (
            ERROR,
            "has a certificate that the controller refuses: [SSL: CERTIFICATE_VERIFY_FAILED]",
            answer(
                "public", status=0, error="[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get"
            ),
        ),
        (ERROR, "answers 502", answer("public", status=502)),
        (WARNING, "answers 200 instead of 401", answer("public", status=200)),
        (WARNING, "takes 700 ms", answer("local", milliseconds=700.0)),
        (ERROR, "takes 6000 ms", answer("public", milliseconds=6000.0)),
    ],
    "certificate": [
        (WARNING, "good for 23 days", certificate(not_after="20261222000000Z")),
        (ERROR, "good for 2 days", certificate(not_after="20261201000000Z")),
        (ERROR, "expired on 2026-11-01", certificate(not_after="20261101000000Z")),
        (ERROR, "clients ask for pypi.example.com", certificate(subject_alt_name=["DNS:other.example.com"])),
        (ERROR, "cannot be read", set_to(certificate=[])),
    ],
    "clock": [
        (WARNING, "59 seconds behind", line(f"time {NOW:.0f}", f"time {NOW - 60:.0f}")),
        (ERROR, "599 seconds ahead of", line(f"time {NOW:.0f}", f"time {NOW + 600:.0f}")),
        (WARNING, "not synchronised", line("synchronised yes", "synchronised no")),
    ],
    "disk": [
        (
            WARNING,
            "packages and 1 more: free are 614.4 MB (14 %) and 91 % of the inodes; uploads get 507 when 268.4 MB are left",
            line("|500000|65536", "|149999|65536"),
        ),
        (
            WARNING,
            "91 % of the inodes; uploads get 507 when 1.2 GB are left (pypi_disk_reserve)",
            set_to(reserve="30%"),
        ),
        (ERROR, "uploads get 507, as 2.1 GB have to stay so (pypi_disk_reserve)", set_to(reserve="2g")),
        (ERROR, "/var/lib/docker: free are 81.9 kB (0 %)", line("b2|4096|1000000|500000", "b2|4096|1000000|20")),
        (ERROR, "free are 2.0 GB (50 %) and 0 % of the inodes", line("65536|60000", "65536|100")),
        (ERROR, "folders of the index are missing", line("disk ", "no ")),
    ],
    "containers": [
        (ERROR, "Docker does not answer", line("engine 26.1.5", "")),
        (ERROR, "Docker is stopped", line("engine 26.1.5", "stopped docker.service")),
        (ERROR, "nginx is exited", line("nginx|running|healthy", "nginx|exited|")),
        (ERROR, "missing: auth", line("container auth|", "was auth|")),
        (ERROR, "missing: 1 of 2 pypi-server", set_to(services=["auth", "nginx", "pypi-server", "pypi-server"])),
        (
            WARNING,
            "nginx has been starting since 2026-11-01T10:00",
            line("nginx|running|healthy", "nginx|running|starting"),
        ),
        (ERROR, "pypi-server is unhealthy", line("pypi-server|running|healthy", "pypi-server|running|unhealthy")),
        (
            WARNING,
            "nginx was restarted 7 times",
            line("nginx|running|healthy|0|2026-11-01", "nginx|running|healthy|7|2026-11-28"),
        ),
        (ERROR, "pypi-server ran out of memory", line("Z|false|pypiserver", "Z|true|pypiserver")),
    ],
    "images": [
        (WARNING, "nginx:1.30 was built 332 days ago", line("nginx:1.30|2026-10-01", "nginx:1.30|2026-01-01")),
        (WARNING, "nginx:1.30 has a newer digest in its registry", asked("newer")),
    ],
    "timers": [
        (ERROR, "logs.timer is inactive", line("logs.timer|active", "logs.timer|inactive")),
        (ERROR, "logs.service has failed", line("logs.service|inactive", "logs.service|failed")),
    ],
    "store": [
        (ERROR, "ran out of memory", set_to(store={}, store_code=137)),
        (ERROR, "no such image", set_to(store={}, store_error="no such image")),
        *(
            (level, f"{text} (1): foo-0.0.tar.gz", store(kind))
            for kind, (level, text, _remedy) in doctoring.STORE.items()
        ),
    ],
    "backup": [
        (
            ERROR,
            "failed: no room; the last backup is 0.5 days old",
            line('backup {"outcome": "ok"', 'backup {"error": "no room", "outcome": "failed"'),
        ),
        (WARNING, "the last backup is 2.5 days old", backed_up("11-26T02:30:00Z", "11-28T02:30:00Z")),
        (ERROR, "the last backup is 27.5 days old", backed_up("11-01T02:30:00Z", "11-03T02:30:00Z")),
        # By the hour.
        (WARNING, "the last backup is 0.1 days old", backed_up("11-28T11:00:00Z", "11-28T13:00:00Z")),
        (ERROR, "the last backup is 0.5 days old", backed_up("11-28T03:00:00Z", "11-28T05:00:00Z")),
        (ERROR, "there is no backup", line("backup {", "was {")),
    ],
    "drill": [
        (
            ERROR,
            "the last one failed: it differs",
            line('drill {"outcome": "ok"', 'drill {"error": "it differs", "outcome": "failed"'),
        ),
        (WARNING, "130.0 MB were restored in 31.2 s, 59 days ago", line("11-20T02:30:00Z", "09-30T02:30:00Z")),
        (WARNING, "no restore was ever tried", line("drill {", "was {")),
    ],
    "requests": [
        (WARNING, "3 of the last 7,000 failed", counted(failed=3)),
        (WARNING, "9 of the last 40 failed", counted(failed=9, all=40)),
        (WARNING, "12 of the last 40 found no room (507)", counted(full=12, all=40)),
        (ERROR, "10 of the last 40 failed", counted(failed=10, all=40)),
        (ERROR, "6,000 of the last 7,000", counted(failed=6000)),
    ],
    "logins": [
        (ERROR, "could not be looked up: it is a link", set_to(logins={"failed": False, "msg": "it is a link"})),
        (ERROR, "login bob expired on 2026-11-27 and is still valid", login(0, expires="2026-11-27")),
        (WARNING, "token ci-acme expired on 2026-11-27 and is refused", login(1, expires="2026-11-27")),
        (WARNING, "token ci-acme expires on 2026-12-05", login(1, expires="2026-12-05")),
        (WARNING, "not used for 90 days: login bob", login(0, last_used="2026-08-01T10:00:00+00:00")),
    ],
    "upstreams": [
        (ERROR, "it answers 401", set_to(upstreams={"problems": ["it answers 401"], "unasked": []})),
        (WARNING, "it cannot be asked", set_to(upstreams={"problems": [], "unasked": ["it cannot be asked"]})),
        (WARNING, "busy 9", counted(refused={"busy": 9})),
    ],
    "nodes": [
        (ERROR, "the health address answers 503", unwell),
        (WARNING, "drained: balancers are not to use it", drained),
        (WARNING, "not looked at: c", without_node),
        (ERROR, "c has never said in the shared folder", of_node("a", said={"a": 1.0, "b": 1.0, "c": None})),
        (ERROR, "b has said nothing in the shared folder for 600 s", of_node("a", said={"a": 1.0, "b": 600.0})),
        (WARNING, "journals of hosts that are not in the group eu: d, e", of_node("a", strangers=["d", "e"])),
        (ERROR, "nodes list different files: a and c, and b", of_node("b", pages="other")),
        (
            WARNING,
            "nginx runs different images: nginx:1.30 (sha256:aaaaaaaaaaaa) on a, nginx:1.30 (sha256:bbbbbbbbbbbb) on b",
            runs("b", "a" * 64, "b" * 64),
        ),
        (WARNING, "releases of the collection differ: 0123456789ab on a", runs("c", "0123456789ab", "ba9876543210")),
    ],
}


def found(change: Change) -> list[Finding]:
    facts = copy.deepcopy(HEALTHY)
    change(facts)
    return findings(facts, AT)


def test_a_healthy_index_is_ok_in_every_check() -> None:
    healthy = findings(HEALTHY, AT)
    assert {finding.level for finding in healthy} == {OK}, healthy
    assert {finding.check for finding in healthy} == set(doctoring.CHECKS)
    assert all(not finding.remedy for finding in healthy)
    assert verdict(healthy)["level"] == OK
    print("\n".join(verdict(healthy)["lines"]))


@pytest.mark.parametrize(
    ("check", "level", "words", "fault"), [(check, *one) for check, faults in FAULTS.items() for one in faults]
)
def test_a_fault_is_found_and_named_and_nothing_else_is(check: str, level: str, words: str, fault: Change) -> None:
    wrong = [finding for finding in found(fault) if finding.level != OK]
    assert [(one.check, one.level) for one in wrong] == [(check, level)], wrong
    assert words in wrong[0].text
    assert wrong[0].remedy, "it says what to do"
    assert verdict(wrong)["level"] == level
    assert verdict(wrong)["lines"] == [f"{level:<7}  {check}: {wrong[0].text} -> {wrong[0].remedy}"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_node("b", ends=None, pages="other"), "pages were not compared, as something was published meanwhile"),
        (of_node("b", ends={"a": ["29000000.journal", 200]}, pages="other"), "list the same: a, c"),
        (runs("c", "nginx:1.30|2026", "nginx:next|2026"), "list the same: a, b, c"),
        (runs("c", "engine 26.1.5", "engine 28.5.2"), "Docker: 26.1.5 on a, 26.1.5 on b, 28.5.2 on c"),
    ],
)
def test_nodes_that_cannot_be_compared_are_no_fault(change: Change, words: str) -> None:
    said = [one for one in found(change) if one.check == "nodes"]
    assert {one.level for one in said} == {OK}
    assert any(words in one.text for one in said), said


def test_a_stranger_is_removed_by_its_path() -> None:
    (finding,) = [one for one in found(of_node("a", strangers=["d"])) if one.level != OK]
    assert "`rm -r /home/pypi/pypi-server/packages/.wheelhouse/nodes/d` on one node" in finding.remedy


def test_a_host_alone_and_another_node_say_nothing_of_agreement() -> None:
    alone = found(set_to(nodes={}))
    assert [one for one in alone if one.check == "nodes"] == []

    def other(facts: dict[str, Any]) -> None:
        facts["nodes"]["looked"] = {}

    (said,) = [one for one in found(other) if one.check == "nodes"]
    assert said.text == "the health address says that balancers may use this node"


def test_a_container_that_has_just_started_and_an_image_without_a_date_are_fine() -> None:
    def change(facts: dict[str, Any]) -> None:
        line("nginx|running|healthy|0|2026-11-01T10:00", "nginx|running|starting|0|2026-11-28T13:55")(facts)
        line("nginx:1.30|2026-10-01", "nginx:1.30|0001-01-01")(facts)

    said = found(change)
    assert {one.level for one in said} == {OK}
    assert ["pypiserver" in one.text for one in said if " was built " in one.text] == [True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (asked("unasked", "connection refused"), "could not be asked for a newer one: connection refused"),
        (
            asked("local"),
            "nginx:1.30: its registry does not know this image: built or loaded on the host, or removed there",
        ),
        (set_to(images=[], images_from_file=True), "they come from a file"),
    ],
)
def test_a_registry_that_was_not_asked_is_no_fault_and_is_said(change: Change, words: str) -> None:
    said = [one for one in found(change) if one.check == "images"]
    assert {one.level for one in said} == {OK}
    assert [words in one.text for one in said].count(True) == 1, said


def test_a_login_that_the_log_does_not_have_may_be_new() -> None:
    def never_used(facts: dict[str, Any]) -> None:
        login(0, last_used="")(facts)
        facts["logins"]["log_begins"] = "2026-08-01T10:00:00+00:00"

    said = [one for one in found(never_used) if one.check == "logins"]
    assert [one.level for one in said] == [OK, OK]
    assert said[0].text == "no use in the log since 2026-08-01: login bob; remove what is not new"


def test_errors_come_first_and_many_names_are_counted() -> None:
    def change(facts: dict[str, Any]) -> None:
        store("file missing", 12)(facts)
        line("synchronised yes", "synchronised no")(facts)

    said = found(change)
    assert [one.level for one in said[:3]] == [ERROR, WARNING, OK]
    assert said[0].text.startswith("files on pages and not on disk (12): foo-0.0.tar.gz, ") and said[0].text.endswith(
        "foo-9.0.tar.gz and 2 more"
    )


def test_without_tls_upstreams_backups_and_a_public_name_there_is_nothing_to_say_of_them() -> None:
    local = {"local": HEALTHY["answers"]["local"], "public": {}}
    quiet = found(set_to(tls="none", upstreams={}, answers=local, backup=False, nodes={}))
    assert {one.check for one in quiet} == set(doctoring.CHECKS) - {
        "certificate",
        "upstreams",
        "backup",
        "drill",
        "nodes",
    }
    assert len([one for one in quiet if one.check == "answer"]) == 1


def test_a_stack_that_is_down_is_examined_all_the_same() -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["looked"]["lines"] = []
        facts.update(store={}, store_error="Cannot connect to the Docker daemon")
        answer("local", status=0, error="Connection refused")(facts)

    errors = {one.check for one in found(change) if one.level == ERROR}
    assert errors == {"answer", "clock", "disk", "containers", "store", "timers", "backup"}


def test_what_the_index_may_find_is_what_the_doctor_knows() -> None:
    (kinds,) = re.findall(r"^KINDS = (\(.*?^\))", INSPECTING.read_text(encoding="utf-8"), re.M | re.S)
    assert sorted(ast.literal_eval(kinds)) == sorted(doctoring.STORE)
