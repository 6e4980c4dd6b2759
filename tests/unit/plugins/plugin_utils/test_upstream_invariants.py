"""Whatever an inventory says of upstreams: it is refused in words, or the model can be made of it, and is safe for NGINX."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules, specs, upstreams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# What people write, whole and in pieces, and what would matter to NGINX.
PIECES = [
    "https://", "http://", "public.example.org", "/", "simple/", "acme", "*", "-", "_", ".", "..", ":443", ":8443", "@", "u:p",
    "<2", "==1.*", "~=1", ";", "$", '"', "'", "{", "}", "\\", "\n", " ", "%2F", "%0a", "?", "#", "10m", "3d", "1g", "0", "Ä",
    "[x]", "localhost", "+", "torch",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=5).map("".join) | st.text(max_size=4)
URLS = (
    st.sampled_from(["https://a.example.org/simple/", "https://b.example.org:8443/whl/", "https://c.example.org/"])
    | TEXT
)
SCALAR = st.none() | st.booleans() | st.integers(-1, 10**6) | TEXT
ANY = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2), max_leaves=4
)
LIST = st.lists(TEXT | SCALAR, max_size=3)
ENTRY = st.fixed_dictionaries(
    {"url": URLS},
    optional={
        "names": LIST | ANY,
        "username": TEXT | ANY,
        "password": TEXT | ANY,
        "file_hosts": st.lists(st.sampled_from(["files.example.org", "a.example.org:443"]) | TEXT, max_size=2) | ANY,
        "no_upload_time": st.sampled_from(["refuse", "allow"]) | ANY,
    },
)
VARIABLES = st.fixed_dictionaries(
    {
        "pypi_upstreams": st.lists(URLS | ENTRY | ANY, max_size=3) | ANY,
        "pypi_private_names": LIST | ANY,
        "pypi_shadowed_names": LIST | ANY,
        "pypi_upstream_minimum_age": st.sampled_from(["0s", "3d"]) | ANY,
        "pypi_upstream_denied": LIST | ANY,
        "pypi_upstream_allowed": LIST | ANY,
        "pypi_upstream_exempt": LIST | ANY,
        "pypi_upstream_cache_size": st.sampled_from(["20g"]) | ANY,
        "pypi_upstream_freshness": st.sampled_from(["10m"]) | ANY,
        "pypi_upstream_ca_file": TEXT | ANY,
        "pypi_upstream_proxy": st.sampled_from(["http://proxy.example.com:3128"]) | ANY,
        "pypi_url": st.sampled_from(["", "https://a.example.org"]),
    }
)
# What is accepted more often than not.
GOOD_NAMES = st.lists(st.sampled_from(["acme-*", "Torch", "nvidia_*", "a*", "x.y", "*-z", "q"]), max_size=3)
PLAUSIBLE = st.fixed_dictionaries(
    {
        "pypi_upstreams": st.lists(
            st.fixed_dictionaries(
                {"url": URLS},
                optional={
                    "names": GOOD_NAMES,
                    "file_hosts": st.lists(st.sampled_from(["f.example.org", "f.example.org:1"])),
                },
            ),
            min_size=1,
            max_size=3,
        ),
        "pypi_private_names": GOOD_NAMES,
        "pypi_shadowed_names": st.lists(st.sampled_from(["torch", "X_y"])),
        "pypi_upstream_minimum_age": st.sampled_from(["0s", "3d"]),
        "pypi_upstream_denied": st.lists(st.sampled_from(["evil", "a<2,>=1", "b_*", "c == 1.*"])),
        "pypi_upstream_allowed": GOOD_NAMES,
        "pypi_upstream_exempt": st.lists(st.sampled_from(["urgent", "Urgent==1"])),
        "pypi_upstream_freshness": st.just("10m"),
    }
)
QUICKLY = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def is_refused_or_safe(variables: dict[str, Any]) -> bool:
    """Check the variables; return whether a model was made of them."""
    found = rules.problems(variables)
    assert all(problem.variable in specs.public() and problem.problem and problem.mend for problem in found)
    if found:
        return False
    model = upstreams.model({"pypi_shadowed_names": [], **variables})
    for upstream in model.get("upstreams", []):
        parts = urlsplit(upstream["url"])
        assert (parts.scheme, parts.netloc, parts.path) == ("https", upstream["host"], upstream["path"])
        assert re.fullmatch(r"/(?:[A-Za-z0-9._~+!%-]+/)*", upstream["path"]) and "/../" not in upstream["path"]
        assert re.fullmatch(r"[A-Za-z0-9+/= ]*", upstream["authorization"])
        assert upstream["hosts"][0] == upstream["host"]
        assert all(re.fullmatch(r"[a-z0-9.-]+(?::[0-9]{1,5})?", host) for host in upstream["hosts"])
        assert upstream["no_upload_time"] in ("refuse", "allow")
    nameless = [not upstream["names"] for upstream in model.get("upstreams", [])]
    assert nameless == sorted(nameless) and sum(nameless) < 2
    regexes = [*model.get("private_regex", []), *(one for each in model.get("upstreams", []) for one in each["regex"])]
    assert all(re.fullmatch(r"~\^[a-z0-9\[\]*-]+\$", regex) and re.compile(regex[1:]) for regex in regexes)
    return bool(model)


@QUICKLY
@given(VARIABLES)
def test_whatever_it_is(variables: dict[str, Any]) -> None:
    is_refused_or_safe(variables)


def test_what_is_plausible() -> None:
    models = []

    @QUICKLY
    @given(PLAUSIBLE)
    def check(variables: dict[str, Any]) -> None:
        models.append(is_refused_or_safe(variables))

    check()
    assert sum(models) > 20, f"{sum(models)} models of {len(models)} inventories"
