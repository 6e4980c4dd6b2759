"""A stand-in for public package indexes: real and made-up projects over HTTPS, with a switch for every fault.

    python3 -m public_index serve FOLDER [--projects DIR]    serves; FOLDER keeps its certificates and the large file
    python3 -m public_index names FOLDER                     answers for its host names on port 53, and passes on the rest
    python3 -m public_index install FOLDER [--projects DIR]  both as systemd's units on this host, which then resolves names by it

It is one program of the standard library, because it runs where nothing else is: on hosts of Molecule, of the demo and
of the benchmark. One HTTPS port has all host names:

| host | serves |
|---|---|
| `public.example.org` | `/simple/`, `/simple/<project>/`, JSON 1.4 and HTML, and `/integrity/…/provenance` |
| `files.example.org` | the files of its pages, and their metadata |
| `wheels.example.net` | `/whl/<project>/`, HTML alone, without upload times, only with a login; its own files |
| `elsewhere.example.net` | all the same: where a redirect or a page may lure to. No index may ask it |

The control port speaks plain HTTP:

    GET  /log[?since=N]     all requests so far: time, host, method, path, headers, status and bytes of the answer
    GET  /page?name=NAME     a project's page as JSON, without a fault or an entry in the log
    GET  /file?name=FILE     a file that is not large, likewise
    POST /reset             no faults, no latency, nothing made up since the start; the log is emptied
    POST /heal                no faults, no latency
    POST /fault?scope=pages|files&mode=MODE[&project=NAME][&seconds=S]    MODE ok ends it; see MODES
    POST /latency?seconds=S                                               before each answer
    POST /publish?name=NAME&version=V[&days=AGE][&requires=NAME…][&yanked=REASON][&time=none]
    POST /withdraw?name=NAME[&version=V]
    POST /status?name=NAME&status=active|archived|quarantined|deprecated
"""

from __future__ import annotations

from .certificates import make_certificates
from .faults import MODES, OWN_MATTERS
from .files import project_of
from .hosts import CONTROL_PORT, ELSEWHERE, FILES, HOSTS, LOGIN, NEIGHBOUR, PAGES, WHEELS
from .pages import HTML, JSON
from .serving import servers

__all__ = [
    "CONTROL_PORT",
    "ELSEWHERE",
    "FILES",
    "HOSTS",
    "HTML",
    "JSON",
    "LOGIN",
    "MODES",
    "NEIGHBOUR",
    "OWN_MATTERS",
    "PAGES",
    "WHEELS",
    "make_certificates",
    "project_of",
    "servers",
]
