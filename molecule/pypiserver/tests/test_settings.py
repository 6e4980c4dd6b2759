"""The settings of pypiserver: gunicorn in the real image takes them, and they are what it runs with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wheelhouse_index

from tests.support.playbook import applied, refused

PLAYBOOK = str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml"))
# The stack's own limits; the settings are where the stack mounts them.
GUNICORN = (
    "docker run --rm --network none --read-only --cap-drop ALL --tmpfs /tmp:mode=0700,uid={uid},gid={gid}"
    " --user {uid}:{gid} --env HOME=/tmp --volume {home}/pypiserver:/data/pypiserver:ro --workdir /tmp"
    " --entrypoint python3 pypiserver/pypiserver:v2.4.2 -m gunicorn --config /data/pypiserver/gunicorn.conf.py"
    " {arguments} 'pypiserver:app(roots=\"/tmp\")'"
)


def gunicorn(host: Any, home: str, arguments: str) -> str:
    """Run gunicorn in the real image with the settings, and return what it prints."""
    user = host.user("pypi")
    return host.check_output(GUNICORN.format(uid=user.uid, gid=user.gid, home=home, arguments=arguments))


@pytest.fixture
def file(host: Any, home: str) -> Any:
    return host.file(f"{home}/pypiserver/gunicorn.conf.py")


def test_the_settings_are_roots_and_the_account_alone_reads_them(host: Any, home: str, file: Any) -> None:
    assert (file.user, file.group, file.mode) == ("root", "pypi", 0o640)
    assert host.check_output(f"ls -A {home}/pypiserver").split() == ["gunicorn.conf.py", "wheelhouse_index"]
    listed = host.check_output(f"find {home}/pypiserver/wheelhouse_index -printf '%y %m %u\\n' | sort -u").splitlines()
    assert listed == ["d 750 root", "f 640 root"]


# Another pypiserver: the place where the extension comes in has another name.
CHANGE = (
    "cd $(python3 -c 'import os, pypiserver; print(os.path.dirname(pypiserver.__file__))')"
    " && sed -i s/BackendProxy/Proxy/ backend.py && rm -r __pycache__"
)


@pytest.fixture
def image(host: Any) -> Iterator[str]:
    """The name of an image in which the extension does not work."""
    name = "pypiserver/pypiserver:changed"
    host.check_output("docker run --name changed --user 0 --entrypoint sh pypiserver/pypiserver:v2.4.2 -c %s", CHANGE)
    host.check_output(f"docker commit changed {name}")
    yield name
    host.check_output(f"docker rm changed && docker rmi {name}")


def test_an_image_in_which_the_extension_does_not_work_is_refused_with_both_versions(
    host: Any, home: str, image: str
) -> None:
    before = host.check_output(f"find {home}/pypiserver -type f -exec sha256sum {{}} + | sort")
    message = refused("--tags", "pypiserver", playbook=PLAYBOOK, pypi_image_pypiserver=image)
    said = f"wheelhouse.pypi {wheelhouse_index.__version__} does not work with pypiserver 2.4.2: ImportError: "
    assert said in message, message
    assert f"the live ones in {home}/pypiserver stay as they are" in message, message
    after = host.check_output(f"find {home}/pypiserver -type f -exec sha256sum {{}} + | sort")
    assert after == before


def test_gunicorn_serves_many_requests_at_once(host: Any, home: str) -> None:
    printed = gunicorn(host, home, "--print-config")
    settings = dict(re.findall(r"^(\w+) += (.*)$", printed, re.MULTILINE))
    # Not gevent: pypiserver would mix up the requests that one process has at once.
    assert settings["worker_class"] == "gthread", printed
    assert settings["workers"] == "2", printed
    assert int(settings["threads"]) > 1, printed
    assert settings["worker_tmp_dir"] == "/dev/shm", printed
    assert int(settings["timeout"]) >= 300, printed
    assert int(settings["umask"]) == 0o077, printed


def test_modules_of_another_release_are_removed(host: Any, home: str) -> None:
    """Older releases had all modules in one folder."""
    old = f"{home}/pypiserver/wheelhouse_index/store.py"
    before = host.check_output(f"find {home}/pypiserver -type f | sort")
    host.check_output(f"install -m 0640 -g pypi /dev/null {old} && echo 'raise SystemExit' >{old}")
    checked = applied(PLAYBOOK, "--tags", "pypiserver", "--check", "--diff")
    assert "- wheelhouse_index/: store.py" in checked.output, checked.output
    assert host.file(old).exists
    assert applied(PLAYBOOK, "--tags", "pypiserver").changed == 1
    assert host.check_output(f"find {home}/pypiserver -type f | sort") == before
    assert applied(PLAYBOOK, "--tags", "pypiserver").changed == 0


def test_a_file_that_was_changed_by_hand_is_put_right(host: Any, file: Any) -> None:
    before = file.content
    host.check_output(f"echo 'workers = 4' >>{file.path} && chmod 0644 {file.path}")
    done = applied(PLAYBOOK, "--tags", "pypiserver", "--check", "--diff")
    assert "-workers = 4" in done.output, done.output
    assert done.changed == 1, done.output
    assert file.content != before
    assert applied(PLAYBOOK, "--tags", "pypiserver").changed == 1
    assert (file.content, file.mode) == (before, 0o640)
    assert applied(PLAYBOOK, "--tags", "pypiserver").changed == 0
