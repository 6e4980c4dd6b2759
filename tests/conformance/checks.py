"""The checks: each says in a line what a user gets, and fails with the reason why not."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

from tests.clients import installers, tools
from tests.conformance.subject import Entry, Subject
from tests.ground.public_index import HOSTS
from tests.support import packages
from tests.support.clients import NOBODY, Answer, Index
from tests.support.one_url import HTML, JSON, installed
from tests.support.public_index import names_in

# In seconds: how long a file that was altered once may be served.
MENDED = 90


@dataclass
class Case:
    """What checks find on an index.

    Attributes:
        own: a private project that upstream has as 99.0.
        application: a private project that needs a private and a public one.
        library: the private one that it needs; upstream has neither.
        known: a public project.
        unknown: public projects that nobody has asked for.
    """

    on: Subject
    work: Path
    own: str = field(default_factory=lambda: f"own-{uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.application, self.library, self.known = (f"{word}-{self.own}" for word in ("app", "lib", "known"))
        needs = f"Requires-Dist: {self.library}\nRequires-Dist: flask\n"
        for name, more in ((self.own, ""), (self.library, ""), (self.application, needs)):
            self.on.put(packages.wheel(self.work, name, more=more))
        self.unknown = [f"unknown-{number}-{self.own}" for number in range(3)]
        for name in (self.known, *self.unknown):
            self.on.public.publish(name)
        for name in (self.own, *filter(None, [self.on.reserved])):
            self.on.public.publish(name, "99.0")
        self.on.public.begin()
        # Pages that were cached before the stranger came would prove nothing.
        time.sleep(self.on.fresh)

    def public(self) -> Entry:
        """Return the one file of a public project that nobody has asked for."""
        (entry,) = self.on.files(self.unknown.pop()).values()
        return entry


Check = Callable[[Case], None]
CHECKS: dict[str, Check] = {}


def check(title: str) -> Callable[[Check], Check]:
    """Add a check under the title that the table has."""

    def add(function: Check) -> Check:
        CHECKS[title] = function
        return function

    return add


@check("one URL has private and public projects")
def _both(case: Case) -> None:
    for name in (case.own, "requests", "flask"):
        assert case.on.files(name), f"{name} is not there"


@check("a private project has no public file on its page")
def _private_wins(case: Case) -> None:
    found = set(case.on.files(case.own))
    assert found == {f"{packages.escaped(case.own)}-1.0-py3-none-any.whl"}, f"the page has {sorted(found)}"


@check("a private name is not asked for upstream, in any spelling")
def _not_asked(case: Case) -> None:
    for spelling in (case.own, case.own.upper(), case.own.replace("-", "_"), case.own.replace("-", ".")):
        case.on.page(spelling)
    _heard_nothing(case, case.own)


@check("a private name that has no file yet is reserved: none is shown, and upstream is not asked")
def _reserved(case: Case) -> None:
    assert case.on.reserved, "no such setting"
    found = case.on.files(case.on.reserved)
    assert not found, f"the page has {sorted(found)}"
    _heard_nothing(case, case.on.reserved)


def _heard_nothing(case: Case, name: str) -> None:
    asked = [entry["path"] for entry in case.on.public.log() if name in names_in(entry["path"])]
    assert not asked, f"upstream is asked for {asked[0]}"


@dataclass(frozen=True)
class At(installers.Wanted):
    """What a tool is asked for, at an index whose pages may be anywhere."""

    place: str = ""

    @property
    def pages(self) -> str:
        """The address of the pages without the login."""
        return self.place


CLIENTS = {
    "pip": installers.PIP[-1],
    "uv": tools.UVS[-1],
    "poetry": tools.POETRY[-1],
    "pdm": tools.PDM[-1],
}


def _client(name: str) -> Check:
    def install(case: Case) -> None:
        tool = CLIENTS[name]
        if name != "pip":
            tool.install()
        folder = case.work / f"{name}-{uuid4().hex[:6]}"
        folder.mkdir()
        parts = urlsplit(case.on.url)
        index = Index(f"{parts.scheme}://{parts.netloc}")
        address = index.with_login(case.on.reader, parts.path)
        wanted = At(case.application, case.library, address, index, case.on.reader, case.on.url)
        done = installers.INSTALLERS[name][0](tool, folder, wanted)
        assert not done.returncode, f"{name} fails: {_last(done.stdout)}"
        found = {one for one in installed(folder) if not one.startswith(("pip-", "setuptools-", "wheel-"))}
        mine = {f"{packages.escaped(one)}-1.0" for one in (case.library, case.application)}
        assert found >= mine and any(one.startswith("flask-") for one in found), f"it takes {sorted(found)}"
        for lock in folder.glob("*.lock"):
            _is_good(lock.read_text(encoding="utf-8"))

    return install


def _is_good(lock: str) -> None:
    """Fail if a lock lacks hashes, or leads to the upstream's hosts."""
    for package in re.split(r"^\[\[package\]\]\n", lock, flags=re.MULTILINE)[1:]:
        name = re.search(r'name = "(.+?)"', package)
        # uv lists the project itself, which has no files.
        is_itself = 'source = { virtual = "." }' in package
        assert is_itself or "sha256:" in package, f"the lock has no hash of {name and name[1]}"
    for host in HOSTS:
        # A path of the index itself may have the name of an upstream host in it.
        assert not re.search(rf"(//|@){re.escape(host)}[:/]", lock), f"the lock leads to {host}"


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "without a word"


for _name in CLIENTS:
    _locks = "" if _name == "pip" else "; its lock has hashes, and no address of upstream's"
    CHECKS[f"{_name} installs a private project with public dependencies{_locks}"] = _client(_name)


@check("files are what their pages' SHA-256 says, from the index's own host")
def _files(case: Case) -> None:
    for name in (case.library, case.known, "requests"):
        for entry in case.on.files(name).values():
            assert entry.sha256, f"no SHA-256 on the page of {name}"
            assert urlsplit(entry.url).netloc == urlsplit(case.on.url).netloc, f"links to {urlsplit(entry.url).netloc}"
            assert entry.is_right(case.on.download(entry)), f"a file of {name} differs"


@check("metadata of public and private wheels beside the files, with matching digests")
def _metadata(case: Case) -> None:
    for name in (case.library, case.known):
        (entry,) = case.on.files(name).values()
        said = entry.more.get("core-metadata") or entry.more.get("dist-info-metadata")
        assert said, f"not on the page of {name}"
        assert isinstance(said, dict), f"no digest on the page of {name}"
        answer = case.on.get(f"{entry.url}.metadata")
        assert answer.status == 200, f"a {answer.status} for {name}"
        assert hashlib.sha256(answer.body).hexdigest() == said["sha256"], f"another digest for {name}"


@check("JSON and HTML have the same files, hashes and yanks; JSON has sizes and upload times")
def _forms(case: Case) -> None:
    truth = {file["filename"]: file for file in case.on.public.page("click")["files"]}
    json, html = case.on.files("click", JSON), case.on.files("click", HTML)
    assert set(json) == set(html) == set(truth), "other files"
    for name, file in truth.items():
        assert json[name].sha256 == html[name].sha256 == file["hashes"]["sha256"], "another hash"
        assert json[name].more.get("yanked", False) == file["yanked"], "yank lost in JSON"
        assert ("yanked" in html[name].more) == bool(file["yanked"]), "yank lost in HTML"
        assert json[name].more.get("requires-python") == file["requires-python"], "requires-python lost"
        assert json[name].more.get("size") == file["size"], "no size"
        assert str(json[name].more.get("upload-time"))[:19] == file["upload-time"][:19], "no upload time"


@check("provenance of public files is passed on")
def _provenance(case: Case) -> None:
    truth = {file["filename"]: file.get("provenance") for file in case.on.public.page("requests")["files"]}
    for name, entry in case.on.files("requests", JSON).items():
        place = entry.more.get("provenance")
        assert place, "not on the page"
        # It may stay with upstream: PEP 740 wants an address, on whichever host.
        if urlsplit(urljoin(case.on.url, place)).netloc != urlsplit(case.on.url).netloc:
            assert place == truth[name], f"leads to {urlsplit(place).netloc}, and upstream's is another"
        else:
            assert case.on.get(place).status == 200, "not served"


@check("HEAD and ranges (206) of public files")
def _ranges(case: Case) -> None:
    (entry,) = case.on.files(case.known).values()
    whole = case.on.download(entry)
    head = case.on.get(entry.url, method="HEAD")
    assert head.status == 200, f"HEAD is a {head.status}"
    assert head.headers.get("content-length") == str(len(whole.body)), "HEAD has another length"
    part = case.on.get(entry.url, {"Range": "bytes=-100"})
    assert part.status == 206 and part.body == whole.body[-100:], f"a range is a {part.status}"


@check("revalidation (304) of public pages")
def _revalidation(case: Case) -> None:
    page = case.on.page(case.known)
    assert page.headers.get("etag"), "pages have no ETag"
    again = case.on.get(f"{case.known}/", {"If-None-Match": page.headers["etag"], "Accept": JSON})
    assert again.status == 304, f"an unchanged page is a {again.status}"


@check("public pages and files want a login as private ones do")
def _login(case: Case) -> None:
    (entry,) = case.on.files(case.known).values()
    for answer in (case.on.page(case.known, login=NOBODY), case.on.get(entry.url, login=NOBODY)):
        assert answer.status == 401, f"a {answer.status} without a login"


@check("a public file that comes truncated is not cached")
def _truncated(case: Case) -> None:
    _spoilt(case, "half", 5)


@check("a public file that comes altered is not kept")
def _altered(case: Case) -> None:
    _spoilt(case, "altered", MENDED)


def _spoilt(case: Case, mode: str, seconds: float) -> None:
    entry = case.public()
    with case.on.public.fault(mode, "files"):
        assert not entry.is_right(_tried(case, entry)), "the fault was not seen"
    until = time.monotonic() + seconds
    while not entry.is_right(_tried(case, entry)):
        assert time.monotonic() < until, f"still served {seconds:.0f} s after upstream mended it"
        time.sleep(1)


def _tried(case: Case, entry: Entry) -> Answer:
    try:
        return case.on.download(entry)
    # It may also send its reader elsewhere.
    except (OSError, http.client.HTTPException, AssertionError) as error:
        return Answer(0, {}, b"", repr(error))


@check("upstream away: private and cached public files are served; what is not cached is a 5xx, no 404")
def _away(case: Case) -> None:
    (known,) = case.on.files(case.known).values()
    assert known.is_right(case.on.download(known))
    # Each new connection meets a stranger's certificate, on pages and files alike.
    with case.on.public.fault("stranger", "pages"), case.on.public.fault("stranger", "files"):
        time.sleep(case.on.fresh + 1)
        for name in (case.library, case.known):
            answer = case.on.page(name)
            assert answer.status == 200, f"the page of {name.partition('-')[0]} is a {answer.status}"
        assert known.is_right(case.on.download(known)), "a cached file is not served"
        answer = case.on.page(case.unknown.pop())
        assert answer.status >= 500, f"an unknown page is a {answer.status}"


def results(case: Case) -> dict[str, str]:
    """Run all checks; return why each fails, or an empty text."""
    found = {}
    for title, function in CHECKS.items():
        case.on.public.heal()
        try:
            function(case)
            found[title] = ""
        # A peer may answer anything, or hang up: it fails that check, and the next one begins.
        except (AssertionError, OSError, http.client.HTTPException, LookupError, ValueError, TypeError) as error:
            found[title] = str(error).partition("\n")[0] or type(error).__name__
        print(f"{'fails' if found[title] else 'ok':6}{title}  {found[title]}", flush=True)
    return found
