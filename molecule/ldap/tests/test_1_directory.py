"""Logins of a directory: a real slapd, over LDAPS and StartTLS, there and away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import faulty_images, packages
from tests.support.clients import NOBODY, Index, Login, form
from tests.support.playbook import refused, says, site
from tests.support.stack import Stack, eventually, traffic

ANN, BOB, DAN, EVE, GUS, TWIN, STAR, BOTH, NEW = (
    Login(name, f"{name}-password") for name in ("ann", "bob", "dan", "eve", "gus", "twin", "st*r", "both", "new")
)
TOKEN = Login("__token__", "wheelhouse_" + "e" * 64 + "62ef73dc")
PUBLISHER = Login("publisher", "publisher-password")
SETTINGS = ("--tags", "users,directory,nginx,stack")
AWAY = "The directory of logins does not answer"
# pypi_verdict_lifetime, and for how long an old verdict serves while another is fetched.
LIFETIME, WHILE_ASKING = 4, 15


def status(index: Index, login: Login) -> int:
    return index.request("/simple/", login).status


def change(index: Index, login: Login, action: str, **fields: str) -> int:
    body, headers = form({":action": action, **fields})
    return index.request("/", login, "POST", body, headers).status


@contextmanager
def directory(host: Any, command: str) -> Iterator[None]:
    """Do something to the directory, and put it right afterwards."""
    host.check_output(command)
    try:
        yield
    finally:
        host.check_output("sh /srv/directory/start.sh")


def modify(host: Any, ldif: str) -> None:
    host.check_output("printf %%s %s | ldapmodify -Q -Y EXTERNAL -H ldapi:///", ldif)


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (ANN, 200),
        (BOB, 200),
        (DAN, 200),
        # In none of the groups; left the company; the name of two.
        (EVE, 403),
        (GUS, 401),
        (TWIN, 401),
        (Login("ann", "wrong"), 401),
        (Login("ann", "ann-passwor"), 401),
        (Login("nobody", "whatever"), 401),
        # An empty password is how LDAP binds anonymously.
        (Login("ann", ""), 401),
        (Login("nobody", ""), 401),
        # What means something in a filter.
        (STAR, 200),
        (Login("st*", STAR.password), 401),
        (Login("*", ANN.password), 401),
        (Login("ann)(uid=ann", ANN.password), 401),
        (Login("ann)(|(uid=*", ANN.password), 401),
        (Login("\\61nn", ANN.password), 401),
        (Login("\\2a", ANN.password), 401),
        # What a directory takes as the same name.
        (Login(" ann", ANN.password), 401),
        (Login("ann ", ANN.password), 401),
        (Login("uid=ann,ou=people,dc=example,dc=com", ANN.password), 401),
        (Login("cn=pypi,ou=services,dc=example,dc=com", 'exec:service "password" ${PATH}\\'), 401),
        (NOBODY, 401),
        (PUBLISHER, 200),
        (TOKEN, 200),
        (BOTH, 200),
        # One login of that name is in pypi_users, which counts alone.
        (Login("Both", BOTH.password), 401),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else f"{value.name}:{value.password}",
)
def test_who_gets_in(index: Index, login: Login, expected: int) -> None:
    answer = index.request("/simple/", login)
    assert answer.status == expected, answer
    assert ("www-authenticate" in answer.headers) == (expected == 401)


def test_pypi_users_count_before_the_directory(host: Any, index: Index) -> None:
    # Its password in the directory is another.
    modify(
        host,
        "dn: uid=both,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\nuserPassword: elsewhere\n",
    )
    assert status(index, Login("both", "elsewhere")) == 401
    assert status(index, BOTH) == 200


def test_groups_say_what_a_login_may(index: Index, tmp_path: Path) -> None:
    for login, project, expected in (
        (BOB, "acme-bob", 403),
        (ANN, "acme-ann", 200),
        (ANN, "other-ann", 403),
        (EVE, "acme-eve", 403),
        (DAN, "other-dan", 200),
        (TOKEN, "acme-token", 200),
        (TOKEN, "other-token", 403),
        (PUBLISHER, "other-publisher", 200),
    ):
        answer = index.upload(login, packages.wheel(tmp_path, project))
        assert answer.status == expected, (login.name, project, answer)
    # ann's group may yank acme-*-tools, and none may delete but dan's; the unknown group's right is nobody's.
    for login, action, project, expected in (
        (ANN, "yank", "acme-ann", 403),
        (ANN, "yank", "acme-x-tools", 404),
        (ANN, "remove_pkg", "acme-ann", 403),
        (BOB, "remove_pkg", "acme-ann", 403),
        (DAN, "yank", "acme-ann", 200),
        (DAN, "remove_pkg", "acme-ann", 200),
    ):
        assert change(index, login, action, name=project, version="1.0") == expected, (login.name, action, project)


def test_clients_publish_and_install(index: Index, tmp_path: Path) -> None:
    name = f"acme-{uuid4().hex}"
    done = index.twine_upload(ANN, packages.wheel(tmp_path, name))
    assert done.returncode == 0, done.stdout + done.stderr
    done = index.uv_publish(ANN, packages.wheel(tmp_path, name, "1.1"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = index.pip_install(BOB, tmp_path / "site", name)
    assert done.returncode == 0, done.stdout + done.stderr
    done = index.twine_upload(ANN, packages.wheel(tmp_path, "other"))
    assert "The login ann has no right to publish other." in done.stdout + done.stderr


def test_a_change_in_the_directory_takes_effect_within_the_lifetime(host: Any, index: Index, tmp_path: Path) -> None:
    member = "dn: cn={group},ou=groups,dc=example,dc=com\nchangetype: modify\n{how}: member\nmember: {who}\n"
    new = "uid=new,ou=people,dc=example,dc=com"
    assert status(index, NEW) == 200
    assert index.upload(NEW, packages.wheel(tmp_path, "acme-new")).status == 403
    modify(host, member.format(group="acme", how="add", who=new))
    time.sleep(LIFETIME + 1)
    # An answer that has expired may be given once more, while the directory is asked.
    publishes = packages.wheel(tmp_path, "acme-new")
    eventually(lambda: index.upload(NEW, publishes).status in (200, 409), "it may publish", WHILE_ASKING)
    for group in ("acme", "readers"):
        modify(host, member.format(group=group, how="delete", who=new))
    time.sleep(LIFETIME + 1)
    eventually(lambda: status(index, NEW) == 403, "it is in no group", WHILE_ASKING)
    modify(host, f"dn: {new}\nchangetype: delete\n")
    time.sleep(LIFETIME + 1)
    eventually(lambda: status(index, NEW) == 401, "it is unknown", WHILE_ASKING)
    # So that the test can be run again.
    entry = "objectClass: inetOrgPerson\nuid: new\ncn: new\nsn: new\nuserPassword: new-password\n"
    modify(host, f"dn: {new}\nchangetype: add\n{entry}")
    modify(host, member.format(group="readers", how="add", who=new))


@pytest.mark.parametrize("how", ["stopped", "hanging", "another certificate", "another password"])
def test_without_the_directory(host: Any, index: Index, how: str, tmp_path: Path) -> None:
    commands: Mapping[str, str] = {
        "stopped": "systemctl stop directory",
        "hanging": "systemctl kill --signal STOP directory",
        "another certificate": "sh /srv/directory/start.sh other",
        # Of the account that searches: everything would look like a wrong password.
        "another password": "systemctl restart directory 2>/dev/null; sh /srv/directory/start.sh; printf %s "
        "'dn: cn=pypi,ou=services,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\nuserPassword: another\n' "
        "| ldapmodify -Q -Y EXTERNAL -H ldapi:///",
    }
    time.sleep(LIFETIME + 1)
    assert status(index, ANN) == 200
    asked = time.monotonic()
    with directory(host, commands[how]):
        try:
            assert status(index, ANN) == 200, "a remembered verdict"
            for login in (BOB, EVE, Login("ann", "wrong"), Login("nobody", "whatever")):
                began = time.monotonic()
                answer = index.request("/simple/", login)
                print(login.name, answer.status, f"{time.monotonic() - began:.1f} s")
                assert answer.status == 503 and AWAY in answer.body.decode(), (login.name, answer)
            answer = index.upload(BOB, packages.wheel(tmp_path, "acme-bob"))
            assert answer.status == 503 and AWAY in answer.reason, answer
            for login, expected in ((NOBODY, 401), (PUBLISHER, 200), (TOKEN, 200), (Login("publisher", "x"), 401)):
                assert status(index, login) == expected, login.name
            if how == "stopped":
                # However busy it is, a verdict is not kept for longer than said.
                with traffic(index, ANN, "/simple/", 3) as answers:
                    time.sleep(max(0.0, asked + LIFETIME + WHILE_ASKING + 1 - time.monotonic()))
                    served = {*answers}
                    del answers[:]
                    eventually(lambda: len(answers) > 3, "some were asked", 60)
                print(served, answers[:5])
                assert served == {"200", "503"} and {*answers} == {"503"}, (served, {*answers})
        finally:
            if how == "another password":
                modify(
                    host,
                    "dn: cn=pypi,ou=services,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\n"
                    'userPassword: exec:service "password" ${PATH}\\\n',
                )
    eventually(lambda: status(index, ANN) == 200, "the directory is back", 20)


def test_nothing_shows_the_password_or_a_typed_name(host: Any, index: Index, stack: Stack) -> None:
    typed = f"typed-{uuid4().hex}"
    mark = f"/simple/?{uuid4().hex}"
    assert index.request(mark, Login(typed, "x")).status == 401
    assert stack.requests(mark)[0]["user"] == "?"
    mark = f"/simple/?{uuid4().hex}"
    assert index.request(mark, ANN).status == 200
    assert stack.requests(mark)[0]["user"] == "ann"
    secrets = ('service "password"', ANN.password, typed)
    for service in ("directory", "auth", "nginx"):
        log = "\n".join(stack.log(service))
        assert not [secret for secret in secrets if secret in log], (service, log)
    inspected = host.check_output(f"docker inspect {stack.inspect('directory')['Id']}")
    processes = host.check_output("ps -ef")
    for text in (inspected, processes):
        assert 'service "password"' not in text and 'service \\"password' not in text
    found = sorted(host.check_output("grep -rlF 'exec:service' /home/pypi /etc/wheelhouse.pypi").split(), reverse=True)
    # And in the copy that going back takes, for root alone.
    assert found == [f"/home/pypi/pypi-server/{kept}directory/password" for kept in ("", ".previous/")], found
    assert host.file("/home/pypi/pypi-server/.previous").mode == 0o700
    file = host.file(found[0])
    assert (file.user, file.group, oct(file.mode)) == ("root", "pypi", "0o640")
    mounted = {mount["Source"] for name in ("auth", "nginx", "pypi-server") for mount in stack.inspect(name)["Mounts"]}
    assert not [source for source in mounted if "directory" in source]


def test_starttls_anonymous_search_and_login_names_as_members(
    host: Any, index: Index, variables: Mapping[str, Any], tmp_path: Path
) -> None:
    given = {key: value for key, value in variables["pypi_ldap"].items() if not key.startswith("bind_")}
    given["url"] = given["url"].replace("ldaps:", "ldap:")
    given["group_attribute"] = "memberUid"
    given["groups"] = [
        {"dn": "*"},
        {"dn": "cn=unix,ou=groups,dc=example,dc=com", "publish": ["acme-*"]},
        {"dn": "cn=empty,ou=groups,dc=example,dc=com", "delete": True},
    ]
    open_search = "sed -i '/^access to [*]/s/by anonymous auth by [*] none$/by anonymous read/'"
    host.check_output(
        f"cp /srv/directory/slapd.conf /srv/directory/closed.conf && {open_search} /srv/directory/slapd.conf"
    )
    host.check_output("sh /srv/directory/start.sh")
    try:
        done = site(*SETTINGS, "--diff", pypi_ldap=given)
        assert done.proved_candidate and "exec:service" not in done.output
        assert host.run("test -s /home/pypi/pypi-server/directory/password").rc != 0
        for login, expected in ((EVE, 200), (ANN, 200), (GUS, 401), (Login("eve", "x"), 401)):
            assert status(index, login) == expected, login.name
        for login, expected in ((EVE, 200), (ANN, 403)):
            assert index.upload(login, packages.wheel(tmp_path, "acme-everyone")).status == expected, login.name
        assert change(index, EVE, "remove_pkg", name="acme-everyone", version="1.0") == 403
    finally:
        host.check_output("cp /srv/directory/closed.conf /srv/directory/slapd.conf; sh /srv/directory/start.sh")
        site(*SETTINGS)
    assert status(index, ANN) == 200


def test_an_image_that_cannot_do_it_is_refused_beside_the_old_one(
    host: Any, index: Index, stack: Stack, variables: Mapping[str, Any]
) -> None:
    given = dict(variables["pypi_ldap"])
    says(refused(*SETTINGS, pypi_ldap={**given, "image": "nginx:1.30"}), "httpd: not found")
    faulty_images.ending(host, "fault:next")
    before = [(one["Id"], one["State"]["StartedAt"]) for one in stack.inspect_all()]
    message = refused(*SETTINGS, pypi_ldap={**given, "image": "fault:next"}, pypi_start_timeout="15s")
    says(message, "wheelhouse-candidate-pypi-server-directory-1 is ", "no directory today", "goes on untouched")
    assert [(one["Id"], one["State"]["StartedAt"]) for one in stack.inspect_all()] == before
    assert (status(index, ANN), status(index, GUS)) == (200, 401)


def test_without_a_directory_its_files_go(host: Any, index: Index) -> None:
    # Last: it takes away what the other tests need.
    done = site(*SETTINGS, pypi_login_source="file", pypi_ldap={})
    assert not host.file("/home/pypi/pypi-server/directory").exists, done.output
    assert "directory" not in host.check_output("docker ps --all --format '{{.Names}}'")
    assert (status(index, ANN), status(index, PUBLISHER), status(index, TOKEN)) == (401, 200, 200)
