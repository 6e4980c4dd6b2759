#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_version
short_description: Docker Engine in a version that is asked for, and held at it
version_added: 0.1.0
description:
  - Upgrades or downgrades the packages of the Docker Engine, all of one version, where the engine that is there is of
    another version than the one that is asked for. One that fits is left as it is, however new others are.
  - Holds the packages at their version (apt-mark, or versionlock of dnf), so that upgrades of the system leave them alone.
  - The engine restarts with its new version. The containers' gap is measured by the engine's own times, and told.
    With C(live-restore) they keep running through an upgrade within the same two first numbers.
  - A version that the source does not have is an error that lists what it has; nothing is changed then.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Says what would be upgraded, held and restarted, by the package lists that the host has.
    support: full
  diff_mode:
    description: Shows packages, versions and holds before and after.
    support: full
  idempotent:
    description: A second run with the same arguments changes nothing.
    support: full
options:
  version:
    description: The version, or the beginning of one.
    type: str
    required: true
  hold:
    description: Whether the packages are held at it.
    type: bool
    default: true
  live_restore:
    description:
      - What check mode takes for the engine's C(live-restore), as an earlier task of the run may change that. By default
        it asks the engine.
    type: bool
  config:
    description:
      - Path of settings of the package manager that count in place of the host's, as
        M(wheelhouse.pypi.bundle_unpack) returns it.
    type: path
    default: ""
notes:
  - Packages come from the repositories that the host has, or from those of O(config).
  - Lists of them are fetched only when another version is needed.
"""

EXAMPLES = r"""
- name: Engine is 28.5, and stays what it is
  wheelhouse.pypi.engine_version:
    version: "28.5"
"""

RETURN = r"""
before:
  description: The engine's version before, without that of its packaging.
  type: str
  returned: success
  sample: 28.5.1
after:
  description: The engine's version now, or as it would be.
  type: str
  returned: success
  sample: 28.5.2
installed:
  description: Packages that were changed, and the versions they have now.
  type: dict
  returned: success
gaps:
  description: Containers that a restart has stopped, each with the seconds that it was gone; none where it is not back.
  type: list
  elements: dict
  returned: success
"""

import shutil
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import engine_packages
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine import Container, Engine, EngineError, told
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine_packages import TOGETHER, Plan, VersionError
from ansible_collections.wheelhouse.pypi.plugins.module_utils.package_managers import Apt, Dnf, Failed, Refused
from ansible_collections.wheelhouse.pypi.plugins.module_utils.package_sources import last_words

ARGUMENTS: dict[str, Any] = {
    "version": {"type": "str", "required": True},
    "hold": {"type": "bool", "default": True},
    "live_restore": {"type": "bool"},
    "config": {"type": "path", "default": ""},
}
LOCK_SECONDS = 120


class Change:
    """One call of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.engine = Engine(module.run_command)
        module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive"}
        self.names = sorted({*TOGETHER, *(name for group in TOGETHER.values() for name in group)})
        self.manager: Apt | Dnf
        if shutil.which("apt-get"):
            self.manager = Apt(module, module.params["config"])
            # Debian's package of that name is something else.
            self.names.remove("docker")
        elif shutil.which("dnf"):
            self.manager = Dnf(module, module.params["config"])
        else:
            raise VersionError("pypi_docker_version: the host has neither apt-get nor dnf")

    def run(self) -> dict[str, Any]:
        """Bring the packages to what the arguments say; return the result, raise VersionError or EngineError."""
        wanted, hold = self.module.params["version"], self.module.params["hold"]
        installed = self._installed()
        plan = self._plan(installed, wanted)
        # An earlier run may have been killed between the packages and the restart.
        stale = self.engine.is_stale() and engine_packages.upstream(self.engine.version()) != plan.after
        before = self.engine.containers() if plan.install or stale else []
        group = self._group({**installed, **plan.install})
        held = self.manager.held(installed)
        wrong = sorted(set(group) - held if hold else set(group) & held)
        result: dict[str, Any] = {
            "changed": bool(plan.install or stale or wrong),
            "before": plan.before,
            "after": plan.after,
            "installed": plan.install,
            "gaps": [],
            "diff": {
                "before": _shown(installed, held, group),
                "after": _shown({**installed, **plan.install}, set(group) if hold else held - set(group), group),
            },
        }
        for name in plan.left:
            self.module.warn("%s stays at %s: its source has no %s." % (name, installed.get(name), plan.after))
        if self.module.check_mode:
            self._warn_before(plan, before)
            return result
        if plan.install:
            self._install(plan)
        if plan.install or stale:
            result["gaps"] = self._restarted(plan, before)
        # After an upgrade all are held anew: a lock of dnf names a version.
        wrong = sorted(set(group) - self.manager.held(self._installed())) if hold else wrong
        if wrong:
            self.manager.hold(wrong, hold, LOCK_SECONDS)
        return result

    def _installed(self) -> dict[str, str]:
        return self.manager.versions(self.names)

    def _install(self, plan: Plan) -> None:
        """Bring packages to their versions, up or down, whatever is held."""
        requests = [self.manager.request(*one) for one in plan.install.items()]
        with self.manager.unlocked(sorted(plan.install), LOCK_SECONDS):
            self.manager.install(requests, [], True, LOCK_SECONDS)

    def _available(self) -> tuple[dict[str, list[str]], str]:
        """Return what the source has, and what went wrong when new lists of packages were fetched.

        Another repository may be the reason, and the lists that are there be good enough.
        """
        try:
            if self.module.check_mode:
                return self.manager.available(self.names), "check mode fetches none"
            if isinstance(self.manager, Apt):
                trouble = self.manager.update(LOCK_SECONDS)
                return self.manager.available(self.names), trouble
            try:
                return self.manager.available(self.names, fresh=True), ""
            except Failed as error:
                return self.manager.available(self.names), str(error)
        except Failed as error:
            raise VersionError(
                "pypi_docker_version: it could not be looked up which versions the repositories have. Nothing was "
                "changed. The package manager said:\n%s" % last_words(str(error))
            ) from error

    def _group(self, installed: dict[str, str]) -> list[str]:
        engine = engine_packages.engine_of(installed)
        return [name for name in (engine, *TOGETHER.get(engine, ())) if name in installed]

    def _plan(self, installed: dict[str, str], wanted: str) -> Plan:
        engine = engine_packages.engine_of(installed)
        if not engine:
            raise VersionError(
                "pypi_docker_version: the engine of this host is from none of the packages %s, so its version is not "
                "this run's to choose. Take the variable out, or replace the engine" % ", ".join(TOGETHER)
            )
        try:
            # Nothing is fetched while all is well.
            there = {name: [version] for name, version in installed.items()}
            plan = engine_packages.plan(installed, there, wanted)
            if not plan.install and not plan.left:
                return plan
        except VersionError:
            pass
        available, trouble = self._available()
        try:
            return engine_packages.plan(installed, available, wanted)
        except VersionError as error:
            said = " (New lists of packages were not fetched: %s)" % last_words(trouble).strip() if trouble else ""
            raise VersionError("%s.%s" % (error, said)) from error

    def _warn_before(self, plan: Plan, before: list[Container]) -> None:
        running = [one.name for one in before if one.running]
        if not running:
            return
        live = self.module.params["live_restore"]
        live = self.engine.live_restore() if live is None else live
        if live and plan.is_patch():
            stay = "They keep running (live-restore)."
        elif live:
            stay = "live-restore is made for upgrades within %s: they may be down meanwhile." % _two(plan.before)
        else:
            stay = "They are down meanwhile: live-restore is off."
        what = "%s from %s to %s" % (plan.verb(), plan.before, plan.after)
        if not plan.install:
            what = "restarted, as it still runs from a package that was replaced"
        self.module.warn(
            "The engine would be %s, with these containers on it: %s. %s" % (what, ", ".join(running), stay)
        )

    def _restarted(self, plan: Plan, before: list[Container]) -> list[dict[str, Any]]:
        """See to it that the engine runs in its new version; tell of the containers, and return their gaps."""
        # Most packages restart it themselves; where policy-rc.d forbids that, or it fails, this does.
        if not self.engine.answers() or self.engine.is_stale():
            self.engine.restart()
        gaps = self.engine.measured(before)
        if plan.before:
            far = (
                ""
                if plan.is_patch() or not self.engine.live_restore()
                else (
                    " live-restore is made for upgrades within %s: restart containers that do not answer."
                    % _two(plan.before)
                )
            )
            what = "The engine was %s from %s to %s." % (plan.verb(), plan.before, plan.after)
            if not plan.install:
                what = "The engine was restarted, as it still ran from a package that was replaced."
            if gaps or far:
                self.module.warn("%s %s%s" % (what, told(before, gaps), far))
        return [asdict(gap) for gap in gaps]


def _two(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _shown(installed: dict[str, str], held: set[str], group: list[str]) -> str:
    """Lines of a diff."""
    return "".join(
        "%s %s%s\n" % (name, installed[name], " (held)" if name in held else "") for name in group if name in installed
    )


def main() -> None:
    """Run as an Ansible module."""
    talk_to_own_engine()
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = Change(module).run()
    except (VersionError, EngineError, Refused) as error:
        module.fail_json(msg=str(error))
    except Failed as error:
        module.fail_json(
            msg="The engine's version could not be changed. Its packages, and what runs, are as the package manager left "
            "them, which said:\n%s" % last_words(str(error))
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
