"""The text of the password file; what NGINX makes of it is a test of the scenario stack."""

from __future__ import annotations

import re

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import hash_schemes, htpasswd
from ansible_collections.wheelhouse.pypi.plugins.module_utils.htpasswd import Rights, User
from hypothesis import given
from hypothesis import strategies as st
from passlib.apache import HtpasswdFile

BCRYPT = "$2y$10$" + "e" * 53
PUBLISHER: Rights = ("publish",)
APR1 = "$apr1$JI4wh3am$AmhephVqLTUyAVpFQeHZC0"

names = st.from_regex(htpasswd.NAME, fullmatch=True)
users = st.lists(
    st.builds(User, names, st.sampled_from([BCRYPT, BCRYPT.replace("e", "u"), APR1]), st.just(()), st.booleans()),
    unique_by=lambda user: user.name,
    max_size=8,
)


def after(there: bytes, wanted: list[User], purge: bool) -> bytes:
    """The file after a run."""
    return htpasswd.as_bytes(htpasswd.merge(htpasswd.parse(there), wanted, purge))


@pytest.mark.parametrize(
    ("password_hash", "scheme"),
    [
        (BCRYPT, "bcrypt"),
        ("$2a$04$" + "." * 53, "bcrypt"),
        ("$2b$31$" + "u" * 53, "bcrypt"),
        ("$5$salt$" + "." * 43, "sha256-crypt"),
        ("$6$rounds=5000$salt$" + "." * 86, "sha512-crypt"),
        (APR1, "apr1"),
        ("$2x$10$" + "e" * 53, None),
        ("$2y$03$" + "e" * 53, None),
        ("$2y$32$" + "e" * 53, None),
        ("$2y$10$" + "e" * 52, None),
        (BCRYPT + "\n", None),
        (BCRYPT + ":x", None),
        ("{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", None),
        ("$y$j9T$abc$def", None),
        ("plain", None),
        ("", None),
    ],
)
def test_schemes(password_hash: str, scheme: str | None) -> None:
    assert hash_schemes.scheme_of(password_hash) == scheme


@pytest.mark.parametrize(
    ("password_hash", "words"),
    [
        ("{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "{SHA}"),
        ("$y$j9T$abc$def", "$y$"),
        ("$argon2id$v=19$m=1", "$argon2id$"),
        ("$1$abc$def", "$1$"),
        ("$2y$10$short", "$2y$, but not well-formed: it is too short, too long, or has letters other than ./A-Za-z0-9"),
        ("correct horse", "plain text or an unknown scheme"),
        ("{correct}horse", "plain text or an unknown scheme"),
        ("$correct$horse", "plain text or an unknown scheme"),
        ("", "empty"),
    ],
)
def test_a_hash_is_described_without_being_shown(password_hash: str, words: str) -> None:
    assert hash_schemes.describe(password_hash) == words


@pytest.mark.parametrize(
    ("content", "found", "problems"),
    [
        (None, {}, []),
        (b"", {}, []),
        (b"\n", {}, []),
        (b"alice:x\nbob:y", {"alice": "x", "bob": "y"}, []),
        (b"alice:x\r\nbob:y\r\n", {"alice": "x", "bob": "y"}, []),
        (b"# team\n\nalice:x:a remark\n", {"alice": "x"}, []),
        (b"alice:x\nalice:y\n", {"alice": "x"}, ["f line 2 names a login a second time, which NGINX ignores"]),
        (b"alice\n:x\nbob:\n", {}, ["f line 1 has no colon", "f line 2 has no name", "f line 3 has no hash"]),
        (b"\xff\xfe:x\n", {"\udcff\udcfe": "x"}, []),
        (b"a\x00b:x\n", {}, ["f line 1 has a control character"]),
        (b"a\x0bb:x\n", {}, ["f line 1 has a control character"]),
        ("a\u2028b:x\n".encode(), {"a\u2028b": "x"}, []),
    ],
)
def test_parsing_takes_anything(content: bytes | None, found: dict[str, str], problems: list[str]) -> None:
    lines = htpasswd.parse(content)
    assert htpasswd.hashes(lines) == found
    assert htpasswd.problems("f", lines) == problems


def test_order_is_kept_and_new_users_come_last() -> None:
    wanted = [User("new", "3"), User("bob", "2"), User("alice", "1")]
    assert after(b"alice:1\nbob:old\n", wanted, True) == b"alice:1\nbob:2\nnew:3\n"


def test_without_purge_nothing_is_lost() -> None:
    there = b"# by hand\nzoe:z:remark\nnonsense\nalice:old\nzoe:again\n"
    wanted = [User("alice", "1"), User("gone", present=False)]
    assert after(there, wanted, False) == b"# by hand\nzoe:z:remark\nnonsense\nalice:1\nzoe:again\n"


def test_with_purge_only_the_list_is_left() -> None:
    assert after(b"# by hand\nzoe:z\nnonsense\nalice:1\n", [User("alice", "1")], True) == b"alice:1\n"


def test_absent_removes_every_line_of_a_login() -> None:
    assert after(b"alice:1\nbob:2\nalice:3\n", [User("alice", present=False)], False) == b"bob:2\n"


@given(users, users, st.booleans())
def test_what_is_written_is_what_was_wanted(first: list[User], second: list[User], purge: bool) -> None:
    """Any list over any other: the file says what the list says, others are kept or removed, and a second run is quiet."""
    before = after(b"", first, True)
    content = after(before, second, purge)
    assert after(content, second, purge) == content
    there = htpasswd.hashes(htpasswd.parse(content))
    named = {user.name: user for user in second}
    for user in second:
        assert there.get(user.name) == (user.hash if user.present else None)
    others = {user.name: user.hash for user in first if user.present and user.name not in named}
    assert {name: value for name, value in there.items() if name not in named} == ({} if purge else others)


@given(st.binary())
def test_a_file_of_unknown_content_survives_as_it_is(content: bytes) -> None:
    lines = htpasswd.parse(content)
    merged = htpasswd.as_bytes(htpasswd.merge(lines, [], purge=False))
    assert htpasswd.parse(merged) == lines
    if b"\r" not in content and (not content or content.endswith(b"\n")):
        assert merged == content


@given(users)
def test_passlib_reads_what_was_written(wanted: list[User]) -> None:
    read = HtpasswdFile.from_string(after(b"", wanted, True))
    assert set(read.users()) == {user.name for user in wanted if user.present}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((BCRYPT, ()), (BCRYPT.replace("e", "u"), ()), "password changed"),
        (
            (BCRYPT, ()),
            (BCRYPT.replace("$10$", "$12$"), ()),
            "hash changed from bcrypt of cost 10 to bcrypt of cost 12",
        ),
        ((APR1, ()), (BCRYPT, PUBLISHER), "hash changed from apr1 to bcrypt of cost 10, may publish now"),
        ((BCRYPT, PUBLISHER), (BCRYPT, ()), "may not publish any more"),
        ((BCRYPT, PUBLISHER), (BCRYPT, ("publish", "delete")), "may delete now"),
        ((BCRYPT, ("delete",)), (BCRYPT, PUBLISHER), "may publish now, may not delete any more"),
        (
            (BCRYPT, ()),
            (BCRYPT, ("publish:a-*", "publish:b", "yank:a-*")),
            "may publish a-* and b now, may yank a-* now",
        ),
        ((BCRYPT, PUBLISHER), (BCRYPT, ("publish:a-*",)), "may publish a-* now, was all projects"),
        ((BCRYPT, ("publish:a-*",)), (BCRYPT, ("publish:a-*", "publish:b")), "may publish a-* and b now, was a-*"),
        ((BCRYPT, ("publish:a-*",)), (BCRYPT, PUBLISHER), "may publish all projects now, was a-*"),
        ((BCRYPT, ("yank:a",)), (BCRYPT, PUBLISHER), "may publish now, may not yank any more"),
        (("plain", PUBLISHER), (BCRYPT, PUBLISHER), "hash changed from another scheme to bcrypt of cost 10"),
        ((BCRYPT, ()), (BCRYPT, ("any", "word")), "may any now, may word now"),
    ],
)
def test_what_changed_is_told_in_words(before: tuple[str, Rights], after: tuple[str, Rights], words: str) -> None:
    changes = htpasswd.what_changes({"a": before, "gone": before}, {"a": after, "new": after})
    assert changes == (["new"], {"a": words}, ["gone"])


# -- NGINX -------------------------------------------------------------------------------------------------------------


def test_a_credential_changes_with_the_hash_only() -> None:
    def of(alice: str, rights: Rights = ()) -> list[str]:
        content = htpasswd.credentials({"alice": alice, "bob": "b"}, {"alice": rights}).decode()
        return content.partition("# What a login may change.")[0].splitlines()

    assert of("1") == of("1")
    assert of("1") == of("1", PUBLISHER)
    different = [line for line, other in zip(of("1"), of("2"), strict=True) if line != other]
    assert [line.rpartition(" ")[0] for line in different] == ['    "\\\\alice"']


def test_rights_are_in_a_map_and_are_read_from_it_again() -> None:
    rights: dict[str, Rights] = {
        "ann": PUBLISHER,
        "Ben": ("publish", "delete"),
        "eve": ("delete",),
        "zed": ("publish:acme-*", "publish:widgets", "yank:*"),
        'x"\\$y': PUBLISHER,
    }
    content = htpasswd.credentials(dict.fromkeys([*rights, "ben", "bob"], "h"), {**rights, "bob": ()})
    assert content.decode().splitlines()[-8:] == [
        "map $remote_user $pypi_login_rights {",
        '    default "";',
        '    "~^Ben$" "publish delete";',
        '    "~^ann$" "publish";',
        '    "~^eve$" "delete";',
        r'    "~^x\\\"\\\\\\$y$" "publish";',
        '    "~^zed$" "publish:acme-* publish:widgets yank:*";',
        "}",
    ]
    assert htpasswd.rights_before(content, [*rights, "ben", "bob", "zoe"]) == rights


@pytest.mark.parametrize(
    "content",
    [None, b"", b'map $remote_user $pypi_login_rights {\n    "~^ann$" "publish";\n', b'    "~^ann$" "publish";\n}\n'],
)
def test_what_is_missing_grants_nothing(content: bytes | None) -> None:
    assert htpasswd.rights_before(content, ["ann"]) == {}


@pytest.mark.parametrize("words", ["publish:", "publish:-a", "publish:a--b", "publish:a:b", ":a", "*", "-"])
def test_a_word_that_cannot_be_read_grants_nothing_and_its_neighbours_count(words: str) -> None:
    content = htpasswd.credentials({"ann": "h", "bob": "h"}, {"ann": (words,), "bob": (words, "delete")})
    assert htpasswd.rights_before(content, ["ann", "bob"]) == {"bob": ("delete",)}


@pytest.mark.parametrize(
    ("rights", "called"),
    [
        ((), "reader"),
        (("publish", "yank"), "publisher who may yank"),
        (("publish:a-*", "publish:b", "delete:b", "yank"), "publisher of a-* and b who may delete b and yank"),
        (("yank:a-*",), "reader who may yank a-*"),
    ],
)
def test_a_login_is_called_by_its_rights(rights: Rights, called: str) -> None:
    assert htpasswd.called(rights) == called


def test_credentials_hold_no_hash() -> None:
    text = htpasswd.credentials({"alice": BCRYPT, "bob": APR1}, {"alice": PUBLISHER}).decode()
    assert "$2y$" not in text
    assert "$apr1$" not in text
    assert text.count("\n") == 12


@given(st.lists(names, unique=True))
def test_keys_are_closed_strings(logins: list[str]) -> None:
    """NGINX's own reading of a quoted string: a backslash takes the next letter along, a quote ends it."""
    text = htpasswd.credentials(dict.fromkeys(logins, "h"), dict.fromkeys(logins, PUBLISHER)).decode()
    for line in (line for line in text.splitlines() if line.startswith('    "')):
        rest = line.strip()[1:]
        while not rest.startswith('"'):
            assert rest, line
            rest = rest[2:] if rest.startswith("\\") else rest[1:]
        assert re.fullmatch(r'" "([0-9a-f]{32}|publish)";', rest)


@given(st.lists(names, unique=True))
def test_rights_are_of_exactly_the_login(logins: list[str]) -> None:
    """As NGINX reads the map: unquoted, then a regex that is searched, minding case."""
    text = htpasswd.credentials(dict.fromkeys(logins, "h"), dict.fromkeys(logins, PUBLISHER)).decode()
    keys = [line.strip()[1:].rpartition('" "')[0] for line in text.splitlines() if line.endswith('"publish";')]
    for name, key in zip(sorted(logins), keys, strict=True):
        pattern = re.sub(r"\\(.)", r"\1", key)
        assert pattern.startswith("~^")
        found = [other for other in {*logins, name.swapcase(), name + "x", "x" + name} if re.search(pattern[1:], other)]
        assert found == [name]
        assert htpasswd.rights_before(text.encode(), [name]) == {name: PUBLISHER}
