"""Its host names, the login of one of them, and the port of its switches."""

from __future__ import annotations

PAGES, FILES = "public.example.org", "files.example.org"
WHEELS, ELSEWHERE = "wheels.example.net", "elsewhere.example.net"
HOSTS = (PAGES, FILES, WHEELS, ELSEWHERE)
# Another index on the same host: its name is known here, and all else is its own.
NEIGHBOUR = "staging.example.net"
LOGIN = ("wheels", "wheels-password")
CONTROL_PORT = 8099
