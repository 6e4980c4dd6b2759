"""What can be asked of an index: every route that pypiserver has, what it needs, and what a login with the right gets."""

from __future__ import annotations


def reads(project: str, file: str) -> list[tuple[str, str, int]]:
    """Return the routes that are read, each with the action that it needs and the status of its answer.

    Args:
        project: one that is there, in its normal form.
        file: the name of its distribution file.
    """
    return [
        ("/", "list", 200),
        ("/simple", "list", 301),
        ("/simple/", "list", 200),
        (f"/simple/{project}/", "list", 200),
        (f"/simple/{project}", "list", 301),
        (f"/simple/{project.replace('-', '.').title()}/", "list", 301),
        ("/simple/no-such-project/", "list", 404),
        (f"/simple//{project}/", "list", 200),
        (f"/+simple/{project}/", "list", 200),
        (f"/%2Bsimple/{project}/", "list", 200),
        ("/packages", "list", 301),
        ("/packages/", "list", 200),
        (f"/{project}", "list", 303),
        (f"/{project}/", "list", 303),
        (f"/{project}/json", "list", 200),
        (f"/pypi/{project}/json", "list", 200),
        ("/pypi/no-such-project/json", "list", 404),
        ("/favicon.ico", "list", 303),
        (f"/packages/{file}", "download", 200),
        ("/packages/no_such_file-1.0.tar.gz", "download", 404),
    ]
