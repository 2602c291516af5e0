"""What the template reads out of a schedule is what the app does, for every schedule that the host was asked about."""

import json
import shutil
from datetime import timedelta

import pytest

from shared.settings.schedule import Schedule, ScheduleError
from tests.stack.infra.bicep import INFRA, Bicep

ROWS = json.loads((INFRA.parent / "tests/settings/ncrontab_oracle.json").read_text(encoding="utf-8"))["schedules"]
SCHEDULES = [
    *(row["schedule"] for row in ROWS),
    *("0 */5 8-17 * * *", "0 0 0,12 * * *", "0 */5 * * * 0-6", "0 */5 * */1 * *", "0 */5 * 1-31 * *", "0 05 08 * * *"),
    *("0 1/20 * * jan-dec SUN-SATURDAY", "0 50-59/3,10 22,23,1 * * *", "0 */5 * * * MON-FRI", "0 */5 * 2/1 * *"),
    *("", "0 *", "0 */x * * * *", "0 , * * * *", "0 -1 * * * *", "0 1-2-3 * * * *", "0 1/2/3 * * * *", "0 / * * * *"),
]
EVERY_DAY = (tuple(range(1, 32)), tuple(range(1, 13)), tuple(range(7)))
ASKING = """
import { isSchedule, longestWait } from 'schedule.bicep'
param schedules array
output answers array = map(schedules, text => isSchedule(text) ? longestWait(text) : -1)
"""


@pytest.fixture(scope="module")
def waits(bicep: Bicep, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The longest wait of each schedule in minutes as the template has it; 0: not every day, -1: it can't be read."""
    folder = tmp_path_factory.mktemp("schedule")
    shutil.copy(INFRA / "app" / "schedule.bicep", folder)
    file = folder / "asking.bicep"
    file.write_text(f"targetScope = 'subscription'{ASKING}", encoding="utf-8")
    snapshot = bicep.snapshot(bicep.compile(file).template, {"schedules": SCHEDULES})
    return dict(zip(SCHEDULES, snapshot.outputs["answers"], strict=True))


def _read(text: str) -> Schedule | None:
    try:
        return Schedule.parse(text)
    except ScheduleError:
        return None


@pytest.mark.parametrize("text", [text for text in SCHEDULES if _read(text)])
def test_the_template_waits_as_long_as_the_app(text: str, waits: dict[str, int]) -> None:
    """A schedule that works is not refused; its longest wait is the app's but for seconds; daily is what is daily."""
    schedule = Schedule.parse(text)
    wait = timedelta(minutes=waits[text])

    if (schedule.days, schedule.months, schedule.weekdays) == EVERY_DAY:
        assert schedule.longest_wait() <= wait < schedule.longest_wait() + timedelta(minutes=1)
    else:
        assert (wait, schedule.longest_wait() > timedelta(days=1)) == (timedelta(0), True)


@pytest.mark.parametrize("text", ["", "0 *", "0 */x * * * *", "0 , * * * *", "0 1-2-3 * * * *", "0 1/2/3 * * * *"])
def test_what_can_not_be_read_is_not_read(text: str, waits: dict[str, int]) -> None:
    """What is no schedule is called none; the engine does not stumble over it."""
    assert (_read(text), waits[text]) == (None, -1)
