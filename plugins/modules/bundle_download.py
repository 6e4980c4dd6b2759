#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_download
short_description: Packages and all that they depend on, as one file
version_added: 0.2.0
description:
  - Downloads packages with everything that they depend on, from the repositories that the machine knows, as if nothing
    were installed there. Nothing is installed, and lists and caches of the machine are left alone.
  - Puts them into one tar, with an index of them for apt or dnf, and for dnf the keys of their signatures, which are those
    that rpm knows, those that the distribution has installed, and those that repositories name by HTTPS.
  - Signatures are checked on the way, by apt those of the repositories, with dnf those of the packages.
  - M(wheelhouse.pypi.bundle_unpack) makes a repository of it on a host that reaches no other.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
requirements:
  - apt, or dnf with its command C(download), rpm and createrepo_c
attributes:
  check_mode:
    description: Downloads nothing, and returns no packages.
    support: full
  diff_mode:
    description: There is never anything to show.
    support: none
  idempotent:
    description: Downloads anew each time, as nobody else knows what the repositories have by now.
    support: none
options:
  manager:
    description: Program that knows the repositories.
    type: str
    choices: [apt, dnf]
    required: true
  names:
    description: Packages.
    type: list
    elements: str
    required: true
  version:
    description:
      - Version of the engine among O(names), or the beginning of one. One that the repositories do not have is an error.
      - By default it is the newest.
    type: str
    default: ""
  engine:
    description: Those of O(names) that are meant to be installed, without versions; only handed on.
    type: list
    elements: str
    required: true
  source:
    description: Whose packages these are, V(distro) or V(docker_ce); only handed on.
    type: str
    required: true
  path:
    description: The file to write. What else the download needs is beside it for a while.
    type: path
    required: true
seealso:
  - module: wheelhouse.pypi.bundle_unpack
"""

EXAMPLES = r"""
- name: Engine and Compose are in one file, with all that they depend on
  wheelhouse.pypi.bundle_download:
    manager: apt
    names: [docker.io, docker-cli, docker-compose]
    engine: [docker.io, docker-cli, docker-compose]
    source: distro
    path: /var/tmp/packages.tar
"""

RETURN = r"""
ansible_facts:
  description: Facts that are added to the machine's.
  returned: success
  type: dict
  contains:
    pypi_bundle_download:
      description: What was downloaded.
      type: dict
      contains:
        path:
          description: The file.
          type: str
        source:
          description: As O(source).
          type: str
        engine:
          description: As O(engine).
          type: list
          elements: str
        packages:
          description: Versions of all packages, by their names; none in check mode.
          type: dict
"""

import configparser
import glob
import hashlib
import os
import shutil
import tarfile
import tempfile
from typing import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.wheelhouse.pypi.plugins.module_utils import engine_packages
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine_packages import VersionError

# Keys of the distribution, where it installs them, and repositories, which may name others.
RPM_KEYS = "/etc/pki/rpm-gpg"
RPM_REPOSITORIES = "/etc/yum.repos.d"

_APT_CONF = """\
Dir::State::status "{work}/status";
Dir::State::lists "{work}/lists";
Dir::State::extended_states "{work}/extended_states";
Dir::Cache "{work}/cache";
Dir::Cache::archives "{folder}";
APT::Install-Recommends "false";
Acquire::Languages "none";
"""

# Runs a program, and returns what it says; raises DownloadError if it fails.
Run = Callable[..., str]


class DownloadError(Exception):
    """What could not be done, and why."""


# -- apt ---------------------------------------------------------------------------------------------------------------


def download_by_apt(run: Run, names: list[str], version: str, work: str, folder: str) -> dict[str, str]:
    """Fill a folder with packages and the file Packages; return their versions.

    Args:
        run: runs a program.
        names: packages.
        version: that the engine among them is to have.
        work: a folder for what apt needs.
        folder: where packages go.
    """
    for name in (work + "/lists/partial", work + "/cache", folder + "/partial"):
        os.makedirs(name)
    # Nothing is installed, as far as apt knows.
    _write(work + "/status", "")
    _write(work + "/apt.conf", _APT_CONF.format(work=work, folder=folder))
    settings = {"APT_CONFIG": work + "/apt.conf", "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "--quiet", "--error-on=any", "update"], environment=settings, what="read the lists of packages")
    versions = {}
    if version:
        listed = run(["apt-cache", "madison", *names], environment=settings, what="list the versions of the packages")
        versions = engine_packages.plan({}, engine_packages.madison(listed), version, names).install
    requests = [f"{name}={versions[name]}" if name in versions else name for name in names]
    run(
        ["apt-get", "--quiet", "--yes", "--download-only", "install", *requests],
        environment=settings,
        what="download %s" % ", ".join(names),
    )
    shutil.rmtree(folder + "/partial")
    os.unlink(folder + "/lock")
    packages = {}
    entries = []
    for path in sorted(glob.glob(folder + "/*.deb")):
        control = run(["dpkg-deb", "--field", path], what="read %s" % path)
        fields = control_fields(control)
        # Not as apt calls it: a %3a in it would be unescaped on its way to a path.
        name = "%(Package)s_%(Architecture)s.deb" % fields
        os.rename(path, os.path.join(folder, name))
        entries.append(index_entry(control, name, os.path.join(folder, name)))
        packages[fields["Package"]] = fields["Version"]
    _write(folder + "/Packages", "\n".join(entries))
    return packages


def control_fields(control: str) -> dict[str, str]:
    """Return the fields of a paragraph that are one line long."""
    return dict(line.split(": ", 1) for line in control.splitlines() if ": " in line and not line[0].isspace())


def index_entry(control: str, name: str, path: str) -> str:
    """Return what a file Packages says of a package, as dpkg-scanpackages would write it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n" % (
        control.rstrip("\n"),
        name,
        os.path.getsize(path),
        digest.hexdigest(),
    )


# -- dnf ---------------------------------------------------------------------------------------------------------------


def download_by_dnf(run: Run, names: list[str], version: str, work: str, folder: str) -> dict[str, str]:
    """Fill a folder with packages, repodata and keys; return the packages' versions.

    Args:
        run: runs a program.
        names: packages.
        version: that the engine among them is to have.
        work: a folder for what rpm needs.
        folder: where packages go.
    """
    os.makedirs(folder)
    options = ["--setopt=cachedir=%s/cache" % work, "--setopt=install_weak_deps=False"]
    # Locks of this machine are not the hosts'.
    options += ["--disableplugin=versionlock"]
    if version:
        query = ["dnf", "--assumeyes", "--quiet", *options, "repoquery", "--queryformat", engine_packages.DNF_FORMAT]
        available = engine_packages.repoquery(run([*query, *names], what="list the versions of the packages"))
        # dnf looks up for each package by itself what it depends on, and would bring the newest of the others as well.
        for name, wanted in engine_packages.plan({}, available, version, names).install.items():
            options += ["--exclude=%s-%s" % (name, other) for other in available[name] if other != wanted]
    # --alldeps is what it says only with --resolve: as if nothing were installed.
    download = ["download", "--resolve", "--alldeps", "--destdir", folder]
    run(
        ["dnf", "--assumeyes", "--quiet", *options, *download, *names],
        what="download %s" % ", ".join(names),
    )
    files = sorted(glob.glob(folder + "/*.rpm"))
    keys = rpm_keys(run(["rpm", "--query", "gpg-pubkey", "--queryformat", "%{DESCRIPTION}\n"], may_fail=True))
    database = work + "/rpmdb"
    os.makedirs(database)
    for number, key in enumerate(keys, 1):
        path = "%s/key-%d.asc" % (folder, number)
        _write(path, key)
        # A file beside the keys may be something else; a package that needs it is found below.
        run(["rpmkeys", "--dbpath", database, "--import", path], may_fail=True)
    run(["rpmkeys", "--dbpath", database, "--checksig", *files], what="verify the signatures of the packages")
    run(["createrepo_c", "--quiet", folder], what="write the index of the packages")
    listed = run(["rpm", "--query", "--queryformat", "%{NAME} %{EVR}\n", "--package", *files], what="list the packages")
    return {name: version for name, _space, version in (line.partition(" ") for line in listed.splitlines())}


def rpm_keys(known: str) -> list[str]:
    """Return the keys that signatures are checked with, each ASCII armoured.

    Args:
        known: what rpm says of the keys that it has.
    """
    texts = [known, *_texts(RPM_KEYS + "/*")]
    for address in key_addresses(_texts(RPM_REPOSITORIES + "/*.repo")):
        try:
            texts.append(open_url(address, timeout=30).read().decode("utf-8", "replace"))
        # Whatever goes wrong on the way has an exception of its own, from sockets to certificates.
        except Exception as error:
            raise DownloadError("cannot fetch the key %s: %s" % (address, error)) from error
    end = "-----END PGP PUBLIC KEY BLOCK-----"
    found = []
    for text in texts:
        for part in text.split(end)[:-1]:
            _before, begin, body = part.partition("-----BEGIN PGP PUBLIC KEY BLOCK-----")
            if begin:
                found.append(begin + body + end + "\n")
    return list(dict.fromkeys(found))


def key_addresses(repositories: list[str]) -> list[str]:
    """Return where dnf would fetch keys of the repositories that are in use.

    Only where nobody on the way can replace them; and what is named by variables comes with the distribution.
    """
    found = []
    for text in repositories:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:
            continue  # dnf itself complains of it
        for name in parser.sections():
            if parser.get(name, "enabled", fallback="1").strip().lower() in ("1", "true", "yes", "on"):
                found += parser.get(name, "gpgkey", fallback="").replace(",", " ").split()
    return [address for address in dict.fromkeys(found) if address.startswith("https://") and "$" not in address]


def _texts(pattern: str) -> list[str]:
    found = []
    for path in sorted(filter(os.path.isfile, glob.glob(pattern))):
        with open(path, encoding="utf-8", errors="replace") as file:
            found.append(file.read())
    return found


# -- both --------------------------------------------------------------------------------------------------------------


def write_archive(folder: str, path: str) -> None:
    """Write what is in a folder to a tar; the file appears whole or not at all."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = "root"
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    with tarfile.open(path + ".part", "w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(os.listdir(folder)):
            archive.add(os.path.join(folder, name), name, filter=plain)
    os.chmod(path + ".part", 0o644)
    os.rename(path + ".part", path)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def runner(module: AnsibleModule) -> Run:
    """Return what runs programs for the functions above."""

    def run(
        command: list[str], what: str = "", may_fail: bool = False, environment: dict[str, str] | None = None
    ) -> str:
        program = module.get_bin_path(command[0])
        if program is None:
            raise DownloadError("there is no %s on this machine: install it there" % command[0])
        settings = dict(environment or {}, LC_ALL="C.UTF-8")
        code, out, err = module.run_command([program, *command[1:]], environ_update=settings)
        if code and not may_fail:
            said = "\n".join(line for line in (err.strip() or out.strip()).splitlines()[-15:])
            raise DownloadError("cannot %s: %s ended with code %d and said:\n%s" % (what, command[0], code, said))
        return str(out)

    return run


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "choices": ["apt", "dnf"], "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "version": {"type": "str", "default": ""},
            "engine": {"type": "list", "elements": "str", "required": True},
            "source": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    found = {name: module.params[name] for name in ("engine", "source", "path")}
    if module.check_mode:
        module.exit_json(changed=True, ansible_facts={"pypi_bundle_download": dict(found, packages={})})
    path = module.params["path"]
    download = {"apt": download_by_apt, "dnf": download_by_dnf}[module.params["manager"]]
    work = tempfile.mkdtemp(prefix="download-", dir=os.path.dirname(path))
    try:
        # apt downloads as a user of its own, who has to get in.
        os.chmod(work, 0o755)
        packages = download(runner(module), module.params["names"], module.params["version"], work, work + "/packages")
        write_archive(work + "/packages", path)
    except (DownloadError, VersionError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename or path, error.strerror or error))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    module.exit_json(changed=True, ansible_facts={"pypi_bundle_download": dict(found, packages=packages)})


if __name__ == "__main__":
    main()
