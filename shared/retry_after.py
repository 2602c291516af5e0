"""Owns the reading of the Retry-After header.

It does not own how long anybody waits in the end: callers clamp the result to their own schedule.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_RETRY_AFTER: Final = timedelta(days=365)
"""Longer waits are read as this, so that adding the result to a time of today never overflows."""

_SECONDS: Final = re.compile(r"([+-]?)([0-9]+)")
_DIGITS_OF_A_YEAR_IN_SECONDS: Final = 8


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Return how long the sender of *value* asks to wait, from zero to LONGEST_RETRY_AFTER.

    Seconds and the three date forms of RFC 9110, section 10.2.3, are understood; what lies in the past is zero.
    None means that the header is absent or says nothing intelligible.
    """
    if value is None:
        return None
    text = value.strip()
    if seconds := _SECONDS.fullmatch(text):
        sign, digits = seconds.groups()
        return _clamp_seconds(0 if sign == "-" else _bounded_int(digits))
    try:
        date = parsedate_to_datetime(text)
        # A date without zone is the asctime form, which is UTC by definition.
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(timedelta(), min(aware - now, LONGEST_RETRY_AFTER))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _bounded_int(digits: str) -> int:
    """Spare int() the texts of thousands of digits that it refuses."""
    significant = digits.lstrip("0")
    if len(significant) > _DIGITS_OF_A_YEAR_IN_SECONDS:
        return int(LONGEST_RETRY_AFTER.total_seconds())
    return int(significant or "0")


def _clamp_seconds(seconds: int) -> timedelta:
    return min(timedelta(seconds=seconds), LONGEST_RETRY_AFTER)
