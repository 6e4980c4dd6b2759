"""The form of a token: inventory, playbook and NGINX agree on it, and NGINX finds one in what clients send."""

from __future__ import annotations

import base64
import random
import re
import sys
from pathlib import Path

import jinja2
import yaml

from tests.collection import develop

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(develop()))

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd, tokens  # noqa: E402
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import passwords  # noqa: E402
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import tokens as rules  # noqa: E402

NGINX = yaml.safe_load((ROOT / "roles/nginx/vars/main.yml").read_text(encoding="utf-8"))
SCRIPT = (ROOT / "roles/nginx/templates/tokens.js.j2").read_text(encoding="utf-8")
TOKEN = rules.PREFIX + "0" * 64 + rules.checksum(rules.PREFIX + "0" * 64)


def marks() -> re.Pattern[str]:
    """What NGINX looks for in a header, as its template has it."""
    environment = jinja2.Environment(autoescape=False)
    environment.filters["b64encode"] = lambda text: base64.b64encode(text.encode()).decode()
    environment.filters["regex_replace"] = lambda text, pattern, new: re.sub(pattern, new, text)
    environment.filters["zip"] = zip
    mark = environment.from_string(NGINX["__nginx_token_marks"])
    return re.compile(mark.render(__nginx_token_prefix=NGINX["__nginx_token_prefix"]))


def header(login: str) -> str:
    """What a client sends for a login."""
    return "Basic " + base64.b64encode(login.encode()).decode()


def test_inventory_playbook_and_nginx_agree_on_the_form() -> None:
    (form,) = re.findall(r"FORM = /(.*)/;", SCRIPT)
    assert rules.SECRET.match(TOKEN)
    assert re.fullmatch(form, TOKEN)
    assert NGINX["__nginx_token_prefix"] == rules.PREFIX
    play = (ROOT / "playbooks/vars/token.yml").read_text(encoding="utf-8")
    assert f"'{rules.PREFIX}' ~ lookup" in play
    assert "chars=['0123456789abcdef'], length=64)" in play


def test_what_nginx_takes_for_a_token_is_no_password_of_a_login() -> None:
    (like,), (form,) = re.findall(r"LIKE = /(.*)/;", SCRIPT), re.findall(r"FORM = /(.*)/;", SCRIPT)
    assert "if (!LIKE.test(password) && !FORM.test(password.toLowerCase())) {" in SCRIPT

    def is_taken(password: str) -> bool:
        """Tell what NGINX does."""
        return bool(re.match(like, password) or re.fullmatch(form, password.lower()))

    odd = TOKEN.capitalize()
    for password in (TOKEN, TOKEN[:-1], TOKEN[:43], TOKEN + "x", TOKEN + " ", TOKEN + "\r", TOKEN.upper(), odd):
        assert is_taken(password) and passwords.LIKE_TOKEN.match(password), password
    for password in (
        TOKEN[:42],
        "x" + TOKEN,
        "wheelhouse",
        "",
        odd[:-1],
        odd + "0",
        odd + "\n",
        "Wheelhouse_" + "g" * 72,
    ):
        assert not is_taken(password) and not passwords.LIKE_TOKEN.match(password), password


def test_nginx_finds_a_token_behind_any_user_name() -> None:
    letter = "(?:[A-Za-z0-9]|\\[[A-Za-z0-9]{2}\\])"
    assert re.fullmatch(rf"{letter}{{14,16}}(?:\|{letter}{{14,16}}){{2}}", marks().pattern), marks().pattern
    chosen = random.Random(1)
    for length in range(60):
        # In any case.
        typed = "".join(chosen.choice((letter, letter.upper())) for letter in TOKEN)
        for token in (TOKEN, TOKEN.upper(), typed):
            assert marks().search(header(f"{'n' * length}:{token}")), (length, token)
    assert marks().search(header(f"__token__:{TOKEN}"))
    for password in (
        "secret",
        TOKEN[1:],
        "x" + TOKEN,
        "wheelhouse",
        "wheelhouse-" + "0" * 72,
        "wheelhouse\x7f" + "0" * 72,
    ):
        assert not marks().search(header(f"__token__:{password}")), password


def test_a_line_of_the_file_is_what_the_script_takes_apart() -> None:
    one = tokens.Token("ci", "0" * 64, ("publish:acme-*", "yank"), True, 4078684800)
    (line,) = tokens.as_bytes([one]).decode().splitlines()[1:]
    value = line.split('" "')[1].rstrip('";')
    end, name, reads, *rights = value.split(" ")
    assert (int(end), name, reads, rights) == (4078684800, "ci", "read", ["publish:acme-*", "yank"])
    # NGINX's expressions for id, rights and end, in conf.d/maps.conf.
    maps = (ROOT / "roles/nginx/templates/conf.d/maps.conf.j2").read_text(encoding="utf-8")
    patterns = re.findall(r'map \$pypi_token \$pypi_token_\w+ {\n +default "";\n +"~(.*?)" ', maps)
    found = [re.match(pattern.replace("(?<", "(?P<"), value) for pattern in patterns]
    assert [match and match[1] for match in found] == ["ci", "publish:acme-* yank", "4078684800"]
    # One that only reads, or does not expire, has no right that these could mistake.
    value = tokens.as_bytes([tokens.Token("ci", "0" * 64)]).decode().splitlines()[1].split('" "')[1].rstrip('";')
    assert value == "never ci read"
    assert not any(re.match(pattern.replace("(?<", "(?P<"), value) for pattern in patterns[1:])


def test_the_longest_entry_fits_into_a_line_of_nginx() -> None:
    # NGINX takes up to 4,095 bytes for a parameter.
    assert htpasswd.RIGHTS_BYTES + len("253402300800 ") + 100 + len(" read ") < 4095
