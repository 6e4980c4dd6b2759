"""Images that start, are healthy, and do not work: made on a host from those that do."""

from __future__ import annotations

from typing import Any

PYPISERVER = "pypiserver/pypiserver:v2.4.2"
NGINX = "nginx:1.30"
HTTPD = "httpd:2.4"
# With the seconds, and what has to be there.
_CRASHES = """
import os, threading
if os.path.exists({1!r}):
    threading.Timer({0}, lambda: (os.write(2, b'out of luck\\n'), os._exit(1))).start()
"""
_REFUSES_UPLOADS = """
from wheelhouse_index.requests import changes
changes.uploaded = lambda *_: 1 / 0
"""
# Runs a copy of the configuration in which each login is refused. `nginx -t` judges the one that it is given.
_REFUSES_LOGINS = r"""#!/bin/sh
case " $* " in *" -t "*) exec /usr/sbin/nginx.real "$@" ;; esac
rm -rf /tmp/conf && cp -r /etc/pypi-nginx /tmp/conf
find /tmp/conf -name '*.conf' -exec sed -i 's#/etc/pypi-nginx#/tmp/conf#g; s/return 204;/return 401;/' {} +
for word; do shift; set -- "$@" "$(echo "$word" | sed 's#^/etc/pypi-nginx#/tmp/conf#')"; done
exec /usr/sbin/nginx.real "$@"
"""
# Accepts files, and serves none.
_ENDS = """#!/bin/sh
case " $* " in *" -t "*) exec /usr/local/apache2/bin/httpd.real "$@" ;; esac
echo 'no directory today' >&2
exit 1
"""


def crashing(host: Any, name: str) -> None:
    """Make a pypiserver that ends after 20 s."""
    _pypiserver(host, name, _CRASHES.format(20, "/"))


def crashing_over(host: Any, name: str, file: str) -> None:
    """Make a pypiserver that ends after 8 s where a file is there: the index has it, and a candidate has not."""
    _pypiserver(host, name, _CRASHES.format(8, f"/data/packages/{file}"))


def refusing_uploads(host: Any, name: str) -> None:
    """Make a pypiserver that answers uploads with 500."""
    _pypiserver(host, name, _REFUSES_UPLOADS)


def refusing_logins(host: Any, name: str) -> None:
    """Make an NGINX that answers each login with 401."""
    _made(host, name, NGINX, "mv /usr/sbin/nginx /usr/sbin/nginx.real", {"/usr/sbin/nginx": _REFUSES_LOGINS})


def ending(host: Any, name: str) -> None:
    """Make an Apache httpd that ends when it is to serve."""
    httpd = "/usr/local/apache2/bin/httpd"
    _made(host, name, HTTPD, f"mv {httpd} {httpd}.real", {httpd: _ENDS})


def _pypiserver(host: Any, name: str, code: str) -> None:
    where = "import site; print(site.getsitepackages()[0])"
    folder = host.check_output("docker run --rm --entrypoint python3 %s -c %s", PYPISERVER, where).strip()
    # In the server's process, not in those of health checks.
    module = f"import sys\nif 'serve' in sys.orig_argv:\n    exec({code!r})\n"
    _made(host, name, PYPISERVER, "true", {f"{folder}/fault.pth": "import fault\n", f"{folder}/fault.py": module})


def _made(host: Any, name: str, base: str, command: str, files: dict[str, str]) -> None:
    """Make an image of another, in which a command of root has run, with these files; without a builder."""
    # Not by `docker cp` into the container when it has ended: on a busy host an image came out without what that had written.
    write = 'while [ $# -gt 0 ]; do printf %s "$2" >"$1" && chmod 755 "$1" || exit 1; shift 2; done'
    words = [word for file in files.items() for word in file]
    host.run("docker rm --force fault")
    host.check_output(
        f"docker run --name fault --user 0:0 --entrypoint sh %s -c %s sh {' '.join(['%s'] * len(words))}",
        base,
        f"{command} && {write}",
        *words,
    )
    # The services name what they run by themselves.
    host.check_output("docker commit --change 'ENTRYPOINT [\"/usr/bin/env\"]' fault %s && docker rm fault", name)
