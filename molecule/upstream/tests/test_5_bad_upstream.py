"""Whatever upstream answers, nothing of it does harm: one project suffers, for seconds, and nothing broken is kept."""

from __future__ import annotations

import json
import time
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Answer, Index, Login
from tests.support.one_url import EXPIRED, FOLLOWS, JSON, OneUrl, is_right, path_of, timed
from tests.support.public_index import PublicIndex
from tests.support.stack import Stack, eventually

# No client waits longer for anything small, in seconds.
BOUND = 25.0
PAGE_FAULTS = (
    "invalid",
    "type",
    "api2",
    "name",
    "huge",
    "half",
    "reset",
    "401",
    "403",
    "500",
    "redirect",
    "hang",
)
FILE_FAULTS = ("half", "reset", "401", "403", "404", "500", "redirect", "hang")


def short(answer: Answer) -> str:
    """Return an answer's line."""
    text = answer.body.decode()
    assert 0 < len(text) < 500 and text.count("\n") <= 1, text
    return text


@pytest.fixture
def spoilt(public: PublicIndex, fresh: str) -> dict[str, str]:
    """A project for each fault that pages of one project alone can have."""
    found = {mode: f"{fresh}-{mode}" for mode in PAGE_FAULTS}
    for name in found.values():
        public.publish(name)
    return found


def test_a_bad_page_is_502_for_its_project_alone(
    one: OneUrl, public: PublicIndex, private: str, fresh: str, spoilt: dict[str, str]
) -> None:
    for mode, name in spoilt.items():
        public.break_(mode, "pages", name)
    for mode, name in spoilt.items():
        answer, seconds = timed(lambda name=name: one.page(name))  # type: ignore[misc]
        print(f"{mode}: {answer.status} after {seconds:.1f} s: {answer.body.decode().strip()}")
        assert answer.status == 502, (mode, answer)
        assert seconds < BOUND
        assert name in short(answer), "it says which"
    assert one.page(private).status == one.page(fresh).status == 200
    public.heal()
    for mode, name in spoilt.items():
        eventually(lambda name=name: one.page(name).status == 200, f"{mode}: upstream is well, and so is the page", 15)  # type: ignore[misc]
        entry = one.files(name)[-1]
        assert is_right(one.get(path_of(name, entry)), entry)


def test_a_page_that_turns_bad_is_served_as_it_was(
    one: OneUrl, public: PublicIndex, private: str, fresh: str, spoilt: dict[str, str]
) -> None:
    before = {mode: one.files(name) for mode, name in spoilt.items()}
    for mode, name in spoilt.items():
        public.break_(mode, "pages", name)
    time.sleep(EXPIRED)
    for _try in range(2):
        for mode, name in spoilt.items():
            answer, seconds = timed(lambda name=name: one.page(name))  # type: ignore[misc]
            assert answer.status == 200, (mode, answer)
            assert json.loads(answer.body)["files"] == before[mode], mode
            assert seconds < BOUND, mode
        time.sleep(3)
    public.heal()
    for mode, name in spoilt.items():
        public.publish(name, "3.0")
        eventually(lambda name=name: len(one.files(name)) == 2, f"{mode}: the page follows upstream again", FOLLOWS)  # type: ignore[misc]


def test_a_certificate_for_another_name_is_no_upstream(
    one: OneUrl, public: PublicIndex, private: str, fresh: str
) -> None:
    known = public.publish(f"known-{fresh}")
    entry = one.files(known)[-1]
    with public.fault("stranger", "pages"), public.fault("stranger", "files"):
        assert one.page(fresh).status == 502
        assert one.get(path_of(known, entry)).status == 502
        assert one.page(known).status == one.page(private).status == 200
        assert not public.asked(f"/simple/{fresh}/"), "nothing was asked of the stranger"
    eventually(lambda: is_right(one.get(path_of(known, entry)), entry), "the file is there", 20)


@pytest.mark.parametrize("mode", ["one-host", "one-dotted", "one-encoded", "one-nohash", "one-login"])
def test_a_bad_file_is_left_out_of_a_good_page(
    one: OneUrl, public: PublicIndex, stack: Stack, fresh: str, mode: str
) -> None:
    good, bad = (file["filename"] for file in public.page(fresh)["files"])
    with public.fault(mode, "pages", fresh):
        assert one.names(fresh) == [good]
        assert is_right(one.get(one.address(fresh)), public.page(fresh)["files"][0])
        containers = [one["Id"] for one in stack.inspect_all("pypi-server")]
        logged = "\n".join(stack.host.check_output(f"docker logs {container} 2>&1") for container in containers)
        assert [line for line in logged.splitlines() if bad in line], "it is logged which, and why"
    eventually(lambda: one.names(fresh) == [good, bad], "it is listed once it is well", FOLLOWS)


@pytest.mark.parametrize("mode", FILE_FAULTS)
def test_a_file_that_cannot_be_fetched_is_never_kept_broken(
    one: OneUrl, public: PublicIndex, private: str, fresh: str, mode: str
) -> None:
    entry = one.files(fresh)[-1]
    path = path_of(fresh, entry)
    with public.fault(mode, "files", fresh):
        began = time.monotonic()
        try:
            status = one.get(path).status
        except IncompleteRead:
            # The answer had begun: it ends early, which every client notices.
            status = 206
        print(f"{mode}: {status}, {time.monotonic() - began:.1f} s")
        assert status in {"404": (404,), "half": (206, 502), "reset": (206, 502)}.get(mode, (502,))
        assert time.monotonic() - began < BOUND
        assert one.page(private).status == 200
    eventually(lambda: is_right(one.get(path), entry), "the file is whole", 20)


def test_a_slow_upstream_is_waited_for_within_bounds(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    with public.fault("slow", "pages", fresh, seconds=2), public.fault("drip", "files", fresh, seconds=4):
        answer, seconds = timed(lambda: one.page(fresh))
        assert answer.status == 200, answer
        entry = json.loads(answer.body)["files"][-1]
        whole, more = timed(lambda: one.get(path_of(fresh, entry)))
        assert is_right(whole, entry)
        print(f"page {seconds:.1f} s, file {more:.1f} s")
        assert seconds < BOUND and more < BOUND


def test_too_many_requests_goes_on_to_clients_and_upstream_is_left_alone(
    one: OneUrl, public: PublicIndex, fresh: str
) -> None:
    known = public.publish(f"known-{fresh}")
    assert one.page(known).status == 200
    with public.fault("429", "pages", seconds=8):
        answer = one.page(fresh)
        assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 8, answer
        time.sleep(5)
        for name in (fresh, f"never-{fresh}"):
            waiting = one.page(name)
            assert waiting.status == 429 and 0 < int(waiting.headers["retry-after"]) <= 8, waiting
        asked = [entry["time"] for entry in public.log() if fresh in entry["path"]]
        # Upstream was asked for the page, and again without the cache at most.
        assert 1 <= len([moment for moment in asked if moment < asked[0] + 8]) <= 2, asked
        assert one.page(known).status == 200, "what is known is served as it was"
    eventually(lambda: one.page(fresh).status == 200, "upstream is asked again", 20)


def test_too_many_requests_for_files_goes_on_to_clients_too(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    entry = one.files(fresh)[-1]
    path = path_of(fresh, entry)
    with public.fault("429", "files", fresh, seconds=8):
        for _ in range(2):
            answer = one.get(path)
            assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 10, answer
    eventually(lambda: is_right(one.get(path), entry), "the file is whole", 20)


def test_altered_bytes_of_equal_length_are_refused_by_clients_and_dropped_within_a_minute(
    one: OneUrl, public: PublicIndex, index: Index, reader: Login, stack: Stack, fresh: str, tmp_path: Path
) -> None:
    entry = one.files(fresh)[-1]
    path = path_of(fresh, entry)
    with public.fault("altered", "files", fresh):
        done = index.pip_install(reader, tmp_path / "taken", fresh)
        assert done.returncode and "HASH" in (done.stdout + done.stderr).upper(), done.stdout + done.stderr
        # It may have stopped at the metadata.
        altered = one.get(path)
        assert altered.status == 200 and not is_right(altered, entry)
    # Upstream is well again; what was kept is not.
    began = time.monotonic()
    eventually(lambda: is_right(one.get(path), entry), "the altered file was dropped", 60)
    print(f"dropped after {time.monotonic() - began:.0f} s")
    logged = "\n".join(stack.compose("logs --no-log-prefix pypi-server").splitlines())
    assert entry["filename"] in logged


def test_a_file_that_stays_altered_is_refused(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    entry = one.files(fresh)[-1]
    path = path_of(fresh, entry)
    with public.fault("altered", "files", fresh):
        assert one.get(path).status == 200
        eventually(lambda: one.get(path).status == 502, "it is refused", 75)
        assert entry["filename"] in short(one.get(path)) or fresh in short(one.get(path))
    eventually(lambda: is_right(one.get(path), entry), "it is tried again", 90)


def test_metadata_and_files_of_a_redirecting_upstream_stay_here(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    entry = one.files(fresh)[-1]
    with public.fault("redirect", "files"):
        for end in ("", ".metadata"):
            answer = one.get(path_of(fresh, entry) + end, {"Accept": JSON})
            assert answer.status == 502 and "location" not in answer.headers, answer
    assert not public.asked(host="elsewhere.example.net")


def test_a_single_bad_upstream_leaves_the_other_alone(one: OneUrl, public: PublicIndex, fresh: str) -> None:
    with public.fault("500", "pages", "torch"):
        assert one.page(fresh).status == 200
    with public.fault("hang", "pages"):
        assert one.page("torch").status in (200, 502)


def test_what_went_wrong_is_in_the_log_of_the_extension(
    one: OneUrl, public: PublicIndex, stack: Stack, fresh: str
) -> None:
    with public.fault("api2", "pages", fresh):
        assert one.page(fresh).status == 502
    found: list[Any] = [
        line for line in stack.compose("logs --no-log-prefix pypi-server").splitlines() if fresh in line
    ]
    assert found, "a line says what was wrong with the page"
