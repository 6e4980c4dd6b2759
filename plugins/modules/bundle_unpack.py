#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_unpack
short_description: The packages of a bundle as a repository for apt or dnf
version_added: 0.2.0
description:
  - Unpacks what M(wheelhouse.pypi.bundle_download) has packed, and writes settings by which apt or dnf know this
    repository and no other. apt reads its index at once. What apt and dnf have of their own is left alone.
  - The bundle's checksum is what vouches for apt's packages; dnf checks their signatures once more.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Says that it would unpack.
    support: full
  diff_mode:
    description: There is never anything to show.
    support: none
  idempotent:
    description: Unpacks anew each time; the folder is meant to be removed after the installation.
    support: none
options:
  src:
    description: The file on the host. It is removed, as it is large.
    type: path
    required: true
  path:
    description: The folder. Nothing of it is left from an earlier time.
    type: path
    required: true
  manager:
    description: Program that is to install from it.
    type: str
    choices: [apt, dnf]
    required: true
seealso:
  - module: wheelhouse.pypi.bundle_download
"""

EXAMPLES = r"""
- name: Packages are on the host
  wheelhouse.pypi.bundle_unpack:
    src: /var/cache/wheelhouse.pypi/packages.tar
    path: /var/cache/wheelhouse.pypi/packages
    manager: apt

- name: Engine and Compose are installed from them alone
  ansible.builtin.apt:
    name: [docker.io, docker-cli, docker-compose]
    update_cache: true
  environment:
    APT_CONFIG: /var/cache/wheelhouse.pypi/packages/apt.conf
"""

RETURN = r"""
settings:
  description: Path of the settings, for E(APT_CONFIG), or for the option O(ansible.builtin.dnf#module:conf_file).
  type: str
  returned: success
  sample: /var/cache/wheelhouse.pypi/packages/apt.conf
"""

import glob
import os
import shutil
import tarfile

from ansible.module_utils.basic import AnsibleModule

# The host's own settings hold beside these, such as those of proxies; no list of its own is read or changed.
_APT_CONF = """\
Dir::Etc::sourcelist "{path}/apt.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{path}/lists";
Dir::Cache "{path}/cache";
Acquire::Languages "none";
"""
_APT_LIST = "deb [trusted=yes] file:{path}/content ./\n"
# Modules of the family's repositories are not known here, and would hide packages of theirs.
_DNF_CONF = """\
[main]
reposdir={path}/none
cachedir={path}/cache
install_weak_deps=False

[wheelhouse-bundle]
name=Bundle of wheelhouse.pypi
baseurl=file://{path}/content
gpgcheck=1
gpgkey={keys}
module_hotfixes=1
"""


def settings_for(manager: str, path: str, keys: list[str]) -> dict[str, str]:
    """Return the settings, as texts by the names of their files; what apt or dnf is told is in the first.

    Args:
        manager: apt or dnf.
        path: the folder.
        keys: paths of the keys of packages.
    """
    if manager == "apt":
        return {"apt.conf": _APT_CONF.format(path=path), "apt.list": _APT_LIST.format(path=path)}
    return {"dnf.conf": _DNF_CONF.format(path=path, keys=" ".join("file://" + key for key in keys))}


def unpack(src: str, folder: str) -> None:
    """Unpack files and folders, and nothing else; raises ValueError on anything that leads out of the folder."""
    with tarfile.open(src) as archive:
        for member in archive:
            parts = member.name.split("/")
            if member.name.startswith("/") or ".." in parts or not (member.isfile() or member.isdir()):
                raise ValueError("%r in it is neither a file nor a folder below it" % member.name)
            target = os.path.join(folder, member.name)
            content = archive.extractfile(member)
            if content is None:
                os.mkdir(target, 0o755)
                continue
            with content, open(target, "wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
            # apt reads them as a user of its own.
            os.chmod(target, 0o644)


def read_index(module: AnsibleModule, settings: str) -> None:
    """Have apt read the index of the packages; raises ValueError with what it says when it cannot."""
    command = [module.get_bin_path("apt-get", required=True), "--quiet", "--error-on=any", "update"]
    code, _out, err = module.run_command(command, environ_update={"APT_CONFIG": settings, "LC_ALL": "C.UTF-8"})
    if code:
        raise ValueError("apt-get update said:\n%s" % err.strip())


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "manager": {"type": "str", "choices": ["apt", "dnf"], "required": True},
        },
        supports_check_mode=True,
    )
    src, path = module.params["src"], module.params["path"]
    if not module.check_mode:
        try:
            shutil.rmtree(path, ignore_errors=True)
            os.makedirs(path + "/lists/partial", 0o755)
            for name in ("content", "none", "cache"):
                os.mkdir(os.path.join(path, name), 0o755)
            unpack(src, path + "/content")
            os.unlink(src)
            keys = sorted(glob.glob(path + "/content/key-*.asc"))
            for name, text in settings_for(module.params["manager"], path, keys).items():
                with open(os.path.join(path, name), "w", encoding="utf-8") as file:
                    file.write(text)
            if module.params["manager"] == "apt":
                read_index(module, path + "/apt.conf")
        except (OSError, ValueError, tarfile.TarError) as error:
            shutil.rmtree(path, ignore_errors=True)
            module.fail_json(msg="%s cannot be unpacked: %s" % (src, error))
    # What is unpacked is on its way: only what is installed from it changes the host.
    module.exit_json(changed=False, settings="%s/%s.conf" % (path, module.params["manager"]))


if __name__ == "__main__":
    main()
