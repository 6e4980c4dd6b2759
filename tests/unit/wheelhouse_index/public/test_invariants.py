"""Whatever comes in whatever order: no private name reaches upstream, and a page has what its policy lets through."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from wheelhouse_index.public import rendering
from wheelhouse_index.public.gate import Reply
from wheelhouse_index.public.policy import Judge, Policy
from wheelhouse_index.public.upstream_page import HTML, JSON, UnusableError, read

from tests.support import outlet as stand_in
from tests.support.outlet import FILES_HOST, listed, page
from tests.support.packages import file
from tests.support.public import Public, policy

NAMES = ["demo", "lib-x", "acme-one", "free", "one-more", "last"]
SPELLINGS = [str, str, str.upper, lambda name: name.replace("-", "_"), lambda name: name.replace("-", "%2D")]
NAMED = st.sampled_from(NAMES)


class Walk(RuleBasedStateMachine):
    """Uploads, copies, removals, rebuilds, restarts, policies and requests, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="walk-", dir="/dev/shm"))
        self._stack.callback(shutil.rmtree, folder)
        self.outlet = self._stack.enter_context(stand_in.outlet())
        self.public = Public(folder, self.outlet)
        # What is private for good, and what a copy makes private once it is seen.
        self.private: set[str] = set()
        self.copied: set[str] = set()
        self.patterns: set[str] = set()
        self.number = 0
        self.outlet.before = self._asked
        self.wrong: list[str] = []
        for name in NAMES:
            own = f"{name.replace('-', '_')}-9.0-py3-none-any.whl"
            self.outlet.serve(name, listed(own))

    def teardown(self) -> None:
        self._stack.close()

    def _asked(self, path: str) -> None:
        project = path.rpartition("/")[2]
        if project in self.private or project in self.patterns or not self.public.marks.is_open():
            self.wrong.append(path)

    def _new(self, name: str) -> str:
        self.number += 1
        return f"{name.replace('-', '_')}-{self.number}-py3-none-any.whl"

    @initialize()
    def reserve(self) -> None:
        self.policy(frozenset({"acme-one"}), [])

    @rule(private=st.frozensets(NAMED, max_size=3), denied=st.lists(st.sampled_from(["demo", "lib-x<9"]), max_size=2))
    def policy(self, private: frozenset[str], denied: list[str]) -> None:
        self.patterns = set(private)
        # What NGINX does not know is in force all the same: it names the new digest from now on.
        self.public.put(private=sorted(private), shadowed=NAMES, denied=denied)

    @rule(name=NAMED)
    def upload(self, name: str) -> None:
        wheel = self._new(name)
        answer = self.public.index.upload(wheel, file(wheel))
        assert answer.status == 200, answer
        self.private.add(name)

    @rule(name=NAMED)
    def copy(self, name: str) -> None:
        wheel = self._new(name)
        (self.public.index.packages / wheel).write_bytes(file(wheel))
        self.copied.add(name)

    @rule()
    def look(self) -> None:
        self.public.index.look()
        self.private |= self.copied

    @rule(name=NAMED)
    def remove(self, name: str) -> None:
        for path in self.public.index.packages.glob(f"{name.replace('-', '_')}-*"):
            release = path.name.split("-")[1]
            if self.public.index.remove(name, release).status == 200:
                self.private.add(name)

    @rule()
    def rebuild(self) -> None:
        self.public.index.store.forget()
        self.private |= self.copied

    @rule()
    def start(self) -> None:
        """Start the server, as app.serve() does."""
        self.public.index.store.prepare()
        self.public.marks.close()
        self.public.restart()

    @rule()
    def process(self) -> None:
        self.public.restart()

    @rule(name=NAMED)
    def lose_claim(self, name: str) -> None:
        (self.public.index.store.facts.claims.folder / name).unlink(missing_ok=True)

    @rule()
    def lose_index(self) -> None:
        shutil.rmtree(self.public.index.pages)
        self.public.index.pages.mkdir()
        self.public.restart()

    @rule(spelling=st.sampled_from(SPELLINGS), looks=st.booleans())
    def ask(self, spelling: Any, looks: bool) -> None:
        """Ask for everything; more often than not, once the keeper has looked."""
        if looks:
            self.look()
        for name in NAMES:
            own = f"{name.replace('-', '_')}-9.0-py3-none-any.whl"
            # With a mark, NGINX serves from its cache and does not ask.
            assert not (name in self.private and self._marks_of(name)), f"{name} is private and marked"
            for path in (f"/page/{name}", f"/file/{name}/{FILES_HOST}/packages/{own}", f"/why/{name}"):
                answer = self.public.ask(path.replace(name, spelling(name), 1))
                is_private = name in self.private or name in self.patterns
                if isinstance(answer, Reply):
                    event(f"{path.split('/')[1]} is served")
                    assert not is_private or answer.body.endswith(b"never asked upstream.\n"), answer
                else:
                    event(f"{path.split('/')[1]} is refused")
                    assert not is_private or answer.status in (404, 503), answer

    @rule(names=st.sets(NAMED, max_size=2), then=st.sampled_from(["upload", "copy"]))
    def ask_and_turn(self, names: set[str], then: str) -> None:
        """Ask, and make private what was just served."""
        self.ask(str, True)
        for name in sorted(names):
            self.upload(name) if then == "upload" else self.copy(name)
        self.ask(str, then == "copy")

    @invariant()
    def nothing_private_went_upstream(self) -> None:
        assert not self.wrong, self.wrong

    @invariant()
    def nothing_private_is_marked(self) -> None:
        marked = {name for name in NAMES if self._marks_of(name)}
        assert not marked & self.private, f"{marked} are marked, {self.private} are private"

    @invariant()
    def nothing_is_marked_while_it_is_closed(self) -> None:
        assert self.public.marks.is_open() or not self.public.marks.projects()

    def _marks_of(self, name: str) -> list[Path]:
        return [path for path in self.public.marks.folder.glob(f"*/{name}/**/*") if path.is_file()]


TestWalk = Walk.TestCase

VERSIONS = st.sampled_from(["1.0", "1.5", "2.0rc1", "2.0", "3.0.post1", "3.0+local.1"])
SPECIFIERS = st.sampled_from(["", "<2", ">=2", "==1.*", "==2.0", "!=1.0", "~=1.0", ">1,<3"])
AGE = 3 * 86400


@given(
    files=st.lists(st.tuples(VERSIONS, st.sampled_from([None, 0, 1, AGE - 60, AGE + 60, 10 * AGE])), max_size=8),
    denied=st.lists(st.tuples(st.sampled_from(["demo", "de*", "other"]), SPECIFIERS), max_size=2),
    exempt=st.lists(st.tuples(st.sampled_from(["demo", "other"]), SPECIFIERS), max_size=2),
    allowed=st.lists(st.sampled_from(["demo", "d*", "other"]), max_size=2),
    minimum_age=st.sampled_from([0, AGE]),
    unknown=st.sampled_from(["refuse", "allow"]),
)
def test_a_page_has_what_its_policy_lets_through_and_nothing_else(
    files: list[tuple[str, int | None]],
    denied: list[tuple[str, str]],
    exempt: list[tuple[str, str]],
    allowed: list[str],
    minimum_age: int,
    unknown: str,
) -> None:
    now = time.time()
    upstream = {**policy()["upstreams"][0], "no_upload_time": unknown}
    own = Policy.of_text(
        json.dumps(
            policy(
                upstreams=[upstream],
                denied=[f"{name}{specifier}" for name, specifier in denied],
                exempt=[f"{name}{specifier}" for name, specifier in exempt],
                allowed=allowed,
                minimum_age=minimum_age,
            )
        )
    )
    entries, expected = [], []
    for number, (version, age) in enumerate(files):
        name = f"demo-{version}-{number}-py3-none-any.whl"
        uploaded: Any = ... if age is None else datetime.fromtimestamp(now - age, UTC).isoformat()
        entries.append(listed(name, upload_time=uploaded))
        if _passes(Version(version), age, denied, exempt, allowed, minimum_age, unknown):
            expected.append(name)
    found = read("demo", own.upstreams[0], page("demo", *entries).body, JSON)
    judge = Judge(own, "demo", 0, now)
    passed = [one for one in found.files if judge.held(one) is None]
    print(f"{len(files)} files, {len(passed)} pass")
    assert [one.name for one in passed] == expected
    body, _tag = rendering.rendered(found, passed, "json")
    document = json.loads(gzip.decompress(body))
    assert [one["filename"] for one in document["files"]] == expected
    assert set(map(Version, document["versions"])) == {Version(name.split("-")[1]) for name in expected}
    text = gzip.decompress(rendering.rendered(found, passed, "html")[0]).decode()
    assert text.count("<a href=") == len(expected) and all(f">{name}</a>" in text for name in expected)


def _passes(
    version: Version,
    age: int | None,
    denied: list[tuple[str, str]],
    exempt: list[tuple[str, str]],
    allowed: list[str],
    minimum_age: int,
    unknown: str,
) -> bool:
    """Say the same as the policy, as its documentation does."""

    def speaks(rules: list[tuple[str, str]]) -> bool:
        return any(name in ("demo", "de*") and SpecifierSet(said).contains(version, True) for name, said in rules)

    if speaks(denied) or (allowed and not {"demo", "d*"} & set(allowed)):
        return False
    if not minimum_age or speaks(exempt):
        return True
    return unknown == "allow" if age is None else age >= minimum_age


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(
        [
            "files",
            "name",
            "meta",
            "filename",
            "url",
            "hashes",
            "size",
            "yanked",
            "upload-time",
            "requires-python",
            "core-metadata",
            "provenance",
            "project-status",
        ]
    ),
)
def test_whatever_a_page_says_it_is_read_or_refused(value: Any, key: str) -> None:
    own = Policy.of_text(json.dumps(policy()))
    document = json.loads(page("demo", listed("demo-1.0.tar.gz")).body)
    target = document if key in ("files", "name", "meta", "project-status") else document["files"][0]
    target[key] = value
    try:
        found = read("demo", own.upstreams[0], json.dumps(document).encode("utf-8", "surrogatepass"), JSON)
    except UnusableError:
        return
    for form in rendering.FORMS:
        rendering.rendered(found, found.files, form)


@given(
    st.text(),
    st.sampled_from(["{}", "demo-{}.tar.gz", "https://files.example.org/{}/demo-1.0.tar.gz#sha256=" + "ab" * 32]),
)
def test_whatever_html_says_it_is_read_or_refused(text: str, form: str) -> None:
    own = Policy.of_text(json.dumps(policy()))
    body = f'<a href="{form.format(text)}">demo-1.0.tar.gz</a>'
    try:
        found = read("demo", own.upstreams[0], body.encode("utf-8", "surrogatepass"), HTML)
    except UnusableError:
        return
    for one in found.files:
        assert one.host in own.upstreams[0].hosts and ".." not in one.path.split("/")
        rendering.rendered(found, [one], "html")
