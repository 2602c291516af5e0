"""Nudges are sent within two seconds or not at all, and what refuses them is remembered, shown and forgotten."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.lanes import ThreadLanes
from shared.errors import StoreUnavailableError
from shared.nudges.nudge import DELIVERIES_QUEUE, read_nudge
from shared.nudges.nudger import NO_QUEUE, QUEUE_TOO_SLOW, NudgeHealth, Nudger
from shared.ports import Column, Lanes, Put, QueueService, Table
from shared.state.rows import NUDGES, OWN, SCHEMA_VERSION
from tests.support.fake_table import FakeTable, Fault
from tests.support.fakes import FakeClock, FakeQueues, InlineLanes

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
REFUSED = StoreUnavailableError("the queue service answered 403 AuthorizationFailure")


def _nudger(
    queues: QueueService | None,
    *,
    table: Table | None = None,
    lanes: Lanes | None = None,
    clock: FakeClock | None = None,
) -> Nudger:
    return Nudger(
        queues=queues, lanes=lanes or InlineLanes(), clock=clock or FakeClock(NOW), table=table or FakeTable()
    )


def test_a_nudge_for_each_account() -> None:
    """Each account has a nudge of its own that the trigger understands, for now or for later, and no row is written."""
    queues, table = FakeQueues(), FakeTable()
    nudger = _nudger(queues, table=table)
    assert nudger.send(DELIVERIES_QUEUE, ["a", "b"]) == {}
    assert nudger.send(DELIVERIES_QUEUE, ["c"], timedelta(minutes=5)) == {}
    assert nudger.send(DELIVERIES_QUEUE, []) == {}
    said = [(queue, read_nudge(text.encode()), delay) for queue, text, delay in queues.put_texts]
    assert [(queue, nudge.account, nudge.created_at) for queue, nudge, _ in said] == [
        (DELIVERIES_QUEUE, name, NOW) for name in "abc"
    ]
    assert [delay for _, _, delay in said] == [timedelta(0), timedelta(0), timedelta(minutes=5)]
    assert list(table.writes) == []


@pytest.mark.parametrize(
    ("queues", "refusal", "reason"),
    [
        pytest.param(FakeQueues(), REFUSED, str(REFUSED), id="refused"),
        pytest.param(None, None, NO_QUEUE, id="no queue"),
        pytest.param(FakeQueues(), KeyError("canary"), "KeyError", id="a defect"),
    ],
)
def test_what_is_refused_is_said_and_remembered(
    queues: FakeQueues | None, refusal: Exception | None, reason: str
) -> None:
    """Nothing is raised; the reason stands with its beginning until a nudge is taken, and the count for ever."""
    clock = FakeClock(NOW)
    nudger = _nudger(queues, clock=clock)
    if queues is not None:
        queues.refusal = refusal
    assert nudger.send(DELIVERIES_QUEUE, ["a", "b"]) == {"a": reason, "b": reason}
    clock.advance(minutes=5)
    nudger.send(DELIVERIES_QUEUE, ["a"])
    assert nudger.health() == NudgeHealth(refused=3, failing_since=NOW, reason=reason)
    if queues is not None:
        queues.refusal = None
        assert nudger.send(DELIVERIES_QUEUE, ["a"]) == {}
        assert nudger.health() == NudgeHealth(refused=3)


class SlowQueues:
    """Takes messages of some accounts only when it is let to."""

    def __init__(self, *slow: str) -> None:
        self._slow = slow
        self.release = threading.Event()

    def put(self, queue: str, text: str, *, delay: timedelta) -> None:
        """Wait."""
        if read_nudge(text.encode()).account in self._slow:
            self.release.wait(20)


def test_nobody_waits_for_a_slow_queue() -> None:
    """After two seconds for all of them those without an answer count as refused, and only those."""
    queues = SlowQueues("slow", "slower")
    nudger = _nudger(queues, lanes=ThreadLanes())
    refused = nudger.send(DELIVERIES_QUEUE, ["slow", "quick", "slower"])
    assert refused == {"slow": QUEUE_TOO_SLOW, "slower": QUEUE_TOO_SLOW}
    queues.release.set()


def test_what_is_not_begun_in_time_is_not_begun() -> None:
    """Of many nudges to a slow queue those that nobody waits for any more are not sent behind the back."""
    clock, begun = FakeClock(NOW), list[str]()

    class Slow:
        def put(self, queue: str, text: str, *, delay: timedelta) -> None:
            begun.append(read_nudge(text.encode()).account)
            clock.advance(seconds=0.9)

    refused = _nudger(Slow(), clock=clock).send(DELIVERIES_QUEUE, list("abcdef"))
    assert begun == ["a", "b", "c"]
    assert set(refused) == {"d", "e", "f"}


@pytest.mark.parametrize("refusal", [None, REFUSED], ids=["taken", "refused"])
def test_a_table_that_is_away_changes_nothing(refusal: Exception | None) -> None:
    """What can't be remembered is only not remembered."""
    queues, table = FakeQueues(), FakeTable()
    queues.refusal = refusal
    table.fail_next(Fault.BEFORE)
    assert bool(_nudger(queues, table=table).send(DELIVERIES_QUEUE, ["a"])) is (refusal is not None)


def test_a_row_of_a_newer_version_is_left_alone() -> None:
    """What cannot be read is not written over."""
    queues, table = FakeQueues(), FakeTable()
    queues.refusal = REFUSED
    newer: dict[str, Column] = {"v": SCHEMA_VERSION + 1, "data0": b"x"}
    table.transact(OWN, [Put(key=NUDGES, columns=newer)])
    assert _nudger(queues, table=table).send(DELIVERIES_QUEUE, ["a"])
    row = table.get(OWN, NUDGES)
    assert row is not None
    assert row.columns == newer
