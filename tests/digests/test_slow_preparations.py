"""Chat hears of preparations that take too long on some nodes, a pager never does."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.digests.chat_rules import KnownToWebhook, NewsKind, news_of
from shared.digests.chat_timing import decide
from shared.digests.incidents import decide_pages
from shared.state.jobs import JobEnd, JobHead, PhaseCounts
from shared.state.telling import Pace, Told
from tests.support.told_jobs import ACCOUNT, NOW, head, webhook

MINUTE = timedelta(minutes=1)


def slow(number: int, *, opened: int = 0) -> JobHead:
    """A job whose preparation takes too long on so many nodes, and has failed on others."""
    counts = PhaseCounts(running=number, slow=number, failed=opened, open=opened)
    return replace(head(), preparation=counts, preparation_failed_ever=opened, closed=None)


@pytest.mark.parametrize(
    ("knows", "job", "kinds"),
    [
        pytest.param(0, slow(2), (NewsKind.SLOW,), id="new"),
        pytest.param(2, slow(2), (), id="known"),
        pytest.param(2, slow(1), (), id="fewer"),
        pytest.param(2, slow(3), (NewsKind.SLOW,), id="more"),
        pytest.param(2, slow(0), (NewsKind.IN_TIME,), id="none any more"),
        pytest.param(2, slow(0, opened=2), (NewsKind.FAILED, NewsKind.IN_TIME), id="failed since"),
        pytest.param(2, replace(slow(0), closed=JobEnd.ENDED), (), id="over with its job"),
        pytest.param(0, slow(0), (), id="never"),
    ],
)
def test_what_is_news(knows: int, job: JobHead, kinds: tuple[NewsKind, ...]) -> None:
    """Each node more is news, and that none is left; that it failed, or the job ended, is said by that itself."""
    told = Told(job_id=job.job_id, slow=knows)
    known = KnownToWebhook(told=told, head=job, wanted=1, wanted_at=NOW)
    found = news_of(webhook("slack"), ACCOUNT, known, NOW)
    assert (found.kinds if found else ()) == kinds


def test_it_waits_for_what_may_come_of_it() -> None:
    """A standstill that follows within ten minutes is told instead; a failure is told at once, and this with it."""
    for job, minutes in ((slow(2), 10), (slow(2, opened=1), 0)):
        known = KnownToWebhook(told=Told(job_id=job.job_id), head=job, wanted=1, wanted_at=NOW)
        at = [
            minute
            for minute in range(1, 15)
            if decide(webhook("teams"), ACCOUNT, [known], Pace(), (), NOW + minute * MINUTE).messages
        ]
        assert at[0] == max(minutes, 1)


def test_a_pager_is_not_called() -> None:
    """Nobody is woken up for it."""
    known = KnownToWebhook(told=Told(job_id="job-1"), head=slow(2), wanted=1, wanted_at=NOW)
    pages = decide_pages(
        webhook("pagerduty"), ACCOUNT, [known], {}, Pace(), (), NOW + 60 * MINUTE, recovered_at=None, probe=True
    )
    assert pages.messages == ()
