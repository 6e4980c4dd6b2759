"""An imitation of Google's Compute Engine, for a client that asks fixed addresses and takes a proxy.

The proxy, on loopback, answers for the hosts of Google itself, with certificates of an authority of its own, and lets nobody
through to any other. It hands out what it was given, in the API's shape, one instance a page; of filters it knows
conjunctions of ``field = value``. Google's own reading of a filter, its quotas and its errors it does not know.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.certificates import authority, server

API = "www.googleapis.com"
TOKENS = "oauth2.googleapis.com"
ACCOUNTS = "iamcredentials.googleapis.com"
TOKEN = "token-of-the-imitation"


def instance(name: str, address: str, *, zone: str = "europe-west3-a", **more: Any) -> dict[str, Any]:
    """Return an instance as ``instances.aggregatedList`` describes it (API v1), shortened.

    Args:
        name: its name.
        address: private address; the public one is the same behind 203.0.113.
        zone: where it runs.
        more: other fields: ``labels``, ``metadata`` as a mapping, ``status``.
    """
    base = f"https://{API}/compute/v1/projects/my-project"
    metadata = [{"key": key, "value": value} for key, value in more.pop("metadata", {}).items()]
    return {
        "kind": "compute#instance",
        "id": "1234567890123456789",
        "name": name,
        "status": "RUNNING",
        "tags": {"items": ["pypi"], "fingerprint": "42WmSpB8rSM="},
        "machineType": f"{base}/zones/{zone}/machineTypes/e2-small",
        "zone": f"{base}/zones/{zone}",
        "selfLink": f"{base}/zones/{zone}/instances/{name}",
        "networkInterfaces": [
            {
                "name": "nic0",
                "network": f"{base}/global/networks/default",
                "subnetwork": f"{base}/regions/{zone[:-2]}/subnetworks/default",
                "networkIP": address,
                "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "natIP": f"203.0.113.{address.rpartition('.')[2]}"}],
            }
        ],
        # The API leaves empty things out.
        "metadata": {"kind": "compute#metadata", **({"items": metadata} if metadata else {})},
        **more,
    }


def matches(item: Mapping[str, Any], query: str) -> bool:
    """Say whether an instance fits a filter such as ``(labels.pypi = index) (status = RUNNING)``.

    Raises:
        ValueError: when the filter is more than that.
    """
    terms = re.findall(r"\(([\w.-]+) = ([\w-]+)\)", query)
    if " ".join(f"({field} = {value})" for field, value in terms) != query:
        raise ValueError(f"the imitation does not read the filter {query!r}")

    def field_of(name: str) -> Any:
        value: Any = item
        for key in name.split("."):
            value = value.get(key, {})
        return value

    return all(field_of(field) == value for field, value in terms)


class Google:
    """What the imitation has and was asked.

    Attributes:
        environment: variables that lead the SDK here, with a service account's key for its credentials.
        asked: method, host, path and query of all requests, in order.
        refused: other hosts that somebody wanted to reach.
    """

    def __init__(self, folder: Path, instances: Sequence[Mapping[str, Any]]) -> None:
        self.instances = instances
        self.asked: list[tuple[str, str, str, dict[str, list[str]]]] = []
        self.refused: list[str] = []
        bundle, chain, account = (folder / name for name in ("ca.pem", "server.pem", "account.json"))
        above = authority("Imitation")
        # Service accounts have RSA keys; the server has the same one.
        own = server(API, TOKENS, ACCOUNTS, signer=above, bits=2048)
        bundle.write_bytes(above.pem())
        chain.write_bytes(own.key_pem() + own.pem())
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(chain)
        account.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "my-project",
                    "private_key_id": "1",
                    "private_key": own.key_pem().decode(),
                    "client_email": "ansible@my-project.iam.gserviceaccount.com",
                    "token_uri": f"https://{TOKENS}/token",
                }
            ),
            encoding="utf-8",
        )
        self.environment = {"REQUESTS_CA_BUNDLE": str(bundle), "GOOGLE_APPLICATION_CREDENTIALS": str(account)}

    def answer(self, method: str, host: str, target: str, authorization: str) -> tuple[int, Any]:
        """Return status and body of an answer."""
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        self.asked.append((method, host, parts.path, query))
        if (method, host, parts.path) == ("POST", TOKENS, "/token"):
            return 200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3599}
        if host == ACCOUNTS and parts.path.endswith("/allowedLocations"):
            return 200, {"locations": [], "encodedLocations": "0x0"}
        if (method, host, parts.path) != ("GET", API, "/compute/v1/projects/my-project/aggregated/instances"):
            return 404, {"error": {"code": 404, "message": "not imitated"}}
        if authorization != f"Bearer {TOKEN}":
            return 401, {"error": {"code": 401, "errors": [{"reason": "authError"}]}}
        found = [item for item in self.instances if matches(item, query["filter"][0])]
        page = int(query.get("pageToken", ["0"])[0])
        # Zones without an instance are in the answer, with a warning in place of a list.
        items: dict[str, Any] = {"zones/us-east1-b": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for item in found[page : page + 1]:
            items[f"zones/{item['zone'].rpartition('/')[2]}"] = {"instances": [item]}
        more = {"nextPageToken": str(page + 1)} if page + 1 < len(found) else {}
        return 200, {"kind": "compute#instanceAggregatedList", "items": items, **more}


def _handler(google: Google) -> type[BaseHTTPRequestHandler]:
    class Tunnel(BaseHTTPRequestHandler):
        """Takes CONNECT, and is the host that was asked for."""

        protocol_version = "HTTP/1.1"
        host = ""

        def do_CONNECT(self) -> None:
            self.host, _, _ = self.path.partition(":")
            if self.host not in (API, TOKENS, ACCOUNTS):
                google.refused.append(self.host)
                self.send_error(403, "the imitation is of Google alone")
                return
            self.send_response(200)
            self.end_headers()
            self.connection: socket.socket = google.tls.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)  # type: ignore[assignment]
            self.close_connection = False

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = google.answer(self.command, self.host, self.path, self.headers.get("Authorization", ""))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: what was asked is remembered."""

    return Tunnel


@contextmanager
def serve(folder: Path, instances: Sequence[Mapping[str, Any]]) -> Iterator[Google]:
    """Be Google on loopback for a while.

    Args:
        folder: where keys and certificates may lie.
        instances: what the project ``my-project`` has, see `instance`.
    """
    google = Google(folder, instances)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(google)) as server:
        google.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield google
        finally:
            server.shutdown()
