"""What identifies an event, an incident, and one run of a phase on a node.

Owns the ids. Does not own what is told (`messages.events`). An id is derived from the occurrences that an event
reports, or from a stored moment, never from a clock: whoever decides the same thing again makes the same id.
"""

import hashlib
from base64 import b32encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shared.batch.model import ExecutionInfo, Phase
from shared.moments import as_utc, time_text
from shared.state.jobs import JobHead

MAX_INCIDENT_KEY = 255
"""PagerDuty's limit, in characters."""
_LAST_MILLISECOND = 9_999_999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(at: datetime | None, *parts: str) -> str:
    """An id that sorts what happened last first and is the same whenever the same parts are told of the same moment.

    It holds no full stop, because Standard Webhooks joins it with one.
    """
    return f"{newest_first(at)}-{_fingerprint(parts)}"


def newest_first(at: datetime | None) -> str:
    """Thirteen digits for a moment, to the millisecond, of which the later moment's sort first; None is before all."""
    milliseconds = (as_utc(at) - _EPOCH) // timedelta(milliseconds=1) if at else 0
    # A time that no clock of ours shows is cut to what thirteen digits sort.
    milliseconds = min(max(milliseconds, 0), _LAST_MILLISECOND)
    return f"{_LAST_MILLISECOND - milliseconds:013d}"


def occurrence_id(account: str, head: JobHead, pool_id: str, node_id: str, phase: Phase, info: ExecutionInfo) -> str:
    """What identifies one run of a phase on a node, wherever it is told."""
    job, started = _incarnation(account, head.job_id, head.creation_time), time_text(info.start_time)
    return "occ-" + _fingerprint((*job, pool_id.lower(), node_id.lower(), phase, started))


def node_occurrence_id(
    account: str,
    pool_id: str,
    node_id: str,
    allocation_time: datetime | None,
    since: datetime | None,
    *,
    over_at: datetime | None = None,
) -> str:
    """What identifies that a node of a pool can't work since then; ids of nodes and pools may come again.

    `over_at` is when the same was last taken for over, None if it never was.
    """
    parts = (account, pool_id.lower(), node_id.lower(), time_text(allocation_time), time_text(since))
    again = (time_text(over_at),) if over_at is not None else ()
    return "occ-" + _fingerprint((*parts, *again))


@lru_cache(maxsize=64)  # the same for every node of a job
def _incarnation(account: str, job_id: str, creation_time: datetime | None) -> tuple[str, str, str]:
    return account, job_id.lower(), time_text(creation_time)


def _fingerprint(parts: Iterable[str]) -> str:
    """What stands for these parts: 24 characters of base32 in lower case (120 bits)."""
    return b32encode(hashlib.sha256("\0".join(parts).encode()).digest()[:15]).decode().lower()


def incident_key(subject: str) -> str:
    """The key of the incident about a subject: equal subjects, equal keys, never longer than pagers allow."""
    key = f"prepwatch:{subject}"
    if len(key) <= MAX_INCIDENT_KEY:
        return key
    fingerprint = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: MAX_INCIDENT_KEY - len(fingerprint) - 1]}:{fingerprint}"
