"""NCRONTAB as the host's timers read it."""

from datetime import UTC, datetime

import pytest

from local.functions_host.ncrontab import Schedule, ScheduleError
from tests.stack.functions_host.virtual import NOW


@pytest.mark.parametrize(
    ("expression", "following"),
    [
        pytest.param("0 * * * * *", "2026-03-01T12:01:00", id="each-minute"),
        pytest.param("* * * * *", "2026-03-01T12:01:00", id="five-fields-mean-second-0"),
        pytest.param("*/20 * * * * *", "2026-03-01T12:00:20", id="step"),
        pytest.param("* */5 * * * *", "2026-03-01T12:00:01", id="each-second-of-each-fifth-minute"),
        pytest.param("0 5/20 * * * *", "2026-03-01T12:05:00", id="step-from"),
        pytest.param("15,45 30 3 * * *", "2026-03-02T03:30:15", id="list-next-day"),
        pytest.param("0 0 9-17 * * MON-FRI", "2026-03-02T09:00:00", id="names"),
        pytest.param("0 0 0 * * 0", "2026-03-08T00:00:00", id="sunday-is-0"),
        pytest.param("0 0 0 * * 7", "2026-03-08T00:00:00", id="sunday-is-7"),
        pytest.param("0 0 0 31 * *", "2026-03-31T00:00:00", id="day-of-month"),
        pytest.param("0 0 0 29 feb *", "2028-02-29T00:00:00", id="leap-day"),
        pytest.param("0 0 0 13 * FRI", "2026-03-13T00:00:00", id="day-and-weekday-both-hold"),
    ],
)
def test_next_occurrence(expression: str, following: str) -> None:
    """The host fires at the first moment after now that every field allows."""
    assert Schedule.parse(expression).next(NOW) == datetime.fromisoformat(following).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    ["", "0 * * *", "60 * * * * *", "0 * * * * 8", "0 */0 * * * *", "0 9-3 * * * *", "0 0 0 0 * *", "00:05:00"],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    """The host does not index a timer whose schedule is no NCRONTAB; a TimeSpan works on App Service plans only."""
    with pytest.raises(ScheduleError):
        Schedule.parse(expression)


def test_a_date_that_never_comes_is_refused() -> None:
    """A schedule without any occurrence ends in an error, not in a search for ever."""
    with pytest.raises(ScheduleError, match="never fires"):
        Schedule.parse("0 0 0 30 2 *").next(NOW)


@pytest.mark.parametrize(
    ("expression", "often"),
    [("0 * * * * *", False), ("*/30 * * * * *", True), ("0,1 0 3 * * *", True), ("0 0 3 * * *", False)],
)
def test_schedules_more_frequent_than_a_minute_are_told_apart(expression: str, often: bool) -> None:  # noqa: FBT001 - a column
    """The host keeps no status for a timer that fires more than once a minute; once a minute is kept."""
    assert Schedule.parse(expression).fires_more_than_once_a_minute(NOW) is often
