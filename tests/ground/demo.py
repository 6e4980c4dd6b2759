"""The demo: from this machine to a working index on a host of its own, tried by real clients."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from . import engine, images
from .paths import ROOT, VENV
from .shell import GroundError, output, say, step

HOST = "pypi-demo"
HOME = ROOT / ".demo"
ENV_FILE = HOME / "demo.env"
CLIENT = HOME / "client"
PACKAGE = ROOT / "tests" / "ground" / "files" / "hello-wheelhouse"
_INVENTORY = ROOT / "inventories" / "demo"
# Molecule's hosts are made by the same playbook.
_CREATE = ROOT / ".config" / "molecule" / "create.yml"


def up() -> None:
    """Bring the demo up and try it; run again, it changes nothing.

    Raises:
        GroundError: with the cause and the mend, when a step fails.
    """
    began = time.monotonic()
    settings = _settings(os.environ.get("DEMO_PORT", ""))
    engine.up()
    images.build(["debian13", "stack"])
    _host_exists(settings)
    _ansible("wheelhouse.pypi.site", {})
    _publish(settings)
    _install(settings)
    _refuse(settings)
    say(_closing(settings, time.monotonic() - began))


def down() -> None:
    """Remove the host, its volumes and .demo; stop the engine if the proving ground started it."""
    if output(["docker", "container", "inspect", HOST]) is not None:
        with step(f"removing the host {HOST}"):
            _run(["docker", "rm", "--force", "--volumes", HOST], {})
    shutil.rmtree(HOME, ignore_errors=True)
    engine.down()


def _settings(port: str) -> dict[str, str]:
    """Read demo.env, or make it: address, a publisher and a reader with passwords of this trial alone."""
    if ENV_FILE.exists():
        settings = dict(line.split("=", 1) for line in ENV_FILE.read_text().splitlines() if "=" in line)
        if port and not settings["INDEX_URL"].endswith(f":{port}"):
            raise GroundError(f"the demo is up on {settings['INDEX_URL']}: `make demo-down` first, then DEMO_PORT={port}")
        return settings
    port = port or "8080"
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise GroundError(f"DEMO_PORT={port}: a port is a number from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            raise GroundError(f"port {port} of this machine: {error.strerror}. Name another: DEMO_PORT=8081") from error
    settings = {
        "INDEX_URL": f"http://127.0.0.1:{port}",
        "INDEX_USER": "publisher",
        "INDEX_PASSWORD": secrets.token_urlsafe(18),
        "READER_USER": "reader",
        "READER_PASSWORD": secrets.token_urlsafe(18),
    }
    HOME.mkdir(mode=0o700, exist_ok=True)
    text = "# Made by `make demo`. `. .demo/demo.env` sets these in a shell.\n"
    text += "".join(f"{name}={value}\n" for name, value in settings.items())
    ENV_FILE.touch(mode=0o600)
    ENV_FILE.write_text(text)
    return settings


def _host_exists(settings: Mapping[str, str]) -> None:
    """Create the host unless it runs; start it if it was stopped (the machine was restarted)."""
    state = output(["docker", "container", "inspect", "--format", "{{.State.Running}}", HOST])
    if state != "true":
        port = settings["INDEX_URL"].rsplit(":", 1)[1]
        with step(f"creating the host {HOST}"):
            platform = {"name": HOST, "image": "bare", "published_ports": [f"127.0.0.1:{port}:80"]}
            _ansible(str(_CREATE), {"molecule_yml": {"platforms": [platform]}}, quiet=True)


def _ansible(playbook: str, variables: Mapping[str, object], quiet: bool = False) -> None:
    """Run a playbook on the demo's inventory."""
    command = [str(VENV / "bin" / "ansible-playbook"), "--inventory", str(_INVENTORY), playbook]
    command += ["--extra-vars", json.dumps(variables)]
    _run(
        command,
        {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
        },
        quiet,
    )


def _publish(settings: Mapping[str, str]) -> None:
    """Build a small package and upload it through NGINX."""
    dist = HOME / "dist"
    if not dist.exists():
        with step("building a small package"):
            # A copy: setuptools leaves its traces beside the sources.
            source = shutil.copytree(PACKAGE, HOME / PACKAGE.name, dirs_exist_ok=True)
            build = [str(VENV / "bin" / "python"), "-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
            _run(build, {}, quiet=True)
    with step("publishing it with twine"):
        upload = [str(VENV / "bin" / "twine"), "upload", "--non-interactive", "--disable-progress-bar"]
        upload += ["--skip-existing", "--repository-url", settings["INDEX_URL"] + "/", *map(str, sorted(dist.iterdir()))]
        login = {"TWINE_USERNAME": settings["INDEX_USER"], "TWINE_PASSWORD": settings["INDEX_PASSWORD"]}
        _run(upload, login, quiet=True)


def _install(settings: Mapping[str, str]) -> None:
    """Install it by pip, as the reader, in a fresh virtual environment that knows no other index."""
    with step("installing it with pip in a fresh virtual environment"):
        shutil.rmtree(CLIENT, ignore_errors=True)
        _run([str(VENV / "bin" / "python"), "-m", "venv", str(CLIENT)], {}, quiet=True)
        scheme, address = settings["INDEX_URL"].split("://")
        index = f"{scheme}://{settings['READER_USER']}:{settings['READER_PASSWORD']}@{address}/simple/"
        install = [str(CLIENT / "bin" / "pip"), "install", "--no-cache-dir", PACKAGE.name]
        _run(install, {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull}, quiet=True)
    said = output([str(CLIENT / "bin" / "python"), "-m", "hello_wheelhouse"])
    if not said:
        raise GroundError("the package was installed and does not run")
    say(f"  it says: {said}")


def _refuse(settings: Mapping[str, str]) -> None:
    """Show that somebody without a login gets nothing."""
    url = f"{settings['INDEX_URL']}/simple/{PACKAGE.name}/"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    if status != 401:
        raise GroundError(f"a stranger got {status} from {url}; 401 was expected")
    say("a stranger asks for the same page … refused (401)")


def _closing(settings: Mapping[str, str], seconds: float) -> str:
    """Say what is there and how to go on; passwords are named, never printed."""
    client = CLIENT.relative_to(ROOT)
    return f"""
The index answers on {settings["INDEX_URL"]} (also in a browser). That took {seconds:.0f} s.
Logins and passwords are in {ENV_FILE.relative_to(ROOT)}: a publisher (INDEX_USER), a reader (READER_USER).

Paste these in {ROOT}:

  . .demo/demo.env
  PIP_INDEX_URL="http://$READER_USER:$READER_PASSWORD@${{INDEX_URL#http://}}/simple/" \\
    {client}/bin/pip install --force-reinstall {PACKAGE.name}
  TWINE_USERNAME=$INDEX_USER TWINE_PASSWORD=$INDEX_PASSWORD \\
    .venv/bin/twine upload --skip-existing --repository-url "$INDEX_URL/" .demo/dist/*

`make demo-down` takes it all away again."""


def _run(command: list[str], variables: Mapping[str, str], quiet: bool = False) -> None:
    """Run a command in the checkout; quietly, its output is shown only if it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GroundError(f"{Path(command[0]).name} failed with code {done.returncode}.\n{done.stdout or ''}".rstrip())
