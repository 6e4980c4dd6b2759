# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's package repository in the words of apt and dnf: what describes it, what is in its way, what errors mean.

Functions of text only. Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Mapping
from urllib.parse import urlsplit

MANAGED = "# Managed by Ansible, wheelhouse.pypi.docker: it is written anew when a run installs Docker.\n"
# Where Docker's own documentation and those who follow it have had the packages from.
_DOCKERS_OWN = ("download.docker.com/linux/", "apt.dockerproject.org/", "yum.dockerproject.org/")


@dataclass(frozen=True)
class Repository:
    """Docker's repository for one distribution.

    Attributes:
        url: folder of the distribution, such as https://download.docker.com/linux/debian.
        release: suite for apt (trixie), major version for dnf (9).
        key: the key, ASCII armoured.
        proxy: URL of a proxy, or nothing.
        ca: certificate authorities to trust, as PEM, or nothing.
        architecture: for apt, such as amd64.
    """

    url: str
    release: str
    key: str
    proxy: str = ""
    ca: str = ""
    architecture: str = ""


APT_ENTRY = "/etc/apt/sources.list.d/docker.sources"
APT_KEY = "/etc/apt/keyrings/docker.asc"
APT_CA = "/etc/apt/keyrings/docker-ca.pem"
APT_ACCESS = "/etc/apt/apt.conf.d/90docker-repository"
DNF_NAME = "docker-ce-stable"
DNF_ENTRY = "/etc/yum.repos.d/docker-ce-stable.repo"
DNF_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"
DNF_CA = "/etc/pki/tls/certs/docker-repository.pem"


def apt_files(repository: Repository) -> dict[str, str]:
    """Map paths to contents of what makes the repository known to apt; empty is a file that is not to be."""
    host = urlsplit(repository.url).hostname or ""
    scheme = urlsplit(repository.url).scheme
    access = []
    if repository.proxy:
        access.append(f'Acquire::{scheme}::Proxy::{host} "{repository.proxy}";\n')
    if repository.ca:
        access.append(f'Acquire::https::{host}::CaInfo "{APT_CA}";\n')
    entry = [
        MANAGED,
        "Types: deb\n",
        f"URIs: {repository.url}\n",
        f"Suites: {repository.release}\n",
        "Components: stable\n",
        f"Architectures: {repository.architecture}\n" if repository.architecture else "",
        f"Signed-By: {APT_KEY}\n",
    ]
    return {
        APT_KEY: repository.key,
        APT_CA: repository.ca,
        APT_ACCESS: MANAGED.replace("#", "//", 1) + "".join(access) if access else "",
        APT_ENTRY: "".join(entry),
    }


def dnf_files(repository: Repository) -> dict[str, str]:
    """Map paths to contents of what makes the repository known to dnf; empty is a file that is not to be."""
    entry = [
        MANAGED,
        f"[{DNF_NAME}]\n",
        "name=Docker CE Stable\n",
        # The major version, not $releasever: a host that is pinned to 9.4 has that there, and Docker has no such folder.
        f"baseurl={repository.url}/{repository.release}/$basearch/stable\n",
        "enabled=1\n",
        "gpgcheck=1\n",
        f"gpgkey=file://{DNF_KEY}\n",
        f"proxy={repository.proxy}\n" if repository.proxy else "",
        f"sslcacert={DNF_CA}\n" if repository.ca else "",
    ]
    return {DNF_KEY: repository.key, DNF_CA: repository.ca, DNF_ENTRY: "".join(entry)}


# -- what others have left ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A line, stanza or section of a file that describes repositories, and the addresses that it makes known."""

    text: str
    uris: tuple[str, ...] = ()
    signed_by: str = ""


def parts(path: str, text: str) -> list[Part]:
    """Take a file of apt or dnf apart; the texts of all parts together are the file.

    Parts that are switched off or commented out make nothing known.
    """
    if path.endswith(".repo"):
        return _sections(text)
    return _stanzas(text) if path.endswith(".sources") else [_line(line) for line in text.splitlines(keepends=True)]


_ONE_LINE = re.compile(r"\s*deb(?:-src)?\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>[^\s\[\]]+)\s")


def _line(text: str) -> Part:
    match = _ONE_LINE.match(text)
    if not match:
        return Part(text)
    options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
    return Part(text, (match["uri"],), options.get("signed-by", ""))


def _stanzas(text: str) -> list[Part]:
    found = []
    for stanza in re.findall(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+(?:[ \t]*\n)*|(?:[ \t]*\n)+", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + "\n" + line
            else:
                name, _colon, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        on = fields.get("enabled", "yes").strip().lower() not in ("no", "false", "without", "off", "disable", "0")
        key = fields.get("signed-by", "").strip()
        found.append(Part(stanza, tuple(fields.get("uris", "").split()) if on else (), "" if "\n" in key else key))
    return found


def _sections(text: str) -> list[Part]:
    found = []
    for section in re.split(r"^(?=\[)", text, flags=re.MULTILINE):
        fields = {}
        for line in section.splitlines():
            if not line.startswith(("#", ";", "[")):
                name, _equals, value = line.partition("=")
                fields[name.strip().lower()] = value.strip()
        on = fields.get("enabled", "1").lower() in ("1", "yes", "true", "on")
        addresses = " ".join(fields.get(name, "") for name in ("baseurl", "mirrorlist", "metalink"))
        found.append(Part(section, tuple(addresses.replace(",", " ").split()) if on else (), fields.get("gpgkey", "")))
    return [part for part in found if part.text]


def is_same(uri: str, url: str) -> bool:
    """Tell whether an entry's address is the repository ``url``, or Docker's own."""
    entry, ours = _without_scheme(uri), _without_scheme(url)
    return entry.startswith((ours, *_DOCKERS_OWN))


def _without_scheme(uri: str) -> str:
    parts_ = urlsplit(uri)
    return f"{parts_.netloc.lower()}{parts_.path.rstrip('/')}/"


@dataclass(frozen=True)
class Leftover:
    """Something that another installation left.

    Attributes:
        what: a phrase for the message.
        blocks: whether Docker cannot be installed beside it.
        file: the file that it is in, if it is in one.
        rest: what stays of that file without it; nothing where the file goes.
        package: the package that it is, if it is one.
    """

    what: str
    blocks: bool = True
    file: str = ""
    rest: bytes = b""
    package: str = ""


def entries_left(files: Mapping[str, str], url: str, own: str) -> list[Leftover]:
    """Find the same repository in other files.

    Args:
        files: contents of the files that describe repositories, by their paths.
        url: the repository.
        own: the path that our own entry has; entries of the repository there are ours, whoever wrote them.
    """
    found = []
    for path, text in files.items():
        all_parts = parts(path, text)
        same = [part for part in all_parts if any(is_same(uri, url) for uri in part.uris)]
        if path == own:
            others = sorted({uri for part in all_parts if part not in same for uri in part.uris})
            if others:
                found.append(
                    Leftover(f"{path}, which is to be Docker's entry and names {', '.join(others)} as well", file=path)
                )
        elif same:
            keys = sorted({part.signed_by for part in same if part.signed_by})
            rest = "".join(part.text for part in all_parts if part not in same)
            found.append(
                Leftover(
                    f"{path} names the same repository"
                    + (f" with the key {', '.join(keys)}" if keys else "")
                    + ", which must have one entry and one key",
                    file=path,
                    rest=rest.encode()
                    if any(line.strip() and line[0] not in "#;" for line in rest.splitlines())
                    else b"",
                )
            )
    return found


def packages_left(installed: Iterable[str]) -> list[Leftover]:
    """Say of packages that they exclude those that are to come."""
    return [
        Leftover(f"the package {name}, beside which its packages cannot be installed", package=name)
        for name in installed
    ]


def message(leftovers: Iterable[Leftover], source: str) -> str:
    """Name everything that is in the way, and the mend."""
    lines = "".join(f"\n- {leftover.what}" for leftover in leftovers)
    return (
        f"What other installations have left is in the way of pypi_docker_source: {source}:{lines}\n"
        "Set pypi_docker_replace: true to have all of it removed when Docker is installed, or remove it by hand, and run "
        "again. Images, containers and volumes stay. Nothing has been changed."
    )


# -- errors ------------------------------------------------------------------------------------------------------------

_CA = "give the authority that signed its certificate in pypi_docker_repository_ca_file"
_REACH = (
    "Check pypi_docker_repository_url, and pypi_docker_repository_proxy where the host needs one; a mirror or a bundle "
    "(pypi_bundle) helps hosts that have no way out"
)
_TRUST = (
    "somebody between here and there, or the mirror, has changed something: ask who runs it, and do not switch the "
    "check off"
)
# The first that matches counts: what apt says last is often only what follows from it.
_MEANINGS = (
    (
        r"[Cc]ertificate verif|CERTIFICATE_VERIFY|certificate is NOT trusted|Curl error \(60\)|SSL certificate problem",
        "the host does not trust the server's certificate",
        f"If that server is meant, {_CA}",
    ),
    (
        r"Could not get lock|is held by process|Waiting for process with pid",
        "another installation holds the lock of the package manager",
        "Wait until it is done, and run again",
    ),
    (
        r"Conflicting values set for option Signed-By",
        "another entry names the same repository with another key",
        "Remove it, or set pypi_docker_replace: true",
    ),
    (
        r"NO_PUBKEY|Missing key|couldn't be verified because the public key|Public key for \S+ is not installed"
        r"|already installed but they are not correct|key ID \w+: NOKEY|import failed",
        "it is signed by another key than {fingerprint}",
        f"If that is meant, name the key in pypi_docker_repository_key_fingerprint and give it. If not: {_TRUST}",
    ),
    (
        r"BADSIG|Bad signature|[Hh]ash [Ss]um mismatch|unexpected size|checksum doesn't match|BAD checksum|digest: BAD"
        r"|Problem opening package|[Dd]igests? .*(?:BAD|NOT OK)|do(?:es)? not verify|Malformed message|signatures? NOT OK"
        r"|Checksum error",
        "something in it was altered after it was signed",
        f"A mirror that is being updated may look like this for some minutes: run again. If it stays: {_TRUST}",
    ),
    (
        r"is expired|expired since|no longer valid",
        "its index has expired",
        "A mirror that is not updated any more looks like this; see to it that it is. The clock of the host may be wrong too",
    ),
    (r"is not valid yet|invalid for another", "its index is from the future", "Set the clock of the host"),
    (
        r"is not signed|no longer signed|NOT SIGNED",
        "it, or a package in it, is not signed",
        "Docker's own is: use that, or a mirror that copies it whole",
    ),
    (
        r"404 +Not Found|[Ss]tatus code: 404|does not have a Release file|returned error: 404|HTTP Error 404",
        "there is nothing, or nothing for this release of the distribution",
        "Check pypi_docker_repository_url, below which the folders debian, ubuntu, centos, rhel and fedora are",
    ),
    (
        r"Could not resolve|Temporary failure|Name or service not known|timed out|Could not connect|Connection (?:refused|failed)"
        r"|unreachable|Curl error|Failed to download metadata|Cannot download repomd|Timeout was reached|Cannot initiate"
        r"|Failed to fetch|Errors? during download|HTTP Error 5",
        "it cannot be reached",
        _REACH,
    ),
)
_MISSING = re.compile(
    r"Unable to locate package (\S+)|No match for argument: (\S+)|no installation candidate|Version '([^']+)' for"
)


def explain(output: str, fingerprint: str) -> tuple[str, str]:
    """Say what an error of apt or dnf means for a repository: the cause, and the mend.

    Args:
        output: everything that the package manager said.
        fingerprint: of the key that the repository is to be signed by.
    """
    for pattern, cause, mend in _MEANINGS:
        if re.search(pattern, output):
            return cause.format(fingerprint=fingerprint or "the one that the host trusts"), mend
    missing = _MISSING.search(output)
    if missing:
        name = next((group for group in missing.groups() if group), "one of the packages")
        if name.startswith("kernel-modules-extra-"):
            return (
                f"there is no {name}, which belongs to the kernel that runs",
                "Upgrade the kernel, restart the host, and run again",
            )
        return f"it has no {name}", "Check what is asked for, and whether the host's own repositories are complete"
    return "something went wrong", "What was said of it is below"


_OF_OTHERS = re.compile(r"for repo(?:sitory)? '([^']+)'|^E: Failed to fetch (\S+)", re.MULTILINE)


def elsewhere(output: str, url: str) -> str:
    """Name the repository that an error is about, where that is not Docker's; nothing where it is.

    Args:
        output: everything that the package manager said.
        url: Docker's repository.
    """
    for match in _OF_OTHERS.finditer(output):
        name = match[1] or match[2]
        if name == DNF_NAME or is_same(name, url):
            return ""
    match_ = _OF_OTHERS.search(output)
    return (match_[1] or match_[2]) if match_ else ""


def last_words(output: str, lines: int = 8) -> str:
    """Return the lines of an output that say most: errors and warnings, else the last ones."""
    said = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [
        line for line in said if re.match(r"(?:E|W|Err|Error|error|GPG|Problem)\b|\[MIRROR\]|- Curl error", line)
    ]
    return "\n".join(list(dict.fromkeys(telling or said))[-lines:])
