"""No order of events sends a private name upstream: random walks with one invariant."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.one_url import JSON, OneUrl, remove
from tests.support.public_index import OF_FILES, OF_PAGES, PublicIndex, forbidden
from tests.support.stack import Stack, eventually

# In make test-long more: WHEELHOUSE_STEPS. WHEELHOUSE_SEED repeats a walk.
STEPS = int(os.environ.get("WHEELHOUSE_STEPS", "200"))
# Of a step that restarts or rebuilds something, which takes seconds; in long walks, some hundred of them are enough.
UPHEAVAL = min(0.06, 120 / STEPS)
# Reserved; free until they are taken; and those that upstream has too, which the operator allows.
RESERVED = ("acme-walk", "acme-walk-b", "internal-tools")
SHADOWED = ("shadowed-a", "shadowed-b")
# Others are free for everyone.
PUBLIC = ("click", "young", "local")


class Walk:
    """What has happened so far.

    Attributes:
        private: names that are private, from their first release on, for good.
        strange: names that a stranger has upstream.
        versions: how many releases of a name were published here.
        unsure: names that may be private, as an upload of one broke off.
        changed: when a stranger published or removed a name; for a minute the index may know what was before.
    """

    def __init__(
        self, dice: random.Random, host: Any, one: OneUrl, publisher: Login, public: PublicIndex, stack: Stack
    ) -> None:
        self.dice, self.host, self.one, self.publisher, self.public, self.stack = (
            dice,
            host,
            one,
            publisher,
            public,
            stack,
        )
        # Of releases as well: a file name is taken for good.
        self.mark = str(time.time_ns() % 10**10)
        self.free = tuple(f"walk-{self.mark}-{letter}" for letter in "abcde")
        self.private = set(RESERVED)
        self.strange = {*RESERVED, *PUBLIC, *SHADOWED}
        self.versions: dict[str, int] = {}
        self.unsure: set[str] = set()
        self.changed: dict[str, float] = {}
        self.faulty = False
        for name in SHADOWED:
            public.publish(name, "99.0")

    def any_name(self) -> str:
        return self.dice.choice((*RESERVED, *self.free, *self.free, *SHADOWED, *PUBLIC))

    def upload(self, work: Path) -> str:
        name = self.dice.choice((*RESERVED, *self.free, *SHADOWED))
        version = f"3.{self.versions.get(name, 0)}.{self.mark}"
        file = packages.wheel(work, self.spelt(name, encoded=False), version)
        try:
            status = self.one.index.upload(self.publisher, file).status
        except (OSError, HTTPException) as error:
            # NGINX was restarted a step before.
            self.unsure.add(name)
            return f"upload {name} {version}: {error!r}"
        expected = {200}
        if name not in self.private and name not in SHADOWED:
            if name in self.strange:
                expected = {409}
            if self.faulty or name in self.unsure or time.monotonic() < self.changed.get(name, 0) + 70:
                expected |= {200, 409, 503}
        # pypi-server may have been killed a step before.
        assert status in expected | {502, 503}, (name, version, status, expected)
        if status >= 500:
            self.unsure.add(name)
        if status == 200:
            self.private.add(name)
            self.versions[name] = self.versions.get(name, 0) + 1
        return f"upload {name} {version}: {status}"

    def remove(self, _work: Path) -> str:
        if not self.versions:
            return "nothing to remove"
        name = self.dice.choice(sorted(self.versions))
        version = f"3.{self.dice.randrange(self.versions[name])}.{self.mark}"
        try:
            status = remove(self.one.index, self.publisher, name, version).status
        except (OSError, HTTPException) as error:
            return f"remove {name} {version}: {error!r}"
        return f"remove {name} {version}: {status}"

    def stranger(self, _work: Path) -> str:
        name = self.dice.choice(self.free)
        self.changed[name] = time.monotonic()
        if name in self.strange - self.private:
            # It may come and go while it is free.
            self.public.withdraw(name)
            self.strange.discard(name)
            return f"the stranger's {name} is removed"
        self.public.publish(name, "99.0")
        self.strange.add(name)
        return f"a stranger publishes {name}"

    def spelt(self, name: str, encoded: bool = True) -> str:
        """Return a name as somebody else might write it."""
        written = "".join(
            self.dice.choice("-_.") if letter == "-" else letter.upper() if self.dice.random() < 0.2 else letter
            for letter in name
        )
        if encoded and self.dice.random() < 0.3:
            place = self.dice.randrange(len(written))
            code = f"%{ord(written[place]):02X}"
            written = written[:place] + self.dice.choice((code, code.lower(), quote(code))) + written[place + 1 :]
        return written

    def read(self, _work: Path) -> str:
        name = self.any_name()
        page = self.dice.choice((name, self.spelt(name)))
        path = self.dice.choice(
            (
                f"/simple/{page}/",
                f"/simple/{page}/",
                f"/simple/{page}",
                f"/+simple/{page}/",
                f"/why/{page}/",
                f"/{page}/json",
                f"/simple//{page}/",
            )
        )
        return self._ask(name, path, {"Accept": self.dice.choice((JSON, "text/html"))})

    def fetch(self, _work: Path) -> str:
        name = self.any_name()
        files = self.public.page(name)["files"]
        if not files:
            return f"{name} has no public file"
        path = urlsplit(files[-1]["url"]).path + self.dice.choice(("", "", ".metadata"))
        place = self.dice.choice((name, name, self.spelt(name), self.dice.choice(PUBLIC)))
        host = self.dice.choice(("files.example.org", "files.example.org", "public.example.org", "FILES.example.org"))
        return self._ask(name, f"/public/{place}/{host}{path}", {})

    def _ask(self, name: str, path: str, headers: dict[str, str]) -> str:
        try:
            answer = self.one.get(path, headers, self.dice.choice(("GET", "GET", "HEAD")))
        except (OSError, HTTPException) as error:
            return f"{path}: {error!r}"
        if name in self.private and answer.status == 200:
            # The release alone: its address has the number too.
            shown = answer.body.decode("latin-1").replace("/99", "")
            assert "99.0" not in shown, f"{path} shows a stranger's release of {name}: {shown[:300]}"
        return f"{path}: {answer.status}"

    def fault(self, _work: Path) -> str:
        self.public.heal()
        self.faulty = self.dice.random() < 0.6
        if not self.faulty:
            return "upstream is well"
        scope = self.dice.choice(("pages", "files"))
        mode = self.dice.choice(
            [mode for mode in (OF_PAGES if scope == "pages" else OF_FILES) if mode not in ("ok", "huge", "hang")]
        )
        self.public.break_(mode, scope, seconds=1)
        return f"{scope} of upstream: {mode}"

    def upheaval(self, _work: Path) -> str:
        what, command = self.dice.choice(
            (
                ("index/ is removed", f"find {self.stack.home}/index -mindepth 1 -delete || true"),
                (
                    "the index is rebuilt",
                    f"cd {self.stack.home} && docker compose exec -T pypi-server python3 -m wheelhouse_index.rebuild",
                ),
                (
                    "pypi-server is killed",
                    f"cd {self.stack.home} && docker compose kill pypi-server && docker compose start pypi-server",
                ),
                ("pypi-server restarts", f"cd {self.stack.home} && docker compose restart --timeout 1 pypi-server"),
                ("NGINX restarts", f"cd {self.stack.home} && docker compose restart --timeout 1 nginx"),
                ("NGINX reads its files", f"cd {self.stack.home} && docker compose kill --signal HUP nginx"),
            )
        )
        done = self.host.run(command)
        return f"{what}: {done.rc}"

    def step(self, work: Path) -> str:
        """Do something, and return what it was."""
        if self.dice.random() < UPHEAVAL:
            return self.upheaval(work)
        ways: list[tuple[Callable[[Path], str], int]] = [
            (self.read, 40),
            (self.fetch, 30),
            (self.upload, 12),
            (self.remove, 5),
            (self.stranger, 5),
            (self.fault, 6),
        ]
        (way,) = self.dice.choices([way for way, _weight in ways], [weight for _way, weight in ways])
        return way(work)


def test_no_walk_sends_a_private_name_upstream(
    host: Any, one: OneUrl, publisher: Login, public: PublicIndex, stack: Stack, index: Index, work: Path
) -> None:
    seed = int(os.environ.get("WHEELHOUSE_SEED", random.randrange(10**9)))
    walk = Walk(random.Random(seed), host, one, publisher, public, stack)
    steps: list[str] = []
    checked = len(public.log(0))
    try:
        for number in range(1, STEPS + 1):
            # Names that become private in this step may have been asked for in it.
            before = set(walk.private)
            steps.append(walk.step(work))
            log = public.log(checked)
            checked += len(log)
            said = forbidden(log, before, ("acme-",))
            assert not said, f"after step {number}: {said[:5]}"
        public.heal()
        stack.wait_until_healthy("pypi-server")
        for name in sorted(walk.private - set(RESERVED)):
            eventually(lambda name=name: one.page(name).status in (200, 404), f"{name} is answered for", 60)  # type: ignore[misc]
            assert "99.0" not in json.dumps(one.names(name)), name
        # What is still on its way.
        time.sleep(20)
        said = forbidden(public.log(checked), walk.private, ("acme-",))
        assert not said, f"after the walk: {said[:5]}"
    except AssertionError:
        print(f"WHEELHOUSE_SEED={seed}, step {len(steps) + 1}; the last before it:", *steps[-15:], sep="\n  ")
        raise
    finally:
        public.heal()
        for name in walk.free:
            public.withdraw(name)
    print(
        f"seed {seed}:",
        *(
            f"{sum(step.startswith(word) for step in steps)} {word}"
            for word in ("upload", "remove", "/simple", "/public")
        ),
    )
