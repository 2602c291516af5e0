"""What failing webhooks have not been told, for the one that is next to be tried.

Owns which of it is kept until then. Does not own when a webhook is probed (`delivery.failing_rules`) or the probe
(`delivery.dispatch`). Of a webhook's deliveries only the one that was tried longest ago is kept: the others lie in the
table.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from msgspec import Struct


class ProbeCandidate(Struct, frozen=True, kw_only=True):
    """Something that a webhook is to be told, last tried then: how it is sent as a probe, and gone on with after."""

    tried_at: datetime
    probe: Callable[[], None]
    resume: Callable[[], None]


class ProbeCandidates:
    """What each failing webhook may be probed with."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._others: dict[str, list[ProbeCandidate]] = {}
        self._delivery: dict[str, ProbeCandidate] = {}

    def add(self, name: str, candidate: ProbeCandidate) -> None:
        """Keep something beside what is kept already."""
        with self._lock:
            self._others.setdefault(name, []).append(candidate)

    def add_delivery(self, name: str, tried_at: datetime, probe: Callable[[], None]) -> None:
        """Keep a delivery in the place of one that was tried later."""
        with self._lock:
            known = self._delivery.get(name)
            if known is None or tried_at < known.tried_at:
                self._delivery[name] = ProbeCandidate(tried_at=tried_at, probe=probe, resume=lambda: None)

    def take(self, name: str) -> Sequence[ProbeCandidate]:
        """All that is kept for a webhook, the one that was tried longest ago first; nothing is kept any more."""
        with self._lock:
            delivery = self._delivery.pop(name, None)
            kept = [*self._others.pop(name, []), *([delivery] if delivery else [])]
        return sorted(kept, key=lambda one: one.tried_at)
