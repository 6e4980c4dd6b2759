# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges, makes and installs certificates: see DOCUMENTATION in plugins/modules/certificate.py."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import known as survey
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain

CERTIFICATE, KEY, AUTHORITY = "certificate.pem", "key.pem", "authority.pem"


class ActionModule(ActionBase):
    """Action plugin of M(wheelhouse.pypi.certificate). The key of a certificate is in no result and no difference."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what ``source`` says; raise AnsibleActionFail before anything changes."""
        result = super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(
            argument_spec={
                "source": {"type": "str", "choices": ["provided", "self_signed", "acme"], "required": True},
                "state": {"type": "str", "choices": ["judged", "present"], "default": "present"},
                "path": {"type": "path", "required": True},
                "certificate": {"type": "str", "default": ""},
                "key": {"type": "str", "default": "", "no_log": False},
                "files_on": {"type": "str", "choices": ["controller", "host"], "default": "controller"},
                "server_name": {"type": "str", "default": "_"},
                "external_url": {"type": "str", "default": ""},
                "address": {"type": "str", "default": ""},
                "authority_file": {"type": "path", "default": ""},
                "owner": {"type": "str", "required": True},
                "group": {"type": "str"},
                "validate": {"type": "list", "elements": "str", "default": []},
                "known": {"type": "dict", "required": True},
            }
        )
        arguments = plain(dict(arguments))
        known = arguments["known"]
        name = certificates.name_of(arguments["server_name"], arguments["external_url"], arguments["address"])
        result.update(changed=False, needed=not _is_good(known, name, arguments["source"]))
        if arguments["source"] == "provided":
            files = self._provided(arguments, name, result, task_vars or {})
        elif arguments["source"] == "self_signed" and result["needed"]:
            made = certificates.self_signed(name, certificates.now())
            files = {CERTIFICATE: made.certificate, KEY: made.key, AUTHORITY: made.authority}
        else:
            files = {}
        if arguments["state"] == "judged":
            return result
        if files:
            self._install(arguments, files, result, task_vars or {})
        if arguments["source"] == "self_signed" and not result.get("failed"):
            authority = files.get(AUTHORITY) or (known.get("authority", "") + "\n").encode()
            self._hand_out(arguments["authority_file"], authority, result)
        return result

    def _provided(
        self, arguments: Mapping[str, Any], name: str, result: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, bytes]:
        """Return the files as they are to be, judged."""
        read = self._from_host if arguments["files_on"] == "host" else self._from_controller
        certificate = read("pypi_tls_certificate", arguments["certificate"], task_vars)
        key = read("pypi_tls_key", arguments["key"], task_vars)
        problems = certificates.judge(certificate, key, name, certificates.now())
        if problems:
            raise AnsibleActionFail(
                f"pypi_tls_certificate: {arguments['certificate']} and {arguments['key']} cannot go live: "
                + "; ".join(problems)
                + ". Nothing was changed: what is in force stays so."
            )
        about = certificates.about(certificate.decode("ascii", "replace"), certificates.now())
        if about and about.due:
            result["warnings"] = [
                f"pypi_tls_certificate: {arguments['certificate']} ends in {about.days} days ({about.until:%Y-%m-%d})"
            ]
        return {CERTIFICATE: certificate, KEY: key}

    def _from_controller(self, variable: str, path: str, _task_vars: dict[str, Any]) -> bytes:
        """Return a file's content; a vault is opened."""
        try:
            real = self._loader.get_real_file(path, decrypt=True)
        except AnsibleError as error:
            raise AnsibleActionFail(
                f"{variable}: {path} cannot be read where Ansible runs: {error}. Nothing was changed."
            ) from error
        try:
            return Path(real).read_bytes()
        except OSError as error:
            raise AnsibleActionFail(
                f"{variable}: {path} cannot be read where Ansible runs: {error.strerror}. Nothing was changed."
            ) from error
        finally:
            self._loader.cleanup_tmp_file(real)

    def _from_host(self, variable: str, path: str, task_vars: dict[str, Any]) -> bytes:
        found = self._execute_module(
            module_name="ansible.builtin.slurp", module_args={"src": path}, task_vars=task_vars
        )
        if found.get("failed"):
            raise AnsibleActionFail(f"{variable}: {found.get('msg', path)} (on the host). Nothing was changed.")
        return base64.b64decode(found["content"])

    def _install(
        self, arguments: Mapping[str, Any], files: dict[str, bytes], result: dict[str, Any], task_vars: dict[str, Any]
    ) -> None:
        """Have the files on the host, together, once NGINX has taken them."""
        known, mode = arguments["known"], "0640"
        if survey.files_are(known, arguments["path"], files, arguments["owner"], mode, arguments["group"]):
            return
        done = self._execute_module(
            module_name="wheelhouse.pypi.config_files",
            module_args={
                "path": arguments["path"],
                "files": {name: content.decode("ascii", "replace") for name, content in files.items()},
                "owner": arguments["owner"],
                "group": arguments["group"],
                "mode": mode,
                "directory_mode": "0750",
                "validate": arguments["validate"],
            },
            task_vars=task_vars,
        )
        after = files[CERTIFICATE].decode("ascii", "replace")
        # Its own difference has the key in it, and so has what it was called with.
        result.update({name: value for name, value in done.items() if name not in ("diff", "invocation")})
        if done.get("changed"):
            result["diff"] = {"before": _told(known.get("certificate", "")), "after": _told(after)}
        survey.changed(known, result)

    def _hand_out(self, path: str, authority: bytes, result: dict[str, Any]) -> None:
        """Have the authority in a file on the controller, for clients to trust."""
        if not path or not authority.strip():
            return
        file = Path(os.path.expanduser(path))
        if file.is_file() and file.read_bytes() == authority:
            return
        result["changed"] = True
        if not self._task.check_mode:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(authority)


def _is_good(known: Mapping[str, Any], name: str, source: str) -> bool:
    """Whether the certificate that the host has will do for a while."""
    there = known.get("certificate", "")
    if not certificates.lasts(there, name, certificates.now()):
        return False
    if any(f"nginx/tls/{file}" not in known.get("files", {}) for file in (CERTIFICATE, KEY)):
        return False
    # One from an authority of ours is not what an ACME server is asked for, and the other way round.
    ours = certificates.signed_by(there, known.get("authority", ""))
    return ours == (source == "self_signed")


def _told(pem: str) -> str:
    about = certificates.about(pem, certificates.now())
    return f"{', '.join(about.names)}, by {about.issuer}, until {about.until:%Y-%m-%d}\n" if about else ""
