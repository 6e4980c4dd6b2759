"""Rules on upstreams: every bad value is refused with words that help, and no login is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import in_clear, rules, specs

PUBLIC = "https://public.example.org/simple/"
WHEELS = {"url": "https://wheels.example.net/whl/", "names": ["torch*", "nvidia-*"]}
LOGIN = {"username": "u", "password": "S3cret: with $of {{it}}"}


def problems(variables: dict[str, Any]) -> list[str]:
    found = [str(problem) for problem in rules.problems(variables)]
    print("\n".join(found))
    assert "S3cret" not in "".join(found)
    return found


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("pypi_upstreams", []),
        ("pypi_upstreams", [PUBLIC]),
        ("pypi_upstreams", [{"url": PUBLIC}, WHEELS]),
        ("pypi_upstreams", ["https://public.example.org/"]),
        ("pypi_upstreams", ["https://public.example.org:8443/api/v4/groups/a%2Fb/-/pypi/simple/"]),
        ("pypi_upstreams", ["https://devpi.example.org/root/pypi/+simple/"]),
        ("pypi_upstreams", ["https://192.0.2.7/simple/"]),
        ("pypi_upstreams", [{**WHEELS, **LOGIN, "file_hosts": ["cdn.example.net", "cdn.example.net:8443"]}]),
        ("pypi_upstreams", [{**WHEELS, "username": "", "password": None, "no_upload_time": "allow"}]),
        # The narrower one first.
        ("pypi_upstreams", [{"url": PUBLIC, "names": ["torch"]}, WHEELS]),
        ("pypi_private_names", None),
        ("pypi_private_names", []),
        ("pypi_private_names", ["acme-*", "Internal_Tools", "*-acme", "a*", "*-*"]),
        ("pypi_shadowed_names", ["torch"]),
        ("pypi_upstream_minimum_age", "0s"),
        ("pypi_upstream_minimum_age", "3650d"),
        ("pypi_upstream_denied", ["evil", "Evil.*", "urllib3<2", "urllib3 >= 1, < 2", "a==1.*", "evil-*<2"]),
        ("pypi_upstream_allowed", ["requests", "acme-*"]),
        ("pypi_upstream_exempt", ["urgent", "urgent==1.2.3", "urgent ~= 1.2"]),
        ("pypi_upstream_cache_size", "1g"),
        ("pypi_upstream_cache_size", "2048m"),
        ("pypi_upstream_freshness", "1s"),
        ("pypi_upstream_freshness", "1d"),
        ("pypi_upstream_ca_file", ""),
        ("pypi_upstream_proxy", ""),
        ("pypi_upstream_proxy", "http://proxy.example.com:3128"),
        ("pypi_upstream_proxy", "http://192.0.2.7:3128/"),
        ("pypi_upstream_proxy", "http://user:S3cret%40@proxy.example.com:3128"),
    ],
    ids=str,
)
def test_good_values(variable: str, value: Any) -> None:
    assert problems({variable: value}) == []


# An entry of pypi_upstreams, and the message about it.
BAD_UPSTREAMS: list[tuple[Any, str]] = [
    (
        7,
        "entry 1 is neither a URL nor a mapping; give a URL such as https://public.example.org/simple/, or url and names",
    ),
    ({"names": ["a"]}, "entry 1 has no url; give the address of its simple pages, such as"),
    ({"url": ["https://a/"]}, "entry 1 has a url that is not text"),
    ("", "entry 1 has no url"),
    ("public.example.org", "entry 1 has 'public.example.org', which is not an https URL"),
    ("ftp://public.example.org/simple/", "is not an https URL"),
    ("https://", "is not an https URL"),
    ("https://[x/simple/", "is not an https URL"),
    ("https://a:99999/simple/", "is not an https URL"),
    (
        "http://public.example.org/simple/",
        "entry 1 has 'http://public.example.org/simple/', which is plain HTTP: upstreams are asked by TLS alone; give "
        "https://public.example.org/simple/",
    ),
    ("https://u:S3cret@public.example.org/simple/", "entry 1 has a login in its url; give it as username and password"),
    ("u:S3cret@public.example.org", "entry 1 has a login in its url"),
    (
        "https://public.example.org",
        "has no path; give https://public.example.org/simple/, or https://public.example.org/ if the pages are there",
    ),
    ("https://public.example.org/simple", "has no slash at its end; give https://public.example.org/simple/"),
    (
        "https://public.example.org/simple/requests/",
        "is the page of a project; give https://public.example.org/simple/; names limits it to projects",
    ),
    ("https://public.example.org/simple/requests", "is the page of a project"),
    ("https://devpi.example.org/root/pypi/+simple/x/", "give https://devpi.example.org/root/pypi/+simple/;"),
    ("https://upload.example.org/legacy/", "is an address for uploads"),
    ("https://Public.Example.org/Simple/", "upper-case letters in its host; give https://public.example.org/Simple/"),
    ("https://public_index.example.org/simple/", "has no valid host name"),
    ("https://[2001:db8::1]/simple/", "has no valid host name; give a host such as"),
    ("https://public.example.org:0/simple/", "is not an https URL"),
    ("https://localhost/simple/", "is the container of NGINX itself; give a name by which containers reach it"),
    ("https://127.0.0.1:8443/simple/", "is the container of NGINX itself"),
    ("https://public.example.org/simple/?a=b", "has more than scheme, host and path; give"),
    ("https://public.example.org/simple/#a", "has more than scheme, host and path"),
    ("https://public.example.org/simple/\n", "has more than scheme, host and path"),
    *(
        (
            f"https://public.example.org/{path}/",
            "has a path that is not supported; give letters, digits, single slashes",
        )
        for path in ("a/../b", "a/./b", "a//b", "a b", 'a"b', "a;b", "a$b", "a{b", "a'b", "a%0ab", "a%zz", "a\\b", "ä")
    ),
    ({"url": PUBLIC, "names": []}, f"upstream {PUBLIC} has empty names, so that it would answer for no project"),
    ({"url": PUBLIC, "names": "torch"}, "has names that are not a list"),
    ({"url": PUBLIC, "names": ["*"]}, "has names that have '*', which matches every project; leave names out"),
    (
        {"url": PUBLIC, "names": ["torch_"]},
        "have 'torch_', which matches no project; give letters, digits and single -",
    ),
    ({"url": PUBLIC, "names": ["torch_"]}, "did you mean torch-*?"),
    ({"url": PUBLIC, "names": [{"S3cret": 1}]}, "have something that is not text"),
    ({"url": PUBLIC, "name": ["torch"]}, f"upstream {PUBLIC} has the unknown key 'name'; did you mean names?"),
    (
        {"url": PUBLIC, "patterns": ["x"]},
        "has an unknown key; give url, names, username, password, file_hosts, no_upload",
    ),
    ({"url": PUBLIC, "S3cret": "x"}, "has an unknown key"),
    ({"url": PUBLIC, "username": "u"}, "has a username without a password; give password as well, or neither"),
    ({"url": PUBLIC, "password": "S3cret"}, "has a password without a username"),
    ({"url": PUBLIC, "username": "u", "password": 12345}, "has a password that is not text; put it in quotes"),
    ({"url": PUBLIC, "username": "u", "password": "S3cret\n"}, "has a password that ends with a newline; remove it"),
    ({"url": PUBLIC, "username": "u", "password": "S3cretß"}, "has a password that is not printable ASCII"),
    ({"url": PUBLIC, "username": "u:S3cret", "password": "S3cret"}, "has a colon in the username"),
    ({"url": PUBLIC, "file_hosts": "a.example.org"}, "has file_hosts that are not a list"),
    ({"url": PUBLIC, "file_hosts": [7]}, "has a host in file_hosts that is not text"),
    (
        {"url": PUBLIC, "file_hosts": ["https://files.example.org/packages/"]},
        "has 'https://files.example.org/packages/' in file_hosts, which is a URL; give files.example.org",
    ),
    ({"url": PUBLIC, "file_hosts": ["files.example.org/"]}, "which is a URL; give files.example.org"),
    ({"url": PUBLIC, "file_hosts": ["u:S3cret@files.example.org"]}, "has a login in file_hosts"),
    ({"url": PUBLIC, "file_hosts": ["*.example.org"]}, "has the pattern '*.example.org' in file_hosts; name each host"),
    ({"url": PUBLIC, "file_hosts": ["Files.example.org"]}, "which has upper-case letters; give files.example.org"),
    ({"url": PUBLIC, "file_hosts": ["files.example.org:x"]}, "which has no valid host name"),
    ({"url": PUBLIC, "no_upload_time": "alow"}, "has the unknown no_upload_time 'alow'; did you mean allow?"),
]


@pytest.mark.parametrize(("entry", "words"), BAD_UPSTREAMS, ids=str)
def test_bad_upstreams(entry: Any, words: str) -> None:
    (problem,) = problems({"pypi_upstreams": [entry], "pypi_private_names": []})
    assert problem.startswith("pypi_upstreams: ")
    assert words in problem


@pytest.mark.parametrize(
    ("upstreams", "words"),
    [
        ("https://public.example.org/simple/", "pypi_upstreams: is not a list; give a list of URLs"),
        (None, "pypi_upstreams: is not a list"),
        ([PUBLIC, "https://b.example.org/"], f"{PUBLIC} and https://b.example.org/ have no names, so that each would"),
        ([WHEELS, {**WHEELS, "names": ["other"]}], "https://wheels.example.net/whl/ is listed 2 times"),
        (
            [WHEELS, {"url": PUBLIC, "names": ["Torch*"]}],
            f"upstream {PUBLIC} is never asked for 'torch*': 'torch*' is among the names of https://wheels.example.net/whl/ "
            "before it; give each name to one upstream",
        ),
        (
            [WHEELS, {"url": PUBLIC, "names": ["torch-vision-*"]}],
            "is never asked for 'torch-vision-*': 'torch-vision-*' is part of 'torch*', which is among the names of",
        ),
        (
            [
                {"url": "https://a.example.org/one/", "names": ["one"], "username": "u", "password": "p"},
                {"url": "https://a.example.org/two/", "names": ["two"]},
            ],
            "the upstreams on a.example.org have different logins",
        ),
    ],
    ids=str,
)
def test_upstreams_that_do_not_go_together(upstreams: Any, words: str) -> None:
    (problem,) = problems({"pypi_upstreams": upstreams, "pypi_private_names": []})
    assert words in problem


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("pypi_private_names", "acme-*", "is not a list; give a list of names and patterns in quotes"),
        ("pypi_private_names", "", "is not a list"),
        ("pypi_private_names", ["*"], "has '*', which matches every project; then no upstream answers for any"),
        ("pypi_private_names", ["**"], "has '**', which matches every project"),
        (
            "pypi_private_names",
            ["acme-"],
            "has 'acme-', which matches no project; give letters, digits and single -, with",
        ),
        ("pypi_private_names", ["acme-"], "did you mean acme-*?"),
        ("pypi_private_names", ["acme?"], "has 'acme?', which matches no project"),
        ("pypi_private_names", ["acme/tools"], "which matches no project"),
        ("pypi_private_names", ["äcme"], "which matches no project"),
        ("pypi_private_names", [""], "has '', which matches no project"),
        ("pypi_private_names", ["*-"], "has '*-', which matches no project"),
        ("pypi_private_names", ["acme==1"], "which matches no project"),
        ("pypi_private_names", [7], "has 7 that is not text"),
        (
            "pypi_shadowed_names",
            ["torch*"],
            "has the pattern 'torch*'; name each project; pypi_private_names takes patterns",
        ),
        ("pypi_shadowed_names", ["*"], "has '*', which matches every project; name the projects"),
        ("pypi_upstream_minimum_age", "3", "'3' is not a duration; give a number with s, m, h or d behind it"),
        ("pypi_upstream_minimum_age", 3, "3 is not a duration"),
        ("pypi_upstream_minimum_age", "3w", "'3w' is not a duration"),
        ("pypi_upstream_minimum_age", "-3d", "'-3d' is not a duration"),
        ("pypi_upstream_minimum_age", "3651d", "3651d is not between 0s and 3650d"),
        ("pypi_upstream_denied", "evil", "is not a list; give names such as evil"),
        ("pypi_upstream_denied", [7], "has something that is not text"),
        (
            "pypi_upstream_denied",
            ["*"],
            "has '*', which denies every project; name the projects, or remove pypi_upstreams",
        ),
        ("pypi_upstream_denied", ["evil[extra]"], "has 'evil[extra]', which has extras: files do not depend on them"),
        ("pypi_upstream_denied", ["evil; python_version < '3'"], "which has a marker, which is about a client"),
        ("pypi_upstream_denied", ["evil @ https://u:S3cret@a/evil.whl"], "has 'evil @...', which has a URL in it"),
        ("pypi_upstream_denied", ["evil<1.x"], "has 'evil<1.x', which has an invalid version specifier"),
        ("pypi_upstream_denied", ["evil=1"], "has 'evil=1', which has an invalid version specifier"),
        ("pypi_upstream_denied", ["evil 1.0"], "lacks an operator such as == before the version"),
        ("pypi_upstream_denied", ["-evil"], "has '-evil', which is neither a name nor a name with version specifiers"),
        ("pypi_upstream_denied", [""], "has '', which is neither"),
        (
            "pypi_upstream_allowed",
            ["*"],
            "has '*', which matches every project; leave the list empty, which allows all",
        ),
        ("pypi_upstream_allowed", ["a<2"], "has 'a<2', which matches no project"),
        (
            "pypi_upstream_exempt",
            ["urgent-*==1"],
            "has the pattern 'urgent-*==1'; name each project, such as urgent or",
        ),
        ("pypi_upstream_exempt", ["urgent-1.2.3.tar.gz;"], "which has a marker"),
        (
            "pypi_upstream_cache_size",
            "20 GB",
            "'20 GB' is not a size; give a number with m or g behind it, such as 20g",
        ),
        ("pypi_upstream_cache_size", "20", "'20' is too small for large wheels; give at least 1g"),
        ("pypi_upstream_cache_size", "1023m", "'1023m' is too small"),
        ("pypi_upstream_freshness", "0s", "0s is not between 1s and 1d"),
        ("pypi_upstream_freshness", "2d", "2d is not between 1s and 1d"),
        (
            "pypi_upstream_ca_file",
            "ca.pem",
            "'ca.pem' is not absolute; give one that begins with /, such as {{ inventory_dir }}/../ca.pem",
        ),
        ("pypi_upstream_ca_file", "/nowhere/ca.pem", "/nowhere/ca.pem is not a file on the machine that runs Ansible"),
        ("pypi_upstream_ca_file", str(specs.SPECS), "has no certificate in it; give the authority's certificate"),
        ("pypi_upstream_proxy", "proxy.example.com:3128", "'proxy.example.com:3128' is not"),
        (
            "pypi_upstream_proxy",
            "https://proxy.example.com:3128",
            "is not an http URL; give scheme, host and port, such as",
        ),
        ("pypi_upstream_proxy", "http://proxy.example.com", "'http://proxy.example.com' names no port"),
        ("pypi_upstream_proxy", "http://proxy.example.com:3128/path", "is not a proxy's URL"),
        (
            "pypi_upstream_proxy",
            "http://localhost:3128",
            "names the container itself; give an address of the host that",
        ),
        ("pypi_upstream_proxy", "http://u:S3cret@proxy.example.com", "has a login in it and names no port"),
        ("pypi_upstream_proxy", "u:S3cret@proxy:3128", "has a login in it and is not"),
        ("pypi_upstream_proxy", None, 'has no value; give one, or "" for none'),
    ],
    ids=str,
)
def test_bad_values(variable: str, value: Any, words: str) -> None:
    (problem,) = problems({variable: value})
    assert problem.startswith(f"{variable}: ")
    assert words in problem
    assert "; " in problem


def test_a_key_among_authorities_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n")
    (problem,) = problems({"pypi_upstream_ca_file": str(file)})
    assert f"{file} has a private key in it; give the authority's certificate alone" in problem


def test_private_names_are_decided_on_with_upstreams() -> None:
    (problem,) = problems({"pypi_upstreams": [PUBLIC], "pypi_private_names": None})
    assert problem == (
        "pypi_private_names: is not set, while pypi_upstreams is; name the projects that never come from upstream, such as "
        '["acme-*", internal-tools]; [] reserves none beside those on the index'
    )
    assert problems({"pypi_upstreams": [PUBLIC], "pypi_private_names": []}) == []
    assert problems({"pypi_upstreams": [], "pypi_private_names": None}) == []
    assert specs.public()["pypi_private_names"]["default"] is None


@pytest.mark.parametrize(
    ("private", "reserves"), [("torch-*", False), ("torch*", True), ("Nvidia-*", True), ("to*", True)]
)
def test_an_upstream_is_for_names_that_are_not_private(private: str, reserves: bool) -> None:
    found = problems({"pypi_upstreams": [WHEELS], "pypi_private_names": [private]})
    assert len(found) == reserves
    assert not found or "of pypi_private_names reserves it; remove one of the two" in found[0]


@pytest.mark.parametrize(
    ("url", "itself"),
    [
        ("https://public.example.org", True),
        ("https://Public.example.org:443/", True),
        ("https://pypi.example.org", False),
        ("", False),
    ],
)
def test_an_index_is_not_its_own_upstream(url: str, itself: bool) -> None:
    found = problems({"pypi_upstreams": [PUBLIC], "pypi_private_names": [], "pypi_url": url})
    assert found == ([f"pypi_upstreams: upstream {PUBLIC} is this index itself (pypi_url); give another index; private projects "
                      "need no upstream"] if itself else [])  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"pypi_upstreams": [], "pypi_upstream_minimum_age": "3d"},
            "pypi_upstreams is empty, so pypi_upstream_minimum_age has no effect",
        ),
        (
            {"pypi_upstreams": [], "pypi_private_names": ["a"], "pypi_upstream_denied": ["b"]},
            "so pypi_private_names, pypi_upstream_denied have no effect",
        ),
        ({"pypi_upstreams": [], "pypi_private_names": [], "pypi_upstream_freshness": "10m"}, ""),
        ({"pypi_upstreams": [PUBLIC], "pypi_private_names": ["a"]}, ""),
        ({"pypi_private_names": ["a"]}, ""),
    ],
)
def test_what_has_no_effect_is_a_warning(variables: dict[str, Any], words: str) -> None:
    found = rules.warnings(variables)
    assert len(found) == bool(words)
    assert not words or words in found[0]


def test_a_slip_in_a_name_is_told() -> None:
    from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import names

    found = [str(problem) for problem in names.misspelt(["pypi_upstream", "pypi_private_name"], specs.public())]
    assert found == [
        "pypi_private_name: unknown variable; did you mean pypi_private_names?",
        "pypi_upstream: unknown variable; did you mean pypi_upstreams?",
    ]


@pytest.mark.parametrize(
    ("text", "in_it"),
    [
        ("pypi_upstreams: [{url: u, username: u, password: S3cret}]", True),
        ("pypi_upstreams: ['https://public.example.org/simple/', {url: u, password: '{{ vault }}'}]", False),
        ("pypi_upstream_proxy: http://u:S3cret@proxy.example.com:3128", True),
        ("pypi_upstream_proxy: 'http://u:{{ vault }}@proxy.example.com:3128'", False),
        ("pypi_upstream_proxy: http://proxy.example.com:3128", False),
    ],
)
def test_a_login_in_clear_is_a_warning(tmp_path: Path, text: str, in_it: bool) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(text + "\n")
    (tmp_path / "hosts.yml").write_text("all: {hosts: {one: }}\n")
    found = in_clear.warnings({"ansible_inventory_sources": [str(tmp_path / "hosts.yml")]})
    assert len(found) == in_it
    assert "S3cret" not in "".join(found)
