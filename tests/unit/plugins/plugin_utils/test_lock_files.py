"""Lock files of pip, uv, poetry, pdm and PEP 751, as these write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import lock_files

REQUIREMENTS = r"""
# By pip-compile.
--index-url https://pypi.example.com/simple/
hello-wheelhouse==1.1 \
    --hash=sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 \
    --hash=sha256:fd61a03af77caa1b0fca9ec4dca7e0a04d7ae3cdf3ec4e7b9c8a4c6f0e8a1f8a
    # via -r requirements.in
Big_Models[cpu,extra]==2.0.dev3+cpu ; python_version >= "3.9"
old===1!2.0
"""
UV = """
version = 1

[[package]]
name = "acme"
source = { virtual = "." }

[[package]]
name = "hello-wheelhouse"
version = "1.1"
source = { registry = "https://pypi.example.com/simple" }
"""
POETRY = """
[[package]]
name = "hello-wheelhouse"
version = "1.1"
optional = false

[metadata]
lock-version = "2.1"
"""
PYLOCK = """
lock-version = "1.0"
created-by = "pip"

[[packages]]
name = "hello-wheelhouse"
version = "1.1"
"""


def named(folder: Path, name: str, text: str) -> list[tuple[str, str]]:
    path = folder / name
    path.write_text(text)
    return lock_files.pins(str(path))


@pytest.mark.parametrize(("name", "text"), [("uv.lock", UV), ("poetry.lock", POETRY), ("pylock.toml", PYLOCK)])
def test_a_lock_file_names_releases(tmp_path: Path, name: str, text: str) -> None:
    assert named(tmp_path, name, text) == [("hello-wheelhouse", "1.1")]


def test_requirements_with_pins_name_releases(tmp_path: Path) -> None:
    found = [("hello-wheelhouse", "1.1"), ("Big_Models", "2.0.dev3+cpu"), ("old", "1!2.0")]
    assert named(tmp_path, "requirements.txt", REQUIREMENTS) == found
    # More than one file may name a project.
    paths = [tmp_path / "requirements.txt", tmp_path / "uv.lock"]
    paths[1].write_text(UV.replace("1.1", "1.2"))
    assert lock_files.by_name(map(str, paths))["hello-wheelhouse"] == ["1.1", "1.2"]


def test_a_comment_ends_a_continued_line(tmp_path: Path) -> None:
    text = "foo==1.0 \\\n    --hash=sha256:a \\\n#    --hash=sha256:b\nbar==2.0 # a comment \\\nbaz==3.0\n"
    assert named(tmp_path, "requirements.txt", text) == [("foo", "1.0"), ("bar", "2.0"), ("baz", "3.0")]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("uv.lock", 'source = { editable = "." }'),
        ("uv.lock", 'source = { git = "https://git.example.com/acme?rev=1#2" }'),
        ("pylock.toml", 'directory = { path = "." }'),
        ("pylock.toml", 'vcs = { type = "git", url = "https://git.example.com/acme", commit-id = "2" }'),
    ],
)
def test_what_is_no_release_has_no_version(tmp_path: Path, name: str, source: str) -> None:
    text = UV if name == "uv.lock" else PYLOCK
    entry = f'\n[[{"package" if text is UV else "packages"}]]\nname = "acme"\n{source}\n'
    assert named(tmp_path, name, text + entry) == [("hello-wheelhouse", "1.1")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("requirements.txt", "hello>=1.0\n", "'hello>=1.0' is not NAME==VERSION"),
        ("requirements.txt", "hello==1.*\n", "'hello==1.*' is not NAME==VERSION"),
        ("requirements.txt", "hello==1.0,!=1.0.1\n", "is not NAME==VERSION"),
        ("requirements.txt", "hello\n", "'hello' is not NAME==VERSION"),
        ("requirements.txt", "-r other.txt\n", "'-r other.txt' is not NAME==VERSION"),
        ("requirements.txt", "hello==${VERSION}\n", "'hello==${VERSION}' is not NAME==VERSION"),
        ("requirements.txt", "hello==1.0#x\n", "'hello==1.0#x' is not NAME==VERSION"),
        ("requirements.txt", "hello==1.0 \\\n --hash=sha256:a \\\nfoo==2.0\n", "is not NAME==VERSION"),
        ("requirements.txt", "hello==1.0 ; python_version > '3' \\\nfoo==2.0\n", "is not NAME==VERSION"),
        (
            "requirements.txt",
            "hello @ https://ann:secret@files.example.com/a.whl\n",
            "'hello @ https://…@files.example.com/a",
        ),
        ("requirements.txt", f"hello @ https://ann:{'secret' * 20}@files.example.com/\n", "https://…@files"),
        ("requirements.txt", "# nothing\n", "names no release"),
        ("pylock.toml", '[[packages]]\nname = "acme"\nwheels = []\n', "it has no version of acme"),
        ("uv.lock", UV + 'x = 1\n[[package]]\nname = "acme"\nversion = "${V}"\n', "'${V}' is not a version"),
        ("uv.lock", '[[package]]\nversion = "1.0"\n', "it has a package without a name"),
        ("uv.lock", "[[package]\n", ": Expected ']]'"),
        ("pyproject.toml", '[project]\nname = "acme"\n', "it has neither [[package]] nor [[packages]]"),
        ("uv.lock", "package = []\n", "names no release"),
    ],
)
def test_what_is_no_lock_file_is_an_error_that_names_it(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        named(tmp_path, name, text)
    assert said in str(caught.value) and str(caught.value).startswith(f"{tmp_path}/{name}")
    assert "secret" not in str(caught.value)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        lock_files.pins(str(tmp_path / "uv.lock"))
