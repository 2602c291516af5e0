"""Moments as they are compared and written.

Owns the one comparable form and the one text of a time. Does not own durations.
"""

from datetime import UTC, datetime, timedelta

import msgspec

CLOCKS_DIFFER = timedelta(minutes=1)
"""What was noted by somebody else may lie so far ahead; what lies further was noted before a clock jumped back."""
NODES_DIFFER = timedelta(minutes=15)
"""So far the clocks of nodes may be ahead of ours without being wrong."""


def as_utc(moment: datetime | None) -> datetime:
    """A comparable moment; a missing one is before every other, one without a zone is taken for UTC."""
    if moment is None:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def is_to_come(noted: datetime, now: datetime) -> bool:
    """Whether a moment that was noted as past lies ahead: a clock has jumped back since, and what follows is void."""
    return noted > now + CLOCKS_DIFFER


def unless_to_come(noted: datetime | None, now: datetime) -> datetime | None:
    """A moment that was noted as past; None without one, and for one that lies ahead."""
    return None if noted is None or is_to_come(noted, now) else noted


def is_believable(ended: datetime, now: datetime) -> bool:
    """Whether something on a node may have ended then; what lies further ahead was noted by a wrong clock."""
    return ended <= now + NODES_DIFFER


def time_text(moment: datetime | None) -> str:
    """A moment as RFC 3339 in UTC, empty when unknown."""
    return "" if moment is None else str(msgspec.to_builtins(as_utc(moment).astimezone(UTC)))
