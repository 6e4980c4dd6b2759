"""Stops dpkg on a host at a certain point, so that a test can kill what installs packages there."""

from __future__ import annotations

import subprocess
import time
from typing import Any

_SECONDS = 180
# dpkg tells this program whatever it does. It does so before it writes a state down (dpkg 1.21, modstatdb_note), so the
# program waits until the database has the state: what is killed then is what dpkg itself would find after a crash.
# Up to that line it starts no process: one for each would leave it far behind dpkg on a busy machine.
_FREEZER = """#!/bin/sh
read -r point </root/freeze-at
while read -r line; do
    [ "$line" = "$point" ] || continue
    package=${line#status: } && state=${package#*: } && package=${package%%:*}
    for _ in $(seq 200); do
        if [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package")" = "$state" ]; then
            pkill -STOP -x dpkg && touch /run/frozen
            break
        fi
        sleep 0.01
    done
done
"""


def freeze_at(host: Any, package: str, state: str) -> None:
    """Have dpkg stop when a package is in a state, such as ``half-installed``."""
    host.check_output("echo 'status-logger=/usr/local/sbin/freezer' > /etc/dpkg/dpkg.cfg.d/freezer")
    host.check_output("printf %%s %s > /usr/local/sbin/freezer && chmod +x /usr/local/sbin/freezer", _FREEZER)
    host.check_output("echo %s > /root/freeze-at && rm -f /run/frozen", f"status: {package}: {state}")


def never_freeze(host: Any) -> None:
    """Let dpkg run to its end from now on."""
    host.check_output("rm /etc/dpkg/dpkg.cfg.d/freezer")


def frozen(host: Any) -> bool:
    """Return whether dpkg has stopped."""
    return bool(host.file("/run/frozen").exists)


def thaw(host: Any) -> None:
    """Let a stopped dpkg go on, to its end."""
    never_freeze(host)
    host.check_output("rm /run/frozen && pkill -CONT -x dpkg")


def wait_until_frozen(host: Any, run: subprocess.Popen[str]) -> None:
    """Wait until dpkg has stopped.

    Raises:
        AssertionError: with the output of the run, if it ends before, or takes too long.
    """
    deadline = time.monotonic() + _SECONDS
    while not frozen(host):
        if run.poll() is not None or time.monotonic() > deadline:
            run.kill()
            raise AssertionError(f"dpkg was not frozen: {run.communicate()[0]}")
        time.sleep(0.3)
