"""What newer standards and drafts bring is stored and served as it is: an unknown field is no reason to refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wheelhouse_index.files import names

from tests.support import packages as made
from tests.support.index import Index, sha256
from tests.support.served import serving

VARIANTS = "foo_bar-1.0-variants.json"
LISTED = json.dumps({"$schema": "https://example.com/v9.json", "variants": {"null": {}, "x86_64_v3": {}}}).encode()


def wheel(folder: Path, metadata: bytes, name: str = "foo_bar-1.0-py3-none-any.whl") -> Path:
    """Write a wheel with these core metadata."""
    info = "foo_bar-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("foo_bar.py", f"FROM = {name!r}\n")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"foo_bar.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return folder / name


@pytest.mark.parametrize(
    "metadata",
    [
        b"Metadata-Version: 2.5\nName: foo-bar\nVersion: 1.0\nImport-Name: foo_bar\nImport-Namespace: foo\n",
        b"Metadata-Version: 2.6\nName: foo-bar\nVersion: 1.0\nDefault-Extra: fast\n",
        b"Metadata-Version: 9.9\nName: foo-bar\nVersion: 1.0\nX-Unknown: \xc3\xbc\n folded\nRequires-Dist: unknown @\n\nText\n",
    ],
    ids=["2.5", "2.6", "9.9"],
)
def test_core_metadata_of_any_version_are_served_as_they_are(index: Index, tmp_path: Path, metadata: bytes) -> None:
    file = wheel(tmp_path, metadata)
    assert index.upload(file.name, file.read_bytes(), metadata_version="9.9", unknown_field="1").status == 200
    assert (index.pages / f"packages/{file.name}.metadata").read_bytes() == metadata
    (listed,) = json.loads((index.pages / "simple/foo-bar/index.json").read_text())["files"]
    assert listed["core-metadata"] == {"sha256": sha256(metadata)}


VARIANT_WHEELS = [
    "foo_bar-1.0-py3-none-any-x86_64_v3.whl",
    "foo_bar-1.0-py3-none-any-null.whl",
    "foo_bar-1.0-2-py3-none-any-x86_64_v3.whl",
]


@pytest.mark.parametrize("way", ["uploaded", "copied"])
def test_wheel_variants_are_files_of_their_own(index: Index, tmp_path: Path, way: str) -> None:
    metadata = made.metadata("foo-bar", "1.0")
    files = [wheel(tmp_path, metadata, name) for name in ("foo_bar-1.0-py3-none-any.whl", *VARIANT_WHEELS)]
    for file in files:
        if way == "copied":
            (index.packages / file.name).write_bytes(file.read_bytes())
        else:
            answer = index.upload(file.name, file.read_bytes())
            assert answer.status == 200, answer.text
    index.look()
    assert index.listed("foo-bar") == {file.name: sha256(file.read_bytes()) for file in files}
    assert all((index.pages / f"packages/{file.name}.metadata").read_bytes() == metadata for file in files)
    # One of them is not another, nor the wheel without a label.
    assert len({names.identity(file.name, names.Release("foo-bar", "1.0")) for file in files}) == len(files)


@pytest.mark.parametrize("way", ["uploaded", "copied"])
def test_the_list_of_variants_is_a_file_on_the_page(index: Index, way: str) -> None:
    if way == "copied":
        (index.packages / VARIANTS).write_bytes(LISTED)
        index.keeper.step()
    else:
        answer = index.upload(VARIANTS, LISTED, name="foo-bar", version="1.0")
        assert (answer.status, answer.text.strip()) == (200, f"Published {VARIANTS}.")
    sdist = made.file("foo_bar-1.0.tar.gz")
    assert index.upload("foo_bar-1.0.tar.gz", sdist).status == 200
    assert index.listed("foo-bar") == {VARIANTS: sha256(LISTED), "foo_bar-1.0.tar.gz": sha256(sdist)}
    (document,) = (path.read_text() for path in (index.pages / "json").glob("foo-bar.json"))
    assert [file["filename"] for file in json.loads(document)["urls"]] == ["foo_bar-1.0.tar.gz"]
    assert index.upload(VARIANTS, b"{}").status == 409
    assert index.remove("foo-bar", "1.0").text.strip() == f"Removed {VARIANTS}, foo_bar-1.0.tar.gz."


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (VARIANTS, b"", "is not a JSON object"),
        (VARIANTS, b"[]", "is not a JSON object"),
        (VARIANTS, LISTED[:-1], "is not a JSON object"),
        (VARIANTS, b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", "is nested deeper than 50 levels"),
        (VARIANTS, b'{"a": "' + b"a" * 256 * 1024 + b'"}', "is larger than 262144 bytes"),
        ("foo-variants.json", LISTED, "is not a distribution file's name"),
        ("foo-1.0-2-variants.json", LISTED, "is not a distribution file's name"),
        ("foo-bar-variants.json", LISTED, "is not a distribution file's name"),
        ("variants.json", LISTED, "is not a distribution file's name"),
    ],
)
def test_what_is_no_list_of_variants_is_refused(index: Index, name: str, content: bytes, said: str) -> None:
    answer = index.upload(name, content)
    print(answer.text)
    assert answer.status == 400 and said in answer.text
    assert index.stored() == {}


@pytest.mark.parametrize("value", [b"[" * 49 + b"]" * 49, b'"' + b"[" * 100 + b'"', b'"' + b"a" * 250_000 + b'"'])
def test_a_list_of_variants_may_be_as_deep_and_as_long_as_the_limits(index: Index, value: bytes) -> None:
    content = b'{"a": ' + value + b"}"
    assert index.upload(VARIANTS, content).status == 200
    assert index.listed("foo-bar") == {VARIANTS: sha256(content)}


def test_installers_take_the_wheel_that_they_know(tmp_path: Path) -> None:
    index = Index(tmp_path)
    plain = "foo_bar-1.0-py3-none-any.whl"
    for name in (plain, *VARIANT_WHEELS):
        file = wheel(tmp_path, made.metadata("foo-bar", "1.0"), name)
        assert index.upload(name, file.read_bytes()).status == 200
    assert index.upload(VARIANTS, LISTED).status == 200
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "*", "no_proxy": "*"}
    environment = {name: value for name, value in environment.items() if not name.startswith(("UV_", "PIP_FIND"))}
    with serving(index) as (address, _asked):
        pip = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--index-url", f"{address}/simple/"]
        uv = [str(binaries / "uv"), "pip", "install", "--no-cache", "--no-config", "--python", sys.executable]
        uv += ["--default-index", f"{address}/simple/"]
        for client, command in (("pip", pip), ("uv", uv)):
            words = [*command, "--target", str(tmp_path / client), "foo-bar"]
            done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr
            assert (tmp_path / client / "foo_bar.py").read_text() == f"FROM = {plain!r}\n"
