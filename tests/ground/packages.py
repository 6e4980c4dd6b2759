"""Packages of the imitated repositories, as data: Docker's own under the vendor's names, and what EL9 has around them.

What the vendor's packages require and refuse is as the vendor has it; what is inside comes from Debian's packages.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Relations:
    """What one format says of a package beside its name and version.

    Attributes:
        epoch: goes before the version; 0 for none.
        release: goes after it; ``{suite}`` and ``{number}`` are Debian's code name and number.
        requires: other packages, with versions as the format writes them; so the others.
        conflicts: packages that cannot be there as well.
        provides: names that it also goes by.
        obsoletes: packages that it takes the place of.
    """

    epoch: int = 0
    release: str = "1.el9"
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        name: as the vendor calls it.
        version: without epoch and release.
        files: path in the package, and the one in Debian's package that it is taken from, ``<package>/<path>``.
        units: systemd's; they are started when a deb is installed, and enabled by presets in an RPM.
        group: of the system, made before it is unpacked.
        rpm: relations of the RPM.
        deb: relations of the Debian package.
    """

    name: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    group: str = ""
    rpm: Relations = field(default_factory=Relations)
    deb: Relations = field(default_factory=Relations)


# What is downloaded and taken apart: the suite, and the beginning of the version that is expected there.
SOURCES = {
    "docker.io": ("trixie", "26.1.5+dfsg1"),
    "docker-cli": ("trixie", "26.1.5+dfsg1"),
    "containerd": ("trixie", "1.7.24"),
    "docker-compose": ("trixie", "2.26.1"),
    "tini": ("trixie", "0.19.0"),
    # The one of trixie wants a newer C library than EL9 and Debian 12 have.
    "runc": ("bookworm", "1.1.5"),
}
# The engine is one and the same; its packages are built as these, and the binaries say so when asked.
ENGINE_BUILT = "26.1.5"
ENGINE_PATCHES = ("26.1.4", "26.1.5")
ENGINE_VERSIONS = (*ENGINE_PATCHES, "26.2.0")
COMPOSE_VERSION = "2.26.1"

_DEB_RELEASE = "1~debian.{number}~{suite}"
_UNITS = "usr/lib/systemd/system"


def _engine(version: str) -> Package:
    return Package(
        name="docker-ce",
        version=version,
        files={
            "usr/bin/dockerd": "docker.io/usr/sbin/dockerd",
            "usr/bin/docker-proxy": "docker.io/usr/sbin/docker-proxy",
            "usr/bin/docker-init": "tini/usr/bin/tini-static",
            f"{_UNITS}/docker.service": f"docker.io/{_UNITS}/docker.service",
            f"{_UNITS}/docker.socket": f"docker.io/{_UNITS}/docker.socket",
        },
        units=("docker.service", "docker.socket"),
        group="docker",
        rpm=Relations(
            epoch=3,
            requires=(
                "container-selinux >= 2:2.74",
                "containerd.io >= 1.6.24",
                "docker-ce-cli",
                "iptables",
                "libcgroup",
                "systemd",
                "tar",
                "xz",
            ),
            conflicts=("docker", "docker-io", "docker-engine-cs", "docker-ee"),
            obsoletes=("docker-ce-selinux", "docker-engine-selinux", "docker-engine"),
        ),
        deb=Relations(
            epoch=5,
            release=_DEB_RELEASE,
            requires=(
                "containerd.io (>= 1.6.24)",
                "docker-ce-cli",
                "iptables",
                "libseccomp2 (>= 2.3.0)",
                "libc6 (>= 2.34)",
                "libsystemd0",
            ),
            conflicts=("docker (<< 1.5~)", "docker-engine", "docker.io"),
            obsoletes=("docker-engine",),
        ),
    )


def _client(version: str) -> Package:
    return Package(
        name="docker-ce-cli",
        version=version,
        files={"usr/bin/docker": "docker-cli/usr/bin/docker"},
        rpm=Relations(epoch=1, conflicts=("docker", "docker-io", "docker-ee-cli")),
        deb=Relations(
            epoch=5,
            release=_DEB_RELEASE,
            requires=("libc6 (>= 2.34)",),
            conflicts=("docker (<< 1.5~)", "docker-engine", "docker.io"),
        ),
    )


_CONTAINERD = Package(
    name="containerd.io",
    version="1.7.24",
    files={
        "usr/bin/containerd": "containerd/usr/bin/containerd",
        "usr/bin/containerd-shim-runc-v2": "containerd/usr/bin/containerd-shim-runc-v2",
        "usr/bin/ctr": "containerd/usr/bin/ctr",
        "usr/bin/runc": "runc/usr/sbin/runc",
        f"{_UNITS}/containerd.service": f"containerd/{_UNITS}/containerd.service",
    },
    units=("containerd.service",),
    rpm=Relations(
        release="3.1.el9",
        requires=("container-selinux >= 2:2.74",),
        conflicts=("containerd", "runc"),
        provides=("containerd", "runc"),
        obsoletes=("containerd", "runc"),
    ),
    deb=Relations(
        release="1",
        requires=("libc6 (>= 2.34)", "libseccomp2 (>= 2.5.0)"),
        conflicts=("containerd", "runc"),
        provides=("containerd", "runc"),
        obsoletes=("containerd", "runc"),
    ),
)
_COMPOSE = Package(
    name="docker-compose-plugin",
    version=COMPOSE_VERSION,
    files={
        "usr/libexec/docker/cli-plugins/docker-compose": "docker-compose/usr/libexec/docker/cli-plugins/docker-compose"
    },
    deb=Relations(release=_DEB_RELEASE),
)
DOCKER_CE = (
    *(make(version) for version in ENGINE_VERSIONS for make in (_engine, _client)),
    _CONTAINERD,
    _COMPOSE,
)


def _stub(name: str, version: str, *provides: str, epoch: int = 0) -> Package:
    return Package(name, version, rpm=Relations(epoch=epoch, provides=provides))


# What the stand-in has by other means: its package database says that it has these.
EL9_INSTALLED = (
    _stub(
        "rocky-release",
        "9.6",
        "system-release = 9.6",
        "redhat-release = 9.6",
        "system-release(releasever) = 9",
        "rocky-release = 9.6",
    ),
    _stub("bash", "5.1.8", "/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash"),
    _stub("ca-certificates", "2024.2.69"),
    _stub("curl", "7.76.1"),
    _stub("dnf", "4.14.0", "yum = 4.14.0"),
    _stub("dnf-plugins-core", "4.3.0"),
    _stub("gnupg2", "2.3.3"),
    _stub("iproute", "6.2.0"),
    _stub("iptables-nft", "1.8.10", "iptables = 1.8.10"),
    _stub("openssh-server", "8.7p1"),
    _stub("procps-ng", "3.3.17"),
    _stub("python3", "3.9.21", "python(abi) = 3.9"),
    _stub("python3-dnf", "4.14.0"),
    _stub("rpm", "4.16.1.3"),
    _stub("shadow-utils", "4.9", epoch=2),
    _stub("sudo", "1.9.5p2"),
    _stub("systemd", "252"),
    _stub("tar", "1.34", epoch=2),
    _stub("xz", "5.2.5"),
)
# What it can get, empty: to be required, to be in the way, or because the program is in the image already.
EL9_AVAILABLE = (
    _stub("buildah", "1.37.6", epoch=2),
    _stub("container-selinux", "2.235.0", epoch=3),
    _stub("containers-common", "1", epoch=4),
    _stub("createrepo_c", "0.20.1"),
    _stub("fuse-overlayfs", "1.14"),
    _stub("libcgroup", "0.41"),
    _stub("podman", "5.2.2", epoch=4),
    _stub("podman-docker", "5.2.2", "docker = 5.2.2", epoch=4),
    _stub("python3-dnf-plugin-versionlock", "4.3.0"),
    _stub("python3-passlib", "1.7.4"),
    _stub("python3-requests", "2.25.1"),
    _stub("runc", "1.1.12", epoch=4),
    _stub("slirp4netns", "1.3.1"),
    _stub("yum-utils", "4.3.0"),
)
