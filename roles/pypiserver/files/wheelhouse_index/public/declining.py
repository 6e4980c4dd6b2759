"""What clients get in place of a public page or file."""

from __future__ import annotations

from ..common.answers import Answer, Refusal

# In place of a cause that policy has.
UPSTREAM, BUSY = "upstream", "busy"
# Seconds that NGINX keeps an answer for, by its status. Without 502, those who wait would ask one after the other.
_KEPT = {404: 60, 502: 5}


class Declined(Refusal):
    """A public page or file is not to be had.

    Args:
        status: of the answer.
        reason: cause and remedy, in one line.
        rule: what the access log says.
        retry_after: seconds after which it is worth another try.
        kept: seconds for which NGINX may keep the answer.
    """

    def __init__(self, status: int, reason: str, rule: str = "", retry_after: int = 0, kept: int | None = None) -> None:
        super().__init__(status, reason)
        self.rule = rule
        self.retry_after = retry_after
        self.kept = _KEPT.get(status, 0) if kept is None else kept

    def answer(self) -> Answer:
        """Return what is answered."""
        headers = [("X-Accel-Expires", str(self.kept))]
        if self.rule:
            headers.append(("X-Wheelhouse-Rule", self.rule))
        if self.retry_after:
            headers.append(("Retry-After", str(self.retry_after)))
        return Answer(self.status, self.reason, headers)


def no_project(project: str) -> Declined:
    """Return what is said of a project that is not here, nor upstream; nor whether it is private."""
    return Declined(404, f"There is no project {project} on this index.")


def away(reason: str) -> Declined:
    """Return what is said while upstream cannot be used."""
    return Declined(502, reason, UPSTREAM, retry_after=5)


def crowded(reason: str) -> Declined:
    """Return what is said where too many ask at once; NGINX serves the last page then, if it has one."""
    return Declined(504, reason, BUSY, retry_after=1)


def busy(seconds: int) -> Declined:
    """Return what is said while upstream does not want to be asked."""
    reason = f"The public index wants no requests for {seconds} seconds. Try again then."
    return Declined(429, reason, BUSY, retry_after=seconds, kept=seconds)
