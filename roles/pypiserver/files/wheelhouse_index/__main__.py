"""``python3 -m wheelhouse_index serve`` runs the index; ``check`` says whether it would run in this image, ``health`` how it is.

``import`` brings files in from standard input, and ``import --check`` says what would become of them. ``yank`` yanks what
standard input names, and ``yank --check`` says what that would be. ``list`` says who published, removed or yanked what, and
``downloads`` who downloaded what. ``give-back`` makes the private name free that standard input confirms, so that upstream may
answer for it. ``trash`` shows what was removed, brings it back or removes it for good. ``prune`` removes what rules let go. With
``--check`` both only say what that would be. ``restore FOLDER``, ``removed SECONDS``, ``settled`` and ``drill SECONDS`` bring
back what a backup has, and try that. ``inspect`` says whether files, facts and pages agree.
"""

from __future__ import annotations

import sys

from . import __version__


def main(words: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    if words in (["import"], ["import", "--check"]):
        from .commands import importing

        return importing.main(check=len(words) > 1)
    if words in (["yank"], ["yank", "--check"]):
        from .commands import yanking

        return yanking.main(check=len(words) > 1)
    if words in (["give-back"], ["give-back", "--check"]):
        from .commands import giving_back

        return giving_back.main(check=len(words) > 1)
    if words in (["trash"], ["trash", "--check"]):
        from .commands import trash

        return trash.main(check=len(words) > 1)
    if words in (["prune"], ["prune", "--check"]):
        from .commands import pruning

        return pruning.main(check=len(words) > 1)
    if words[:1] == ["list"]:
        from .commands import listing

        return listing.main(words[1:])
    if words[:1] == ["inspect"]:
        from .commands import inspecting

        return inspecting.main(words[1:])
    if words[:1] == ["downloads"]:
        from .commands import downloads

        return downloads.main(words[1:])
    if (words[:1] in (["restore"], ["removed"], ["drill"]) and len(words) > 1) or words == ["settled"]:
        from .commands import recovering

        return recovering.main(words)
    if words == ["health"]:
        # Every few seconds: without all that settings import, of which pypiserver alone takes a third of a second.
        from .requests.sockets import Sockets

        status, text = Sockets.of_environment().health()
        print(text, end="")
        return int(status != 200)
    if words not in (["serve"], ["check"]):
        commands = "serve | check | health | {import | yank | give-back | trash | prune} [--check] | inspect [BYTES]"
        commands += " | restore FOLDER SECONDS | removed SECONDS | settled | drill SECONDS"
        options = "[--login NAME] [--project NAME] [--since TIME] [--json]"
        print(f"usage: python3 -m wheelhouse_index {commands} | list {options} | downloads --help", file=sys.stderr)
        return 2
    try:
        from .server import app

        app.check()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        print(f"wheelhouse.pypi {__version__} does not work with pypiserver {_theirs()}: {reason}", file=sys.stderr)
        return 1
    if words == ["serve"]:
        app.serve()
        return 0
    return _check_policy()


def _check_policy() -> int:
    """Judge the policy for public projects, where there is one. A server that runs refuses public projects alone."""
    from .public.policies import read
    from .public.policy import PolicyError
    from .server.settings import Settings

    try:
        read(Settings.of_environment().upstreams)
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _theirs() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pypiserver")
    except PackageNotFoundError:
        return "(which is not installed)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
