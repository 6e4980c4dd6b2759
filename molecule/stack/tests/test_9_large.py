"""The largest file that the index takes by default: 5 GB, through memory that stays as it is."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.long import only_long

# Takes 16 GB of disk.
pytestmark = only_long

SIZE = 5_300_000_000
MEBIBYTE = 1024 * 1024
# The memory of the stack's programs that the kernel cannot drop, in kB. Health checks come and go meanwhile.
ANONYMOUS = """cat /proc/[0-9]*/status 2>/dev/null |
awk '/^Name:/ {name = $2} /^RssAnon:/ && name ~ /^(nginx|python3)/ {all += $2} END {print all}'"""


def padded(wheel: Path) -> str:
    """Add a file to a wheel, by which it is as large as it may be, and return the wheel's digest."""
    with zipfile.ZipFile(wheel, "a") as archive, archive.open("large/zeros.bin", "w", force_zip64=True) as member:
        for _ in range(SIZE // MEBIBYTE):
            member.write(bytes(MEBIBYTE))
    with open(wheel, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_5_gb_up_and_down_in_flat_memory(
    host: Any, index: Index, publisher: Login, reader: Login, tmp_path: Path
) -> None:
    wheel = packages.wheel(tmp_path, "large")
    digest = padded(wheel)
    before = most = int(host.check_output(ANONYMOUS))
    with ThreadPoolExecutor() as pool:
        upload = pool.submit(index.uv_publish, publisher, wheel)
        while not upload.done():
            most = max(most, int(host.check_output(ANONYMOUS)))
            time.sleep(1)
    done = upload.result()
    assert done.returncode == 0, done.stdout + done.stderr
    # A fiftieth of the file.
    assert most - before < 100_000, f"{before} kB before, {most} kB at most"

    page = index.request("/simple/large/", reader, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    (entry,) = json.loads(page.body)["files"]
    assert (entry["size"], entry["hashes"]["sha256"]) == (wheel.stat().st_size, digest)
    with urlopen(Request(f"{index.url}/packages/{wheel.name}", headers=reader.header())) as answer:
        assert hashlib.file_digest(answer, "sha256").hexdigest() == digest
    print(f"{before} kB before, {most} kB at most")
