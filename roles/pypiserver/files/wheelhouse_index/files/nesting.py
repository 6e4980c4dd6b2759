"""How deep JSON of publishers is nested. It is looked at before it is parsed: the parser's own limit depends on the stack."""

from __future__ import annotations

import re

# Attestations have about ten.
MOST_LEVELS = 50
# What follows a backslash ends no string. Outside strings there are none, or it is not JSON.
_TOKEN = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


def is_deep(content: bytes) -> bool:
    """Tell whether bytes, if they are JSON in UTF-8, have arrays and objects within each other beyond the limit."""
    level, within_string = 0, False
    for match in _TOKEN.finditer(content):
        token = match[0]
        if token == b'"':
            within_string = not within_string
        elif not within_string:
            level += (token in b"[{") - (token in b"]}")
            if level > MOST_LEVELS:
                return True
    return False
