# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders a set of templates on the controller and hands all of them to the module in one call."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.template import generate_ansible_template_vars

# What ansible.builtin.template has for defaults.
OVERRIDES = {"trim_blocks": True, "lstrip_blocks": False}

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.18, which trusts every text that is not marked unsafe
    from ansible.template import AnsibleEnvironment

    def _rendered(loader: Any, templar: Any, path: str, search: list[str], variables: Any) -> Any:
        """Render the file; AnsibleEnvironment returns text whatever jinja2_native says."""
        text = to_text(loader._get_file_contents(path)[0], errors="surrogate_or_strict")
        templar = templar.copy_with_new_env(
            environment_class=AnsibleEnvironment, searchpath=search, available_variables=variables
        )
        return templar.do_template(text, preserve_trailing_newlines=True, escape_backslashes=False, overrides=OVERRIDES)

else:

    def _rendered(loader: Any, templar: Any, path: str, search: list[str], variables: Any) -> Any:
        """Render the file, which is trusted as the play is."""
        text = trust_as_template(loader.get_text_file_contents(path))
        templar = templar.copy_with_new_env(searchpath=search, available_variables=variables)
        return templar.template(text, escape_backslashes=False, overrides=OVERRIDES)


class ActionModule(ActionBase):
    """Action plugin of M(wheelhouse.pypi.config_files)."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, call the module, return its result."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        templates = arguments.pop("templates", None) or {}
        files = arguments.pop("files", None) or {}
        for name, value in (("templates", templates), ("files", files)):
            if not isinstance(value, dict):
                raise AnsibleActionFail("%s must be a mapping of file names, not %r" % (name, value))
        twice = sorted(templates.keys() & files.keys())
        if twice:
            raise AnsibleActionFail("both in templates and in files: %s" % ", ".join(twice))
        rendered = {
            name: self._render(source, os.path.join(str(arguments.get("path")), name), task_vars or {})
            for name, source in templates.items()
        }
        result.update(
            self._execute_module(
                module_name="wheelhouse.pypi.config_files",
                module_args=dict(arguments, files={**files, **rendered}),
                task_vars=task_vars,
            )
        )
        # What was asked for, rather than pages of rendered text under -vvv.
        result["invocation"] = {"module_args": dict(self._task.args)}
        return result

    def _render(self, source: str, destination: str, task_vars: dict[str, Any]) -> str:
        """Text of a template, found and rendered just as ansible.builtin.template does."""
        try:
            path = self._find_needle("templates", source)
            search = [*task_vars.get("ansible_search_path", []), self._loader.get_basedir(), os.path.dirname(path)]
            search = [folder for base in search for folder in (os.path.join(base, "templates"), base)]
            variables = task_vars.copy()
            variables.update(generate_ansible_template_vars(source, path, destination))
            if "ansible_managed" in task_vars:
                variables["ansible_managed"] = task_vars["ansible_managed"]
            text = _rendered(self._loader, self._templar, path, search, variables)
        except AnsibleError as error:
            raise AnsibleActionFail("template %s: %s" % (source, to_text(error))) from error
        return "" if text is None else to_text(text)
