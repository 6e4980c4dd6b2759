#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: answer_info
short_description: Whether addresses answer, and how quickly
version_added: 0.2.0
description:
  - Asks each address some times, each time by a connection of its own, and says what was answered and how long that took.
  - All addresses are asked at once.
  - M(ansible.builtin.uri) measures whole seconds. No answer is a result here, and no failure.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  urls:
    description: The addresses.
    type: list
    elements: str
    required: true
  verify:
    description: Whether the certificate has to be valid for the names.
    type: bool
    default: true
  authority:
    description: A file with the certificates to trust beside the machine's. Not used where it is missing.
    type: path
  times:
    description: How often each is asked.
    type: int
    default: 5
  timeout:
    description: Seconds for each answer.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Ask the index
  wheelhouse.pypi.answer_info:
    urls: [https://pypi.example.com/]
  register: answer
"""

RETURN = r"""
answers:
  description: What was answered, in the order of O(urls).
  type: list
  elements: dict
  returned: success
  contains:
    status:
      description: Of the last answer; 0 without one.
      type: int
    milliseconds:
      description: The median of the times until an answer; 0 without one.
      type: float
    error:
      description: Why there was no answer. Empty where there was.
      type: str
"""

import http.client
import os
import ssl
import statistics
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "urls": {"type": "list", "elements": "str", "required": True},
    "verify": {"type": "bool", "default": True},
    "authority": {"type": "path"},
    "times": {"type": "int", "default": 5},
    "timeout": {"type": "int", "default": 10},
}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


def trusted(verify: bool, authority: str | None) -> ssl.SSLContext:
    """What certificates are verified with."""
    context = ssl.create_default_context()
    # Python 3.13 refuses authorities that lack extensions (VERIFY_X509_STRICT), as companies have them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if authority and os.path.exists(authority):
        context.load_verify_locations(authority)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def asked(url: str, context: ssl.SSLContext, times: int, timeout: float) -> dict[str, Any]:
    """What an address answers; see RETURN. After the first question without an answer there is no other."""
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirects()]
    opener = urllib.request.build_opener(*handlers)
    status, took = 0, []
    for _number in range(times):
        began = time.monotonic()
        try:
            with opener.open(url, timeout=timeout) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        except (OSError, http.client.HTTPException) as error:
            return {"status": 0, "milliseconds": 0.0, "error": str(getattr(error, "reason", error) or error)}
        took.append(time.monotonic() - began)
    return {"status": status, "milliseconds": round(statistics.median(took) * 1000, 1), "error": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    try:
        context = trusted(given["verify"], given["authority"])
    except (OSError, ssl.SSLError) as error:
        module.fail_json(msg="authority: %s cannot be used: %s" % (given["authority"], error))
    with ThreadPoolExecutor(max(1, len(given["urls"]))) as threads:
        answers = list(threads.map(lambda url: asked(url, context, given["times"], given["timeout"]), given["urls"]))
    module.exit_json(answers=answers)


if __name__ == "__main__":
    main()
