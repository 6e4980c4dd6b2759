"""The index on the newest engine, Compose and NGINX that Debian has, and on the engine's other image store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import says, site
from tests.support.stack import Stack

# What has containerd keep the images; the store of before stays on disk, in no listing.
CONTAINERD = {"features": {"containerd-snapshotter": True}}


def test_the_parts_are_those_of_debian_testing(host: Any, stack: Stack) -> None:
    release = host.check_output("cat /etc/os-release")
    versions = {
        "engine": host.check_output("docker version --format '{{.Server.Version}}'"),
        "compose": host.check_output("docker compose version --short"),
        "nginx": stack.compose("exec -T nginx nginx -v 2>&1"),
    }
    print(versions)
    assert "VERSION_CODENAME=forky" in release
    assert "VERSION_ID" not in release
    assert versions["engine"].startswith("28."), versions
    assert versions["compose"].startswith("2.40."), versions
    assert "nginx/1.30." in versions["nginx"], versions


def test_publish_and_install(index: Index, publisher: Login, reader: Login, tmp_path: Path) -> None:
    done = index.twine_upload(publisher, packages.wheel(tmp_path, "newest-parts", "1.0"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = index.pip_install(reader, tmp_path / "installed", "newest-parts")
    assert done.returncode == 0, done.stderr


def test_the_containerd_store_is_announced_and_filled(
    host: Any, index: Index, reader: Login, publisher: Login, tmp_path: Path
) -> None:
    wheel = packages.wheel(tmp_path, "newest-store", "1.0")
    assert index.twine_upload(publisher, wheel).returncode == 0
    host.check_output("echo %s > /etc/docker/daemon.json && systemctl restart docker", json.dumps(CONTAINERD))
    says(site("--check", "--diff").message(), "The host lacks pypiserver/pypiserver:v2.4.2 and nginx:1.30")
    site()
    assert "io.containerd.snapshotter" in host.check_output("docker info --format '{{json .DriverStatus}}'")
    assert index.pip_install(reader, tmp_path / "installed", "newest-store").returncode == 0
    assert site().changed == 0
    listed = host.check_output("docker image ls --quiet | wc -l").strip()
    kept = host.check_output("du --summarize --block-size=1M /var/lib/docker/overlay2 | cut -f 1").strip()
    print(f"images in the new store: {listed}; MB that stay of the old one: {kept}")
    assert int(kept) > 10
