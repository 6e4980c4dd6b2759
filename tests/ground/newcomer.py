"""The acceptance test of the whole: a newcomer on a fresh machine, and all that one does there with the demo.

``python3 -m tests.ground fresh-machine [root user systemd]`` follows the README from the first line. Each sentence that it
prints held; times are printed and not judged, as nobody knows what else the machine does.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence

from . import demo, engine
from .fresh_machine import Answer, Machine, do, holds, make, remove
from .recipes import FRESH, FRESH_SUDO, FRESH_SYSTEMD
from .shell import GroundError, say


def pasted(text: str) -> str:
    """Return the commands that the demo ends with, as a person copies them."""
    found = re.search(r"^Try it, in .*:\n\n((?:  .*\n|\n)+)", text, re.MULTILINE)
    if not found:
        raise GroundError("the demo's output names no commands")
    return found[1]


def forms(password: str, logins: Sequence[str]) -> list[str]:
    """Return what gives a password away: itself, and the headers of those who use it."""
    headers = [base64.b64encode(f"{login}:{password}".encode()).decode() for login in logins]
    return [password, *headers]


def nothing_is_there(machine: Machine) -> None:
    """Check that the machine is what it claims to be."""
    for program in ("docker", "dockerd", "pip", "pip3", "mmdebstrap", "iptables"):
        holds(f"{program} is not there", not machine.is_true(f"command -v {program}"))
    holds("Python cannot make virtual environments", not machine.is_true("python3 -c 'import ensurepip'"))
    if not machine.systemd:
        holds("there is no systemd", not machine.is_true("command -v systemctl"))
        holds("no control groups are mounted", not machine.is_true("grep -q cgroup /proc/mounts"))
    sudo = machine.is_true("command -v sudo")
    holds("sudo is there" if sudo else "there is no sudo", sudo == (machine.user != "root"))


def settings(machine: Machine) -> dict[str, str]:
    """Read demo.env there, and check that it is what the README promises."""
    env = demo.parse_settings(do("docker", "exec", machine.name, "cat", f"{machine.checkout}/.demo/demo.env"))
    names = ["INDEX_PASSWORD", "INDEX_URL", "INDEX_USER", "READER_PASSWORD", "READER_USER"]
    holds(f"demo.env has {', '.join(names)}", sorted(env) == names)
    mode = do("docker", "exec", machine.name, "stat", "-c", "%a %U", f"{machine.checkout}/.demo/demo.env")
    holds("demo.env is its owner's alone", mode.split() == ["600", machine.user])
    status = do("docker", "exec", "--workdir", machine.checkout, machine.name, "git", "-c", "safe.directory=*",
                 "status", "--short", "--ignored", "--untracked-files=normal")  # fmt: skip
    holds("git ignores what the demo makes", "!! .demo/" in status and "?? .demo" not in status)
    return env


def no_password_shown(machine: Machine, env: dict[str, str]) -> None:
    """Search all that was printed and logged for the passwords."""
    for name in ("INDEX_PASSWORD", "READER_PASSWORD"):
        shown = [text for form in forms(env[name], ("publisher", "reader")) for text in machine.printed if form in text]
        holds(f"{name} was never printed", not shown)
        ask = f"grep -rqF -- '{env[name]}' {machine.checkout}/.cache/ground"
        holds(f"{name} is in no log", not machine.is_true(ask))


def demo_is_gone(machine: Machine) -> None:
    """Check what `make demo-down` promises, the engine aside."""
    holds(".demo is gone", not machine.is_true(f"test -e {machine.checkout}/.demo"))
    if machine.is_true("docker info"):
        holds("the host is gone", not machine.is_true("docker container inspect pypi-demo"))
        holds("its volumes are gone", machine.is_true('test -z "$(docker volume ls -q)"'))


def engine_runs(machine: Machine) -> bool:
    """Say whether an engine answers there."""
    return machine.is_true("docker info")


def from_nothing(machine: Machine) -> list[Answer]:
    """`make demo` on the bare machine, what it leaves, and a second run."""
    nothing_is_there(machine)
    first = machine.ok("make demo")
    env = settings(machine)
    holds("it ends with the URL", env["INDEX_URL"] == "http://127.0.0.1:8080" and env["INDEX_URL"] in first.text)
    holds("it says which images", "Images: " in first.text)
    holds("it shows that a stranger is refused", "refused (401)" in first.text)
    for shell in ("bash", "sh"):
        machine.ok(pasted(first.text), shell=shell)
    second = machine.ok("make demo")
    holds("a second run says that nothing had to be changed", "Nothing had to be changed" in second.text)
    other = machine.run("make demo DEMO_PORT=8099")
    holds("another port is refused while it runs", other.code != 0 and "make demo-down" in other.text)
    no_password_shown(machine, env)
    return [first, second]


def taken_down(machine: Machine) -> list[Answer]:
    """`make demo-down` as it was started."""
    gone = machine.ok("make demo-down")
    demo_is_gone(machine)
    holds("the engine that the demo started is stopped", not engine_runs(machine))
    # containerd is a service of its own where systemd is, and stays as its package started it.
    names = "dockerd" if machine.systemd else "dockerd|containerd"
    left = machine.is_true(rf"grep -qsE '^[0-9]+ \(({names})\) [^Z]' /proc/[0-9]*/stat")
    holds("no process of it is left", not left)
    machine.ok("make demo-down")  # nothing is there, and that is fine
    return [gone]


def ports(machine: Machine) -> list[Answer]:
    """A port that is taken, one that is none, and one that is free."""
    machine.ok("python3 -m http.server 8080 --bind 127.0.0.1 >/dev/null 2>&1 & echo $! >/tmp/taken.pid; sleep 1")
    taken = machine.run("make demo")
    holds("a port that is taken is named, with a way out", taken.code != 0 and "DEMO_PORT=8081" in taken.text)
    holds("nothing was started for it", not engine_runs(machine) and not machine.is_true("test -e .demo"))
    none = machine.run("make demo DEMO_PORT=http")
    holds("a port that is none is refused", none.code != 0 and "1 to 65535" in none.text)
    moved = machine.ok("make demo DEMO_PORT=8081")
    env = settings(machine)
    holds("the index is on 8081", env["INDEX_URL"] == "http://127.0.0.1:8081" and env["INDEX_URL"] in moved.text)
    machine.ok("kill $(cat /tmp/taken.pid)")
    no_password_shown(machine, env)
    machine.ok("make demo-down")
    demo_is_gone(machine)
    return [moved]


def killed(machine: Machine) -> list[Answer]:
    """A kill while images are loaded: the next run repairs what is left."""
    machine.kill("make demo", "Load the images")
    again = machine.ok("make demo")
    holds("the run repaired something", "tasks changed something" in again.text)
    machine.ok(pasted(again.text))
    no_password_shown(machine, settings(machine))
    return [again]


ROOT_STORY = (from_nothing, taken_down, ports, killed)
USER_STORY = (from_nothing, taken_down)
STORIES = {
    "root": (Machine("ground-fresh-root", FRESH, "root", "/root"), ROOT_STORY),
    "user": (Machine("ground-fresh-user", FRESH_SUDO, "dev", "/home/dev"), USER_STORY),
    "systemd": (Machine("ground-fresh-systemd", FRESH_SYSTEMD, "dev", "/home/dev", systemd=True), USER_STORY),
}


def run(names: Sequence[str] = (), keep: bool = False) -> None:
    """Tell the stories; keep: leave the machines there when they are over.

    Raises:
        GroundError: with the first sentence that does not hold.
    """
    unknown = sorted(set(names) - set(STORIES))
    if unknown:
        raise GroundError(f"no story is called {', '.join(unknown)}; there are {', '.join(STORIES)}")
    engine.up()
    table = []
    for name in names or STORIES:
        machine, story = STORIES[name]
        make(machine)
        try:
            for chapter in story:
                say(f"\n== {name}: {chapter.__doc__}")
                answers = chapter(machine)
                load = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
                table += [f"{name:4} {chapter.__name__:15} {a.seconds:5.0f} s  {a.command} ({load})" for a in answers]
        finally:
            if not keep:
                remove(machine)
    say("\nAll of it held. From nothing to an index, 360 s are the budget; a run that changes nothing has 30 s.")
    say("\n".join(table))
