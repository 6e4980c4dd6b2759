#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_folder
short_description: Try whether several hosts share a folder well enough
version_added: 0.2.0
description:
  - Tries by effect whether a folder is on a file system that several hosts share. No settings are read.
  - Hosts run the same steps at the same time, V(begin), V(together) and V(end). Each has to be a task that all of them run.
  - Works as the owner of O(path). What stands in the way is a result, and no failure.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: none}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  step:
    description:
      - V(begin) looks at the folder, and writes what the other hosts look for.
      - V(together) compares what all see. Hosts wait for each other, so that caches have no time to expire.
      - V(end) removes what the trial has written.
    type: str
    choices: [begin, together, end]
    required: true
  path:
    description: The folder.
    type: path
    required: true
  trial:
    description: Name of the trial, the same on all hosts, that no other trial has.
    type: str
    required: true
  node:
    description: Name of this host.
    type: str
    required: true
  peers:
    description: Names of the other hosts of the trial.
    type: list
    elements: str
    default: []
  at_once:
    description: Those of O(peers) on which Ansible runs a task at the same time as here.
    type: list
    elements: str
    default: []
  missing:
    description: Names of hosts that share the folder, and are not in the trial. A new folder needs all.
    type: list
    elements: str
    default: []
  account:
    description: The service account as uid:gid; empty where there is none yet.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Write what the other hosts look for
  wheelhouse.pypi.shared_folder:
    step: begin
    path: /home/pypi/pypi-server/packages
    trial: 5d0f3a
    node: "{{ inventory_hostname }}"
    peers: "{{ ansible_play_batch | difference([inventory_hostname]) }}"
  register: began
"""

RETURN = r"""
problems:
  description: What was seen and the remedy, a sentence each. Empty where all is well.
  type: list
  elements: str
  returned: success
"""

import errno
import json
import os
import select
import shutil
import stat
import time
from typing import Any, Callable, Iterator

from ansible.module_utils.basic import AnsibleModule

# Dots in front: pypi-server lists no such folder.
PREFIX = ".wheelhouse-trial-"
# A store that was begun has it.
_FORMAT = ".wheelhouse/format"
_ROUNDS = 3
_CLAIMS = 20
# How long files that are there may stay unseen elsewhere.
_VISIBLE_SECONDS = 2
# How long hosts wait for each other: Ansible does not begin on all of them in the same second.
_MEET_SECONDS = 20
_CLOCKS_SECONDS = 5
# A mount that hangs does not answer a kill either.
_HANG_SECONDS = 120
# What a killed run has left.
_OLD_SECONDS = 3600
_PAUSE_SECONDS = 0.005

_MOUNT = "mount the same shared folder there on all nodes, then run again"
_CACHES = (
    "turn off the caches of the mount (docs/nodes.md): GlusterFS: attribute-timeout=0,entry-timeout=0, and "
    "performance.stat-prefetch and performance.quick-read off; NFS: actimeo=0"
)
_ANOTHER = "use another file system (docs/nodes.md)"


def looked(path: str, account: str, missing: list[str]) -> list[str]:
    """Say what is wrong with a folder before anything is written to it.

    Args:
        path: of the folder.
        account: the service account as uid:gid; may be empty.
        missing: nodes that are not in this trial.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return ["%s does not exist; %s" % (path, _MOUNT)]
    if not stat.S_ISDIR(found.st_mode):
        return ["%s is not a folder; %s" % (path, _MOUNT)]
    above = [os.stat("/").st_dev]
    if not os.path.islink(path):
        above.append(os.stat(os.path.dirname(path)).st_dev)
    if found.st_dev in above:
        return ["%s is on a disk of the host itself: nothing is mounted there; %s" % (path, _MOUNT)]
    problems = []
    uid = account.partition(":")[0]
    if uid and found.st_uid and uid != str(found.st_uid):
        problems.append(
            "%s belongs to uid %d, and the service account has uid %s here; give it the same uid and gid on all nodes "
            "(usermod, groupmod)" % (path, found.st_uid, uid)
        )
    if missing and not os.path.lexists(os.path.join(path, _FORMAT)):
        problems.append(
            "%s has no index yet, and this run leaves out %s; begin with all nodes in one run, without --limit and pypi_serial"
            % (path, listed(missing))
        )
    return problems


def listed(names: list[str]) -> str:
    """Return names as a sentence has them."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


class Stop(Exception):
    """The trial cannot go on; the message says why."""


class Trial:
    """What one node does.

    Args:
        folder: the shared folder.
        shown: its name in messages.
        trial: the name of the trial.
        node: the name of this node.
        peers: those of the others.
        at_once: of these, those that run at the same time.
    """

    def __init__(self, folder: str, shown: str, trial: str, node: str, peers: list[str], at_once: list[str]) -> None:
        self.folder, self.shown, self.own = folder, shown, os.path.join(folder, PREFIX + trial)
        self.node, self.peers, self.at_once = node, peers, at_once
        self.meet_seconds = float(_MEET_SECONDS)

    # What caches and clocks of a host can get wrong.

    def path(self, name: str, node: str = "") -> str:
        """Return the path of a file of a node."""
        return os.path.join(self.own, "%s.%s" % (node or self.node, name))

    def read(self, path: str) -> str | None:
        """Return what is in a file; None if there is none."""
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                return None
            raise

    def stamp(self, path: str) -> list[int] | None:
        """Return what pypi-server knows a file by: inode, size and time; None if there is none."""
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return None
        return [found.st_ino, found.st_size, found.st_mtime_ns]

    def link(self, source: str, target: str) -> bool:
        """Whether a name did not exist, and has been given to a file."""
        try:
            os.link(source, target)
        except FileExistsError:
            # An answer that was lost, of a link that was made.
            return os.path.samefile(source, target)
        return True

    def clock(self) -> float:
        """Return the time of this host."""
        return time.time()

    # The steps.

    def begin(self) -> list[str]:
        """Write what the others look for."""
        self._remove_old()
        os.makedirs(self.own, mode=0o700, exist_ok=True)
        self._write("probe", self.node)
        for number in range(_ROUNDS):
            for name in ("changed", "removed", "before"):
                self._write("%s-%d" % (name, number), "old")
        if self.link(self.path("probe"), self.path("changed-0")):
            return ["a name that exists can be given to another file: there is no exclusive link; %s" % _ANOTHER]
        return []

    def together(self) -> list[str]:
        """Compare what all see."""
        unseen = list(self.peers)
        until = time.monotonic() + _VISIBLE_SECONDS
        while unseen and time.monotonic() < until:
            unseen = [peer for peer in unseen if self.read(self.path("probe", peer)) != peer]
            time.sleep(_PAUSE_SECONDS)
        if unseen:
            return [
                "does not see within %d s what %s wrote: %s is not shared between them; %s"
                % (_VISIBLE_SECONDS, listed(unseen), self.shown, _MOUNT)
            ]
        together = (
            "all nodes have to work at the same time (--forks %d or more), and mounts must not cache (docs/nodes.md)"
        )
        self._meet("ready", together % (len(self.peers) + 1))
        won = [name for name in self._claims() if self.link(self.path("probe"), name)]
        problems: list[str] = []
        stale: dict[str, set[str]] = {}
        for number in range(_ROUNDS):
            self._round(number, stale, problems)
        for peer, kinds in stale.items():
            problems.append("still sees files that %s has just %s; %s" % (peer, listed(sorted(kinds)), _CACHES))
        winners = {name: self.read(name) for name in self._claims()}
        lost = [str(winner) for name, winner in winners.items() if name in won and winner != self.node]
        if lost:
            problems.append(
                "was given a name that %s has: there is no exclusive link, so that one name could have two contents; %s"
                % (listed(sorted(set(lost))), _ANOTHER)
            )
        if None in winners.values():
            problems.append("does not see all names that were given; %s" % _CACHES)
        return problems

    def end(self) -> list[str]:
        """Remove the trial; all nodes do so at the same time."""
        until = time.monotonic() + _MEET_SECONDS
        while os.path.lexists(self.own):
            shutil.rmtree(self.own, ignore_errors=True)
            if time.monotonic() > until:
                return ["%s/%s cannot be removed; remove it by hand" % (self.shown, os.path.basename(self.own))]
            time.sleep(_PAUSE_SECONDS)
        return []

    def _round(self, number: int, stale: dict[str, set[str]], problems: list[str]) -> None:
        """Look at files of the others, change the own ones, and look again, before a cache has time to expire."""
        names = {kind: "%s-%d" % (kind, number) for kind in ("changed", "removed", "before", "after", "said")}
        cached = [names[kind] for kind in ("changed", "removed", "before")]
        # What takes time comes first.
        self._write("new", "new")
        self._write("said", json.dumps(self.stamp(self.path("new"))))
        self._meet("seen-%d" % number, _CACHES, cached, problems if not number else None)
        os.replace(self.path("new"), self.path(names["changed"]))
        os.unlink(self.path(names["removed"]))
        os.rename(self.path(names["before"]), self.path(names["after"]))
        os.rename(self.path("said"), self.path(names["said"]))
        for peer, text in self._wait(names["said"], _CACHES, cached):
            self._judge(peer, names, json.loads(text), stale, problems)

    def _judge(
        self, peer: str, names: dict[str, str], said: list[int], stale: dict[str, set[str]], problems: list[str]
    ) -> None:
        """Compare what is seen here with what another node has said."""
        kinds = stale.get(peer, set())
        text, stamp = self.read(self.path(names["changed"], peer)), self.stamp(self.path(names["changed"], peer))
        if text != "new":
            kinds.add("replaced")
        if self.stamp(self.path(names["removed"], peer)) or self.read(self.path(names["removed"], peer)) is not None:
            kinds.add("removed")
        if self.stamp(self.path(names["before"], peer)) or self.read(self.path(names["after"], peer)) != "old":
            kinds.add("renamed")
        if kinds:
            stale[peer] = kinds
        elif stamp != said and not any("inode" in problem for problem in problems):
            problems.append(
                "sees inode, size or time of a file of %s differently, %s and not %s; %s" % (peer, stamp, said, _CACHES)
            )

    def _meet(self, name: str, remedy: str, cached: list[str] | None = None, problems: list[str] | None = None) -> None:
        """Wait until all have come as far; compare the clocks if there is a list for their problems."""
        self._look(cached or [], self.at_once)
        self._write(name, repr(self.clock()))
        for peer, text in self._wait(name, remedy, cached or [], also=self.at_once):
            seconds = abs(self.clock() - float(text))
            if problems is not None and seconds > _CLOCKS_SECONDS:
                problems.append(
                    "has a clock that is %.0f s apart from that of %s; synchronise the clocks of all nodes (chrony, "
                    "systemd-timesyncd)" % (seconds, peer)
                )

    def _wait(
        self, name: str, remedy: str, cached: list[str], also: list[str] | None = None
    ) -> Iterator[tuple[str, str]]:
        """Give what the others write into new files as it appears: the node and the text.

        The folder is not listed, as that would freshen caches. Until then, files that are to change are looked at, so that
        caches have them: those of ``also``, or of the nodes that are waited for.
        """
        waiting, until = list(self.at_once), time.monotonic() + self.meet_seconds
        while waiting:
            for peer in list(waiting):
                text = self.read(self.path(name, peer))
                if text:
                    waiting.remove(peer)
                    yield peer, text
            if waiting and time.monotonic() > until:
                raise Stop(
                    "does not see within %.0f s what %s writes; %s" % (self.meet_seconds, listed(waiting), remedy)
                )
            self._look(cached, also or waiting)
            time.sleep(_PAUSE_SECONDS)

    def _look(self, names: list[str], peers: list[str]) -> None:
        for peer in peers:
            for name in names:
                self.stamp(self.path(name, peer))
                self.read(self.path(name, peer))

    def _write(self, name: str, text: str) -> None:
        """Write a file; others see all of it or nothing."""
        with open(self.path("part"), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path("part"), self.path(name))

    def _claims(self) -> list[str]:
        return [os.path.join(self.own, "claim-%d" % number) for number in range(_CLAIMS)]

    def _remove_old(self) -> None:
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name.startswith(PREFIX) and path != self.own:
                try:
                    if self.clock() - os.lstat(path).st_mtime > _OLD_SECONDS:
                        shutil.rmtree(path, ignore_errors=True)
                except FileNotFoundError:
                    continue


def stepped(trial: Trial, step: str) -> list[str]:
    """Do a step; return its problems, those that the file system makes among them."""
    try:
        found: list[str] = {"begin": trial.begin, "together": trial.together, "end": trial.end}[step]()
    except Stop as stop:
        return [str(stop)]
    except (OSError, ValueError) as error:
        return ["cannot work in %s: %s; mount it for reading and writing, or %s" % (trial.shown, error, _ANOTHER)]
    return found


def apart(work: Callable[[], list[str]], seconds: float) -> list[str] | None:
    """Do something in a process of its own, which can be left alone if it hangs; return what it returns, or None."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            # Ansible waits until all have closed these.
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nothing, number)
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                json.dump(work(), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        if not select.select([pipe], [], [], seconds)[0]:
            return None
        text = pipe.read()
    os.waitpid(child, 0)
    found: list[str] = json.loads(text) if text else ["the trial ended without a word; run again"]
    return found


def worked(given: dict[str, Any]) -> list[str]:
    """Do a step in this process, as the owner of the folder."""
    path = given["path"]
    try:
        problems = looked(path, given["account"], given["missing"]) if given["step"] == "begin" else []
        if problems:
            return problems
        owner = os.stat(path)
        os.chdir(path)
        if os.geteuid() == 0 and owner.st_uid:
            # The account that owns it could lead root elsewhere.
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)
    except OSError as error:
        return ["%s cannot be used: %s; %s" % (path, error.strerror or error, _MOUNT)]
    trial = Trial(".", path, given["trial"], given["node"], given["peers"], given["at_once"])
    return stepped(trial, given["step"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["begin", "together", "end"], "required": True},
            "path": {"type": "path", "required": True},
            "trial": {"type": "str", "required": True},
            "node": {"type": "str", "required": True},
            "peers": {"type": "list", "elements": "str", "default": []},
            "at_once": {"type": "list", "elements": "str", "default": []},
            "missing": {"type": "list", "elements": "str", "default": []},
            "account": {"type": "str", "default": ""},
        }
    )
    problems = apart(lambda: worked(module.params), _HANG_SECONDS)
    if problems is None:
        problems = [
            "%s does not answer within %d s: the mount hangs; mount it again (umount --lazy first)"
            % (module.params["path"], _HANG_SECONDS)
        ]
    module.exit_json(changed=False, problems=problems)


if __name__ == "__main__":
    main()
