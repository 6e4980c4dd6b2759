#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_server
short_description: An ACME server answers
version_added: 0.1.0
description:
  - Asks an ACME server for its directory, from the host that will want a certificate of it, and fails where there is
    none. Nothing is ordered and no account is made.
author: The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: It only reads.
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: It changes nothing.
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
options:
  directory:
    description: Address of the server's directory.
    type: str
    required: true
  authorities:
    description: Certificate authorities to trust for it, as PEM; empty trusts those of the host.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: The company's ACME server answers
  wheelhouse.pypi.acme_server:
    directory: https://acme.example.com/directory
    authorities: "{{ lookup('ansible.builtin.file', 'authorities.pem') }}"
"""

RETURN = r""" # """

import http.client
import json
import ssl
import urllib.request

from ansible.module_utils.basic import AnsibleModule

SECONDS = 20


def problem(directory: str, authorities: str = "", seconds: float = SECONDS) -> str:
    """Say why an ACME server is none, or cannot be asked; empty where it answers as one.

    Args:
        directory: address of its directory.
        authorities: PEM of those to trust; empty trusts those of the host.
        seconds: how long it may take.
    """
    try:
        context = ssl.create_default_context(cadata=authorities or None)
        # Not open_url, which takes authorities from files alone.
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        with opener.open(directory, timeout=seconds) as answer:
            found = json.loads(answer.read(1024 * 1024))
    except ssl.SSLError as error:
        return "the authorities to trust for it cannot be read: %s" % error
    except (OSError, http.client.HTTPException) as error:
        return "it does not answer: %s" % (getattr(error, "reason", None) or error)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "newOrder" not in found:
        return "what answers there is no ACME server: its directory names no newOrder"
    return ""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"directory": {"type": "str", "required": True}, "authorities": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    found = problem(module.params["directory"], module.params["authorities"])
    if found:
        module.fail_json(
            msg="pypi_acme_directory: a certificate is needed of %s, and %s. Nothing was changed: what is in force stays "
            "so." % (module.params["directory"], found)
        )
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
