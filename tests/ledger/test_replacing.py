"""A job's head that takes another's place, with all that this makes due and drops."""

from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest

from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.polling.job_rules import close, head_at_first_sight, replacing
from shared.ports import MAX_ROWS, Insert, Put
from shared.state.chunks import encode_chunk
from shared.state.jobs import JobEnd, JobHead, PhaseCounts, Tracking, Trouble
from shared.state.pools import Standstill
from shared.state.rows import chunk_key, from_row, job_key, pack, to_columns
from shared.webhook import Webhook
from tests.support.builders import ACCOUNT, CREATED, NOW, ORIGIN, batch_job, webhook
from tests.support.fake_table import FakeTable

TROUBLED = JobHead(
    job_id="job-1",
    tracking=Tracking.UNREACHABLE,
    creation_time=CREATED,
    preparation=PhaseCounts(failed=3, open=3),
    preparation_failed_ever=3,
    stuck=Standstill(since=NOW, confirmed=True),
    trouble=Trouble(code="Oops", message="It went wrong.", since=NOW, times=3, event_id="told"),
)
"""Its end is told by three events."""


def webhooks(events: int, states: int) -> tuple[Webhook, ...]:
    """So many that get each event, and so many that are told how things stand."""
    return tuple(
        webhook(f"{kind}-{number}", kind)
        for kind, most in (("cloudevents", events), ("slack", states))
        for number in range(most)
    )


@pytest.mark.parametrize("chunks", [0, 1, 16, 50, 79, 128])
@pytest.mark.parametrize(("events", "states"), [(0, 0), (1, 1), (10, 10), (20, 0), (0, 20)])
def test_a_job_is_replaced_whatever_the_number_of_webhooks(events: int, states: int, chunks: int) -> None:
    """The swap fits its transaction, leaves no chunk of the job before, and makes due what tells its end."""
    ids = count(1)
    table = FakeTable()
    prefixes = tuple(f"{number:07b}" for number in range(chunks))
    before = msgspec.structs.replace(TROUBLED, chunks=prefixes)
    for start in range(0, chunks, MAX_ROWS):
        keys = [chunk_key("job-1", CREATED, prefix) for prefix in prefixes[start : start + MAX_ROWS]]
        table.transact(ACCOUNT, [Put(key=key, columns=pack(encode_chunk({}))) for key in keys])
    table.transact(ACCOUNT, [Insert(key=job_key("job-1"), columns=to_columns(before))])
    row = table.get(ACCOUNT, job_key("job-1"))
    ledger = Ledger(table=table, account=ACCOUNT, webhooks=webhooks(events, states), new_id=lambda: f"id-{next(ids)}")
    closing = close(ORIGIN, before, JobEnd.REPLACED, NOW, NOW)
    job = batch_job(id="job-1", creation_time=NOW)
    new = replacing(
        closing.head, head_at_first_sight(job, requested=False, read_up_to=None, first_sight=timedelta(0), now=NOW)
    )
    assert len(closing.events) == 3

    written = ledger.replace_job(row, before, Slice(head=new, events=closing.events), NOW)

    assert table.get(ACCOUNT, job_key("job-1")) == written.row
    assert from_row(written.row, JobHead).creation_time == datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert list(table.query(ACCOUNT, "node|", "node}")) == []
    assert len(list(table.query(ACCOUNT, "event|", "event}"))) == 3
    assert len(written.pending) == len(list(table.query(ACCOUNT, "due|", "due}"))) == 3 * events
    assert len(list(table.query(ACCOUNT, "digest|", "digest}"))) == states
