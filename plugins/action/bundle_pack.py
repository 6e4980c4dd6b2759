# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a bundle on the controller: see DOCUMENTATION in plugins/modules/bundle_pack.py."""

from __future__ import annotations

import datetime
import json
import shlex
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import bundle
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain

# Processors: as the kernel calls them, and as images do.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "distribution": {"type": "str", "required": True},
    "architecture": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "engine": {"type": "list", "elements": "str", "required": True},
    "packages": {"type": "dict", "required": True},
    "images": {"type": "list", "elements": "str", "required": True},
    "packages_file": {"type": "path", "required": True},
    "images_file": {"type": "path", "required": True},
    "images_on": {"type": "str", "choices": ["controller", "host"], "default": "host"},
    "compose_file": {"type": "path", "default": ""},
}


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.bundle_pack."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge the images, write the bundle, say what is in it."""
        result = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(argument_spec=_SPEC)
        args = plain(args)
        if self._task.check_mode:
            result.update(changed=True)
            return result
        manifest = bundle.Manifest(
            created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            distribution=args["distribution"],
            architecture=args["architecture"],
            source=args["source"],
            engine=tuple(args["engine"]),
            packages=args["packages"],
            images=tuple(args["images"]),
            compose=bool(args["compose_file"]),
        )
        # Ansible's own folder for the time of a run.
        with tempfile.TemporaryDirectory(prefix="bundle-", dir=C.DEFAULT_LOCAL_TMP) as folder:
            images = args["images_file"]
            parts = {
                bundle.PACKAGES: self._fetched(args["packages_file"], Path(folder, bundle.PACKAGES)),
                bundle.IMAGES: Path(images)
                if args["images_on"] == "controller"
                else self._fetched(images, Path(folder, bundle.IMAGES)),
            }
            if manifest.compose:
                parts[bundle.COMPOSE] = self._fetched(args["compose_file"], Path(folder, bundle.COMPOSE))
            try:
                problem = problem_of(saved_images(parts[bundle.IMAGES]), manifest)
                if problem:
                    raise AnsibleActionFail(f"{images} {problem}")
                packed = bundle.pack(Path(args["path"]), manifest, parts)
            except (OSError, bundle.BundleError) as error:
                raise AnsibleActionFail(f"pypi_bundle: {args['path']} cannot be written: {error}") from error
        result.update(changed=True, path=args["path"], **packed._asdict(), summary=summary(manifest))
        return result

    def _fetched(self, path: str, target: Path) -> Path:
        """Bring a file from the host, as the user who logs in: with become, the module fetch would hold it in memory."""
        # Connections bring a link as a link.
        answer = self._low_level_execute_command(f"readlink -f {shlex.quote(path)}")
        self._connection.fetch_file(str(answer["stdout"]).strip() or path, str(target))
        if not target.is_file():
            raise AnsibleActionFail(f"{path} is no file on this machine that the user who logs in can read")
        return target


def saved_images(path: Path) -> dict[str, str]:
    """Return the processors of the images that ``docker save`` wrote into a file, by their names.

    Raises:
        AnsibleActionFail: when it is no such file.
    """
    try:
        with tarfile.open(path) as archive:
            found: dict[str, str] = {}
            for entry in _json(archive, "manifest.json"):
                architecture = str(_json(archive, entry["Config"]).get("architecture", ""))
                found.update((name, architecture) for name in entry["RepoTags"] or ())
            return found
    except (tarfile.TarError, EOFError, KeyError, ValueError, TypeError) as error:
        raise AnsibleActionFail(f"{path} is not what docker save writes, or not all of it ({error})") from error


def _json(archive: tarfile.TarFile, name: str) -> Any:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return json.load(stream)


def problem_of(saved: dict[str, str], manifest: bundle.Manifest) -> str:
    """Say what is wrong with the images for hosts that a bundle is for; nothing where all is well."""
    missing = [name for name in manifest.images if name not in saved]
    if missing:
        return f"has {' and '.join(saved) or 'no image with a name'} in it, and not {' and '.join(missing)}"
    wanted = _ARCHITECTURES.get(manifest.architecture, manifest.architecture)
    strange = [f"{name} ({saved[name]})" for name in manifest.images if saved[name] != wanted]
    if strange:
        return f"has images of another processor than the hosts' {wanted}: {' and '.join(strange)}"
    return ""


def summary(manifest: bundle.Manifest) -> list[str]:
    """Return what is in a bundle, in lines for a person."""
    versions = [f"{name} {manifest.packages[name]}" for name in manifest.engine if name in manifest.packages]
    more = len(manifest.packages) - len(versions)
    return [
        f"for {manifest.distribution} on {manifest.architecture}",
        f"packages ({manifest.source}): {', '.join(versions)}, and {more} that they depend on",
        f"images: {', '.join(manifest.images)}",
        *(["Compose as a plugin of its own"] if manifest.compose else []),
    ]
