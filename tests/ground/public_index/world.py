"""What requests to all ports share."""

from __future__ import annotations

from typing import Any

from .catalogue import Catalogue
from .faults import MODES, Fault
from .files import normalised


class World:
    """What all requests share: projects, faults, the log."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.faults: dict[tuple[str, str], Fault] = {}
        self.latency = 0.0
        self.log: list[dict[str, Any]] = []
        self.packed: dict[bytes, bytes] = {}

    def fault(self, scope: str, project: str = "") -> Fault:
        """Return what goes wrong with a project's pages or files."""
        return self.faults.get((scope, project)) or self.faults.get((scope, "")) or Fault()

    def control(self, path: str, values: dict[str, str]) -> None:
        """Do what a request to the control port says.

        Raises:
            KeyError, ValueError: it says something unknown.
        """
        if path == "/reset":
            self.faults, self.latency, self.packed = {}, 0.0, {}
            self.catalogue.reset()
            self.log.clear()
        elif path == "/heal":
            self.faults, self.latency = {}, 0.0
        elif path == "/fault":
            scope, mode, project = values["scope"], values["mode"], normalised(values.get("project", ""))
            if mode not in MODES[scope]:
                raise ValueError(f"no fault of {scope} is called {mode}")
            self.faults[scope, project] = Fault(mode, float(values.get("seconds", "10")))
        elif path == "/latency":
            self.latency = float(values["seconds"])
        elif path == "/publish":
            requires = tuple(values["requires"].split(",")) if values.get("requires") else ()
            self.catalogue.publish(
                values["name"],
                values["version"],
                float(values.get("days", "100")),
                requires,
                values.get("time") == "none",
                values.get("yanked"),
            )
        elif path == "/withdraw":
            self.catalogue.withdraw(values["name"], values.get("version", ""))
        elif path == "/status":
            self.catalogue.status[normalised(values["name"])] = values["status"]
            self.catalogue.changed()
        else:
            raise ValueError(f"nothing is at {path}")
