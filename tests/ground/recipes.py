"""What the proving ground builds, as data: a new host or image is an entry here and a folder in ``files/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .packages import DOCKER_CE, EL9_AVAILABLE, EL9_INSTALLED, Package

_SYSTEM = ("systemd", "systemd-sysv", "dbus", "passwd", "adduser", "sudo", "procps", "iproute2")
_REACH = ("ca-certificates", "curl", "openssh-server", "python3")
_APT = ("python3-apt",)
# What an engine of the imitated repository is linked against, and runs.
_BELOW_ENGINE = ("iptables", "libseccomp2", "libsystemd0", "xz-utils", "tar")
_DNF = ("dnf", "dnf-plugins-core", "python3-dnf", "python3-rpm", "rpm", "createrepo-c", "gnupg")
_ENGINE = ("docker.io", "docker-cli", "docker-compose")


@dataclass(frozen=True)
class Host:
    """A host image: Debian that boots systemd.

    Attributes:
        name: the image is ``wheelhouse-ground/<name>:<hash>``.
        suite: Debian's code name.
        packages: beside what is essential.
        files: folders of ``files/`` that are laid over the root, in order.
        stubs: empty RPMs that its setup makes.
        docker: packages that its setup makes in both formats.
        keeps_apt: False takes apt and dpkg away at the end, for hosts that pass for another family.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    files: tuple[str, ...] = ("host",)
    stubs: tuple[Package, ...] = ()
    docker: tuple[Package, ...] = ()
    keeps_apt: bool = True


@dataclass(frozen=True)
class Layer:
    """A host image made from another by a script that runs there, where the imitated repositories can be reached.

    Attributes:
        name: the image is ``wheelhouse-ground/<name>:<hash>``.
        base: the image that it begins with.
        files: folder of ``files/`` whose ``setup.sh`` is run.
    """

    name: str
    base: Host
    files: str


@dataclass(frozen=True)
class StandIn:
    """An image of the stack, shaped like the official one.

    Attributes:
        name: for people and files.
        reference: the official name, which it bears inside its archive only.
        suite: Debian's code name.
        packages: beside what is essential.
        config: the image's configuration, in the words of Docker's image specification.
        python: distributions from PyPI, pinned as the official image pins them.
        python_version: the suite's Python.
        files: folders of ``files/`` that are laid over the root, in order.
    """

    name: str
    reference: str
    suite: str
    packages: tuple[str, ...]
    config: dict[str, Any]
    files: tuple[str, ...]
    python: tuple[str, ...] = ()
    python_version: str = ""


@dataclass(frozen=True)
class Bundle:
    """An archive for ``docker load``, holding one or more images; ``link`` is its stable name."""

    name: str
    images: tuple[StandIn, ...] = field(default_factory=tuple)

    @property
    def link(self) -> str:
        """File name that always points to the archive in use."""
        return f"{self.name}.tar"


_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _nginx(version: str, suite: str) -> StandIn:
    return StandIn(
        name=f"nginx-{version}",
        reference=f"nginx:{version}",
        suite=suite,
        packages=("nginx", "libnginx-mod-http-js", "ca-certificates", "curl"),
        files=("nginx",),
        config={
            "Env": [_PATH, f"NGINX_VERSION={version}"],
            "Entrypoint": ["/docker-entrypoint.sh"],
            "Cmd": ["nginx", "-g", "daemon off;"],
            "ExposedPorts": {"80/tcp": {}},
            "StopSignal": "SIGQUIT",
        },
    )


PYPISERVER = StandIn(
    name="pypiserver",
    reference="pypiserver/pypiserver:v2.4.2",
    suite="trixie",
    packages=("python3", "bash", "gosu", "libstdc++6"),
    files=("pypiserver",),
    python_version="3.13",
    python=(
        "pypiserver==2.4.2",
        "gevent==24.11.1",
        "gunicorn==25.3.0",
        "passlib==1.7.4",
        "bcrypt==3.2.0",
        "waitress==3.0.2",
        "watchdog==6.0.0",
    ),
    config={
        "Env": [_PATH, "PYPISERVER_PORT=8080", "PORT=8080", "PYTHONUNBUFFERED=t"],
        "Entrypoint": ["/entrypoint.sh"],
        "WorkingDir": "/data",
        "ExposedPorts": {"8080/tcp": {}},
        "Volumes": {"/data/packages": {}},
    },
)
# What asks a directory (pypi_login_source: ldap). Debian's Apache, whose modules are the same, in the official image's folders.
HTTPD = StandIn(
    name="httpd",
    reference="httpd:2.4",
    suite="trixie",
    packages=("apache2-bin", "libaprutil1-ldap", "libldap-common", "bash", "ca-certificates"),
    files=("httpd",),
    config={
        "Env": [_PATH.replace("=", "=/usr/local/apache2/bin:"), "HTTPD_PREFIX=/usr/local/apache2"],
        "WorkingDir": "/usr/local/apache2",
        "Cmd": ["httpd-foreground"],
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGWINCH",
    },
)
NGINX = _nginx("1.30", "sid")
NGINX_126 = _nginx("1.26", "trixie")

BARE = Host("debian13", "trixie", (*_SYSTEM, *_REACH, *_APT))
ENGINE = Host("debian13-engine", "trixie", (*_SYSTEM, *_REACH, *_APT, *_ENGINE))
DEBIAN12 = Host("debian12", "bookworm", (*_SYSTEM, *_REACH, *_APT))
# Debian 12, whose dnf and systemd are nearest to EL9, under another name.
EL9 = Host(
    "el9",
    "bookworm",
    (*_SYSTEM, *_REACH, *_DNF, *_BELOW_ENGINE),
    files=("host", "el9"),
    stubs=EL9_INSTALLED,
    keeps_apt=False,
)
# The server of the imitated repositories, and the tools that it made them with.
REPOSITORIES = Host(
    "repositories",
    "bookworm",
    (*_SYSTEM, *_REACH, "apt-utils", "createrepo-c", "gnupg", "openssl", "rpm"),
    files=("host", "repositories"),
    stubs=(*EL9_INSTALLED, *EL9_AVAILABLE),
    docker=DOCKER_CE,
)
EL9_ENGINE = Layer("el9-engine", EL9, "el9-engine")
# The longest first.
HOSTS = (REPOSITORIES, ENGINE, EL9, BARE, DEBIAN12)
LAYERS = (EL9_ENGINE,)
# Debian testing, whose packages are the newest: for `make test-long`.
FORKY = Layer("debian-forky", BARE, "forky")
# With a shared file system and a virtual address: for the scenario nodes alone.
GLUSTER = Layer("debian13-gluster", ENGINE, "gluster")
LATER = (FORKY, GLUSTER)
# What a platform of a scenario may call them.
IMAGES: dict[str, Host | Layer] = {
    "bare": BARE,
    "engine": ENGINE,
    "debian12": DEBIAN12,
    "el9": EL9,
    "el9-engine": EL9_ENGINE,
    "repositories": REPOSITORIES,
    "forky": FORKY,
    "gluster": GLUSTER,
}

# Where newcomers start, for newcomer.py: nothing but Python, git and make. `mount` is in any installation.
FRESH = Host("debian12-fresh", "bookworm", ("python3", "git", "make", "mount"), files=("fresh",))
FRESH_SUDO = Host("debian12-fresh-sudo", "bookworm", (*FRESH.packages, "sudo"), files=("fresh",))
# The same with systemd, on the next Debian.
FRESH_SYSTEMD = Host(
    "debian13-fresh-systemd", "trixie", (*_SYSTEM, "ca-certificates", *FRESH.packages), files=("host", "fresh")
)
MACHINES = (FRESH, FRESH_SUDO, FRESH_SYSTEMD)

STACK = Bundle("stack", (NGINX, PYPISERVER))
OLD_NGINX = Bundle("nginx-1.26", (NGINX_126,))
STACK_LDAP = Bundle("stack-ldap", (NGINX, PYPISERVER, HTTPD))
BUNDLES = (STACK, OLD_NGINX, STACK_LDAP)
