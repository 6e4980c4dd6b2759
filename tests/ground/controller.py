"""A controller with the newest Python that Debian has: commands run in a container of the image ``engine``.

ansible-core 2.21 needs Python 3.12, and pypiserver's extension runs on 3.13; machines that run the tests may have 3.11
only. The container shares this machine's network, engine and project folder, so paths and addresses are the same in it.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import capabilities, images, uvenv
from .apt import archive
from .paths import CACHE, ROOT
from .recipes import ENGINE
from .shell import GroundError, output, proxies

SOCKET = Path("/var/run/docker.sock")
VENV = ROOT / ".venv-core-2.21"
HOME = ROOT / ".cache" / "controller"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What of this environment says how hard and how loud tests are.
_PASSED_ON = ("HYPOTHESIS_", "WHEELHOUSE_", "ANSIBLE_", "MOLECULE_", "NO_COLOR", "PYTHONUNBUFFERED", "COLUMNS")


def environment() -> dict[str, str]:
    """Return the variables of a command: where it finds packages, images and itself."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
    return {
        **passed,
        **proxies(),
        **uvenv.uv_environment(),
        "GROUND_ENVIRONMENT": json.dumps(images.environment()),
        "HOME": str(HOME),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": f"{VENV}/bin:{_PATH}",
        # Hosts are named after scenarios: these are of this one.
        "USER": os.environ.get("USER", "root"),
    }


def command(image: str, arguments: Sequence[str], variables: Mapping[str, str], group: int | None) -> list[str]:
    """Return the call of docker that runs a command on the controller.

    Args:
        image: name of the host image.
        arguments: the command.
        variables: of its environment.
        group: number of the group that may use the engine; None where there is no socket.
    """
    volumes = [f"{ROOT}:{ROOT}", "/etc/passwd:/etc/passwd:ro", "/etc/group:/etc/group:ro"]
    if CACHE.resolve() != CACHE:
        volumes.append(f"{CACHE.resolve()}:{CACHE.resolve()}")
    engine = []
    if group is not None:
        volumes.append(f"{SOCKET}:{SOCKET}")
        engine = ["--group-add", str(group)]
    bundle = variables.get("SSL_CERT_FILE")
    if bundle:
        volumes.append(f"{Path(bundle).resolve()}:{bundle}:ro")
    return [
        *("docker", "run", "--rm", "--label", "wheelhouse-ground=controller", "--network", "host"),
        # Signals reach a command that is not process 1 of its own namespace; seccomp of old engines refuses new calls.
        *("--pid", "host", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
        *("--shm-size", "1g"),
        *(
            ("--cap-add", "SYS_ADMIN") if "SYS_ADMIN" in capabilities.machine() else ()
        ),  # tests mount small file systems
        *("--user", f"{os.getuid()}:{os.getgid()}", *engine, "--workdir", str(ROOT)),
        *(word for volume in volumes for word in ("--volume", volume)),
        *(word for name, value in sorted(variables.items()) for word in ("--env", f"{name}={value}")),
        image,
        *arguments,
    ]


def run(arguments: Sequence[str]) -> int:
    """Run a command on the controller and return its exit code.

    Raises:
        GroundError: when the image is missing.
    """
    image = images.tag(ENGINE, archive())
    if output(["docker", "image", "inspect", "--format", "{{.Id}}", image]) is None:
        raise GroundError(f"{image} is missing: 'python3 -m tests.ground images build {ENGINE.name}' makes it")
    HOME.mkdir(parents=True, exist_ok=True)
    status = SOCKET.stat() if SOCKET.exists() else None
    group = status.st_gid if status and stat.S_ISSOCK(status.st_mode) else None
    return subprocess.call(command(image, arguments, environment(), group))
