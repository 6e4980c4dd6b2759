"""Runs the checks: ``python -m tests.conformance``, with the variables of ``make demo``'s demo.env, or against any index.

``--peers`` makes a host, runs them on our index and on its peers there, and writes the table of docs/one-url.md. Else
INDEX_URL, INDEX_USER and INDEX_PASSWORD (who may publish), READER_USER and READER_PASSWORD come from the environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.conformance import compared, table
from tests.conformance.checks import Case, results
from tests.conformance.subject import Subject
from tests.support.clients import Index, Login
from tests.support.public_index import PublicIndex


def main() -> int:
    """Run the checks; return the exit code, which is of our index."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance", description="Checks an index with an upstream."
    )
    parser.add_argument("--pages", default="", help="address of the pages, where it is not INDEX_URL/simple/")
    parser.add_argument("--folder", type=Path, help="where private files are copied to, in place of an upload")
    parser.add_argument("--reserved", default="", help="a private name that is reserved there, and has no file")
    parser.add_argument("--fresh", type=float, default=5, help="seconds for which a page may be served from a cache")
    parser.add_argument("--peers", action="store_true", help="compare our index with its peers, and write the table")
    parser.add_argument("control", nargs="?", help="host[:port] of the stand-in's control port")
    asked = parser.parse_args()
    if asked.peers:
        found = compared.all_results()
        table.write(found)
        return int(any(found[compared.OURS].values()))
    if not asked.control:
        parser.error("where is the stand-in's control port?")
    url = os.environ["INDEX_URL"]
    publisher = Login(os.environ.get("INDEX_USER", ""), os.environ.get("INDEX_PASSWORD", ""))
    reader = Login(os.environ.get("READER_USER", ""), os.environ.get("READER_PASSWORD", ""))
    host, _, port = asked.control.partition(":")

    def put(file: Path) -> None:
        if asked.folder:
            place = asked.folder / file.name.partition("-")[0].replace("_", "-")
            place.mkdir(exist_ok=True)
            (place / file.name).write_bytes(file.read_bytes())
            return
        done = Index(url).twine_upload(publisher, file)
        if done.returncode:
            raise SystemExit(f"the index does not take {file.name}:\n{done.stdout}{done.stderr}")

    public = PublicIndex(host, int(port or 8099))
    subject = Subject(asked.pages or f"{url}/simple/", reader, put, public, asked.reserved, asked.fresh)
    with tempfile.TemporaryDirectory() as folder:
        return int(any(results(Case(subject, Path(folder))).values()))


if __name__ == "__main__":
    sys.exit(main())
