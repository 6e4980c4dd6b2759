# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a bundle before anything on a host changes: see DOCUMENTATION in plugins/modules/bundle_check.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import bundle
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain

_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "sha256": {"type": "str", "default": ""},
    "host": {"type": "dict", "required": True},
    "images": {"type": "list", "elements": "str", "required": True},
    "source": {"type": "str", "default": "auto"},
    "version": {"type": "str", "default": ""},
}


class Lacks(NamedTuple):
    """What a host needs of a bundle: some packages of engine and Compose, and these images."""

    packages: bool
    images: tuple[str, ...]


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.bundle_check; never opens a connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look what the host lacks; if anything, judge the bundle, and say where its parts are."""
        result = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(argument_spec=_SPEC)
        args = plain(args)
        host: dict[str, Any] = args["host"]
        parts: dict[str, Any] = {}
        lacking = lacks(host, args["images"], args["version"])
        if lacking.packages or lacking.images:
            path = Path(args["path"])
            try:
                # A folder that Ansible's processes share, and that goes when the run ends.
                manifest, folder = bundle.unpacked_once(path, args["sha256"], Path(C.DEFAULT_LOCAL_TMP))
            except bundle.BundleError as error:
                raise AnsibleActionFail(f"pypi_bundle: {path} is refused, and nothing was changed: {error}.") from error
            except OSError as error:
                raise AnsibleActionFail(
                    f"pypi_bundle: {path} cannot be unpacked where Ansible runs: {error}. Nothing was changed. Its parts "
                    "are put into Ansible's local_tmp for the time of a run."
                ) from error
            problem = misfit(manifest, host, lacking, args["source"], args["version"])
            if problem:
                raise AnsibleActionFail(f"pypi_bundle: {path} {problem} Nothing was changed.")
            parts = {
                "packages": str(folder / bundle.PACKAGES),
                "images": str(folder / bundle.IMAGES),
                "compose": str(folder / bundle.COMPOSE) if manifest.compose else "",
                "source": manifest.source,
            }
        result.update(changed=False, ansible_facts={"pypi_bundle_parts": parts})
        return result


def lacks(host: Mapping[str, Any], images: Sequence[str], version: str) -> Lacks:
    """Return what a host lacks.

    Args:
        host: what the survey says.
        images: names of the images that it is to have.
        version: that the engine is to have, or the beginning of it; any where it is empty.
    """
    ready = bool(host["engine"] and host["compose"] and not host["unfinished"])
    return Lacks(
        packages=not ready or not is_version(host["engine"], version),
        images=tuple(image for image in images if image not in host["images"]),
    )


def is_version(found: str, wanted: str) -> bool:
    """Say whether a version is the one that is wanted, or one of those that begin so.

    Args:
        found: of an engine, such as 26.1.5+dfsg1, or of a package, such as 5:28.5.2-1~debian.13~trixie.
        wanted: such as 28.5.2 or 28.5; empty is any.
    """
    number = found.rpartition(":")[2]
    return not wanted or (number.startswith(wanted) and not number[len(wanted) :][:1].isdigit())


def misfit(manifest: bundle.Manifest, host: Mapping[str, Any], lacking: Lacks, source: str, version: str) -> str:
    """Say what a host lacks that a bundle has not, and how to mend it; nothing where they fit.

    Args:
        manifest: what is in the bundle.
        host: what the survey says.
        lacking: what the host lacks.
        source: pypi_docker_source.
        version: pypi_docker_version.
    """
    here = f"{host['distribution'] or 'of an unknown distribution'} on {host['architecture']}"
    if host["architecture"] != manifest.architecture or (
        lacking.packages and host["distribution"] != manifest.distribution
    ):
        return (
            f"is for {manifest.distribution} on {manifest.architecture}, and this host is {here}. Make one for it: "
            f"wheelhouse.pypi.bundle, on a machine that is {here} and reaches the network."
        )
    missing = [image for image in lacking.images if image not in manifest.images]
    if missing:
        return (
            f"has the images {' and '.join(manifest.images)}, and this host lacks {' and '.join(missing)}. Make one "
            "with these, or name those in pypi_image_pypiserver and pypi_image_nginx."
        )
    if not lacking.packages:
        return ""
    wanted = source if source != "auto" else host["source"]
    if wanted and wanted != manifest.source:
        why = f"pypi_docker_source is {source}" if source != "auto" else f"this host's engine is of {wanted}"
        return f"has the engine's packages of {manifest.source}, and {why}. Make one with pypi_docker_source: {wanted}."
    engine = {name: manifest.packages[name] for name in manifest.engine if name in manifest.packages}
    name = next((name for name in ("docker-ce", "docker.io", "moby-engine", "docker") if name in engine), "")
    if name and not is_version(engine[name], version):
        return (
            f"has {name} {engine[name]}, and pypi_docker_version is {version}. Make one with that version, or set "
            "pypi_docker_version to the one that it has."
        )
    return ""
