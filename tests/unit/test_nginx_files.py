"""Which of what is below /packages/ clients may keep: NGINX's locations, as the template makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment

ROOT = Path(__file__).resolve().parents[2]
ROLES = ROOT / "roles"
KEPT = "private, max-age=31536000, immutable"


@pytest.fixture(scope="module", params=["", "nodes"])
def locations(request: pytest.FixtureRequest) -> list[tuple[re.Pattern[str], str]]:
    """The locations in their order, each with what is in it: NGINX takes the first that fits."""
    suffixes = (ROLES / "pypiserver/files/wheelhouse_index/files/suffixes.txt").read_text(encoding="utf-8").split()
    (pattern,) = re.findall(r"^__nginx_file: (.*)$", (ROLES / "nginx/vars/main.yml").read_text(encoding="utf-8"), re.M)
    file = re.sub(r"{{ __nginx_suffixes }}", lambda _found: "|".join(map(re.escape, suffixes)), pattern)
    template = (ROLES / "nginx/templates/files.conf.j2").read_text(encoding="utf-8")
    text = (
        Environment(trim_blocks=True)
        .from_string(template)
        .render(
            ansible_managed="",
            __nginx_file=file,
            __nginx_needs={"download": ""},
            __nginx_cache_files=KEPT,
            __nginx_refusals={"unmounted": (503, ""), "compared": (503, "")},
            __nginx_types="types {}",
            pypi_nodes=request.param,
        )
    )
    print(text)
    return [
        (re.compile(found[1].replace("(?<", "(?P<")), found[2])
        for found in re.finditer(r"^location ~ (\S+) {\n(.*?)^}", text, re.M | re.S)
    ]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("foo-1.0-py3-none-any.whl", KEPT),
        ("nested/foo-1.0.tar.gz", KEPT),
        ("foo-1.0-py3-none-any.whl.metadata", KEPT),
        # After a removal, another one may be sent.
        ("foo-1.0-py3-none-any.whl.asc", "no-cache"),
        ("nested/foo-1.0.tar.gz.asc", "no-cache"),
        ("foo-1.0-py3-none-any.whl.provenance", "no-cache"),
    ],
)
def test_clients_keep_what_never_changes_and_ask_again_for_the_rest(
    locations: list[tuple[re.Pattern[str], str]], path: str, kept: str
) -> None:
    (found, *_others) = [content for pattern, content in locations if pattern.search(f"/packages/{path}")]
    (said,) = re.findall(r'^ +add_header Cache-Control "?(.*?)"?;$', found, re.M)
    assert said == kept


def test_nothing_on_a_host_or_in_a_message_has_an_arbitrary_order() -> None:
    # These filters of Ansible return another order each time: a run that changes nothing would write files again.
    of_sets = re.compile(r"\| *(difference|intersect|union|symmetric_difference)\(")
    files = [
        path for kind in ("tasks", "templates", "vars", "defaults", "handlers") for path in ROLES.glob(f"*/{kind}/**/*")
    ]
    assert len(files) > 100
    assert [path.name for path in files if path.is_file() and of_sets.search(path.read_text(encoding="utf-8"))] == []
