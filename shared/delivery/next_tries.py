"""When webhooks are going to be tried next, as far as a run has seen.

Owns which of several moments counts. Does not own when anything is due (`delivery.answer_rules`,
`digests.message_intervals`) or what becomes of a webhook that has to wait (`delivery.failing_rules`).
"""

from datetime import datetime
from threading import Lock


class NextTries:
    """When webhooks are going to be tried again by a schedule: with a delivery, or with what chat is to be told."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._deliveries: dict[str, datetime] = {}
        self._digests: dict[tuple[str, str], datetime] = {}

    def add(self, name: str, at: datetime) -> None:
        """Note when one of a webhook's deliveries is due."""
        with self._lock:
            self._deliveries[name] = min(at, self._deliveries.get(name, at))

    def put(self, name: str, account: str, at: datetime | None) -> None:
        """Note when chat is to be told of an account, None for not at all; it replaces what was noted before."""
        with self._lock:
            self._digests.pop((name, account), None)
            if at is not None:
                self._digests[name, account] = at

    def first(self, name: str) -> datetime | None:
        """The earliest moment at which a webhook is going to be tried, None when nothing is known to wait for it."""
        with self._lock:
            known = [self._deliveries.get(name), *(at for (each, _), at in self._digests.items() if each == name)]
        return min(filter(None, known), default=None)
