"""Batch is not asked before it wants to be, and blindness is told on time all the same."""

from datetime import timedelta

import pytest

from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, from_row
from tests.support.hostile_batch import error_reply
from tests.support.whole_app import WholeApp, codes
from tests.whole.troubles.account import MINUTE, Trouble

SECONDS = timedelta(seconds=1)
BEAT = "https://beat.example/abc"


@pytest.mark.parametrize(
    ("status", "code", "retry_after", "wait"),
    [
        pytest.param(429, "TooManyRequests", "90", 90, id="429"),
        pytest.param(503, "ServerBusy", "90", 90, id="503"),
        pytest.param(429, "TooManyRequests", "Sun, 01 Nov 2026 12:02:00 GMT", 120, id="a date"),
        pytest.param(429, "TooManyRequests", "86400", 900, id="no longer than a quarter of an hour"),
    ],
)
@pytest.mark.parametrize("place", ["listing", "statuses"])
def test_nobody_asks_before_batch_wants_to_be_asked(
    trouble: Trouble, status: int, code: str, retry_after: str | None, wait: int, place: str
) -> None:
    """After 429 and 503 no cycle and no summary sends a request before Retry-After has passed; then one does."""
    app = trouble.app()
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    setattr(trouble, place, error_reply(status, code, **headers))
    app.poll()
    asked = trouble.asked
    assert asked == (1 if place == "listing" else 2)  # the other jobs are not asked for either

    trouble.clock.advance((wait - 1) * SECONDS)
    assert app.poll().skipped is not None
    body = app.summary(maxAge="0")
    assert (trouble.asked, body["accounts"][0]["error"]["code"]) == (asked, code)

    setattr(trouble, place, None)
    trouble.clock.advance(SECONDS)
    assert app.summary(maxAge="0")["accounts"][0]["error"] is None
    assert trouble.asked > asked


def test_patience_grows_while_batch_throttles(trouble: Trouble) -> None:
    """Each throttled cycle waits longer, up to five minutes; a longer Retry-After wins; one good cycle forgets it."""
    app = trouble.app()

    def wait(**headers: str) -> float:
        trouble.listing = error_reply(429, "TooManyRequests", **headers)
        assert app.poll().skipped is None
        not_before = cycle_of(app).not_before
        assert not_before is not None
        waited, trouble.clock.now = not_before - trouble.clock.now, not_before
        return waited.total_seconds()

    assert [wait() for _ in range(6)] == [15, 30, 60, 120, 300, 300]
    assert wait(**{"Retry-After": "700"}) == 700
    assert wait(**{"Retry-After": "1"}) == 300
    trouble.listing = None
    app.poll()
    assert wait() == 15


def cycle_of(app: WholeApp) -> Cycle:
    """How the last cycle went."""
    (row,) = [row for row in app.rows() if row.key == CYCLE]
    return from_row(row, Cycle)


def test_while_batch_wants_no_request_blindness_is_told_on_time(trouble: Trouble) -> None:
    """Cycles that may not ask write their row and call the heartbeat: it and the event say so after five minutes."""
    app = trouble.app(HEARTBEAT_URL=BEAT)
    app.poll()
    trouble.listing = error_reply(429, "TooManyRequests", **{"Retry-After": "900"})
    trouble.poll_after(app, MINUTE)
    asked = trouble.asked
    for _ in range(8):
        trouble.poll_after(app, MINUTE)
    assert trouble.asked == asked
    assert codes(app) == [("account.unreachable", "TooManyRequests")]
    assert app.post.called == [BEAT] * 6 + [f"{BEAT}/fail"] * 4
    assert cycle_of(app).finished_at == trouble.clock.now
