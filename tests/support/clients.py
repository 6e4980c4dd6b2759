"""pip, uv and twine as people run them, and plain requests as NGINX sees them."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

BIN = Path(sys.executable).parent


@dataclasses.dataclass(frozen=True)
class Login:
    """A name and its password; both empty is no login."""

    name: str = ""
    password: str = ""

    def header(self) -> dict[str, str]:
        """Return the header that an HTTP client sends for it."""
        if not self.name:
            return {}
        pair = f"{self.name}:{self.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


NOBODY = Login()


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        reason: what follows the status in the first line: all that most clients which publish show.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    reason: str = ""


def form(fields: Mapping[str, str], file: Path | None = None) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a form, with a file as its content."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if file:
        head = f'Content-Disposition: form-data; name="content"; filename="{file.name}"\r\n\r\n'.encode()
        parts.append(head + file.read_bytes())
    body = b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=edge"}


def upload_form(file: Path, **fields: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the request that uploads a file."""
    return form({":action": "file_upload", **fields}, file)


@dataclasses.dataclass(frozen=True)
class Index:
    """An index at an address, and the ways to use it.

    Attributes:
        url: the base, without a slash at the end.
        authority: file with the certificate that clients trust, for an index that speaks TLS.
        seconds: for how long a plain request waits for an answer.
    """

    url: str
    authority: str = ""
    seconds: float = 60

    def request(
        self,
        path: str,
        login: Login = NOBODY,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request exactly as given; redirects are not followed."""
        parts = urlsplit(self.url)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.seconds)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.authority)
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self.seconds, context=context)
        try:
            connection.request(method, path, body, {**login.header(), **(headers or {})})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read(), answer.reason)
        finally:
            connection.close()

    def upload(self, login: Login, file: Path) -> Answer:
        """Upload by one plain request with a form such as twine's."""
        body, headers = upload_form(file)
        return self.request("/", login, "POST", body, headers)

    def with_login(self, login: Login, path: str = "/simple/") -> str:
        """Return the address with the login in it, as --index-url takes it."""
        parts = urlsplit(self.url)
        user = f"{quote(login.name, safe='')}:{quote(login.password, safe='')}@" if login.name else ""
        return f"{parts.scheme}://{user}{parts.netloc}{path}"

    def _trust(self, variable: str) -> dict[str, str]:
        """Return the environment by which a client trusts the authority; that of the machine may say something else."""
        return {variable: self.authority, "REQUESTS_CA_BUNDLE": self.authority, "CURL_CA_BUNDLE": self.authority}

    def twine_upload(self, login: Login, *files: Path | str) -> subprocess.CompletedProcess[str]:
        """Upload by twine; options of its own may stand among the files."""
        command = [str(BIN / "twine"), "upload", "--non-interactive", "--disable-progress-bar"]
        command += ["--repository-url", self.url + "/", *map(str, files)]
        settings = {"TWINE_USERNAME": login.name or "nobody", "TWINE_PASSWORD": login.password or "none"}
        if self.authority:
            settings |= self._trust("TWINE_CERT")
        return _run(command, settings)

    def uv_publish(self, login: Login, *files: Path | str) -> subprocess.CompletedProcess[str]:
        """Upload by uv."""
        command = [str(BIN / "uv"), "publish", "--no-cache", "--no-config", "--trusted-publishing=never"]
        command += ["--publish-url", self.url + "/", *map(str, files)]
        settings = {"UV_PUBLISH_USERNAME": login.name or "nobody", "UV_PUBLISH_PASSWORD": login.password or "none"}
        if self.authority:
            settings |= self._trust("SSL_CERT_FILE")
        return _run(command, settings)

    def pip_install(
        self, login: Login, target: Path, *arguments: str, path: str = "/simple/"
    ) -> subprocess.CompletedProcess[str]:
        """Install by pip into a folder, from this index alone."""
        host = urlsplit(self.url).hostname or ""
        command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-input"]
        command += [] if self.authority else ["--trusted-host", host]
        command += ["--target", str(target), *arguments]
        settings = {"PIP_INDEX_URL": self.with_login(login, path), "PIP_CONFIG_FILE": os.devnull}
        if self.authority:
            settings |= self._trust("PIP_CERT")
        return _run(command, settings, without=("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"))

    def uv_install(
        self, login: Login, target: Path, *arguments: str, cache: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Install by uv into a folder, from this index alone, with what is in a cache where there is one."""
        uv = shutil.which("uv", path=str(BIN))
        assert uv
        command = [uv, "pip", "install", "--no-config", "--python", sys.executable, "--target", str(target)]
        command += [*(["--cache-dir", str(cache)] if cache else ["--no-cache"]), *arguments]
        settings = {"UV_DEFAULT_INDEX": self.with_login(login)}
        if self.authority:
            settings |= self._trust("SSL_CERT_FILE")
        return _run(command, settings, without=("UV_INDEX", "UV_FIND_LINKS"))


def _run(
    command: list[str], variables: Mapping[str, str], without: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in without} | dict(variables)
    # The index is on this machine: a proxy would not reach it.
    environment |= {"NO_PROXY": "*", "no_proxy": "*"}
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
