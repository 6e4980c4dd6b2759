"""The demo: from this machine to a working index on a host of its own, tried by real clients."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import engine, images, playbook
from .paths import ROOT, VENV
from .public_index import CONTROL_PORT
from .recipes import STACK
from .shell import PROXIES, GroundError, output, say, step

HOST = "pypi-demo"
HOME = ROOT / ".demo"
ENV_FILE = HOME / "demo.env"
CLIENT = HOME / "client"
PACKAGE = ROOT / "tests" / "ground" / "files" / "hello-wheelhouse"
PORT = "8080"
_INVENTORY = ROOT / "inventories" / "demo"
# Molecule's hosts are made by the same playbook.
_CREATE = ROOT / ".config" / "molecule" / "create.yml"
# The demo's clients shall know the demo's index, and no other.
_OTHER_INDEXES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")


def up() -> None:
    """Bring the demo up and try it; run again, it changes nothing.

    Raises:
        GroundError: with the cause and the mend, when a step fails.
    """
    # make says when it began: its own part, .venv, is a good part of the first time.
    began = float(os.environ.get("DEMO_BEGAN") or time.time())
    wanted = os.environ.get("DEMO_PORT", "")
    settings = _kept(wanted)
    engine.up()
    settings = settings or _made(wanted)
    _run("installing the collection", [_tool("python"), "-m", "tests.collection"])
    images.build(["debian13", STACK.name, images.PUBLIC])
    changed = [_host_runs(settings), _public_index_runs(), _site(), _publish(settings)]
    _install(settings)
    _one_url(settings)
    _refuse(settings)
    print(closing(settings, any(changed), time.time() - began), flush=True)


def down() -> None:
    """Remove the host, its volumes and .demo; stop the engine if it is ours and nothing else runs on it."""
    if HOME.exists() and shutil.which("docker") and not engine.answers():
        engine.up()  # the host is on its disk
    if _state():
        _run(f"removing the host {HOST} and its volumes", ["docker", "rm", "--force", "--volumes", HOST])
    if HOME.exists():
        shutil.rmtree(HOME)
        say(f"{HOME.name} removed")
    engine.retire()


def parse_port(text: str) -> int:
    """Return the port that a person named.

    Raises:
        GroundError: when it is none.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise GroundError(f"DEMO_PORT={text}: a port is a number from 1 to 65535")
    return int(text)


def parse_settings(text: str) -> dict[str, str]:
    """Read the text of demo.env."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def _kept(wanted: str) -> dict[str, str] | None:
    """Read demo.env if there is one, and refuse early what cannot work; wanted: DEMO_PORT, or empty."""
    port = parse_port(wanted or PORT)
    if not ENV_FILE.exists():
        _no_other_host()
        _port_is_free(port)
        return None
    settings = parse_settings(ENV_FILE.read_text(encoding="utf-8"))
    present = parse_port(settings["INDEX_URL"].rpartition(":")[2])
    if wanted and port != present:
        raise GroundError(
            f"DEMO_PORT={port}, but the demo has port {present} already ({ENV_FILE.relative_to(ROOT)}). "
            "Run 'make demo-down' first"
        )
    if _state() != "running":
        _port_is_free(present)
    return settings


def _made(wanted: str) -> dict[str, str]:
    """Make demo.env: address, a publisher and a reader with passwords of this trial alone."""
    _no_other_host()
    settings = {
        "INDEX_URL": f"http://127.0.0.1:{parse_port(wanted or PORT)}",
        "INDEX_USER": "publisher",
        "INDEX_PASSWORD": secrets.token_urlsafe(18),
        "READER_USER": "reader",
        "READER_PASSWORD": secrets.token_urlsafe(18),
    }
    HOME.mkdir(mode=0o700, exist_ok=True)
    text = "# Made by `make demo`. `. .demo/demo.env` sets these in a shell.\n"
    text += "".join(f"{name}={value}\n" for name, value in settings.items())
    unfinished = ENV_FILE.with_suffix(".part")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(ENV_FILE)
    return settings


def _no_other_host() -> None:
    if _state():
        raise GroundError(
            f"a host {HOST} is there, but its {ENV_FILE.relative_to(ROOT)} is not here: it is of another checkout, or "
            "left over. 'make demo-down' removes it"
        )


def _port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            other = port + 1 if port < 65535 else PORT
            raise GroundError(
                f"port {port} of this machine cannot be used: {error.strerror}. Name another: make demo DEMO_PORT={other}"
            ) from error


def _state() -> str:
    """Return the state of the host's container in Docker's words, or nothing when there is none."""
    return output(["docker", "container", "inspect", "--format", "{{.State.Status}}", HOST]) or ""


def _host_runs(settings: Mapping[str, str]) -> bool:
    """Create the host, or start it if it was stopped (the machine was restarted); say whether it had to be."""
    asked = ["docker", "exec", HOST, "sh", "-c", "systemctl is-system-running || true"]
    if _state() == "running" and output(asked) in ("running", "degraded"):
        say(f"host {HOST}: runs")
        return False
    port = settings["INDEX_URL"].rpartition(":")[2]
    platform = {"name": HOST, "image": "bare", "published_ports": [f"127.0.0.1:{port}:80"]}
    with step(f"host {HOST}: creating and booting") as now:
        playbook.run(str(_CREATE), _INVENTORY, {"molecule_yml": {"platforms": [platform]}}, now)
    return True


def _public_index_runs() -> bool:
    """Have a stand-in for a public index run on the host; say whether it had to be set up."""
    authority = HOME / "public.pem"
    if authority.exists() and output(["docker", "exec", HOST, "systemctl", "is-active", "public-index"]) == "active":
        return False
    modules = sorted((ROOT / "tests/ground/public_index").glob("*.py"))
    install = ["python3", "-m", "public_index", "install", "/srv/public", "--projects", "/srv/ground/public"]
    with step("a stand-in for a public index on the host"):
        for command in (
            ["docker", "exec", HOST, "mkdir", "-p", "/srv/public/public_index"],
            *(["docker", "cp", str(one), f"{HOST}:/srv/public/public_index/"] for one in modules),
            ["docker", "exec", "--workdir=/srv/public", HOST, *install],
            ["docker", "cp", f"{HOST}:/srv/public/tls/authority.pem", str(authority)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise GroundError(f"{' '.join(command[:4])} failed: {done.stderr.strip()}")
    return True


def _site() -> bool:
    """Apply site.yml; say whether it changed anything."""
    say("ansible-playbook --inventory inventories/demo wheelhouse.pypi.site")
    with step("site.yml") as now:
        sums = playbook.run("wheelhouse.pypi.site", _INVENTORY, {}, now)
        now.result = f"{sums.changed} of {sums.tasks} tasks changed something" if sums.changed else "nothing to change"
    return sums.changed > 0


def _publish(settings: Mapping[str, str]) -> bool:
    """Build a small package and upload it through NGINX; say whether it was new there."""
    dist = HOME / "dist"
    if not dist.exists():
        # A copy, as setuptools leaves its traces beside the sources, and people may want to change something.
        source = shutil.copytree(PACKAGE, HOME / PACKAGE.name, dirs_exist_ok=True)
        unfinished = HOME / "dist.part"
        build = [_tool("python"), "-m", "build", "--no-isolation", "--outdir", str(unfinished), str(source)]
        _run(f"building the package {PACKAGE.name}", build)
        unfinished.replace(dist)
    page = _page(settings, *_reader(settings))[1]
    files = [str(path) for path in sorted(dist.iterdir()) if f">{path.name}<" not in page]
    if not files:
        say(f"package {PACKAGE.name}: published")
        return False
    upload = [_tool("twine"), "upload", "--non-interactive", "--disable-progress-bar"]
    upload += ["--repository-url", settings["INDEX_URL"] + "/", *files]
    login = {"TWINE_USERNAME": settings["INDEX_USER"], "TWINE_PASSWORD": settings["INDEX_PASSWORD"]}
    _run("publishing it with twine", upload, login, [settings["INDEX_PASSWORD"]])
    return True


def _install(settings: Mapping[str, str]) -> None:
    """Install it by pip, as the reader, in a virtual environment of its own that knows no other index."""
    if not output([str(CLIENT / "bin" / "pip"), "--version"]):
        shutil.rmtree(CLIENT, ignore_errors=True)
        _run("making a fresh virtual environment", [_tool("python"), "-m", "venv", str(CLIENT)])
    _pip(settings, "installing it with pip", "--force-reinstall", PACKAGE.name)
    said = output([str(CLIENT / "bin" / "python"), "-m", "hello_wheelhouse"])
    if not said:
        raise GroundError("the package was installed and does not run")
    say(f"  it says: {said}")


def _pip(settings: Mapping[str, str], title: str, *what: str) -> None:
    """Have pip install something as the reader; it knows the demo's index alone."""
    scheme, address = settings["INDEX_URL"].split("://")
    index = f"{scheme}://{settings['READER_USER']}:{settings['READER_PASSWORD']}@{address}/simple/"
    variables = {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull}
    command = [str(CLIENT / "bin" / "pip"), "install", "--no-cache-dir", *what]
    _run(title, command, variables, [settings["READER_PASSWORD"]])


def _installed(package: str) -> str:
    """Return the version of a package in pip's virtual environment."""
    program = f"import importlib.metadata as m; print(m.version({package!r}))"
    return output([str(CLIENT / "bin" / "python"), "-c", program]) or ""


def _one_url(settings: Mapping[str, str]) -> None:
    """Show what the same URL does about public packages: they are there, yours win, and new ones wait."""
    _pip(settings, "installing requests, a public package, from the same URL", "--force-reinstall", "requests")
    say(f"  requests {_installed('requests')}, with what it needs")
    own = _installed(PACKAGE.name)
    _control("publish", f"name={PACKAGE.name}&version=99.0&days=100")
    _pip(
        settings, f"a stranger publishes {PACKAGE.name} 99.0 on the public index; upgrading", "--upgrade", PACKAGE.name
    )
    if _installed(PACKAGE.name) != own:
        raise GroundError(f"pip installed {PACKAGE.name} {_installed(PACKAGE.name)}, which is a stranger's")
    say(f"  still {own}: a private name never comes from the public index")
    _pip(settings, "installing young, whose newest public release is a day old", "--force-reinstall", "young")
    if _installed("young") != "1.0":
        raise GroundError(f"pip installed young {_installed('young')}, which is too young")
    say(f"  young 1.0, and /why/young/ says: {_get(settings, '/why/young/', *_reader(settings))[1].strip()}")


def _control(verb: str, values: str) -> None:
    """Change something about the public index."""
    program = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{CONTROL_PORT}/{verb}?{values}', data=b'')"
    output(["docker", "exec", HOST, "python3", "-c", program])


def _reader(settings: Mapping[str, str]) -> tuple[str, str]:
    return settings["READER_USER"], settings["READER_PASSWORD"]


def _refuse(settings: Mapping[str, str]) -> None:
    """Show that a request without a login gets nothing."""
    status, _ = _page(settings)
    if status != 401:
        raise GroundError(f"a stranger got the package's page with status {status}; 401 was expected")
    say("the same request without a login: refused (401)")


def _page(settings: Mapping[str, str], user: str = "", password: str = "") -> tuple[int, str]:
    """Ask for the package's simple page; return status and text."""
    return _get(settings, f"/simple/{PACKAGE.name}/", user, password)


def _get(settings: Mapping[str, str], path: str, user: str, password: str) -> tuple[int, str]:
    """Ask for an address of the index; return status and text."""
    request = urllib.request.Request(f"{settings['INDEX_URL']}{path}")
    if user:
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError as error:
        raise GroundError(f"{request.full_url} does not answer: {error}") from error


def closing(settings: Mapping[str, str], changed: bool, seconds: float) -> str:
    """Say what is there and how to go on; passwords are named, never printed."""
    behind_a_proxy = any(os.environ.get(name) for name in PROXIES)
    return f"""
{"Done" if changed else "Nothing had to be changed"}, in {seconds:.0f} s. Images: {images.origin(STACK)}.

  Index        {settings["INDEX_URL"]} (in a browser, too)
  Credentials  {ENV_FILE.relative_to(ROOT)}: INDEX_USER may publish, READER_USER may read
  Host         docker exec --interactive --tty {HOST} bash

Try it, in {ROOT}:

  . .demo/demo.env{"; export no_proxy=127.0.0.1" if behind_a_proxy else ""}

  # as a publisher: publish a new release
  rm -rf .demo/new; date +1.%s >.demo/{PACKAGE.name}/VERSION
  .venv/bin/python -m build --no-isolation --quiet --outdir .demo/new .demo/{PACKAGE.name}
  TWINE_USERNAME="$INDEX_USER" TWINE_PASSWORD="$INDEX_PASSWORD" \\
    .venv/bin/twine upload --repository-url "$INDEX_URL/" .demo/new/*

  # as a reader: install it, at once
  PIP_INDEX_URL="http://$READER_USER:$READER_PASSWORD@${{INDEX_URL#http://}}/simple/" \\
    {CLIENT.relative_to(ROOT)}/bin/pip install --upgrade {PACKAGE.name}

'make demo-down' removes the host and all that is on it."""


def _tool(name: str) -> str:
    return str(VENV / "bin" / name)


def _run(title: str, command: list[str], variables: Mapping[str, str] | None = None, hide: Sequence[str] = ()) -> str:
    """Run a command in the checkout as a step, and return what it said; that is shown only if it fails.

    Args:
        title: what the step is called.
        command: program and arguments.
        variables: added to the environment.
        hide: what is not to be shown even then.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _OTHER_INDEXES}
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, (environment.get(name), "127.0.0.1")))
    with step(title):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stdout.rstrip()
            for secret in hide:
                said = said.replace(secret, "****")
            raise GroundError(f"{Path(command[0]).name} failed with code {done.returncode}.\n{said}")
    return done.stdout
