"""What the operator does not want: too young, denied, of unknown age; on pages and on files, with a reason."""

from __future__ import annotations

import base64
import datetime
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.clients import Index, Login
from tests.support.one_url import FOLLOWS, JSON, OneUrl, installed, is_right, path_of
from tests.support.playbook import SETTINGS, refused, says, site
from tests.support.public_index import PublicIndex
from tests.support.stack import Stack, eventually


def file_address(public: PublicIndex, project: str, place: int = -1) -> str:
    """Return the address here of a file that upstream lists, whether our page does or not."""
    url = urlsplit(public.page(project)["files"][place]["url"])
    return f"/public/{project}/{url.netloc}{url.path}"


def day(public: PublicIndex, project: str, days: int = 3) -> str:
    """Return the day on which a project's newest file is old enough."""
    uploaded = datetime.datetime.fromisoformat(public.page(project)["files"][-1]["upload-time"])
    return str((uploaded + datetime.timedelta(days=days)).date())


def test_a_young_file_is_not_on_its_page_and_not_at_its_address(one: OneUrl, public: PublicIndex) -> None:
    available = day(public, "young")
    assert one.names("young") == ["young-1.0-py3-none-any.whl"]
    assert b"1.1" not in one.get("/simple/young/", {"Accept": "text/html"}).body
    for end in ("", ".metadata"):
        answer = one.get(file_address(public, "young") + end)
        assert answer.status == 403 and available in answer.body.decode(), answer
        assert answer.body.count(b"\n") <= 1, "one line"
    assert is_right(one.get(file_address(public, "young", 0)), public.page("young")["files"][0])
    assert not public.asked("young-1.1"), "nor is it fetched"


def test_resolvers_take_the_older_release(index: Index, reader: Login, tmp_path: Path) -> None:
    for client in (index.pip_install, index.uv_install):
        target = tmp_path / client.__name__
        done = client(reader, target, "young")
        assert installed(target) == {"young-1.0"}, done.stdout + done.stderr
        assert client(reader, tmp_path / "none", "young==1.1").returncode


def test_a_lock_file_is_no_way_around(
    one: OneUrl, public: PublicIndex, index: Index, reader: Login, tmp_path: Path
) -> None:
    entry = public.page("young")["files"][-1]
    url = index.with_login(reader, file_address(public, "young"))
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"young @ {url} --hash=sha256:{entry['hashes']['sha256']}\n")
    done = index.pip_install(reader, tmp_path / "taken", "--requirement", str(lock))
    assert done.returncode and not installed(tmp_path / "taken"), done.stdout + done.stderr


def test_why_says_what_is_held_back_until_when_and_what_to_ask_for(one: OneUrl, public: PublicIndex) -> None:
    said = one.why("young")
    for word in ("1.1", day(public, "young"), "pypi_upstream_exempt", "young==1.1"):
        assert word in said, said
    assert "1.0-py3" not in said, "what is not held back is not named"
    assert "evil" in one.why("evil") and "pypi_upstream_denied" in one.why("evil")
    assert "pypi_upstream" not in one.why("click"), one.why("click")


def test_a_project_with_young_files_alone(one: OneUrl, public: PublicIndex) -> None:
    name = public.publish(f"only-young-{time.time_ns()}", days=0)
    page = one.page(name)
    assert page.status in (200, 403) and b"py3-none-any" not in page.body, page
    assert one.get(file_address(public, name)).status == 403
    assert day(public, name) in one.why(name)


def test_an_exempt_release_is_there_although_it_is_young(one: OneUrl, public: PublicIndex) -> None:
    assert one.names("infant") == ["infant-1.0-py3-none-any.whl"]
    assert is_right(one.get(file_address(public, "infant")), public.page("infant")["files"][0])


def test_a_file_of_unknown_age_is_held_back_where_its_upstream_is_not_trusted(one: OneUrl, public: PublicIndex) -> None:
    assert one.get(file_address(public, "timeless")).status == 403
    assert b"py3-none-any" not in one.page("timeless").body
    assert "age is unknown" in one.why("timeless") and "timeless==1.0" in one.why("timeless")
    assert one.get(file_address(public, "torch")).status == 200, "there they are allowed"


@pytest.mark.parametrize("path", ["/simple/evil/", "file", "metadata"])
def test_a_denied_project_is_nowhere(one: OneUrl, public: PublicIndex, path: str) -> None:
    address = file_address(public, "evil")
    asked = {"file": address, "metadata": address + ".metadata"}.get(path, path)
    for accept in (JSON, "text/html"):
        answer = one.get(asked, {"Accept": accept})
        assert answer.status == 403 and b"evil" in answer.body, answer
    assert not public.asked("evil"), "nor is it asked for"


def test_denied_releases_are_not_offered(one: OneUrl, public: PublicIndex) -> None:
    for version in ("1.0", "1.9", "2.0", "2.1"):
        public.publish("mixed", version)
    assert one.names("mixed") == ["mixed-2.0-py3-none-any.whl", "mixed-2.1-py3-none-any.whl"]
    assert one.get(file_address(public, "mixed", 0)).status == 403
    assert one.get(file_address(public, "mixed", 2)).status == 200
    assert "mixed<2" in one.why("mixed") or "1.9" in one.why("mixed")


def test_refusals_are_in_the_access_log_by_rule(one: OneUrl, public: PublicIndex, stack: Stack) -> None:
    address = file_address(public, "young")
    assert one.get(address).status == 403
    line = stack.requests(address)[-1]
    assert line["status"] == 403 and "minimum-age" in line.values(), line


def test_each_download_of_a_public_file_is_listed_also_the_first(one: OneUrl, fresh: str, stack: Stack) -> None:
    address = one.address(fresh)
    assert [one.get(address).status for _ in range(2)] == [200, 200]
    eventually(lambda: len(stack.requests(address)) == 2, "both requests are in the access log", 10)
    assert [line["route"] for line in stack.requests(address)] == ["public", "public"]
    said = stack.compose(f"exec -T pypi-server python3 -m wheelhouse_index downloads --project {fresh}")
    assert len(said.splitlines()) == 2, said


def test_a_stricter_policy_counts_at_once_on_pages_and_cached_files(
    host: Any, one: OneUrl, public: PublicIndex, private: str, fresh: str, variables: Any, stack: Stack
) -> None:
    denied = public.publish(f"{fresh}-denied")
    public.publish(fresh, "3.0", days=10)
    eventually(lambda: len(one.names(fresh)) == 3, "the third release is seen", FOLLOWS)
    young, refused_file = path_of(fresh, one.files(fresh)[-1]), one.address(denied)
    for address in (young, refused_file, "/simple/click/"):
        assert one.get(address).status == 200
    cached = f"find {stack.home}/nginx_cache/public_files -type f"
    public.begin()
    before = host.check_output(cached).split()
    assert before
    done = site(
        *SETTINGS,
        pypi_upstream_minimum_age="20d",
        pypi_upstream_allowed=[fresh, denied],
        pypi_upstream_denied=[*variables["pypi_upstream_denied"], denied],
    )
    try:
        # It has a cache, claims and marks of its own, and asks upstream nothing.
        assert done.proved_candidate, done.output
        assert not public.asked("candidate") and not public.asked("proof"), public.asked()
        assert {*before} <= {*host.check_output(cached).split()}
        claims = host.check_output(f"ls {stack.home}/packages/.wheelhouse/names").split()
        assert private in claims and "wheelhouse-candidate" not in claims
        gone = [refused_file, refused_file + ".metadata", f"/simple/{denied}/"]
        eventually(lambda: {one.get(path).status for path in gone} == {403}, "page and file are refused", 10)
        assert "pypi_upstream_denied" in one.why(denied)
        eventually(lambda: len(one.names(fresh)) == 2, "it is held back", 10)
        answer = one.get(young)
        assert answer.status == 403 and day(public, fresh, 20) in answer.body.decode(), answer
        answer = one.page("click")
        assert answer.status == 403 and b"pypi_upstream_allowed" in answer.body, answer
        assert one.page(private).status == 200
    finally:
        site(*SETTINGS)
    eventually(lambda: one.get(young).status == one.get(refused_file).status == 200, "both are there again", 15)
    assert public.asked(fresh)


def test_an_address_without_an_index_is_refused_and_the_upstreams_stay(
    one: OneUrl, public: PublicIndex, fresh: str, variables: Any
) -> None:
    first, second = variables["pypi_upstreams"]
    nothing = {**first, "url": first["url"].replace("/simple/", "/nothing/")}
    says(
        refused(pypi_upstreams=[nothing, second]),
        "pypi_upstreams cannot be used; nothing was changed:",
        f"{nothing['url']} has neither a list of projects nor a page",
    )
    # The run itself compares private projects with those of the same names on an upstream's list.
    public.begin()
    assert one.page(fresh).status == 200


def test_no_login_of_an_upstream_is_anywhere_but_in_nginxs_file(host: Any, stack: Stack) -> None:
    password = "wheels-password"
    secrets = [password, base64.b64encode(f"wheels:{password}".encode()).decode()]
    host.check_output("umask 077; printf %%s %s >/run/patterns", "\n".join(secrets))
    try:
        # The stand-in itself is in /srv.
        folders = "/etc /home /opt /root /tmp /usr/local /var/log /var/tmp /var/lib/docker/containers"
        there = host.run(f"grep -rlaFf /run/patterns {folders} 2>/dev/null").stdout.split()
        # And in the copy that going back takes, for root alone.
        assert set(there) == {f"{stack.home}/{kept}nginx/public_logins.conf" for kept in ("", ".previous/")}
        assert host.file(f"{stack.home}/.previous").mode == 0o700
        running = host.run("grep -laFf /run/patterns /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null").stdout
        assert running == ""
    finally:
        host.check_output("rm /run/patterns")
