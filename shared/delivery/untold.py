"""What failing webhooks have not been told, for the one that is next to be tried.

Owns which of it is kept until then. Does not own when a webhook is probed (`delivery.failing_rules`) or the probe
(`delivery.dispatch`). Of a webhook's deliveries only the one that was tried longest ago is kept: the others lie in the
table. Owns too when webhooks are going to be tried next, as far as a run has seen.
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


class Timetable:
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
