# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules ask of Docker, by its command line. Runs on the host: Python 3.8 and the standard library only."""

from __future__ import annotations

import os

# Variables by which the environment of a host leads Docker and Compose to another engine, project or file.
_LEADING_ELSEWHERE = ("COMPOSE_", "DOCKER_")
# The same for scripts; roles/pypi/vars/main.yml has it for those of roles.
OWN_DOCKER = (
    r"for name in $(env | sed -n 's/^\(COMPOSE_[A-Za-z0-9_]*\)=.*/\1/p; s/^\(DOCKER_[A-Za-z0-9_]*\)=.*/\1/p'); "
    'do unset "$name"; done\n'
)
# For scripts that only look: talking to the socket of a stopped engine starts it, and its containers; one that hangs must not
# hold them up. roles/stack/files/doctor.sh has it as well.
AWAKE_DOCKER = """\
asleep=
if systemctl cat docker.service >/dev/null 2>&1; then
    case $(systemctl is-active docker.service) in inactive | failed | deactivating) asleep=yes ;; esac
fi
docker() { [ -z "$asleep" ] && timeout 20 docker "$@"; }
"""


def talk_to_own_engine() -> None:
    """Drop what the host's environment says to Docker and Compose: modules talk to the host's own engine."""
    for name in [name for name in os.environ if name.startswith(_LEADING_ELSEWHERE)]:
        del os.environ[name]
