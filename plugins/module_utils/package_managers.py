# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""apt and dnf as the module docker_packages drives them, and files that change together or not at all.

Their command lines, not their Python: those are there on every host, dnf 4 and 5 understand the same words, and what
goes wrong is told in one place. Runs on the host: Python 3.8 and Ansible's own utilities only.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import tempfile
import time
import typing as t

from ansible.module_utils.common.text.converters import to_text
from ansible_collections.wheelhouse.pypi.plugins.module_utils import engine_packages, openpgp
from ansible_collections.wheelhouse.pypi.plugins.module_utils import package_sources as sources

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_APT_TRUSTED = ("/etc/apt/trusted.gpg", "/etc/apt/trusted.gpg.d/*")
_APT_SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources")
_DNF_SOURCES = ("/etc/yum.repos.d/*.repo",)
# Where dnf 4 and dnf 5 keep what is locked. The plugin is a package of its own with dnf 4.
_LOCKS = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml")
_LOCK_PLUGIN = "python3-dnf-plugin-versionlock"


class Failed(Exception):
    """A package manager could not do something; the text is all that it said."""


class Refused(Exception):
    """Something cannot be done, or would do what nobody has asked for; the text is for a person."""


class Apt:
    """apt and dpkg."""

    folders = _APT_SOURCES
    files = staticmethod(sources.apt_files)
    _OPTIONS = (
        "--yes", "--no-install-recommends", "--option=Dpkg::Use-Pty=0",
        "--option=Dpkg::Options::=--force-confdef", "--option=Dpkg::Options::=--force-confold",
    )  # fmt: skip

    def __init__(self, module: AnsibleModule, config: str = "") -> None:
        """Take the module whose commands are run, and the path of settings that count in place of the host's."""
        self._module = module
        if config:
            module.run_command_environ_update = {**module.run_command_environ_update, "APT_CONFIG": config}

    @property
    def entry(self) -> str:
        """Path of the file that describes Docker's repository."""
        return sources.APT_ENTRY

    def versions(self, names: list[str]) -> dict[str, str]:
        """Return the versions of those packages that are installed."""
        return {name: version for name, (state, version) in self.states(names).items() if state == "i"}

    def states(self, names: list[str]) -> dict[str, t.Any]:
        """Return dpkg's letter for the state, and the version, of packages of which more than settings is there."""
        form = "${db:Status-Abbrev}|${Package}|${Version}\n"
        _code, output, _errors = self._module.run_command(["dpkg-query", "--show", "--showformat", form, *names])
        lines = [line.split("|") for line in output.splitlines()]
        return {line[1]: (line[0][1:2], line[2]) for line in lines if len(line) == 3 and line[0][1:2] not in "nc"}

    def architecture(self) -> str:
        """Return dpkg's name of the architecture."""
        return str(self._module.run_command(["dpkg", "--print-architecture"])[1]).strip()

    def trusted(self, fingerprint: str) -> list[sources.Leftover]:
        """Find the key in keyrings that hold for all repositories."""
        found = []
        for path in matching(_APT_TRUSTED):
            data = read(path) or b""
            try:
                holds = fingerprint in [key.fingerprint for key in openpgp.keys(data)]
                rest = openpgp.without(data, fingerprint) if holds else b""
            except openpgp.NoKey:
                # apt ignores such a file too.
                continue
            if holds:
                what = f"Docker's key in {path}, where apt trusts it for every repository"
                found.append(sources.Leftover(what, blocks=False, file=path, rest=rest))
        return found

    def trust(self, files: dict[str, bytes]) -> None:
        """Let the entry be enough: it names the key."""

    def distrust(self) -> None:
        """Take back what trust() did."""

    def reach(self, timeout: int) -> None:
        """Fetch the lists of Docker's repository, and take no excuse."""
        ours = ["--option=Dir::Etc::sourcelist=" + self.entry, "--option=Dir::Etc::sourceparts=-"]
        strict = ["--option=APT::Get::List-Cleanup=0", "--option=APT::Update::Error-Mode=any"]
        self._run(["apt-get", "update", *ours, *strict], timeout)

    def update(self, timeout: int) -> str:
        """Fetch all lists; return what apt complained of, as it may be about something else."""
        try:
            self._run(["apt-get", "update"], timeout)
        except Failed as error:
            return str(error)
        return ""

    def request(self, name: str, version: str) -> str:
        """How one version of a package is asked for."""
        return f"{name}={version}"

    def available(self, names: list[str]) -> dict[str, list[str]]:
        """Return the versions of packages that the lists name, newest first."""
        return engine_packages.madison(self._module.run_command(["apt-cache", "madison", *names])[1])

    def held(self, installed: dict[str, str]) -> set[str]:
        """Return those of the packages that are held; dpkg holds one at whatever version."""
        return set(self._module.run_command(["apt-mark", "showhold", *installed])[1].split()) if installed else set()

    def hold(self, names: list[str], on: bool, timeout: int) -> None:
        """Hold packages at the version that is there, or let go of them."""
        self._run(["apt-mark", "hold" if on else "unhold", *names], timeout)

    @contextlib.contextmanager
    def unlocked(self, names: list[str], timeout: int) -> t.Iterator[None]:
        """Leave it to install(), which changes what is held where it is told to."""
        yield

    def install(self, requests: list[str], removed: list[str], downgrade: bool, timeout: int) -> None:
        """Install packages and remove others, in one step; raise Refused where still others would go."""
        options = ["--allow-downgrades", "--allow-change-held-packages"] if downgrade else []
        command = [*self._OPTIONS, *options, "install", *requests, *(f"{name}-" for name in removed)]
        going = re.findall(r"^Remv (\S+)", self._run(["apt-get", "--simulate", *command], timeout), re.MULTILINE)
        unasked = sorted(set(going) - set(removed))
        if unasked:
            raise Refused(
                f"apt would remove {', '.join(unasked)} to install {', '.join(requests)}, and nobody has asked for that. "
                "Nothing was installed or removed. Remove it by hand if it may go, and run again"
            )
        self._run(["apt-get", *command], timeout)

    def _run(self, command: list[str], timeout: int) -> str:
        """Return what a command says, whatever lock it has to wait for; raise Failed if it fails."""
        command = [command[0], f"--option=DPkg::Lock::Timeout={timeout}", *command[1:]]
        deadline = time.monotonic() + timeout
        while True:
            code, output, errors = self._module.run_command(command)
            if code == 0:
                return str(output)
            # The lock of the lists is one that apt does not wait for.
            if "Could not get lock" not in errors or time.monotonic() > deadline:
                raise Failed(output + errors)
            time.sleep(2)


class Dnf:
    """dnf, version 4 or 5, and rpm."""

    folders = _DNF_SOURCES
    files = staticmethod(sources.dnf_files)

    def __init__(self, module: AnsibleModule, config: str = "") -> None:
        """Take the module whose commands are run, and the path of settings that count in place of the host's."""
        self._module = module
        self._dnf = ["dnf", *([f"--config={config}"] if config else [])]
        self._before = self._keys()

    @property
    def entry(self) -> str:
        """Path of the file that describes Docker's repository."""
        return sources.DNF_ENTRY

    def versions(self, names: list[str]) -> dict[str, str]:
        """Return the versions of those packages that are installed, by the names that were asked for."""
        form = "%{NAME}|%{EVR}|%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n"
        _code, output, _errors = self._module.run_command(["rpm", "--query", "--queryformat", form, *names])
        found = {}
        for line in output.splitlines():
            name, _bar, rest = line.partition("|")
            version, _bar, whole = rest.partition("|")
            if whole:
                found[whole if whole in names else name] = version
        return found

    def states(self, names: list[str]) -> dict[str, t.Any]:
        """Return the same: rpm has no packages that are there in part."""
        return self.versions(names)

    def architecture(self) -> str:
        """Leave it to dnf, which knows."""
        return ""

    def trusted(self, fingerprint: str) -> list[sources.Leftover]:
        """Find nothing: rpm has one keyring for all repositories, and that is where the key belongs."""
        return []

    def trust(self, files: dict[str, bytes]) -> None:
        """Import the key, unless rpm has it."""
        first = openpgp.keys(files[sources.DNF_KEY])[0]
        # Named after the end of the fingerprint, or after all of it from rpm 6 on.
        names = {f"{name}-{first.created:08x}" for name in (first.fingerprint[-8:].lower(), first.fingerprint.lower())}
        if not names & self._before:
            code, output, errors = self._module.run_command(["rpm", "--import", sources.DNF_KEY])
            if code != 0:
                raise Failed(f"import failed: {output}{errors}")

    def distrust(self) -> None:
        """Take back the keys that were imported, by trust() or by dnf for what Docker's packages require."""
        for name in sorted(self._keys() - self._before):
            self._module.run_command(["rpm", "--erase", "gpg-pubkey-" + name])

    def _keys(self) -> set[str]:
        """Return the names under which rpm keeps keys."""
        form = "%{VERSION}-%{RELEASE}\n"
        return set(self._module.run_command(["rpm", "--query", "gpg-pubkey", "--queryformat", form])[1].split())

    def reach(self, timeout: int) -> None:
        """Fetch the lists of Docker's repository anew, and take no excuse."""
        only = ["--disablerepo=*", "--enablerepo=" + sources.DNF_NAME]
        self._run([*only, f"--setopt={sources.DNF_NAME}.skip_if_unavailable=False", "--refresh", "makecache"])

    def update(self, timeout: int) -> str:
        """Leave it to the installation: dnf looks itself how old its lists are."""
        return ""

    def request(self, name: str, version: str) -> str:
        """How one version of a package is asked for."""
        return f"{name}-{version}"

    def available(self, names: list[str], fresh: bool = False) -> dict[str, list[str]]:
        """Return the versions of packages that the repositories have, newest first; ``fresh`` asks them now."""
        # A lock hides all others from a query.
        query = ["--quiet", "--disableplugin=versionlock", *(["--refresh"] if fresh else [])]
        query += ["repoquery", "--queryformat", engine_packages.DNF_FORMAT]
        code, output, errors = self._module.run_command([*self._dnf, *query, *names])
        if code != 0:
            raise Failed(output + errors)
        return engine_packages.repoquery(output)

    def held(self, installed: dict[str, str]) -> set[str]:
        """Return those of the packages that are locked at the version that is there."""
        return engine_packages.locked(self._locks(), installed)

    def hold(self, names: list[str], on: bool, timeout: int) -> None:
        """Lock packages at the version that is there, or let go of them."""
        # It is about packages that are there: no repository needs to be asked, nor reached.
        versionlock = ["--quiet", "--disablerepo=*", "versionlock"]
        locks = sorted(engine_packages.lock_names(self._locks()) & set(names))
        if locks:
            self._run([*versionlock, "delete", *locks])
        if on:
            try:
                self._run([*versionlock, "add", *names])
            except Failed as error:
                if "no such command" not in str(error).lower():
                    raise
                self._install_versionlock()
                self._run([*versionlock, "add", *names])

    def _install_versionlock(self) -> None:
        try:
            self._run(["--assumeyes", "--quiet", "install", _LOCK_PLUGIN])
        except Failed as error:
            raise Refused(
                f"The engine has its version and cannot be held at it: this dnf has no versionlock, and {_LOCK_PLUGIN} "
                "cannot be installed from the host's repositories. Install that by hand, or set pypi_docker_hold: false, "
                f"and run again. dnf said:\n{sources.last_words(str(error))}"
            ) from error

    @contextlib.contextmanager
    def unlocked(self, names: list[str], timeout: int) -> t.Iterator[None]:
        """Let go of packages, as what is locked is not to be had; the locks come back where that was for nothing."""
        before = {path: read(path) for path in _LOCKS}
        self.hold(names, False, timeout)
        try:
            yield
        except Failed:
            for path, content in before.items():
                if content is not None and content != read(path):
                    with open(path, "wb") as file:
                        file.write(content)
            raise

    def _locks(self) -> str:
        """Return what dnf keeps of locks, of whatever version it is."""
        return "".join(to_text(read(path) or b"") for path in _LOCKS)

    def install(self, requests: list[str], removed: list[str], downgrade: bool, timeout: int) -> None:
        """Install packages; what they exclude goes in the same step."""
        options = ["--allowerasing"] if removed or downgrade else []
        self._run(["--assumeyes", "--setopt=install_weak_deps=False", *options, "install", *requests])

    def _run(self, arguments: list[str]) -> None:
        code, output, errors = self._module.run_command([*self._dnf, *arguments])
        if code != 0:
            raise Failed(output + errors)


class Transaction:
    """Files that change together, and become again what they were when something fails."""

    def __init__(self, module: AnsibleModule, wanted: dict[str, bytes]) -> None:
        """Take the module and the files that are to be; empty is a file that is not to be."""
        self._module = module
        self.files = wanted
        self.before = {path: read(path) for path in wanted}
        self.wanted = {path: content for path, content in wanted.items() if (self.before[path] or b"") != content}
        self._modes = {path: os.stat(path).st_mode & 0o7777 for path in self.wanted if self.before[path] is not None}
        self._made: list[str] = []

    def apply(self) -> None:
        """Write and remove what differs."""
        for path, content in self.wanted.items():
            self._put(path, content)

    def undo(self) -> None:
        """Put back what was there."""
        for path in self.wanted:
            self._put(path, self.before[path] or b"")
        for folder in reversed(self._made):
            # Something else may lie in it by now.
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def diffs(self) -> list[dict[str, str]]:
        """Return what changes, as Ansible shows it."""
        return [
            {
                "before_header": path,
                "after_header": path,
                "before": _shown(self.before[path] or b""),
                "after": _shown(content),
            }
            for path, content in self.wanted.items()
        ]

    def _put(self, path: str, content: bytes) -> None:
        if not content:
            if os.path.exists(path):
                os.unlink(path)
            return
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            missing = folder
            while not os.path.isdir(missing):
                self._made.insert(0, missing)
                missing = os.path.dirname(missing)
            os.makedirs(folder, 0o755)
        handle, name = tempfile.mkstemp(dir=self._module.tmpdir)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # Keeps SELinux's label right, too.
        self._module.atomic_move(name, path)
        # apt reads them as a user of its own.
        os.chmod(path, self._modes.get(path, 0o644))


def _shown(content: bytes) -> str:
    text = to_text(content, errors="replace")
    # Keys are named by their fingerprint, not shown.
    return (
        re.sub(r"(?s)-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", r"(\1)", text)
        if "\ufffd" not in text
        else "(binary)\n"
    )


def read(path: str) -> bytes | None:
    """Return the content of a file, or None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def matching(patterns: tuple[str, ...]) -> list[str]:
    """Return the files that match patterns of the shell."""
    return [path for pattern in patterns for path in sorted(glob.glob(pattern)) if os.path.isfile(path)]
