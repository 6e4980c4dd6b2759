"""Ansible callback: a line for each task that changes something, with its time, and all there is to know of a failure.

``tests.ground.playbook`` reads these lines: what starts with a mark is for it, the rest for people.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default

from tests.ground.playbook import NOW, STATS

DOCUMENTATION = """
name: progress
type: stdout
short_description: one line for each task that changes something
description: [What the demo shows of a playbook run.]
extends_documentation_fragment: [default_callback, result_format_callback]
"""


class CallbackModule(Default):
    """Failures, warnings and retries are the default callback's; what went well is short."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "progress"

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._tasks = 0

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Included files are no news."""

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        self._last_task_name = task.get_name().strip()
        self._began = time.monotonic()
        self._tasks += 1
        # Arguments are validated before each role, and nobody has asked for that.
        if "Validating arguments" not in self._last_task_name:
            self._display.display(NOW + self._short_name())

    def _short_name(self) -> str:
        """Return the task's name; the collection's goes without saying."""
        return str(self._last_task_name).removeprefix("wheelhouse.pypi.")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._handle_warnings_and_exception(result)
        if result.result.get("changed"):
            self._display.display(f"{self._short_name()} … {time.monotonic() - self._began:.1f} s")

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._handle_warnings_and_exception(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """What is skipped is no news."""

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """What is skipped is no news."""

    def v2_on_file_diff(self, result: Any) -> None:
        """Differences are for those who ask for them."""

    def v2_playbook_on_stats(self, stats: Any) -> None:
        changed = sum(stats.summarize(host)["changed"] for host in stats.processed)
        self._display.display(f"{STATS}{self._tasks} {changed}")
