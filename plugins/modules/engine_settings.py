#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_settings
short_description: Settings of the Docker Engine, merged into its daemon.json
version_added: 0.1.0
description:
  - Merges settings into the engine's C(daemon.json), and takes out again what an earlier run has put in and O(settings)
    do not name any more; what was there before comes back. A record beside the file keeps what was added, for each index.
  - The engine itself judges the new file before it goes live (C(dockerd --validate), with the flags that the engine is
    started with). A file that it refuses leaves the live one as it is.
  - What the engine can reload is reloaded. For the rest it is restarted, which is told with the time that each
    container was gone. If it does not come up with the new file, the old one is put back, and it is started again.
  - A run that was killed before the engine had taken over the file is made up for by the next.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Says what would change, be reloaded or restarted. The new file is judged by the engine, where there is one.
    support: full
  diff_mode:
    description: Shows the file before and after, without logins in addresses and values of keys that say they are secret.
    support: full
  idempotent:
    description: A second run with the same arguments changes nothing.
    support: full
options:
  instance:
    description: The index that wants the settings. Indexes on one host may have different ones that do not contradict.
    type: str
    required: true
  settings:
    description:
      - All settings that the index wants, in the words of C(daemon.json). Objects are merged; a list replaces one.
      - With none, all that the index has put into the file goes.
    type: dict
    default: {}
  path:
    description: The engine's file.
    type: path
    default: /etc/docker/daemon.json
  restart:
    description:
      - Whether the engine may be restarted. Where it may not, it takes over what it cannot reload when it starts the next
        time.
    type: bool
    default: true
notes:
  - Secrets in the settings are not shown, neither here nor by C(-vvv).
"""

EXAMPLES = r"""
- name: Containers outlive a restart of the engine
  wheelhouse.pypi.engine_settings:
    instance: pypi-server
    settings:
      live-restore: true
      log-opts:
        max-size: 10m
"""

RETURN = r"""
keys:
  description: Keys of the file that the engine has taken over, or would.
  type: list
  elements: str
  returned: success
  sample: [live-restore]
effect:
  description: What the engine needed for it, V(none), V(reload), V(restart), or V(later) where O(restart=false).
  type: str
  returned: success
validated:
  description: Whether the engine has judged the new file.
  type: bool
  returned: success
gaps:
  description: Containers that a restart has stopped, each with the seconds that it was gone; none where it is not back.
  type: list
  elements: dict
  returned: success
"""

import contextlib
import fcntl
import os
import tempfile
from dataclasses import asdict
from typing import Any, Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import daemon_settings
from ansible_collections.wheelhouse.pypi.plugins.module_utils.daemon_settings import Record, SettingsError, Step
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine import Engine, EngineError, flags, told

ARGUMENTS: dict[str, Any] = {
    "instance": {"type": "str", "required": True},
    # no_log keeps logins of proxies out of the host's journal; see main()
    "settings": {"type": "dict", "default": {}, "no_log": True},
    "path": {"type": "path", "default": "/etc/docker/daemon.json"},
    "restart": {"type": "bool", "default": True},
}
# Beside the file. The survey of a host looks for it, too.
RECORD = "wheelhouse.pypi.json"


class Files:
    """daemon.json and the record beside it, as they were found, and as they become."""

    def __init__(self, path: str) -> None:
        """Read both; raise SettingsError where one is broken."""
        self.path = path
        self.record_path = os.path.join(os.path.dirname(path), RECORD)
        if os.path.islink(path):
            raise SettingsError(
                "%s is a symbolic link, and the file behind it somebody else's. Put a file there" % path
            )
        self._before = {name: _read(name) for name in (path, self.record_path)}
        text, record = self._before[path], self._before[self.record_path]
        self.content = None if text is None else daemon_settings.parse(_decoded(text, path), path)
        self._written = self.content
        try:
            self.record = Record() if record is None else Record.parse(_decoded(record, self.record_path))
        except ValueError as error:
            raise SettingsError(
                "%s cannot be read (%s). It says what of daemon.json came from where: put it back from a backup, or "
                "remove it, and all that is in daemon.json counts as made by hand" % (self.record_path, error)
            ) from error

    def write(self, step: Step) -> None:
        """Make a step's files true: first the record, so that nothing is ever in daemon.json that nobody has put there."""
        self.write_record(step.record)
        if step.content != self._written:
            text = None if step.content is None else daemon_settings.as_text(step.content).encode("utf-8")
            _replace(self.path, text)
            self._written = step.content

    def write_record(self, record: Record) -> None:
        """Write the record, or remove it where nothing needs it."""
        _replace(self.record_path, None if record.is_empty() else record.text().encode("utf-8"))

    def put_back(self) -> None:
        """Make both what they were."""
        for path, content in self._before.items():
            _replace(path, content)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            "%s is not text in UTF-8 (byte %d). Mend it, and run again" % (path, error.start)
        ) from error


def _replace(path: str, content: bytes | None) -> None:
    """Write a file in one go, with the owner and mode that it has; a new one is for root alone, as it may hold logins."""
    if content == _read(path):
        return
    folder = os.path.dirname(path)
    if content is None:
        os.unlink(path)
    else:
        descriptor, staged = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(path)
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                    os.fchmod(descriptor, status.st_mode & 0o7777)
                file.flush()
                os.fsync(descriptor)
            os.replace(staged, path)
        except BaseException:
            os.unlink(staged)
            raise
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Keep runs for other indexes of the host off the files meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Change:
    """One call of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.engine = Engine(module.run_command)
        self.path: str = module.params["path"]
        self.hidden: set[str] = set()
        # Before a file can be broken: what Ansible prints of such an error has the arguments in it.
        self._hide(module.params["settings"] or {})

    def run(self) -> dict[str, Any]:
        """Bring the file to what the arguments say; return the result, raise SettingsError or EngineError."""
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            if self.module.check_mode or not self.module.params["settings"]:
                return self._apply(Files(self.path))
            os.makedirs(folder, 0o755)
        with locked(folder):
            return self._apply(Files(self.path))

    def _hide(self, data: Any) -> None:
        """Keep the secrets in a structure out of whatever is said from here on."""
        self.hidden |= daemon_settings.secrets(data)
        self.module.no_log_values.update(self.hidden)

    def _apply(self, files: Files) -> dict[str, Any]:
        settings = self.module.params["settings"] or {}
        self._hide([files.content, files.record.indexes, list(files.record.before.values())])
        steps = daemon_settings.steps(files.content, files.record, self.module.params["instance"], settings)
        result: dict[str, Any] = {"changed": bool(steps), "keys": [], "effect": "none", "validated": False, "gaps": []}
        if not steps:
            return result
        last = steps[-1]
        result["diff"] = [daemon_settings.as_diff(self.path, files.content, last.content, self.hidden)]
        result["keys"] = steps[0].keys
        for step in steps:
            if step.content is not None and step.keys:
                result["validated"] = self._validate(step.content)
        if last.record.indexes.keys() != files.record.indexes.keys():
            # Another index may want what is there already.
            whose = ["".join("%s\n" % name for name in sorted(one.indexes)) for one in (files.record, last.record)]
            about = {"before_header": files.record_path, "after_header": "%s (indexes)" % files.record_path}
            result["diff"].append(dict(about, before=whose[0], after=whose[1]))
        if steps[0].keys:
            restart = any(step.restart for step in steps)
            result["effect"] = "reload" if not restart else "restart" if self.module.params["restart"] else "later"
        if self.module.check_mode:
            self._warn_before(result, last.content or {})
        else:
            self._take_over(files, steps, result)
        return result

    def _validate(self, content: dict[str, Any]) -> bool:
        """Have the engine judge a file; False where there is none that can."""
        program = self.engine.program()
        if not program:
            if self.module.check_mode:
                return False
            raise SettingsError("dockerd is not on this host, and nobody else can judge its daemon.json")
        given, elsewhere = flags(self.engine.command())
        if elsewhere and elsewhere != self.path:
            raise SettingsError(
                "pypi_docker_daemon: the engine of this host is told to read %s (--config-file), not %s. Take that out "
                "of its unit (`systemctl edit docker.service`), or set nothing here" % (elsewhere, self.path)
            )
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=self.module.tmpdir, encoding="utf-8") as staged:
            staged.write(daemon_settings.as_text(content))
            staged.flush()
            code, out, err = self.module.run_command([program, "--validate", "--config-file", staged.name, *given])
            said = daemon_settings.masked((err or out).replace(staged.name, self.path), self.hidden)
        if code and "unknown flag: --validate" in said:
            self.module.warn("The engine is older than 23.0, and cannot judge %s before it loads it." % self.path)
            return False
        if code:
            raise SettingsError(daemon_settings.refusal(said, self.path))
        return True

    def _warn_before(self, result: dict[str, Any], content: dict[str, Any]) -> None:
        running = [one.name for one in self.engine.containers() if one.running]
        if result["effect"] == "restart" and running:
            outlive = content.get("live-restore") if "live-restore" in result["keys"] else self.engine.live_restore()
            stay = "They keep running (live-restore)." if outlive else "They are down meanwhile: live-restore is off."
            self.module.warn(
                "The engine would be restarted for %s, with these containers on it: %s. %s"
                % (", ".join(result["keys"]), ", ".join(running), stay)
            )

    def _take_over(self, files: Files, steps: list[Step], result: dict[str, Any]) -> None:
        """Write the files and have the engine take them over; all is as it was if it does not."""
        running = self.engine.answers()
        before = self.engine.containers() if running else []
        effect = result["effect"]
        restarted = False
        if effect == "reload" and not running:
            # It is about to be started anyway: here the old file can be put back if that fails.
            effect = "restart" if self.module.params["restart"] else "later"
        try:
            for step in steps:
                files.write(step)
                if not step.keys:
                    continue
                if step.restart and effect == "restart" and running:
                    restarted = True
                    self.engine.restart()
                elif running:
                    self.engine.reload()
            if effect == "restart" and not running:
                restarted = True
                self.engine.restart()
        except EngineError as error:
            files.put_back()
            raise EngineError(self._went_back(error, restarted, before)) from error
        files.write_record(daemon_settings.done(steps[-1].record))
        if effect == "restart" and running:
            gaps = self.engine.measured(before)
            result["gaps"] = [asdict(gap) for gap in gaps]
            self.module.warn("The engine was restarted for %s. %s" % (", ".join(result["keys"]), told(before, gaps)))
        elif effect == "later":
            self.module.warn("%s: the engine takes this over when it starts the next time." % ", ".join(result["keys"]))

    def _went_back(self, error: EngineError, restarted: bool, before: list[Any]) -> str:
        """Have the engine take the old file again, in the way in which it was to take the new one; say how that went."""
        said = "pypi_docker_daemon: %s\nThe old %s is back" % (error, self.path)
        try:
            if restarted:
                self.engine.restart()
                return "%s, and the engine runs with it. %s" % (said, told(before, self.engine.measured(before)))
            self.engine.reload()
        except EngineError as again:
            return "%s, and with that, too, %s" % (said, again)
        return "%s, and the engine has it." % said


def main() -> None:
    """Run as an Ansible module."""
    talk_to_own_engine()
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    # The settings as a whole are no secrets: unmasked, or the diff would be all asterisks. What is secret in them
    # comes back.
    module.no_log_values.clear()
    change = Change(module)
    try:
        result = change.run()
    except (SettingsError, EngineError) as error:
        module.fail_json(msg=daemon_settings.masked(str(error), change.hidden))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename or change.path, error.strerror or error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
