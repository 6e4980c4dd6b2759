# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules ask of Docker, by its command line. Runs on the host: Python 3.8 and the standard library only."""

from __future__ import annotations

import json
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def inspect_all(module: AnsibleModule) -> list[dict[str, Any]]:
    """What ``docker inspect`` says of every container, running or not; nothing where no engine answers."""
    if shutil.which("docker") is None:
        return []
    status, names, _stderr = module.run_command(["docker", "ps", "--all", "--quiet", "--no-trunc"])
    if status != 0 or not names.strip():
        return []
    # One that goes meanwhile makes an error, and the others are told all the same.
    _status, text, _stderr = module.run_command(["docker", "inspect", "--type", "container", *names.split()])
    return json.loads(text or "[]")
