"""Rules on pypi_ldap: every bad value is refused with words that help, and no password is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import in_clear, rules, specs

GROUP = {"dn": "cn=python,ou=groups,dc=example,dc=com", "publish": ["acme-*"]}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    authority = tmp_path / "authority.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    return {
        "url": "ldaps://ldap.example.com",
        "ca_file": str(authority),
        "base": "ou=people,dc=example,dc=com",
        "groups": [GROUP],
    }


def problems(ldap: Any, **others: Any) -> list[str]:
    variables = {"pypi_login_source": "ldap", "pypi_users": [], "pypi_authenticate": ["list", "download", "update"]}
    found = [str(problem) for problem in rules.problems({**variables, "pypi_ldap": ldap, **others})]
    print("\n".join(found))
    return found


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"url": "ldap://192.0.2.7:3890"},
        {"url": "ldaps://[2001:db8::7]:636/"},
        {"bind_dn": "cn=pypi,dc=example,dc=com", "bind_password": 'exec:S3cret "${x}" %{y}\\'},
        {"bind_dn": "pypi@example.com", "bind_password": "S3cret"},
        {"base": "OU=Größe und Form, DC=example,DC=com", "attribute": "sAMAccountName"},
        {"filter": "(&(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"},
        {"filter": "(cn=50% \\28sic\\29)"},
        {"groups": [{"dn": "*"}, {**GROUP, "publish": True, "delete": ["x"], "yank": False}]},
        {"group_attribute": "memberUid"},
    ],
    ids=str,
)
def test_good_values(given: dict[str, Any], more: dict[str, Any]) -> None:
    assert problems({**given, **more}) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"url": "https://ldap.example.com"},
            "url 'https://ldap.example.com' is not an ldap or ldaps URL; give ldaps://",
        ),
        ({"url": "ldap.example.com"}, "is not an ldap or ldaps URL"),
        ({"url": "ldaps://pypi:S3cret@ldap.example.com"}, "url contains credentials; give them as bind_dn"),
        ({"url": "ldaps://ldap.example.com/dc=example"}, "has more than scheme, host and port; give the rest as base"),
        ({"url": 'ldaps://a"b'}, "is not an ldap or ldaps URL"),
        ({"url": "ldaps://ldap.example.com:0"}, "is not an ldap or ldaps URL"),
        ({"url": ["ldaps://ldap.example.com"]}, "is not an ldap or ldaps URL"),
        ({"url": ""}, "has no url, while pypi_login_source is ldap"),
        ({"ca_file": ""}, "has no ca_file, while pypi_login_source is ldap; give a file with the authority"),
        ({"ca_file": "authority.pem"}, "ca_file 'authority.pem' is not absolute"),
        (
            {"ca_file": "/nowhere/ca.pem"},
            "ca_file /nowhere/ca.pem is not a file on the machine that runs Ansible; correct the path",
        ),
        ({"bind_dn": "cn=pypi,dc=example,dc=com"}, "has bind_dn without bind_password; give bind_password as well"),
        ({"bind_password": "S3cret"}, "has bind_password without bind_dn"),
        ({"bind_dn": "cn=pypi", "bind_password": "S3cret\n"}, "bind_password ends with a newline"),
        ({"bind_dn": "cn=pypi", "bind_password": 12345}, "bind_password is not text"),
        ({"bind_dn": 'cn="x"', "bind_password": "S3cret"}, "has a letter that is not supported"),
        ({"base": "example.com"}, "base 'example.com' is not a DN; give one such as ou=people"),
        ({"base": "ou=a\nb,dc=c"}, "has a letter that is not supported"),
        ({"attribute": "uid=*"}, "attribute 'uid=*' is not the name of an attribute"),
        ({"filter": "(uid=%s)"}, "filter '(uid=%s)' has %s for the login; leave that part out"),
        ({"filter": "(uid={login})"}, "has {login} for the login"),
        ({"filter": "(uid=%(user)s)"}, "has %( for the login"),
        ({"filter": "(uid=$user)"}, "has $user for the login"),
        ({"filter": "objectClass=person"}, "is not an LDAP filter; give one in parentheses"),
        ({"filter": "(a=b)(c=d)"}, "is not an LDAP filter"),
        ({"filter": "(&(a=b)"}, "is not an LDAP filter"),
        ({"filter": "(a=b))"}, "is not an LDAP filter"),
        ({"image": "httpd"}, "image 'httpd' has no tag"),
        ({"group_attribute": "members"}, "group_attribute 'members' is unknown; did you mean member?"),
        ({"groups": []}, "has no groups, while pypi_login_source is ldap; list the groups that may use the index"),
        ({"groups": GROUP}, "groups is not a list"),
        ({"groups": ["cn=python,dc=example,dc=com"]}, "groups has an entry 1 that is not a mapping"),
        ({"groups": [{"publish": True}]}, "groups has an entry 1 that has no dn"),
        ({"groups": [{"dn": ""}]}, "groups has an entry 1 that has no dn"),
        ({"groups": [{"dn": "python"}]}, "groups has 'python', which is not the DN of a group; give one such as cn="),
        ({"groups": [{"dn": "cn=%{REMOTE_USER},dc=x"}]}, "which is not the DN of a group"),
        ({"groups": [{**GROUP, "administer": ["x"]}]}, "has the unknown right 'administer'; the rights are publish"),
        ({"groups": [{**GROUP, "yanks": True}]}, "has the unknown key 'yanks'; did you mean yank?"),
        ({"groups": [{**GROUP, "publish": ["Acme_*"]}]}, "has 'Acme_*' in publish, which matches no project"),
        ({"groups": [{**GROUP, "publish": "acme-*"}]}, "has a publish that is neither true nor false nor a list"),
        ({"groups": [GROUP, {"dn": "CN=python, OU=groups,dc=example,dc=com"}]}, "2 times; list each group once"),
        (
            {"groups": [{"dn": f"cn={i}", "publish": [f"project-{i}-{n}" for n in range(99)]} for i in range(3)]},
            "has rights of more than 3500 letters altogether",
        ),
        ({"filters": "(a=b)"}, "has the unknown key 'filters'; did you mean filter?"),
        ({"start_tls": "S3cret"}, "has an unknown key; give url, ca_file"),
    ],
    ids=str,
)
def test_bad_values(given: dict[str, Any], more: dict[str, Any], words: str) -> None:
    found = problems({**given, **more})
    assert len(found) == 1, found
    assert found[0].startswith("pypi_ldap: ")
    assert words in found[0]
    assert "S3cret" not in found[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nothing", "has no certificate in it; give the authority's certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nS3cret\n", "has a private key in it"),
    ],
)
def test_another_file_as_authority(given: dict[str, Any], content: str, words: str) -> None:
    Path(given["ca_file"]).write_text(content)
    (found,) = problems(given)
    assert words in found
    assert "S3cret" not in found


def test_a_directory_belongs_to_its_source(given: dict[str, Any]) -> None:
    for source in ("file", "http"):
        found = problems(
            given,
            pypi_login_source=source,
            pypi_users=[{"name": "a", "hash": "$2y$10$" + "e" * 53}],
            pypi_login_source_url="https://auth.example.com/",
        )
        assert found == [
            f"pypi_ldap: is given, while pypi_login_source is {source}, so that no directory is asked; set "
            "pypi_login_source: ldap, or remove it"
        ]
    assert len(problems({})) == 4
    (problem,) = problems("ldaps://ldap.example.com")
    assert "pypi_ldap: is not a mapping" in problem


@pytest.mark.parametrize(("password", "warned"), [("S3cret", True), ("{{ vault_ldap }}", False)])
def test_a_password_in_clear_is_named(tmp_path: Path, password: str, warned: bool) -> None:
    (tmp_path / "hosts.yml").write_text(f'pypi_ldap: {{bind_dn: cn=pypi, bind_password: "{password}"}}\n')
    found = in_clear.warnings({"ansible_inventory_sources": [str(tmp_path / "hosts.yml")]})
    assert bool(found) == warned
    assert "S3cret" not in str(found)


def test_groups_can_have_every_right() -> None:
    keys = specs.public()["pypi_ldap"]["options"]["groups"]["options"]
    assert tuple(key for key, option in keys.items() if option["type"] == "raw") == specs.rights()
