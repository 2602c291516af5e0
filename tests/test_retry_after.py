"""Retry-After is understood in each of its forms, and garbage neither raises nor counts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retry_after import LONGEST_RETRY_AFTER, parse_retry_after

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ZERO = timedelta()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", ZERO),
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        ("+5", timedelta(seconds=5)),
        ("-5", ZERO),
        ("00000000000000000007", timedelta(seconds=7)),
        ("99999999", LONGEST_RETRY_AFTER),
        ("9" * 30, LONGEST_RETRY_AFTER),
        ("9" * 10_000, LONGEST_RETRY_AFTER),
        ("-" + "9" * 10_000, ZERO),
        ("Sun, 22 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sunday, 22-Nov-26 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun Nov 22 12:01:00 2026", timedelta(minutes=1)),
        ("Sun, 22 Nov 2026 14:01:00 +0200", timedelta(minutes=1)),
        ("Sun, 22 Nov 2026 11:00:00 GMT", ZERO),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
        ("Sat, 01 Jan 0001 00:00:00 +2359", ZERO),
        ("Sun, 99 Nov 2026 12:01:00 GMT", None),
        ("1.5", None),
        ("5, 10", None),
        ("5 minutes", None),
        ("soon", None),
        ("\u0665", None),
        ("0x10", None),
        ("1e3", None),
        ("2026-11-22T12:01:00Z", None),
    ],
)
def test_value_is_read(value: str | None, expected: timedelta | None) -> None:
    """Each form gives the wait that it asks for; what can't be read gives None."""
    assert parse_retry_after(value, now=NOW) == expected


@given(value=st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,6} [A-Z][a-z]{2} \d{1,6} [\d:]{1,9} [+-]?\w{1,6}"))
def test_no_text_raises(value: str) -> None:
    """Whatever the text, the result is None or a wait that can be added to the time of today."""
    wait = parse_retry_after(value, now=NOW)

    assert wait is None or ZERO <= wait <= LONGEST_RETRY_AFTER
