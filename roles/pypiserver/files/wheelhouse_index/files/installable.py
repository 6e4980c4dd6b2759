"""What no client can install, though the archive is whole: uploads of such files are refused, copies are reported.

Standards have become stricter over the years, and clients with them. What is not known to clients yet is no reason: an
unknown field or version of the metadata, a tag of a platform to come.
"""

from __future__ import annotations

from . import names
from .metadata import Metadata
from .names import Release

# A version may be of any length.
_SHOWN = 100


def objection(name: str, release: Release, found: Metadata | None, is_all: bool = True) -> str:
    """Return why no client can install a distribution file, and the remedy, in a line; empty where nothing is known.

    Args:
        name: the file's name, one that is served.
        release: whose it is.
        found: what it says of itself; None if it says nothing.
        is_all: whether all of it was read, so that what was not found is not there.
    """
    kind = names.suffix(name)
    if kind == names.WHEEL and not names.has_tags(name):
        return (
            f"{name} has tags that do not parse. Behind the version they are PYTHON-ABI-PLATFORM, such as py3-none-any."
            " Build it again and do not rename it."
        )
    # A wheel's name has `_` for `-`; its metadata do not.
    version = found.release.version if found else names.normal_version(release.version)
    if not names.is_standard_version(version):
        return f"{name}: {version[:_SHOWN]!r} is not a valid version (PEP 440). Give it one such as 1.0.dev1 and build it again."
    if found is None and is_all and kind not in (names.WHEEL, names.EGG):
        return (
            f"{name} has no PKG-INFO with name and version in its top folder. Build it again by a tool for it, such as"
            " `python -m build`."
        )
    if found and not found.is_text:
        return f"{name} has metadata that are not UTF-8. Save the project's README and settings as UTF-8 and build it again."
    return ""
