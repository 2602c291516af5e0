"""Tells a dead man's switch whether Prepwatch is healthy.

Owns the call. Does not own what well means (`polling.installation_faults`) or when it is made (after every cycle, one
that was skipped too). Convention: Healthchecks' ping URLs, with /fail appended to the path when something is wrong; a
timer that has stopped sends nothing, and the switch notices that by itself.
"""

from urllib.parse import urlsplit

from msgspec import Struct

from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.polling.installation_faults import Faults
from shared.ports import Sender
from shared.reprs import repr_without


class Heartbeat(Struct, frozen=True, kw_only=True):
    """Beats at `url`; None beats nowhere."""

    sender: Sender
    faults: Faults
    url: str | None

    __repr__ = repr_without("url")

    def beat(self) -> None:
        """Say how things are; a switch that can't be reached is only a line in the log."""
        if self.url is None:
            return
        try:
            wrong = "; ".join(self.faults.find())
        except (StoreError, UnreadableRowError) as error:
            wrong = str(error)
        answer = self.sender.get(_failing(self.url) if wrong else self.url)
        write_line("heartbeat", wrong=wrong or None, status=answer.status, failure=answer.failure)


def _failing(url: str) -> str:
    """The address that says that something is wrong; a query stays where it is."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/fail").geturl()
