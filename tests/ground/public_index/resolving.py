"""A name server for the host names."""

from __future__ import annotations

import re
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from .hosts import HOSTS, NEIGHBOUR

# Written in place: Docker mounts it into hosts that are containers.
RESOLVER = Path("/etc/resolv.conf")


def own_address() -> str:
    """Return the address of this host by which it reaches others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def answer_names(folder: Path) -> None:
    """Answer for the host names with this host's address, and have the servers of before answer for the rest."""
    address = own_address()
    kept = folder / "resolv.conf"
    before = re.findall(r"^nameserver\s+(\S+)", kept.read_text(), re.MULTILINE) if kept.exists() else []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        # Not on all addresses: the answer would come from another one than was asked.
        server.bind((address, 53))
        # Also after a loss of power, when Docker has written it again, and before containers that start take it over.
        RESOLVER.write_text(f"nameserver {address}\n")
        while True:
            question, client = server.recvfrom(4096)
            threading.Thread(target=_answer_name, args=(server, question, client, address, before), daemon=True).start()


def _answer_name(server: socket.socket, question: bytes, client: Any, address: str, before: list[str]) -> None:
    labels, place = [], 12
    while place < len(question) and question[place]:
        labels.append(question[place + 1 : place + 1 + question[place]].decode("latin-1"))
        place += 1 + question[place]
    end = place + 5
    if ".".join(labels).lower() in (*HOSTS, NEIGHBOUR):
        of_address = question[place + 1 : place + 3] == b"\x00\x01"
        counts = struct.pack(">HHHH", 1, int(of_address), 0, 0)
        record = b"\xc0\x0c\x00\x01\x00\x01" + struct.pack(">IH", 5, 4) + socket.inet_aton(address)
        server.sendto(question[:2] + b"\x85\x80" + counts + question[12:end] + record * of_address, client)
        return
    for other in (one for one in before if one != address):
        with socket.socket(socket.AF_INET6 if ":" in other else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(2)
            try:
                asking.sendto(question, (other, 53))
                server.sendto(asking.recv(4096), client)
                return
            except OSError:
                continue
    server.sendto(question[:2] + b"\x81\x83" + struct.pack(">HHHH", 1, 0, 0, 0) + question[12:end], client)
