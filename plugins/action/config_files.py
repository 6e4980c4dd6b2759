# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Goes to the host only where the survey does not show already that the files are right."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import known as survey
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


class ActionModule(ActionBase):
    """Action plugin of M(wheelhouse.pypi.config_files)."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer from the survey, or call the module."""
        result = super().run(tmp, task_vars)
        arguments = plain(dict(self._task.args))
        known = arguments.pop("known", None) or {}
        files = arguments.get("files")
        if (
            isinstance(files, dict)
            and files
            and survey.files_are(
                known,
                str(arguments.get("path")),
                {name: str(text).encode() for name, text in files.items()},
                str(arguments.get("owner")),
                str(arguments.get("mode", "0600")),
                arguments.get("group"),
            )
        ):
            result.update(
                dict.fromkeys(("changed", "content_changed", "validated", "skipped_validation"), False),
                created=[],
                updated=[],
                diff=[],
            )
            return result
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return survey.changed(known, result)
