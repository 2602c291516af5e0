"""Nodes whose clock is wrong: what ran in the future hides nothing that runs later."""

from datetime import timedelta

import pytest

from tests.support.deployment import NOW, a_job, a_node, a_run, deploy

_MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "ahead", [timedelta(hours=1), timedelta(days=3), timedelta(days=365 * 400)], ids=["hour", "days", "for ever"]
)
def test_a_run_in_the_future_outranks_nothing(ahead: timedelta) -> None:
    """A failure at a time to come is told, and so are the failure and the success after it, once each."""
    app = deploy(FIRST_SIGHT_SECONDS="86400")
    told: list[tuple[int, int]] = []
    for minute, run in enumerate(
        (
            a_run(),
            a_run(failed=True, ended=NOW + ahead),
            a_run(failed=True, ended=NOW + ahead),
            a_run(failed=True, ended=NOW + 2 * _MINUTE),
            a_run(ended=NOW + 3 * _MINUTE),
            a_run(ended=NOW + 3 * _MINUTE),
        )
    ):
        app.batch.add(a_job("job"), a_node("n1", preparation=run))
        app.poll()
        told.append((minute, len(app.sender.sent)))
        app.clock.advance(_MINUTE)
    assert [sent for _, sent in told] == [0, 1, 1, 2, 3, 3]
