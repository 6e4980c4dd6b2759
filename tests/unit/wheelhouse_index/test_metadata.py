"""What is read from archives; broken and hostile ones are listed without metadata, at once."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import re
import resource
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from wheelhouse_index.files import metadata

from tests.support import packages as made
from tests.support.index import in_a_child

NAME, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
# What comes of an archive that says nothing, cannot be opened, or is more than is read.
NOTHING, BROKEN, BEYOND = "nothing", "broken", "beyond the limits"
QUICK_SECONDS = 10.0
LITTLE_KB = 150_000


def core(name: str = "foo", requires: str = ">=3.8", version: str = "2.1", more: str = "") -> bytes:
    needed = f"Requires-Python: {requires}\n" if requires else ""
    return f"Metadata-Version: {version}\nName: {name}\nVersion: 1.0\n{needed}{more}\nText".encode()


def wheel(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for path, content in members:
            archive.writestr(path, content)
    return target.getvalue()


def in_streams(content: bytes) -> bytes:
    return b"".join(bz2.compress(content[at : at + 1000]) for at in range(0, len(content), 1000))


def good(
    content: bytes | None = None, folder: str = "foo-1.0.dist-info", compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    metadata_file = (f"{folder}/METADATA", core() if content is None else content)
    others = (("foo/__init__.py", b""), (f"{folder}/WHEEL", b""), (f"{folder}/RECORD", b""))
    return wheel(*others, metadata_file, compression=compression)


def sdist(*members: tuple[str, bytes], mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for path, content in members:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


class Stream(io.BytesIO):
    """A file that cannot be sought in."""

    def seek(self, *_: int) -> int:
        raise OSError


def streamed(zip64: bool = False) -> bytes:
    """Return a wheel whose sizes stand behind each file, as they were not known before."""
    target = Stream()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("METADATA", core()), ("WHEEL", b""), ("RECORD", b"")):
            with archive.open(f"foo-1.0.dist-info/{name}", "w", force_zip64=zip64) as file:
                file.write(content)
    return target.getvalue()


def linked() -> bytes:
    """Return an sdist whose PKG-INFO is a hard link."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        link = tarfile.TarInfo("foo-1.0/PKG-INFO")
        link.type, link.linkname = tarfile.LNKTYPE, "foo-1.0/setup.py"
        archive.addfile(tarfile.TarInfo("foo-1.0/setup.py"))
        archive.addfile(link)
    return target.getvalue()


def empty_members(number: int) -> bytes:
    """Return members of a tar that has no end yet."""
    return tarfile.TarInfo("foo-1.0/x").tobuf() * number


def halves(content: bytes) -> tuple[bytes, bytes]:
    return content[: len(content) // 2], content[len(content) // 2 :]


def read(name: str, content: bytes) -> tuple[str, bytes] | str:
    """Return the specifier of Python versions and the metadata that are served; or in a word why there are none."""
    return outcome(name, io.BytesIO(content))


def outcome(name: str, file: io.BytesIO) -> tuple[str, bytes] | str:
    try:
        found = metadata.inside(name, file)
    except metadata.BrokenArchiveError:
        return BROKEN
    except metadata.BeyondLimitsError:
        return BEYOND
    return (found.requires_python, found.content) if found else NOTHING


CLAIMED = [
    (f"{folder}/PKG-INFO", core(name))
    for folder, name in (("docs", "x"), ("a.b-1.0", "a.b"), ("Foo.Bar-1.0", "foo-bar"))
]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param(NAME, good(), (">=3.8", core()), id="a wheel"),
        pytest.param(NAME, good(compression=zipfile.ZIP_STORED),
                     (">=3.8", core()), id="a wheel that is not compressed"),
        pytest.param("Foo_Bar-1.0-py3-none-any.whl", good(core("foo.BAR"), "Foo_Bar-1.0.0.dist-info"), (">=3.8", core("foo.BAR")),
                     id="the name in another spelling"),
        pytest.param(NAME, good(core(requires="")), ("", core(requires="")), id="any Python"),
        pytest.param(NAME, good(core(requires=">=3.8,\n <4")), (">=3.8, <4", core(requires=">=3.8,\n <4")),
                     id="a folded header"),
        pytest.param(NAME, good(core().replace(b"\n", b"\r\n")), (">=3.8", core().replace(b"\n", b"\r\n")),
                     id="Windows' ends of lines"),
        pytest.param(NAME, good(core("other")), BROKEN, id="another project's"),
        pytest.param(NAME, good(folder="foo-2.0.dist-info"), BROKEN, id="another version's folder"),
        pytest.param(NAME, wheel(("foo-1.0.dist-info/METADATA", core()), ("foo-1.0.dist-info/RECORD", b"")), BROKEN,
                     id="no WHEEL"),
        pytest.param(NAME, wheel(("foo-1.0.dist-info/METADATA", core()), ("foo-1.0.dist-info/WHEEL", b"")), BROKEN,
                     id="no RECORD"),
        pytest.param(NAME, good(core(more="Name: bar\n")), BROKEN, id="two names"),
        pytest.param(NAME, good(core(more="Version: 2.0\n")), BROKEN, id="two versions"),
        pytest.param(NAME, good(core(more="Name:  foo\n")), (">=3.8", core(more="Name:  foo\n")), id="a name twice"),
        pytest.param(NAME, good(core(version="9.9", more="Import-Name: foo\nUnheard-Of: yes\n")),
                     (">=3.8", core(version="9.9", more="Import-Name: foo\nUnheard-Of: yes\n")), id="metadata to come"),
        pytest.param(NAME, good(b"name: foo\nVERSION:\n 1.0"), ("", b"name: foo\nVERSION:\n 1.0"),
                     id="no last end of line, and other spellings of headers"),
        pytest.param(NAME, good(core(more="Author: Jürgen\n")), (">=3.8", core(more="Author: Jürgen\n")), id="umlauts"),
        pytest.param(NAME, good("\ufeff".encode() + core()), BROKEN, id="a mark of byte order"),
        pytest.param(NAME, b"#!/bin/sh\n" + good() + b"more", (">=3.8", core()), id="something before and behind a zip"),
        pytest.param(NAME, streamed(), (">=3.8", core()), id="a zip that was streamed"),
        pytest.param(NAME, streamed(zip64=True), (">=3.8", core()), id="a zip64 that was streamed"),
        pytest.param(NAME, good(compression=zipfile.ZIP_LZMA), BEYOND, id="another compression"),
        pytest.param(NAME, good(b"Version: 1.0\n\n"), BROKEN, id="nobody's"),
        pytest.param(NAME, good(b""), BROKEN, id="empty"),
        pytest.param(NAME, good(b"\xff\xfe\x00"), BROKEN, id="no text"),
        pytest.param(NAME, good(b"\n\nName: foo\n"), BROKEN, id="a text without headers"),
        pytest.param(NAME, wheel(("foo/__init__.py", b"")), BROKEN, id="none"),
        pytest.param(NAME, wheel(("foo-1.0.dist-info/METADATA", core()), ("bar-1.0.dist-info/METADATA", core())),
                     BROKEN, id="two"),
        pytest.param(NAME, wheel(("../foo-1.0.dist-info/METADATA", core())), BROKEN, id="outside"),
        pytest.param(NAME, wheel(("/foo-1.0.dist-info/METADATA", core())), BROKEN, id="at the root"),
        pytest.param(NAME, wheel(("foo/foo-1.0.dist-info/METADATA", core())), BROKEN, id="too deep"),
        pytest.param(NAME, wheel(("foo-1.0.dist-info/METADATA/", b"")), BROKEN, id="a folder"),
        pytest.param(NAME, good()[:-30], BROKEN, id="cut"),
        pytest.param(NAME, b"", BROKEN, id="no bytes"),
        pytest.param(NAME, b"not a zip" * 100, BROKEN, id="no zip"),
        pytest.param(NAME, sdist(("foo-1.0.dist-info/METADATA", core())), BROKEN, id="a tar"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core(version="2.2"))), (">=3.8", core(version="2.2")),
                     id="an sdist"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core(version="2.1"))), (">=3.8", b""),
                     id="an sdist of which the wheel may differ"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core(version="2.2", more="Dynamic: Requires-Dist\n"))),
                     (">=3.8", b""), id="an sdist that says so"),
        *(pytest.param(SDIST, sdist((f"foo-1.0/{'d' * 90}/{'f' * 90}", b""), ("./foo-1.0/PKG-INFO", core()), form=form),
                       (">=3.8", b""), id=f"a long name in tar's format {form}")
          for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)),
        pytest.param(SDIST, linked(), NOTHING, id="a link to the metadata"),
        pytest.param(SDIST, b"".join(gzip.compress(part) for part in halves(sdist(("foo-1.0/PKG-INFO", core()), mode="w:"))),
                     (">=3.8", b""), id="two gzips of one tar"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core())) + bytes(512), (">=3.8", b""), id="zeros behind a gzip"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core())) + b"more", BROKEN, id="something behind a gzip"),
        pytest.param(SDIST, sdist(("foo-1.0/foo.egg-info/PKG-INFO", core(version="2.2"))), NOTHING, id="elsewhere"),
        pytest.param(SDIST, sdist(("PKG-INFO", core()), ("setup.py", b"")), (">=3.8", b""), id="without a folder"),
        pytest.param(SDIST, sdist(("PKG-INFO", core("other")), ("foo-1.0/PKG-INFO", core())), (">=3.8", b""), id="in both"),
        pytest.param("foo-1.0.zip", wheel(("PKG-INFO", core())), (">=3.8", b""), id="a zip without a folder"),
        pytest.param(SDIST, sdist(("../PKG-INFO/x", core(version="2.2"))), NOTHING, id="an sdist's path"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core(version="2.2")), mode="w"), BROKEN, id="not compressed"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", core(version="2.2")))[:60], BROKEN, id="an sdist that is cut"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/PKG-INFO", core(version="2.2"))), (">=3.8", core(version="2.2")),
                     id="a zip"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/foo.egg-info/PKG-INFO", core())), NOTHING, id="a zip, elsewhere"),
        pytest.param("foo-1.0.zip", wheel(("./foo-1.0/PKG-INFO", core(version="2.2"))), (">=3.8", core(version="2.2")),
                     id="a zip with a dot before its paths"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/PKG-INFO", core(requires=">=2"))
                                          , ("foo-1.0/PKG-INFO", core())), (">=3.8", b""), id="a zip, twice"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/PKG-INFO", core(requires=">=2")), ("foo-1.0//PKG-INFO", core())),
                     (">=3.8", b""), id="a zip, twice in other spellings"),
        *(pytest.param("Foo_Bar-1.0.0.zip", wheel(*members), (">=3.8", b""), id=f"a zip, the claimed folder comes {place}")
          for members, place in [(CLAIMED, "last"), (CLAIMED[::-1], "first")]),
        pytest.param("foo-1.0.zip", wheel(("bar/PKG-INFO", core()), ("x/PKG-INFO", core("x"))), (">=3.8", b""),
                     id="a zip, no claimed folder"),
        pytest.param("foo-1.0.zip", wheel(("PKG-INFO", core("x")), ("any/PKG-INFO", core())), (">=3.8", b""),
                     id="a zip, in both"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/PKG-INFO/", b"")), NOTHING, id="a zip, a folder"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/NO-PKG-INFO", core())), NOTHING, id="a zip, another name"),
        pytest.param("foo-1.0.zip", wheel(("foo-1.0/PKG-INFO", "\ufeff".encode() + core(version="2.2"))), (">=3.8", b""),
                     id="a zip with a mark of byte order"),
        pytest.param(SDIST, sdist(("foo-1.0/PKG-INFO", "\ufeff".encode() + core(version="2.2"))), (">=3.8", b""),
                     id="an sdist with a mark of byte order"),
        pytest.param(NAME, wheel(("./foo-1.0.dist-info/METADATA", core("x")), *((f"foo-1.0.dist-info/{name}", data) for name, data
                                 in (("METADATA", core()), ("WHEEL", b""), ("RECORD", b"")))), (">=3.8", core()),
                     id="a wheel with more in another spelling"),
        pytest.param("foo-1.0.zip", b"no zip", BROKEN, id="no zipped sdist"),
        pytest.param("foo-1.0.tgz", sdist(("foo-1.0/PKG-INFO", core())), (">=3.8", b""), id="tgz"),
        pytest.param("foo-1.0.tar.bz2", sdist(("foo-1.0/PKG-INFO", core()), mode="w:bz2"), (">=3.8", b""), id="bz2"),
        pytest.param("foo-1.0.tar.bz2", sdist(("foo-1.0/PKG-INFO", core())), BROKEN, id="bz2 that is gzip"),
        pytest.param("foo-1.0.tar.bz2", bz2.compress(sdist(("foo-1.0/a", bytes(3000)), ("foo-1.0/PKG-INFO", core()), mode="w"))
                     [:60], BROKEN, id="bz2 that is cut"),
        pytest.param("foo-1.0.tar.bz2", in_streams(sdist(("foo-1.0/a", bytes(3000)), ("foo-1.0/PKG-INFO", core()), mode="w")),
                     (">=3.8", b""), id="bz2 of a parallel compressor"),
        pytest.param("foo-1.0.tar.xz", sdist(("foo-1.0/PKG-INFO", core()), mode="w:xz"), (">=3.8", b""), id="xz"),
        pytest.param(SDIST, gzip.compress(empty_members(30_000) + sdist(("foo-1.0/PKG-INFO", core()), mode="w:"), 1),
                     (">=3.8", b""), id="behind 30,000 members"),
        pytest.param(SDIST, sdist(("foo-1.0/data.bin", bytes(80_000_000)), ("foo-1.0/PKG-INFO", core())),
                     (">=3.8", b""), id="behind 80 MB"),
        pytest.param("foo-1.0-py2.7.egg", wheel(("EGG-INFO/PKG-INFO", core(version="2.2"))), (">=3.8", b""), id="an egg"),
        pytest.param(f"foo-1.0-py3-none-{'a' * 230}.whl", good(), (">=3.8", b""), id="a name with no room for more"),
    ],
)  # fmt: skip
def test_what_a_file_says_of_itself(name: str, content: bytes, expected: tuple[str, bytes]) -> None:
    assert read(name, content) == expected


@given(st.text(st.sampled_from("<>=!~0123456789.*, abcrpostdev\n\"&'+")) | st.text())
@example(">=3.8")
@example("~=3")
@example(">=3.*")
@example("==3.8+local")
def test_what_gets_into_a_page_as_requires_python_is_a_specifier(value: str) -> None:
    found = metadata.specifier(value)
    assert len(found) <= metadata.SPECIFIER_LETTERS and "\n" not in found
    SpecifierSet(found)


@pytest.mark.parametrize(
    "value",
    [">=3.8", ">=3", "<4,>=3.8", ">= 3.8 , < 4", "!=3.0.*,!=3.1.*,>=2.7", "==3.9.*", "~=3.9", ">=3.8,", ">3.7.1",
     ">=3.12.0rc1", "<=3.11.post1.dev2", ">=v3.99", ">=3.99.0-rc1", ">=3.99.0alpha1", "===3.99",
     ">=3.99,!=" + ",!=".join(f"4.{n}.0" for n in range(60))],
)  # fmt: skip
def test_specifiers_that_are_in_use_get_into_pages(value: str) -> None:
    assert metadata.specifier(value) == value
    assert read(NAME, good(core(requires=value))) == (value, core(requires=value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(">=3.6.*", ">=3.6"), (">= 2.7.*, !=3.0.*, <4.*", ">= 2.7, !=3.0.*, <4"), ("~=3.6.2.*", "~=3.6.2")],
)
def test_what_was_allowed_before_pep_440_gets_into_pages_as_it_is_meant(value: str, shown: str) -> None:
    assert read(NAME, good(core(requires=value))) == (shown, core(requires=value))


@pytest.mark.parametrize("value", ["banana", "3.8", ">=3.x", '>=3"><script>', ">=3.8 and <4", ">=" + "3." * 3000 + "1"])
def test_what_is_no_specifier_does_not(value: str) -> None:
    if len(value) < 200:
        with pytest.raises(InvalidSpecifier):
            SpecifierSet(value)
    assert read(NAME, good(core(requires=value))) == ("", core(requires=value))


def zip64_end(content: bytes, size: int, where: int | None = None) -> bytes:
    """Put a zip64 end record with this size of the directory before the end of a zip."""
    end = content.rindex(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end if where is None else where, 1)
    return content[:end] + record + locator + content[end:]


def many_entries(count: int) -> bytes:
    """Return a zip whose directory has many entries without a file."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[20] * 2, *[0] * 14)
    directory = entry * count
    return directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)


def many_folders(folder: str) -> bytes:
    """Return a zip whose directory has as many files PKG-INFO, in folders that begin so, as are read."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("PKG-INFO", b"")
    start = target.getvalue().index(b"PK\x01\x02")
    paths = (f"{folder}{number}/PKG-INFO".encode() for number in range(metadata.READ_BYTES // (70 + len(folder))))
    head = struct.pack("<4s6H3L", b"PK\x01\x02", *[20] * 2, *[0] * 7)
    directory = b"".join(head + struct.pack("<5H2L", len(path), *[0] * 6) + path for path in paths)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    return target.getvalue()[:start] + directory + end


def lying(content: bytes, field: int, value: int) -> bytes:
    """Change a 32-bit field in the directory's last entry, counted from its beginning."""
    changed = bytearray(content)
    struct.pack_into("<L", changed, content.rindex(b"PK\x01\x02") + field, value)
    return bytes(changed)


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // 1_000_000):
        yield bytes(1_000_000)


def squeezed(size: int, head: bytes = b"") -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([packer.compress(head), *map(packer.compress, zeros(size)), packer.flush()])


def bzip2_wheel() -> bytes:
    """Return a wheel of which little is said to come out, and much does."""
    bomb = bz2.compress(bytes(900_000)) * 3000
    content = good(b"x" * 1000, compression=zipfile.ZIP_STORED)
    changed = bytearray(content.replace(b"x" * 1000, bomb))
    for signature, method, sizes in ((b"PK\x03\x04", 8, 18), (b"PK\x01\x02", 10, 20)):
        at = changed.rindex(signature)
        struct.pack_into("<H", changed, at + method, zipfile.ZIP_BZIP2)
        struct.pack_into("<2L", changed, at + sizes, len(bomb), 1000)
    end = changed.rindex(b"PK\x05\x06")
    struct.pack_into("<L", changed, end + 16, changed.rindex(b"PK\x01\x02"))
    return bytes(changed)


def pax(records: bytes, after: bytes = b"") -> bytes:
    """Return an sdist that begins with a pax header."""
    entry = tarfile.TarInfo("pax")
    entry.type = tarfile.XHDTYPE
    entry.size = len(records)
    padding = bytes(-len(records) % 512)
    return gzip.compress(entry.tobuf(tarfile.USTAR_FORMAT) + records + padding + after)


def pax_of(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return a pax header, and a member behind it."""
    entry = tarfile.TarInfo("pax")
    entry.type = kind
    entry.size = len(records)
    return (
        entry.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512) + tarfile.TarInfo("foo-1.0/x").tobuf()
    )


def global_header(number: int) -> bytes:
    """Return a global pax header of half a megabyte, of keys that no other has."""
    records = b"".join(b"20 k%03d%05d=123456\n" % (number, key) for key in range(25_000))
    return pax_of(records, tarfile.XGLTYPE)


def sparse(blocks: int) -> bytes:
    """Return a sparse file as GNU tar wrote it, with so many blocks of its map."""
    entry = tarfile.TarInfo("foo-1.0/sparse")
    entry.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    block = (b"%011o " % 1) * 42 + b"\x01" + bytes(7)
    return bytes(header) + block * blocks


def negative_size() -> bytes:
    entry = bytearray(tarfile.TarInfo("foo-1.0/other").tobuf(tarfile.GNU_FORMAT))
    entry[124:136] = b"\xff" * 10 + b"\xfe\x00"
    entry[148:156] = b"%06o\0 " % (sum(entry[:148]) + sum(entry[156:]) + 8 * 32)
    return gzip.compress(bytes(entry) * 4)


def large_dictionary() -> bytes:
    filters = [
        {
            "id": lzma.FILTER_LZMA2,
            "dict_size": 1 << 30,
            "mode": lzma.MODE_FAST,
            "mf": lzma.MF_HC3,
            "nice_len": 3,
            "depth": 1,
        }
    ]
    packer = lzma.LZMACompressor(filters=[{**filters[0], "dict_size": 4096}])
    packed = bytearray(packer.compress(bytes(100_000)) + packer.flush())
    # The size of the dictionary is in the block's header, whose checksum follows.
    at = packed.index(b"\x21\x01", 12) + 2
    packed[at] = 38
    header = 12 + (packed[12] + 1) * 4
    struct.pack_into("<L", packed, header - 4, zlib.crc32(bytes(packed[12 : header - 4])))
    return bytes(packed)


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "much comes out of METADATA": (NAME, lambda: good(bytes(100_000_000))),
    "much comes out, and little is said to": (NAME, lambda: lying(good(bytes(100_000_000)), 24, 1000)),
    "much comes out by bzip2": (NAME, bzip2_wheel),
    "a directory of many megabytes": (NAME, lambda: many_entries(300_000)),
    "a directory as large as is read": (NAME, lambda: many_entries(metadata.READ_BYTES // 46)),
    "a zip of many folders": ("foo-1.0.zip", lambda: many_folders("foo-1.0.post")),
    "zip64 says that the directory is large": (NAME, lambda: zip64_end(bytes(30_000_000) + good(), 29_000_000)),
    "zip64 says that it is huge": (NAME, lambda: zip64_end(good(), 2**64 - 1)),
    "zip64 says so elsewhere": (NAME, lambda: zip64_end(bytes(30_000_000) + good(), 29_000_000, where=0)),
    "an offset beyond the end": (NAME, lambda: lying(good(), 42, 0xFFFF_FFFF)),
    "a file that is said to be huge": (NAME, lambda: lying(good(), 24, 0xFFFF_FFF0)),
    "the end of the directory in a comment": (NAME, lambda: good() + b"PK\x05\x06" + b"\xff" * 18),
    "headers without an end": (NAME, lambda: good(b"A:\n" * 1_300_000)),
    "lines without an end": (NAME, lambda: good(b"Name: foo\n" + b" x\n" * 1_300_000)),
    "much comes out of an sdist": (SDIST, lambda: squeezed(metadata.UNPACKED_BYTES * 9 // 8, _large_member())),
    "a member that is larger than all": (SDIST, lambda: squeezed(5_000_000, _large_member())),
    "zeros behind a gzip": (SDIST, lambda: sdist(("foo-1.0/x", b"")) + bytes(30_000_000)),
    "many empty gzips": (SDIST, lambda: gzip.compress(b"") * 1_000_000),
    "blocks without content": (SDIST, lambda: gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 20_000_000),
    "many members": (SDIST, lambda: gzip.compress(empty_members(metadata.ENTRIES + 1), 1)),
    "a large pax header": (SDIST, lambda: pax(b"30 comment=" + b"x" * 50_000_000)),
    "a pax header that repeats itself": (SDIST, lambda: pax(b"9 a=bcde\n" * 200_000)),
    "a pax header of millions of lines": (SDIST, lambda: pax(b"6 a=b\n" * 9_000_000)),
    "a pax header with a size of its own": (SDIST, lambda: pax(b"23 size=99999999999999\n", _large_member())),
    "long names of long names": (SDIST, lambda: gzip.compress(_long_name() * 5000)),
    "a size below nothing": (SDIST, negative_size),
    "maps of sparse files": (SDIST, lambda: gzip.compress(sparse(60_000))),
    "a sparse map in a pax header": (
        SDIST,
        lambda: pax(b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n", _large_member()),
    ),
    "global headers of many keys": (SDIST, lambda: gzip.compress(b"".join(map(global_header, range(40))))),
    "small pax headers without an end": (SDIST, lambda: gzip.compress(pax_of(b"6 a=1\n" * 150_000) * 30)),
    "much comes out of bzip2": ("foo-1.0.tar.bz2", lambda: bz2.compress(bytes(900_000)) * 650),
    "xz that wants much memory": ("foo-1.0.tar.xz", large_dictionary),
    "many empty streams of bzip2": ("foo-1.0.tar.bz2", lambda: bz2.compress(b"") * 500_000),
}


def _large_member() -> bytes:
    entry = tarfile.TarInfo("foo-1.0/PKG-INFO")
    entry.size = 2**33
    return entry.tobuf(tarfile.GNU_FORMAT)


def _long_name() -> bytes:
    entry = tarfile.TarInfo("name")
    entry.type = tarfile.GNUTYPE_LONGNAME
    entry.size = 10
    return entry.tobuf(tarfile.GNU_FORMAT) + b"some name\0".ljust(512, b"\0")


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_tells_nothing_and_costs_little(case: str) -> None:
    name, make = HOSTILE[case]
    file = io.BytesIO(make())

    def reading() -> int:
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert outcome(name, file) in (NOTHING, BROKEN, BEYOND)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        took = time.process_time() - began
        assert took < QUICK_SECONDS and grown < LITTLE_KB, f"{took:.1f} s, {grown / 1000:.0f} MB"
        return 0

    # In a process of its own, whose memory can be told.
    assert in_a_child(reading) == 0


@pytest.mark.parametrize(
    ("name", "content"), [(NAME, good()), (SDIST, sdist(("foo-1.0/PKG-INFO", core(version="2.2"))))]
)
def test_whatever_byte_is_wrong_nothing_is_raised(name: str, content: bytes) -> None:
    chance = random.Random(7)
    for _ in range(1500):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 1, 5])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        found = read(name, bytes(changed[: chance.choice([len(changed), chance.randrange(len(changed))])]))
        assert found in (NOTHING, BROKEN, BEYOND) or len(found[1]) < 1000


def test_metadata_carry_the_digest_of_what_is_served() -> None:
    found = metadata.inside(NAME, io.BytesIO(good()))
    assert found and found.sha256 == hashlib.sha256(found.content).hexdigest()
    assert metadata.Metadata(found.release).sha256 == ""


def test_a_wheel_that_lost_its_beginning_is_broken_and_not_a_fault_of_the_disk(tmp_path: Path) -> None:
    name = "foo-1.0-py3-none-any.whl"
    whole = made.file(name)
    for lost in range(1, len(whole) - 22, 7):
        (tmp_path / name).write_bytes(whole[lost:])
        with (tmp_path / name).open("rb") as file, suppress(metadata.BrokenArchiveError):
            # Python's zipfile finds its way without what stands before the first file.
            found = metadata.inside(name, file)
            assert found and found.release.name == "foo"


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *(
                        b"Name: foo",
                        b"Name:foo",
                        b"name:  foo  ",
                        b"Version: 1.0",
                        b"Version: 1.0\r",
                        b"From: a",
                        b"From a",
                    ),
                    *(
                        b" folded",
                        b"\tfolded",
                        b"no colon",
                        b": nothing",
                        b"Na me: foo",
                        b"Author: \xc3\xbc",
                        b"A:\x00",
                        b"",
                    ),
                ]
            ),
            st.binary(max_size=8),
        ),
        max_size=6,
    )
)
def test_headers_are_what_the_parser_of_email_says(lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    expected = BytesHeaderParser().parsebytes(re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0])
    # As text: what is not ASCII is an object of its own each time.
    assert [(name, str(value)) for name, value in metadata._headers(content).items()] == [
        (name, str(value)) for name, value in expected.items()
    ], content
