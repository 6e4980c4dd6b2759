"""Settings of pypi-server, which it gets from its environment."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from ..common import places
from ..fact_store.facts import NO_NODES
from ..fact_store.journal import Nodes
from ..index.folders import Options
from ..index.quotas import NONE, Quotas
from ..index.reserve import NONE as NO_RESERVE
from ..index.reserve import Reserve
from ..index.store import Store
from ..public import policies
from ..public.outlet import PLACE as OUTLET
from ..requests.sockets import FOLDER, Sockets


@dataclass(frozen=True)
class Settings:
    """Settings from the environment.

    Attributes:
        packages: the folder of the distribution files (WHEELHOUSE_PACKAGES).
        index: the folder of the pages (WHEELHOUSE_INDEX).
        logs: the folder of the change log (WHEELHOUSE_LOGS).
        change_log: seconds for which the change log is kept (WHEELHOUSE_CHANGE_LOG_SECONDS).
        url: the index's own address, where it is known (WHEELHOUSE_URL).
        sockets: the folder in which NGINX finds pypi-server (WHEELHOUSE_SOCKETS).
        replica: what this one of several is called there (WHEELHOUSE_REPLICA).
        freshness: seconds for which a file that is copied in may stay unseen (WHEELHOUSE_FRESHNESS_SECONDS).
        overwrite: whether an upload may replace a file (WHEELHOUSE_OVERWRITE=1).
        anonymous_uploads: whether publishing needs no login (WHEELHOUSE_ANONYMOUS_UPLOADS=1).
        nodes: those that share packages/ (WHEELHOUSE_NODE=a WHEELHOUSE_NODES="a b c"); none where the index has one host.
        trash: seconds for which removed files can come back; 0 for never (WHEELHOUSE_TRASH_SECONDS).
        quotas: how much the index and its projects may hold (WHEELHOUSE_QUOTAS="500g nightly-*:20g").
        reserve: what uploads leave free on the disk (WHEELHOUSE_DISK_RESERVE=1g, or 5%).
        upstreams: the policy for public projects, beside this package; not there without upstreams (WHEELHOUSE_UPSTREAMS).
        outlet: where NGINX asks upstream; in the folder of the sockets, unless it is said (WHEELHOUSE_OUTLET).
    """

    packages: Path = Path("/data/packages")
    index: Path = Path("/data/index")
    logs: Path = Path(places.LOGS)
    change_log: int = 400 * 24 * 3600
    url: str = ""
    sockets: Path = FOLDER
    replica: str = socket.gethostname()
    freshness: float = 2.0
    overwrite: bool = False
    anonymous_uploads: bool = False
    nodes: Nodes = NO_NODES
    trash: int = 14 * 24 * 3600
    quotas: Quotas = NONE
    reserve: Reserve = NO_RESERVE
    upstreams: Path = Path(__file__).resolve().parents[2] / policies.FILE
    outlet: Path = FOLDER / OUTLET

    @classmethod
    def of_environment(cls) -> Settings:
        """Return what the environment says; the defaults are those of the container."""

        def said(name: str, default: object) -> str:
            return os.environ.get(f"WHEELHOUSE_{name}", str(default))

        return cls(
            packages=Path(said("PACKAGES", cls.packages)).resolve(),
            index=Path(said("INDEX", cls.index)),
            logs=places.logs(),
            change_log=int(said("CHANGE_LOG_SECONDS", cls.change_log)),
            url=said("URL", cls.url).rstrip("/"),
            sockets=Path(said("SOCKETS", cls.sockets)),
            replica=said("REPLICA", cls.replica),
            freshness=float(said("FRESHNESS_SECONDS", cls.freshness)),
            overwrite=said("OVERWRITE", "") == "1",
            anonymous_uploads=said("ANONYMOUS_UPLOADS", "") == "1",
            nodes=Nodes.of_text(said("NODE", ""), said("NODES", "")),
            trash=int(said("TRASH_SECONDS", cls.trash)),
            quotas=Quotas.of_text(said("QUOTAS", "")),
            reserve=Reserve.of_text(said("DISK_RESERVE", "")),
            upstreams=Path(said("UPSTREAMS", cls.upstreams)),
            outlet=Path(said("OUTLET", Path(said("SOCKETS", cls.sockets)) / OUTLET)),
        )

    def replica_sockets(self) -> Sockets:
        """Return the sockets of this replica."""
        return Sockets(self.sockets, self.replica)

    def store(self) -> Store:
        """Return the index that is set so."""
        return Store(self.packages, self.index, Options(self.overwrite, self.url, self.trash, self.nodes))
