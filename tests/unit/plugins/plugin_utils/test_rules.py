"""Rules on public variables: every bad value is refused with words that help, and no secret is in them."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins, names

BCRYPT = "$2y$10$" + "e" * 53
ALICE = {"name": "alice", "password": "S3cret"}

# Everything that an index without TLS says about itself.
IN_CLEAR: dict[str, Any] = {
    "pypi_authenticate": ["update"], "pypi_users": [{**ALICE, "publish": True}], "pypi_tls": "none",
    "pypi_bind_address": "0.0.0.0", "pypi_url": "",
}  # fmt: skip

GOOD: list[tuple[str, list[Any]]] = [
    ("pypi_instance", ["pypi-server", "dev_2", "0"]),
    ("pypi_system_user", ["pypi", "svc.pypi", "_x", "Pypi-1"]),
    ("pypi_home", ["/home/pypi/pypi-server", "/srv/pypi", "/pypi", "/data/a.b_c-d@e+f"]),
    ("pypi_http_port", [1, 80, "80", " 8080 ", 65535]),
    ("pypi_bind_address", ["0.0.0.0", "127.0.0.1", "::", "2001:db8::1"]),
    (
        "pypi_url",
        ["", "https://pypi.example.com", "http://192.0.2.1:8080/", "https://[2001:db8::1]:8443"],
    ),
    ("pypi_trusted_proxies", [[], ["192.0.2.0/24", "2001:db8::/32", "192.0.2.7"]]),
    ("pypi_metrics_networks", [[], ["192.0.2.0/24", "2001:db8::/32"], ["everyone"]]),
    ("pypi_login_source", ["file", "http"]),
    ("pypi_ldap", [{}]),
    ("pypi_login_source_url", ["", "https://auth.example.com/pypi", "http://192.0.2.7:8000/"]),
    ("pypi_tls", ["none", "provided", "on_host", "self_signed", "acme"]),
    ("pypi_https_port", [443, "8443"]),
    ("pypi_tls_certificate", ["", "/etc/ssl/pypi.pem"]),
    ("pypi_acme_directory", ["https://acme.example.com/directory", "https://[2001:db8::1]:14000/dir"]),
    ("pypi_acme_ca_file", ["", __file__]),
    ("pypi_images_password", ["", "S3cret", "S3cret with a blank"]),
    ("pypi_authenticate", [["update"], ["update", "list"], ["list", "download", "update"]]),
    (
        "pypi_users",
        [
            [],
            [ALICE],
            [{"name": "a", "hash": BCRYPT, "publish": "yes", "state": "present"}],
            [{"name": "a", "hash": "$apr1$JI4wh3am$AmhephVqLTUyAVpFQeHZC0", "password": None}],
            [{"name": "a", "password": "S3cret", "hash": ""}],
            [{"name": "a", "password": "S3cret", "delete": "yes", "expires": "2099-12-31"}],
            [{"name": "a", "password": "S3cret", "expires": datetime.date(2020, 1, 31)}],
            [{"name": "a", "password": "S3cret", "expires": None}],
            [
                {
                    "name": "a",
                    "password": "S3cret",
                    "publish": [],
                    "yank": ["*"],
                    "delete": ["acme-*", "*-plugin", "a*z", "7"],
                }
            ],
            [{"name": "a", "password": "S3cret", "publish": ["acme", "acme", "**", "a-*-b", "0-*"], "yank": None}],
            [{"name": "a", "state": "absent"}, {"name": "b", "state": "absent", "password": ""}],
            [
                {"name": "alice+ci", "password": 'S3cret: with "all" $of {{it}} ~'},
                {"name": "x" * 255, "password": "S" * 72},
            ],
            [{"name": "Alice", "password": "S3cret"}, ALICE],
        ],
    ),
    ("pypi_bcrypt_cost", [4, 10, "12", 17]),
    ("pypi_container_memory", ["1g", "512m"]),
    ("pypi_container_cpus", ["", 2, 1.5, "0.5"]),
    ("pypi_logins_per_minute", [1, "120", 100000]),
    ("pypi_max_upload", ["2g", "200m", "1024K", 0, "0", 1000]),
    (
        "pypi_quotas",
        [
            {},
            {"index": "500g"},
            {"index": "1T", "projects": []},
            {"projects": [{"names": ["nightly-*", "big"], "size": "20g"}, {"names": ["*"], "size": "512m"}]},
            {"index": "1g", "projects": [{"names": ["a"], "size": "1024m"}, {"names": ["a-*", "*-a"], "size": "1k"}]},
        ],
    ),
    ("pypi_disk_reserve", ["0", 0, "1g", "256M", "5%", "99%"]),
    ("pypi_trash", ["0d", "14d", "36h"]),
    # Only prune.yml reads them.
    ("pypi_keep_files", [[], ["/nowhere/uv.lock"]]),
    (
        "pypi_keep",
        [
            [],
            [{"names": ["nightly-*"], "kinds": ["dev"], "newest": 5}],
            [
                {"names": ["a"], "kinds": ["dev", "pre"], "older_than": "30d"},
                {"names": ["*"], "kinds": ["all"], "newest": "9"},
            ],
        ],
    ),
    ("pypi_log_retention", ["1d", "36h", "3650d"]),
    ("pypi_change_log_retention", ["1d", "36h", "400d", "3650d"]),
    ("pypi_freshness", ["0s", "2s", "1h"]),
    ("pypi_verdict_lifetime", ["1s", "10m", "1d"]),
    ("pypi_start_timeout", ["90s", "2m"]),
    ("pypi_replicas", [1, 16]),
    ("pypi_workers", [1, "2", 32]),
    ("pypi_images_archive", ["", "/srv/images.tar", "/srv/with space/images 1.tar"]),
    (
        "pypi_docker_repository_url",
        ["https://download.docker.com/linux", "http://mirror.example.com:8081/a/b/", "https://[2001:db8::1]/docker"],
    ),
    ("pypi_docker_repository_key_file", ["", __file__]),
    (
        "pypi_image_nginx",
        [
            "nginx:1.30",
            "registry.example.com/library/nginx:1.30",
            "registry.example.com:5000/a/b__c:v1",
            "localhost:5000/nginx:x",
            "nginx@sha256:" + "0" * 64,
            "nginx:1.30@sha256:" + "f" * 64,
            "[2001:db8::1]:5000/nginx:1",
        ],
    ),
]


@pytest.mark.parametrize(("variable", "value"), [(name, value) for name, values in GOOD for value in values])
def test_good_values(variable: str, value: Any) -> None:
    assert rules.problems({variable: value}) == []


# variable, value, what the message has to have in it
BAD = [
    ("pypi_docker_repository_url", "mirror.example.com/docker", "is not an http or https URL"),
    ("pypi_docker_repository_url", "https://a:S3cret@mirror.example.com", "contains credentials"),
    ("pypi_docker_repository_key_file", "docker.asc", "'docker.asc' is not absolute"),
    (
        "pypi_docker_repository_key_file",
        "/nowhere/docker.asc",
        "/nowhere/docker.asc is not a file on the machine that runs Ansible",
    ),
    ("pypi_login_source", "ldaps", "did you mean ldap? Give one of file, ldap, http"),
    ("pypi_login_source_url", "https://auth.example.com", "with a path"),
    ("pypi_login_source_url", "https://a:S3cret@auth.example.com/", "contains credentials"),
    ("pypi_login_source_url", "ldap://auth.example.com/", "is not an http or https URL"),
    ("pypi_tls", "letsencrypt", "'letsencrypt' is unknown; give one of none, provided, on_host, self_signed, acme"),
    ("pypi_tls", "self-signed", "did you mean self_signed?"),
    ("pypi_https_port", 0, "0 is not a whole number from 1 to 65535"),
    ("pypi_tls_certificate", "pypi.pem", "'pypi.pem' is not an absolute path"),
    ("pypi_tls_key", "~/pypi.key", "begins with /"),
    ("pypi_acme_directory", "http://acme.example.com/directory", "not an https URL"),
    ("pypi_acme_directory", "https://acme.example.com", "https://acme.example.com/directory"),
    ("pypi_acme_ca_file", "/nowhere/ca.pem", "/nowhere/ca.pem is not a file on the machine that runs Ansible"),
    ("pypi_container_memory", "1 GB", "'1 GB' is not a size"),
    ("pypi_container_cpus", 0, "0 is not a number of processors"),
    ("pypi_container_cpus", "half", "'half' is not a number"),
    ("pypi_logins_per_minute", 0, "0 is not a whole number from 1 to 100000"),
    ("pypi_bundle", "bundle.tar", "'bundle.tar' is not an absolute path"),
    ("pypi_images_pull", "newest", "did you mean newer? Give missing or newer"),
    ("pypi_images_archive", "images.tar", "'images.tar' is not an absolute path"),
    ("pypi_images_archive", "~/images.tar", "begins with /"),
    ("pypi_instance", "Dev", "'Dev'"),
    ("pypi_instance", "-dev", "'-dev'"),
    ("pypi_instance", "", "''"),
    ("pypi_instance", "a b", "'a b'"),
    ("pypi_instance", "dev\n", "'dev\\n'"),
    ("pypi_system_user", "root", "must not run"),
    ("pypi_system_user", "1abc", "'1abc'"),
    ("pypi_system_user", "a b", "'a b'"),
    ("pypi_system_user", "", "''"),
    ("pypi_system_user", "x" * 33, "at most 32"),
    ("pypi_home", "pypi", "'pypi' is not absolute"),
    ("pypi_home", "~/pypi", "not absolute"),
    ("pypi_home", "", "not absolute"),
    ("pypi_home", "/home/pypi/../x", ".."),
    ("pypi_home", "/", "system folder"),
    ("pypi_home", "/home", "system folder"),
    ("pypi_home", "/home/", "system folder"),
    ("pypi_home", "//home//", "system folder"),
    ("pypi_home", "/etc", "system folder"),
    ("pypi_home", "/srv/pypi/", "is not normalised; give /srv/pypi"),
    ("pypi_home", "//srv/./pypi", "is not normalised; give /srv/pypi"),
    *(("pypi_home", f"/srv/a{letter}b", "/srv/a") for letter in ":$'\"` \t\n\\,"),
    ("pypi_http_port", 0, "0 is not a whole number from 1 to 65535"),
    ("pypi_http_port", 65536, "65536"),
    ("pypi_http_port", -1, "-1"),
    ("pypi_http_port", "http", "'http'"),
    ("pypi_http_port", True, "True"),
    ("pypi_http_port", 80.5, "80.5"),
    ("pypi_http_port", None, "None"),
    ("pypi_bind_address", "localhost", "'localhost' is not an IP address"),
    ("pypi_bind_address", "256.0.0.1", "256.0.0.1"),
    ("pypi_bind_address", "", "''"),
    ("pypi_url", None, 'has no value; give one, or "" for none'),
    ("pypi_images_password", None, "has no value"),
    ("pypi_url", "https://-a.example.com", "not an http or https URL"),
    ("pypi_url", "https://*.example.com", "not an http or https URL"),
    ("pypi_url", "https://a.example.com\n", "give https://a.example.com;"),
    ("pypi_url", "https://a.example.com:", "more than scheme"),
    ("pypi_url", "https://a.example.com#", "give https://a.example.com;"),
    ("pypi_url", "HTTP://a.example.com", "give http://a.example.com;"),
    ("pypi_url", "https://a.example.com;", "not an http or https URL"),
    ("pypi_url", "pypi.example.com", "not an http or https URL"),
    ("pypi_url", "ftp://pypi.example.com", "not an http or https URL"),
    ("pypi_url", "https://pypi.example.com/simple", "give https://pypi.example.com;"),
    ("pypi_url", "https://pypi.example.com/?x", "more than scheme"),
    ("pypi_url", "https://", "not an http or https URL"),
    ("pypi_url", "https://a:99999", "not a URL"),
    ("pypi_url", "https://alice:S3cret@pypi.example.com", "contains credentials"),
    ("pypi_url", "alice:S3cret@pypi.example.com", "contains credentials"),
    ("pypi_url", 'https://a"b', "not an http or https URL"),
    ("pypi_trusted_proxies", "192.0.2.0/24", "not a list"),
    ("pypi_trusted_proxies", ["proxy"], "'proxy'"),
    ("pypi_trusted_proxies", ["192.0.2.1/24"], "give the network, 192.0.2.0/24"),
    ("pypi_trusted_proxies", ["192.0.2.0/33"], "192.0.2.0/33"),
    *(
        ("pypi_metrics_networks", world, "opens metrics to the world; give the networks of Prometheus, or [everyone]")
        for world in (["0.0.0.0/0"], ["192.0.2.7", "::/0"], ["0.0.0.0/1", "128.0.0.0/1"])
    ),
    *(
        ("pypi_metrics_networks", none, f"{none[-1]!r} is not an IP network")
        for none in (["prometheus.example.com"], ["192.0.2.7", "everyone"], [""])
    ),
    ("pypi_metrics_networks", "everyone", "not a list"),
    ("pypi_authenticate", ["upload"], "give one of list, download, update"),
    ("pypi_authenticate", ["updates"], "did you mean update?"),
    ("pypi_authenticate", "update", "'update' is not a list"),
    ("pypi_authenticate", None, "not a list"),
    ("pypi_authenticate", "", "'' is not a list; give a list of list, download, update; [update] opens reading"),
    ("pypi_authenticate", [], "is empty, which would open uploads and removal; write [update] to open reading"),
    ("pypi_authenticate", ["list"], "[list] lacks update, which would open uploads and removal; write [update]"),
    (
        "pypi_authenticate",
        ["list", "download"],
        "pypi_anonymous_uploads: true opens uploads beside that, on purpose; removal always needs a login",
    ),
    ("pypi_authenticate", [""], "'' is unknown"),
    ("pypi_images_password", "S3cret\n", "ends with a newline; remove it"),
    ("pypi_images_password", "S3cret\r\n", "ends with a newline as Windows writes it"),
    ("pypi_images_password", " S3cret", "begins or ends with a space"),
    ("pypi_images_password", 1234, "is not text; put it in quotes"),
    ("pypi_images_username", "robot\n", "ends with a newline"),
    ("pypi_authenticate", ["update", "update"], "more than once"),
    ("pypi_bcrypt_cost", 3, "4 to 17"),
    ("pypi_bcrypt_cost", 18, "doubles"),
    ("pypi_max_upload", "2 GB", "'2 GB'"),
    ("pypi_max_upload", "2t", "'2t'"),
    ("pypi_max_upload", -1, "-1"),
    ("pypi_max_upload", "", "''"),
    ("pypi_backup_keep", [7], "is not a mapping; give rules such as {daily: 7, weekly: 5}"),
    ("pypi_backup_keep", {"dayly": 7}, "'dayly' is not a rule; use last, hourly, daily, weekly, monthly, yearly"),
    *(
        ("pypi_backup_keep", {"daily": number}, f"daily: {number!r} is not a number of snapshots; give one from 1 on")
        for number in (0, -1, "many")
    ),
    ("pypi_backup_environment", "KEY=x", "is not a mapping"),
    *(
        ("pypi_backup_environment", {name: "x"}, f"{name!r} is not a variable for restic's logins")
        for name in ("aws key", "RESTIC_PASSWORD")
    ),
    ("pypi_backup_environment", {"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID has no value"),
    ("pypi_quotas", "20g", "is not a mapping; give index, projects or both, or {} for no quota"),
    ("pypi_quotas", [{"index": "20g"}], "is not a mapping"),
    *(
        ("pypi_quotas", {"index": size}, f"index: {size!r} is not a size; give a number with k, m, g or t behind it")
        for size in ("0", "0g", "20", 20, "20 g", "20gb", "-1g", "1.5g", "20G\n", "", None, True)
    ),
    ("pypi_quotas", {"indexes": "1g"}, "has the unknown key 'indexes'; did you mean index?"),
    (
        "pypi_quotas",
        {"projects": {"nightly-*": "20g"}},
        'projects is not a list; give entries such as {names: ["nightly-*"]',
    ),
    ("pypi_quotas", {"projects": ["nightly-*"]}, "entry 1 of projects is not a mapping; give names and size"),
    (
        "pypi_quotas",
        {"projects": [{"size": "1g"}]},
        "entry 1 of projects has no list of names; give names and patterns",
    ),
    ("pypi_quotas", {"projects": [{"names": "a", "size": "1g"}]}, "entry 1 of projects has no list of names"),
    ("pypi_quotas", {"projects": [{"names": ["a"]}]}, "entry 1 of projects has no size; give a number"),
    (
        "pypi_quotas",
        {"projects": [{"names": ["a"], "size": "0g"}]},
        "entry 1 of projects has the size '0g', which is none",
    ),
    ("pypi_quotas", {"projects": [{"names": ["a"], "sise": "1g", "size": "1g"}]}, "did you mean size?"),
    (
        "pypi_quotas",
        {"projects": [{"names": ["Nightly_*"], "size": "1g"}]},
        "entry 1 of projects has 'Nightly_*' in names, which matches no project; give lower-case letters, digits and single -, "
        "with * for any letters; did you mean nightly-*?",
    ),
    ("pypi_quotas", {"projects": [{"names": [7], "size": "1g"}]}, "has 7 in names that is not text"),
    (
        "pypi_quotas",
        {"projects": [{"names": ["a"], "size": "1g"}, {"names": ["b", "a"], "size": "2g"}]},
        "projects has 'a' twice, and the first one counts; remove one",
    ),
    (
        "pypi_quotas",
        {"projects": [{"names": ["*"], "size": "1g"}, {"names": ["nightly-*"], "size": "2g"}]},
        "projects has 'nightly-*' behind '*', which matches the same projects, and the first one counts; put 'nightly-*' "
        "before it",
    ),
    (
        "pypi_quotas",
        {"index": "1g", "projects": [{"names": ["a"], "size": "1025m"}]},
        "entry 1 of projects has the size 1025m, more than that of index, 1g, so it never takes effect; give a smaller one",
    ),
    *(
        (
            "pypi_disk_reserve",
            value,
            f"{value!r} is neither a size nor a share; give a number with k, m, g or t behind it",
        )
        for value in ("1", "1.5g", "0%", "100%", "five", "", None)
    ),
    ("pypi_trash", 14, "14 is not a duration"),
    ("pypi_keep", {"names": ["a"]}, "is not a list; give entries such as {names:"),
    ("pypi_keep", ["nightly-*"], "entry 1 is not a mapping"),
    ("pypi_keep", [{"kinds": ["dev"], "newest": 1}], "entry 1 has no list of names"),
    (
        "pypi_keep",
        [{"names": ["A_b"], "kinds": ["dev"], "newest": 1}],
        "entry 1 has 'A_b' in names, which matches no project",
    ),
    ("pypi_keep", [{"names": ["a"], "newest": 1}], "entry 1 has no list of kinds; give some of dev, pre, local, all"),
    (
        "pypi_keep",
        [{"names": ["a"], "kinds": ["devs"], "newest": 1}],
        "entry 1 has the kind 'devs', which is none; did you mean dev?",
    ),
    (
        "pypi_keep",
        [{"names": ["a"], "kinds": ["dev"]}],
        "entry 1 has neither newest nor older_than, so nothing would stay",
    ),
    ("pypi_keep", [{"names": ["a"], "kinds": ["dev"], "newest": 0}], "entry 1 has neither newest nor older_than"),
    ("pypi_keep", [{"names": ["a"], "kinds": ["dev"], "newest": -1}], "entry 1 has -1 as newest, which is no number"),
    (
        "pypi_keep",
        [{"names": ["a"], "kinds": ["dev"], "older_than": 30}],
        "entry 1 has older_than: 30 is not a duration",
    ),
    ("pypi_keep", [{"names": ["a"], "kinds": ["dev"], "newst": 1, "newest": 1}], "did you mean newest?"),
    (
        "pypi_keep",
        [{"names": ["*"], "kinds": ["dev"], "newest": 1}, {"names": ["a"], "kinds": ["all"], "newest": 1}],
        "has 'a' behind '*', which matches the same projects, and the first one counts; put 'a' before it",
    ),
    ("pypi_keep_files", ["uv.lock"], "'uv.lock' is not absolute"),
    ("pypi_log_retention", "12h", "not between 1d and 3650d"),
    ("pypi_change_log_retention", "23h", "not between 1d and 3650d"),
    ("pypi_change_log_retention", 400, "400 is not a duration"),
    ("pypi_verdict_lifetime", 600, "600 is not a duration; give a number with s, m, h or d behind it"),
    ("pypi_start_timeout", "2 m", "is not a duration"),
    ("pypi_freshness", "61m", "not between 0s and 1h"),
    ("pypi_replicas", 0, "1 to 16"),
    ("pypi_workers", "many", "1 to 32"),
    ("pypi_image_nginx", "nginx", "has no tag"),
    ("pypi_image_nginx", "Nginx:1", "not an image reference"),
    ("pypi_image_nginx", "nginx:", "not an image reference"),
    ("pypi_image_nginx", "nginx@sha256:abc", "not an image reference"),
    ("pypi_image_nginx", "https://registry.example.com/nginx:1", "not an image reference"),
    ("pypi_image_nginx", "", "not an image reference"),
    ("pypi_image_nginx", "nginx:1 --privileged", "not an image reference"),
]


@pytest.mark.parametrize(("variable", "value", "words"), BAD)
def test_bad_values(variable: str, value: Any, words: str) -> None:
    (problem,) = rules.problems({variable: value})
    assert str(problem).startswith(f"{variable}: ")
    assert words in str(problem)
    assert "; " in str(problem)
    assert problem.mend
    assert "S3cret" not in str(problem)


# one user each; the message names the user and has these words in it
BAD_USERS = [
    ({"password": "S3cret"}, "entry 1 has no name"),
    ({"name": "", "password": "S3cret"}, "entry 1 has no name"),
    ({"name": 7, "password": "S3cret"}, "entry 1 has a name that is not text"),
    ({"name": "a:S3cret", "password": "S3cret"}, "user 'a...' has a colon in the name"),
    ({"name": "a S3cret", "password": "S3cret"}, "user 'a...' has a space or control"),
    ({"name": "a\nb:S3cret", "password": "S3cret"}, "user 'a...' has a colon"),
    ({"name": "a\n", "password": "S3cret"}, "user 'a...' has a name that ends with a newline; remove it"),
    ({"name": "a\x7f", "password": "S3cret"}, "control character"),
    ({"name": "jürgen", "password": "S3cret"}, "user 'jürgen' has a letter in the name that is not ASCII"),
    ({"name": "#a", "password": "S3cret"}, "begins with #"),
    ({"name": "x" * 256, "password": "S3cret"}, "256 letters"),
    ({"name": "a"}, "user 'a' has neither a password nor a hash"),
    ({"name": "a", "hash": ""}, "neither"),
    ({"name": "a", "password": "S3cret", "hash": BCRYPT}, "both a password and a hash"),
    ({"name": "a", "password": ""}, "user 'a' has an empty password"),
    ({"name": "a", "password": "S3cret" + "x" * 67}, "more than 72 bytes"),
    ({"name": "a", "password": "S3cretß"}, "not printable ASCII"),
    ({"name": "a", "password": "S3cret\n"}, "user 'a' has a password that ends with a newline; remove it"),
    ({"name": "a", "password": "S3cret\n"}, 'printf %s "$value" | ansible-vault encrypt_string --stdin-name NAME'),
    ({"name": "a", "password": "S3cret\r\n"}, "ends with a newline as Windows writes it"),
    ({"name": "a", "password": "S3cret\r"}, "ends with a newline as Windows writes it"),
    ({"name": "a", "password": "S3\nS3cret"}, "has a password that has a line break in it"),
    ({"name": "a", "password": "S3cret "}, "has a password that begins or ends with a space"),
    ({"name": "a", "hash": BCRYPT + "\n"}, "user 'a' has a hash that ends with a newline"),
    ({"name": "a", "hash": " " + BCRYPT}, "has a hash that begins or ends with a space"),
    ({"name": "a", "hash": "a:" + BCRYPT}, "has a hash that begins with a login; give only what follows the colon"),
    ({"name": "a", "hash": "$2y$10$" + "a" * 53}, "has a hash that no server verifies: $2y$, but not well-formed: the"),
    ({"name": "a", "hash": "$2y$10$" + "a" * 53}, "make it again with htpasswd -nB -C 10 NAME"),
    (
        {"name": "a", "hash": "$2y$31$" + "e" * 53},
        "takes too long to check: bcrypt of cost 31; give bcrypt of cost 4 to 17",
    ),
    ({"name": "a", "hash": "$6$rounds=9000000$s$" + "." * 86}, "too long to check: 9000000 rounds"),
    ({"name": "a", "password": 1234}, "reads as a number"),
    ({"name": "a", "password": True}, "reads as a number"),
    ({"name": "a", "password": ["S3cret"]}, "password that is not text"),
    ({"name": "a", "hash": "{SHA}S3cret"}, "user 'a' has a hash in a scheme that is not accepted: {SHA}"),
    ({"name": "a", "hash": "$y$S3cret"}, "$y$"),
    ({"name": "a", "hash": "S3cret"}, "plain text or an unknown scheme"),
    ({"name": "a", "hash": BCRYPT + "x"}, "not well-formed"),
    ({"name": "a", "hash": 7}, "hash that is not text"),
    ({"name": "a", "password": "S3cret", "publish": "maybe"}, "publish that is neither"),
    ({"name": "a", "password": "S3cret", "delete": "maybe"}, "delete that is neither"),
    ({"name": "a", "password": "S3cret", "publish": "acme-*"}, "publish that is neither"),
    ({"name": "a", "password": "S3cret", "publish": {"acme-*": True}}, "publish that is neither"),
    ({"name": "a", "password": "S3cret", "yank": 5}, "yank that is neither"),
    (
        {"name": "a", "password": "S3cret", "publish": [7]},
        "user 'a' has 7 in publish that is not text; give names and patterns in quotes, such as publish: [\"acme-*\"]",
    ),
    ({"name": "a", "password": "S3cret", "publish": [["S3cret"]]}, "has something in publish that is not text"),
    ({"name": "a", "password": "S3cret", "yank": [None]}, "has something in yank that is not text"),
    # The next login, one indent too deep.
    (
        {"name": "a", "hash": BCRYPT, "publish": [{"name": "b", "password": "S3cret"}]},
        "user 'a' has something in publish that is not text",
    ),
    *(
        (
            {"name": "a", "password": "S3cret", "delete": ["acme", pattern]},
            f"has {pattern!r} in delete, which matches no project",
        )
        for pattern in (
            "",
            " ",
            "-",
            "-acme",
            "acme-",
            "*-",
            "-*",
            "a--b",
            "a-*-",
            "acme *",
            "acme,b",
            "acme:b",
            "acme?",
            "acme[0-9]",
            "a!b",
            "übung",
            "acme/b",
            'acme"',
            "acme;",
            "$acme",
            "acme\n",
            "acme-*\n",
            "Acme",
            "acme_x",
            "acme.*",
            "**-",
        )
    ),
    ({"name": "a", "password": "S3cret", "publish": ["Acme.Tools_*"]}, "did you mean acme-tools-*?"),
    ({"name": "a", "password": "S3cret", "publish": ["acme_"]}, "did you mean acme-*?"),
    ({"name": "a", "password": "S3cret", "publish": ["-plugin"]}, "did you mean *-plugin?"),
    ({"name": "a", "password": "S3cret", "S3cret2": ["acme-*"]}, "user 'a' has an unknown key"),
    (
        {"name": "a", "password": "S3cret", "publish": [f"p{n:04}" for n in range(300)]},
        "has rights of more than 3500 letters",
    ),
    (
        {"name": "a", "password": "S3cret", "upload": ["acme-*"]},
        "has the unknown right 'upload'; the rights are publish, delete, yank",
    ),
    ({"name": "a", "password": "S3cret", "yanks": ["acme-*"]}, "did you mean yank?"),
    ({"name": "a", "password": "wheelhouse_" + "S3cret" * 6}, "has a password like a token, which NGINX takes for one"),
    ({"name": "a", "password": "S3cret", "expires": "31.03.2027"}, "has an invalid expires: '31.03.2027'"),
    ({"name": "a", "password": "S3cret", "expires": "2027-02-30"}, "such as 2027-03-31"),
    ({"name": "a", "password": "S3cret", "expires": "20270331"}, "has an invalid expires: '20270331'"),
    ({"name": "a", "password": "S3cret", "expires": "2027-W13-3"}, "has an invalid expires: '2027-W13-3'"),
    (
        {"name": "a", "password": "S3cret", "expires": "9999-12-31"},
        "too late: 9999-12-31; leave it out for a login that does not expire",
    ),
    ({"name": "a", "password": "S3cret", "upload": True}, "has an unknown key; give name, password"),
    ({"name": "a", "password": "S3cret", "deletes": True}, "did you mean delete?"),
    ({"name": "a", "password": "S3cret", "state": "gone"}, "unknown state 'gone'"),
    ({"name": "a", "password": "S3cret", "publishes": True}, "did you mean publish?"),
    ({"name": "a", "password": "S3cret", "S3cret": True}, "has an unknown key"),
    ("a:S3cret", "entry 1 is not a mapping"),
    (None, "entry 1 is not a mapping"),
]


@pytest.mark.parametrize(("user", "words"), BAD_USERS)
def test_bad_users(user: Any, words: str) -> None:
    (problem,) = rules.problems({"pypi_users": [user]})
    assert problem.variable == "pypi_users"
    assert words in str(problem)
    assert "S3cret" not in str(problem)
    assert "a" * 53 not in str(problem)


@pytest.mark.parametrize(
    ("expires", "over"),
    [
        ("2027-03-30", True),
        ("2027-03-31", False),
        (datetime.date(2027, 3, 30), True),
        (None, False),
        ("", False),
        ("soon", False),
    ],
)
def test_the_last_day_of_a_login(expires: Any, over: bool) -> None:
    assert logins.has_expired({"expires": expires}, datetime.date(2027, 3, 31)) is over


def test_who_has_expired_is_told_and_no_reason_to_refuse_a_run() -> None:
    users = [{**ALICE, "expires": "2020-01-31"}]
    assert logins.present_users({"pypi_users": users}) == []
    assert rules.problems({"pypi_users": users, "pypi_authenticate": ["list", "update"]}) == []
    assert rules.warnings({"pypi_users": users}) == [
        "pypi_users: the login of 'alice' expired after 2020-01-31; wheelhouse.pypi.users removes it"
    ]


def test_every_problem_of_every_user_is_told() -> None:
    found = rules.problems(
        {"pypi_users": [{"name": "a:", "password": "", "publish": "x"}, {"name": "b"}, ALICE, ALICE]}
    )
    assert [problem.problem.split(" ")[1] for problem in found] == ["'a...'", "'a...'", "'a...'", "'b'", "'alice'"]


def test_a_login_is_there_once_absent_ones_included() -> None:
    (problem,) = rules.problems({"pypi_users": [ALICE, {"name": "alice", "state": "absent"}]})
    assert "user 'alice' is listed 2 times" in str(problem)


@pytest.mark.parametrize("value", ["alice", {"alice": "S3cret"}, None])
def test_users_are_a_list(value: Any) -> None:
    (problem,) = rules.problems({"pypi_users": value})
    assert "not a list" in str(problem)
    assert "S3cret" not in str(problem)


@pytest.mark.parametrize("users", [[], [{"name": "a", "state": "absent"}]])
def test_authentication_without_users_is_refused_unless_uploads_are_open(users: list[Any]) -> None:
    (problem,) = rules.problems({"pypi_users": users, "pypi_authenticate": ["update"]})
    assert problem.variable == "pypi_users"
    assert problem.mend == "give at least one user"
    opened = {"pypi_users": users, "pypi_authenticate": ["update"], "pypi_anonymous_uploads": True}
    assert rules.problems(opened) == []
    (problem,) = rules.problems({**opened, "pypi_authenticate": ["list", "update"]})
    assert problem.problem == "is empty, but list needs a login (pypi_authenticate)"


@pytest.mark.parametrize(
    ("variables", "variable"),
    [
        ({"pypi_images_username": "a", "pypi_images_password": ""}, "pypi_images_password"),
        ({"pypi_images_username": "", "pypi_images_password": "S3cret"}, "pypi_images_username"),
        ({"pypi_images_username": "", "pypi_images_password": ""}, None),
        ({"pypi_images_pull": "newer", "pypi_images_archive": "/srv/images.tar"}, "pypi_images_pull"),
        ({"pypi_images_pull": "newer", "pypi_images_archive": "", "pypi_bundle": "/srv/b.tar"}, "pypi_images_pull"),
        ({"pypi_images_pull": "newer", "pypi_images_archive": "", "pypi_bundle": ""}, None),
        ({"pypi_images_pull": "missing", "pypi_images_archive": "/srv/images.tar"}, None),
        ({"pypi_http_port": 443, "pypi_https_port": "443", "pypi_tls": "provided"}, "pypi_https_port"),
        ({"pypi_http_port": 443, "pypi_https_port": 443, "pypi_tls": "none"}, None),
        ({"pypi_tls": "provided", "pypi_tls_certificate": "", "pypi_tls_key": __file__}, "pypi_tls_certificate"),
        ({"pypi_tls": "provided", "pypi_tls_certificate": __file__, "pypi_tls_key": ""}, "pypi_tls_key"),
        ({"pypi_tls": "provided", "pypi_tls_certificate": __file__, "pypi_tls_key": "/k"}, "pypi_tls_key"),
        ({"pypi_tls": "provided", "pypi_tls_certificate": __file__, "pypi_tls_key": __file__}, None),
        ({"pypi_tls": "on_host", "pypi_tls_certificate": "/c", "pypi_tls_key": ""}, "pypi_tls_key"),
        ({"pypi_tls": "on_host", "pypi_tls_certificate": "/c", "pypi_tls_key": "/k"}, None),
        ({"pypi_tls": "on_host", "pypi_url": ""}, "pypi_url"),
        ({"pypi_tls": "self_signed", "pypi_tls_certificate": "", "pypi_url": ""}, None),
        ({"pypi_tls": "provided", "pypi_url": ""}, "pypi_url"),
        ({"pypi_tls": "provided", "pypi_url": "https://a.example.com"}, None),
        ({"pypi_tls": "self_signed", "pypi_url": "http://a.example.com"}, "pypi_url"),
        ({"pypi_tls": "acme", "pypi_url": ""}, "pypi_url"),
        ({"pypi_tls": "acme", "pypi_url": "https://192.0.2.7"}, "pypi_url"),
        ({"pypi_tls": "acme", "pypi_url": "https://pypi.example.com"}, None),
        ({"pypi_tls": "acme", "pypi_acme_directory": ""}, "pypi_acme_directory"),
        ({"pypi_backup_repository": "/mnt/backup"}, "pypi_backup_password"),
        ({"pypi_backup_repository": "/mnt/backup", "pypi_backup_password": "secret"}, None),
        *(
            (
                {
                    "pypi_backup_repository": place,
                    "pypi_backup_password": "secret",
                    "pypi_home": "/home/pypi/pypi-server",
                },
                problem,
            )
            for place, problem in {
                "backup": "pypi_backup_repository",
                "local:backup": "pypi_backup_repository",
                "/home/pypi/pypi-server": "pypi_backup_repository",
                "/home/pypi//pypi-server/backup": "pypi_backup_repository",
                "local:/home/pypi/pypi-server/.restore": "pypi_backup_repository",
                "/home/pypi/pypi-server-backup": None,
                "sftp:backup@backup.example.com:pypi": None,
                "rest:https://backup.example.com/pypi/": None,
            }.items()
        ),
        ({"pypi_login_source": "http", "pypi_login_source_url": ""}, "pypi_login_source_url"),
        ({"pypi_login_source": "http", "pypi_users": [], "pypi_authenticate": ["list", "update"]}, None),
    ],
)
def test_variables_that_need_each_other(variables: dict[str, Any], variable: str | None) -> None:
    found = rules.problems(variables)
    assert [problem.variable for problem in found] == ([variable] if variable else [])
    assert "S3cret" not in "".join(map(str, found))


def test_names_that_are_almost_those_of_public_variables_are_slips() -> None:
    public = ["pypi_users", "pypi_http_port", "pypi_bind_address", "pypi_home"]
    found = [*public, "pypi_hosts", "pypi_host", "pypi_bind_adress", "pypi_http_prot", "pypi_team", "http_port"]
    # What playbooks take.
    found += ["pypi_project", "pypi_reason", "pypi_filename"]
    assert [str(problem) for problem in names.misspelt(found, public)] == [
        "pypi_bind_adress: unknown variable; did you mean pypi_bind_address?",
        "pypi_host: unknown variable; did you mean pypi_hosts?",
        "pypi_http_prot: unknown variable; did you mean pypi_http_port?",
    ]
    assert names.misspelt([name for name in found if name != "pypi_host"], []) == []


@pytest.mark.parametrize(
    ("of_play", "slips"),
    [
        (
            names.OF_YANK,
            {"pypi_filename": "pypi_file", "pypi_projects": "pypi_project", "pypi_sinse": "pypi_since"},
        ),
        (
            names.OF_GIVE_BACK,
            {
                "pypi_give_back_confrim": "pypi_give_back_confirm",
                "pypi_giveback_confirm": "pypi_give_back_confirm",
                "pypi_projects": "pypi_project",
            },
        ),
        (names.OF_TRASH, {"pypi_trash_doo": "pypi_trash_do", "pypi_versoin": "pypi_version"}),
        (names.OF_TOKEN, {"pypi_token_expire": "pypi_token_expires", "pypi_token_rea": "pypi_token_read"}),
    ],
)
def test_a_slip_is_refused_where_a_playbook_would_do_more_than_was_meant(
    of_play: tuple[str, ...], slips: dict[str, str]
) -> None:
    assert names.misspelt(["pypi_filename", "pypi_sinse", "pypi_projects", "pypi_token_right"], ["pypi_tokens"]) == []
    assert [str(problem) for problem in names.misspelt([*of_play, *slips], ["pypi_tokens"], of_play)] == [
        f"{slip}: unknown variable; did you mean {meant}?" for slip, meant in slips.items()
    ]


def test_removed_variables_of_docker_lead_to_the_page_that_says_how_it_is_done_now() -> None:
    page = (Path(__file__).parents[4] / "docs/docker.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z ]", "", line.lower()).strip().replace(" ", "-") for line in re.findall("^#+ .*", page, re.M)
    }
    for name in (name for name in names.REMOVED if name.startswith("pypi_docker_")):
        (problem,) = names.removed([name])
        anchor = re.search(r"docs/docker\.md#([a-z-]+)", problem.mend)
        assert anchor[1] in anchors if anchor else "pypi_docker_repository_key_file" in problem.mend, problem


def test_variables_that_were_removed_are_named_with_what_to_do_instead() -> None:
    problems = [str(problem) for problem in names.removed(["pypi_fallback", "pypi_users", "pypi_backend"])]
    assert problems == [
        "pypi_backend: was removed from the collection; remove it: there is one way to serve now, pages as files",
        "pypi_fallback: was removed from the collection; remove it: an unknown project is a 404, unless pypi_upstreams has it",
    ]
    # Not taken for slips as well.
    assert names.misspelt(names.REMOVED, [*names.REMOVED, "pypi_backends"]) == []
    assert names.misspelt(names.REMOVED, ["pypi_backends"]) == []


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (None, []),
        ([], []),
        (
            ["pypi:servername", "pypi:http_prot"],
            [
                "tag pypi:http_prot: is unknown to the inventory; correct or remove it; docs/clouds.md lists them all",
                "tag pypi:servername: is unknown to the inventory; correct or remove it; docs/clouds.md lists them all",
            ],
        ),
    ],
)
def test_tags_that_set_nothing_are_named(tags: list[str] | None, expected: list[str]) -> None:
    assert [str(problem) for problem in names.unknown_tags(tags)] == expected
    assert names.misspelt(["pypi_unknown_tags"], ["pypi_unknown_tag"]) == []


def test_an_unknown_variable_is_not_judged() -> None:
    assert rules.problems({"something": "else"}) == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"pypi_authenticate": ["update"], "pypi_anonymous_uploads": True, "pypi_users": []},
            "pypi_anonymous_uploads is true: everyone who reaches the index may upload files; removing needs a login",
        ),
        ({"pypi_anonymous_uploads": "no"}, None),
        ({"pypi_users": [{"name": "a", "hash": "$2y$05$" + "e" * 53}]}, "the hash of 'a' is bcrypt of cost 5"),
        ({"pypi_users": [{"name": "a", "hash": BCRYPT}]}, None),
        ({"pypi_authenticate": ["update"], "pypi_users": [ALICE]}, "no login may upload"),
        ({"pypi_authenticate": ["update"], "pypi_users": [{**ALICE, "publish": "yes"}]}, None),
        ({"pypi_authenticate": ["update"], "pypi_users": [{**ALICE, "publish": ["acme-*"]}]}, None),
        ({"pypi_authenticate": ["update"], "pypi_users": [{**ALICE, "publish": []}]}, "no login may upload"),
        ({}, None),
        (IN_CLEAR, "pypi_tls is none, and the index listens on 0.0.0.0: passwords travel in clear"),
        ({**IN_CLEAR, "pypi_bind_address": "192.0.2.7"}, "listens on 192.0.2.7"),
        ({**IN_CLEAR, "pypi_bind_address": "127.0.0.1"}, None),
        ({**IN_CLEAR, "pypi_bind_address": "::1"}, None),
        ({**IN_CLEAR, "pypi_tls": "provided"}, None),
        ({**IN_CLEAR, "pypi_url": "https://pypi.example.com"}, None),
        ({**IN_CLEAR, "pypi_url": "http://pypi.example.com"}, "passwords travel in clear"),
        ({"pypi_tls": "acme", "pypi_http_port": 8080}, "ACME servers connect to port 80 of the name"),
        ({"pypi_tls": "acme", "pypi_http_port": "80"}, None),
    ],
)
def test_warnings(variables: dict[str, Any], words: str | None) -> None:
    found = rules.warnings(variables)
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


@pytest.mark.parametrize(
    ("address", "networks", "refused", "warned"),
    [
        ("::", ["172.16.0.0/12"], True, True),
        ("2001:db8::1", ["192.0.2.0/24", "2001:db8::/32"], True, True),
        ("::", ["2001:db8::/32"], False, True),
        ("::", [], False, True),
        # A proxy on the host itself, for which Docker's address is the right one.
        ("::1", ["172.16.0.0/12"], False, False),
        ("0.0.0.0", ["172.16.0.0/12"], False, False),
        ("127.0.0.1", ["172.16.0.0/12"], False, False),
    ],
)
def test_no_client_by_ipv6_is_taken_for_a_proxy(address: str, networks: list[str], refused: bool, warned: bool) -> None:
    variables = {"pypi_bind_address": address, "pypi_trusted_proxies": networks}
    found = rules.problems({**variables, "pypi_metrics_networks": networks})
    assert [problem.variable for problem in found] == (
        ["pypi_trusted_proxies", "pypi_metrics_networks"] if refused else []
    )
    assert any("Docker forwards IPv6" in warning for warning in rules.warnings(variables)) == warned
