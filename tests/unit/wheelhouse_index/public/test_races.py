"""Claims, marks and requests at the same time, in threads and processes: whoever is first, no private name keeps a mark."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from wheelhouse_index.fact_store.claims import Claims
from wheelhouse_index.fact_store.marks import Marks

from tests.support.index import in_a_child
from tests.support.outlet import FILES_HOST, listed
from tests.support.packages import file
from tests.support.public import Public

DIGEST = "0" * 12


def test_a_name_that_turns_private_while_it_is_asked_for_keeps_no_mark(public: Public) -> None:
    names = [f"demo{number}" for number in range(12)]
    public.put(shadowed=names)
    for name in names:
        public.outlet.serve(name, listed(f"{name}-9.0.tar.gz"))
    stop, served = threading.Event(), [0]

    def ask() -> None:
        while not stop.is_set():
            for name in names:
                for path in (f"/page/{name}", f"/file/{name}/{FILES_HOST}/packages/{name}-9.0.tar.gz"):
                    served[0] += not hasattr(public.ask(path), "status")
                public.gate._pages._known.clear()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    wrong = []
    for name in names:
        time.sleep(0.02)
        assert public.index.upload(f"{name}-1.0.tar.gz", file(f"{name}-1.0.tar.gz")).status == 200
        claimed = len(public.outlet.asked)
        time.sleep(0.02)
        # Requests that were under way when the claim was made may still be heard of.
        wrong += [path for path in public.outlet.asked[claimed + len(askers) :] if path.endswith(f"/{name}")]
    stop.set()
    for asker in askers:
        asker.join()
    print(f"{served[0]} answers from upstream before, {len(public.outlet.asked)} requests")
    assert served[0] and not wrong
    assert not public.marked()


def test_processes_that_mark_and_close_and_withdraw_leave_no_mark_of_a_claimed_name(in_memory: Path) -> None:
    marks = Marks(in_memory / "public")
    (in_memory / "names").mkdir()
    claims = Claims(in_memory / "names", marks.withdraw)
    (in_memory / "public").mkdir()
    until = time.monotonic() + 2
    names = [f"demo{number}" for number in range(400)]

    def mark() -> int:
        # As the gate does.
        made = 0
        while time.monotonic() < until:
            for name in names:
                if not claims.has(name):
                    made += marks.mark_file(DIGEST, name, f"host/{made % 3}.whl", "")
                    if claims.has(name):
                        marks.withdraw([name])
        return 0 if made else 1

    def close() -> int:
        while time.monotonic() < until:
            marks.close()
            time.sleep(0.001)
        return 0

    def claim() -> int:
        for name in names:
            claims.make([name])
            time.sleep(1.5 / len(names))
        return 0

    found: list[int] = []
    workers = [
        threading.Thread(target=lambda what=what: found.append(in_a_child(what))) for what in (mark, mark, close, claim)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    left = marks.projects()
    print(f"exit codes {found}; {len(left)} folders of marks are left, {len(os.listdir(in_memory / 'names'))} claims")
    assert found == [0] * 4
    assert not left & set(names)


def test_a_process_that_was_killed_between_claim_and_withdrawal_is_made_up_for(public: Public) -> None:
    public.put(shadowed=["demo"])
    public.outlet.serve("demo", listed("demo-9.0.tar.gz"))
    public.ask("/page/demo")
    # The claim alone.
    (public.index.store.facts.claims.folder / "demo").touch()
    assert public.marked()
    public.index.look()
    assert not public.marked() and public.marks.is_open()
