"""The hashes that are accepted, held against crypt() of the system's C library, by which NGINX verifies them."""

from __future__ import annotations

import ctypes
import re

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import hash_schemes
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from passlib.hash import apr_md5_crypt

LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_crypt = ctypes.CDLL("libcrypt.so.1").crypt
_crypt.restype = ctypes.c_char_p

bcrypt_salts = st.text(LETTERS, min_size=22, max_size=22)
salts = st.text(LETTERS, max_size=16)
passwords = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=72)


def crypt(password: str, setting: str) -> str:
    """What the C library makes of a password and a setting, or a whole hash; begins with * where it takes neither."""
    return str((_crypt(password.encode(), setting.encode()) or b"*").decode())


def verifies(password: str, password_hash: str) -> bool:
    """As NGINX compares."""
    return crypt(password, password_hash) == password_hash


def before_digest(password_hash: str) -> str:
    return password_hash[:29] if password_hash.startswith("$2") else password_hash.rpartition("$")[0]


@settings(max_examples=60, deadline=None)
@given(passwords, bcrypt_salts, st.sampled_from(["2a", "2b", "2y"]))
def test_bcrypt_is_accepted_as_far_as_it_verifies(password: str, salt: str, kind: str) -> None:
    setting = f"${kind}$04${salt}"
    right = crypt(password, setting)
    assert hash_schemes.scheme_of(right) == "bcrypt"
    assert verifies(password, right)
    as_given = setting + right[29:]
    assert (hash_schemes.scheme_of(as_given) is not None) == verifies(password, as_given)


@settings(max_examples=100, deadline=None)
@given(
    passwords,
    salts,
    st.sampled_from(["5", "6"]),
    st.one_of(st.none(), st.integers(0, 3000).map(str), st.from_regex(r"0{0,2}[0-9]{1,4}", fullmatch=True)),
)
def test_sha_crypt_is_accepted_as_far_as_it_verifies(password: str, salt: str, kind: str, rounds: str | None) -> None:
    beginning = f"${kind}$" + (f"rounds={rounds}$" if rounds is not None else "") + salt
    digest = crypt(password, f"${kind}$" + (f"rounds={max(int(rounds), 1000)}$" if rounds is not None else "") + salt)
    password_hash = f"{beginning}${digest.rpartition('$')[2]}"
    assert (hash_schemes.scheme_of(password_hash) is not None) == verifies(password, password_hash)


@settings(max_examples=60, deadline=None)
@given(passwords, st.text(LETTERS, min_size=1, max_size=8))
def test_apr1_is_accepted(password: str, salt: str) -> None:
    assert hash_schemes.scheme_of(apr_md5_crypt.using(salt=salt).hash(password)) == "apr1"


@settings(max_examples=150, deadline=None)
@given(passwords, salts, st.data())
def test_one_letter_more_less_or_other_is_accepted_only_where_it_can_verify(
    password: str, salt: str, data: st.DataObject
) -> None:
    """A digest of another password looks as good as any; all that stands before it has to come back as it is."""
    setting = data.draw(
        st.sampled_from([f"$2y$04${(salt * 22 + '.' * 22)[:22]}", f"$5$rounds=1000${salt}", f"$6${salt}"])
    )
    right = crypt(password, setting)
    place = data.draw(st.integers(0, len(right) - 1))
    changed = right[:place] + data.draw(st.text(LETTERS + "$=", max_size=2)) + right[place + 1 :]
    assume(not re.match(r"\$2.\$(1|2|3|0[89])|.*rounds=\d{5}", changed))  # which would take a while
    if hash_schemes.scheme_of(changed):
        assert before_digest(crypt(password, changed)) == before_digest(changed)


@pytest.mark.parametrize("setting", ["$2y$04$" + "." * 22, "$5$rounds=1000$salt", "$6$rounds=1000$salt"])
def test_last_letters_of_digests_are_those_that_crypt_makes(setting: str) -> None:
    made = {crypt(f"password {number}", setting)[-1] for number in range(400)}
    one = crypt("password", setting)
    assert {letter for letter in LETTERS if hash_schemes.scheme_of(one[:-1] + letter)} == made


@pytest.mark.parametrize(
    ("password_hash", "words"),
    [
        ("$2y$05$" + "a" * 53, "the last letter of its salt has bits that do not belong to it"),
        ("$2y$05$" + "." * 52 + "/", "the last letter of its digest has bits"),
        ("$2y$03$" + "." * 53, "its cost is not 04 to 31"),
        ("$6$rounds=999$salt$" + "." * 86, "rounds= is to be 1000 to 999999999, without zeros in front"),
        ("$5$rounds=05000$salt$" + "." * 43, "without zeros in front"),
        ("$5$rounds=1000000000$salt$" + "." * 43, "1000 to 999999999"),
        ("$6$sa lt$" + "." * 86, "letters, or others than ./A-Za-z0-9"),
        ("$6$salt;$" + "." * 86, "or others than ./A-Za-z0-9"),
        ("$6$salt$" + "." * 85 + "x", "the last letter of its digest has bits"),
        ("$apr1$longerthan8$" + "." * 22, "more than 8 letters"),
        ("$6$salt$" + "." * 85, "too short, too long"),
        ("$2y$10$S3cret", "too short, too long"),
    ],
)
def test_what_is_wrong_with_a_hash_is_said_without_showing_it(password_hash: str, words: str) -> None:
    assert hash_schemes.scheme_of(password_hash) is None
    text = hash_schemes.describe(password_hash)
    assert words in text
    assert "not well-formed: " in text
    assert "S3cret" not in text


@pytest.mark.parametrize(
    ("password_hash", "words"),
    [
        ("$2y$17$" + "." * 53, ""),
        ("$2y$18$" + "." * 53, "bcrypt of cost 18"),
        ("$2b$31$" + "." * 53, "bcrypt of cost 31"),
        ("$6$rounds=5000000$salt$" + "." * 86, ""),
        ("$6$rounds=5000001$salt$" + "." * 86, "5000001 rounds"),
        ("$5$salt$" + "." * 43, ""),
    ],
)
def test_hashes_that_take_too_long(password_hash: str, words: str) -> None:
    assert hash_schemes.scheme_of(password_hash)
    assert hash_schemes.slowness(password_hash) == words
