"""Times, durations and numbers as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.messages.sentences import account_name, clock_time, counted, lasted, since_when

NOW = datetime(2026, 11, 27, 2, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        pytest.param(datetime(2026, 11, 27, 2, 14, 59, tzinfo=UTC), "02:14 UTC", id="today"),
        pytest.param(datetime(2026, 11, 26, 22, 5, tzinfo=UTC), "26 November, 22:05 UTC", id="yesterday"),
        pytest.param(datetime(2025, 1, 3, 0, 0, tzinfo=UTC), "3 January 2025, 00:00 UTC", id="another year"),
        pytest.param(
            datetime(2026, 11, 27, 1, 0, tzinfo=timezone(timedelta(hours=2))), "26 November, 23:00 UTC", id="elsewhere"
        ),
    ],
)
def test_times(at: datetime, said: str) -> None:
    """A time is said in UTC to the minute, with its day only when that is not today's."""
    assert clock_time(at, NOW) == said


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(minutes=-5), "less than a minute"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=6, seconds=40), "6 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=2, minutes=10), "2 hours 10 minutes"),
        (timedelta(days=1, minutes=59), "1 day"),
        (timedelta(days=3, hours=4, minutes=5), "3 days 4 hours"),
    ],
    ids=str,
)
def test_durations(duration: timedelta, said: str) -> None:
    """A duration is said in words, in its largest unit and the next one."""
    assert lasted(duration) == said


def test_since_when() -> None:
    """What goes on says since when, and how long that is."""
    assert since_when(NOW - timedelta(minutes=6), NOW) == "02:14 UTC (6 minutes)"


@pytest.mark.parametrize(("number", "said"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_numbers(number: int, said: str) -> None:
    """A noun follows its number."""
    assert counted(number, "node") == said


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("contoso.westeurope.batch.azure.com", "contoso"),
        ("2026.westeurope.batch.azure.com", "2026"),
        ("127.0.0.1:25459", "127.0.0.1:25459"),
        ("localhost:8000", "localhost:8000"),
    ],
)
def test_accounts(account: str, said: str) -> None:
    """An account is called by its name; the simulator, which has none in its address, by that address."""
    assert account_name(account) == said
