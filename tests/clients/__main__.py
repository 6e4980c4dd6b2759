"""Tries tools on a running index: ``python -m tests.clients``, with the variables of ``make demo``'s demo.env.

INDEX_URL, INDEX_USER and INDEX_PASSWORD (who may publish), READER_USER and READER_PASSWORD come from the environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.clients import table
from tests.clients.every import TOOLS, attempt
from tests.clients.installers import seed
from tests.support.clients import Index, Login


def main(arguments: Sequence[str] | None = None) -> int:
    """Try tools, print a row for each and what did not work; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description="Tries tools on a running index.")
    parser.add_argument("tools", nargs="*", choices=[*TOOLS, []], metavar="TOOL", help=", ".join(TOOLS))
    parser.add_argument("--write", action="store_true", help="write the rows into docs/clients.md")
    asked = parser.parse_args(arguments)
    try:
        url, *logins = (
            os.environ[name] for name in ("INDEX_URL", "INDEX_USER", "INDEX_PASSWORD", "READER_USER", "READER_PASSWORD")
        )
    except KeyError as error:
        parser.error(f"{error.args[0]} is not set: `. .demo/demo.env`, with `set -a` before it")
    index, publisher, reader = Index(url), Login(*logins[:2]), Login(*logins[2:])
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        wanted = seed(index, publisher, reader, Path(folder) / "seeds")
        for name in asked.tools or TOOLS:
            work = Path(folder) / name
            work.mkdir()
            installs, publishes = attempt(name, wanted, publisher, work, newest=False)
            row = table.row(name, installs, publishes)
            print(row, end="", flush=True)
            if asked.write:
                table.write({name: row}, TOOLS)
            for tried in (*installs, *publishes):
                for text in tried.wrong:
                    failed = True
                    print(f"{tried.tool.name} {tried.tool.version} {text}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
