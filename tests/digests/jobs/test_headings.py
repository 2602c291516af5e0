"""What the heading over several jobs says: of ends whether somebody mended anything, else what failed and where."""

import pytest

from shared.digests.chat_rules import News
from shared.messages.notices import Severity
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.pools import EndedStandstill, StandstillEnd
from shared.state.telling import Told
from tests.digests.jobs.many_jobs import EXIT, cause, job_of, over, told
from tests.support.told_jobs import NOW, news

STOOD_STILL = Told(counted_from=NOW, standing=True, preparation=1, stuck_since=NOW, at=NOW)
"""What is known of a job that stood still, and of which a node fails."""


def _resumed(job_id: str, why: StandstillEnd | None) -> News:
    """The end of the standstill of a job on which preparation still fails."""
    head = job_of(job_id, cause(), stuck_ended=EndedStandstill(at=NOW, why=why), preparation_failed_ever=3)
    return news(head, told=Told(job_id=job_id, counted_from=NOW, standing=True, preparation=3, stuck_since=NOW, at=NOW))


@pytest.mark.parametrize(
    ("items", "heading", "severity"),
    [
        pytest.param(
            [over("a"), over("b", minutes=72)],
            "Preparation works again in 2 jobs of acc/pool-cpu after up to 1 hour 12 minutes",
            Severity.GOOD,
            id="mended",
        ),
        pytest.param(
            [over("a", failed=0), over("b", failed=0)],
            "2 jobs of acc/pool-cpu move again after 6 minutes",
            Severity.GOOD,
            id="move again",
        ),
        pytest.param(
            [over("a", closed=JobEnd.ENDED), over("b", closed=JobEnd.ENDED)],
            "2 jobs of acc/pool-cpu have ended unmended",
            Severity.INFO,
            id="ended",
        ),
        pytest.param(
            [over("a", left=3, failing_since=NOW), over("b", left=3, failing_since=NOW)],
            "The nodes that failed have left, nothing has succeeded since: 2 jobs of acc/pool-cpu",
            Severity.INFO,
            id="their nodes have left",
        ),
        pytest.param(
            [over("a", left=3, failing_since=NOW)],
            "The nodes that failed have left; nothing has succeeded since: a, acc/pool-cpu",
            Severity.INFO,
            id="the nodes of one have left",
        ),
        pytest.param(
            [over("a", left=1, succeeded_at=NOW)],
            "Preparation works again after 6 minutes, some nodes that failed have left: a, acc/pool-cpu",
            Severity.INFO,
            id="some nodes of one have left",
        ),
        pytest.param(
            [over("a", failed=0, closed=JobEnd.ENDED)],
            "Ended, it had stood still: a, acc/pool-cpu",
            Severity.INFO,
            id="ended while it stood still",
        ),
        pytest.param(
            [over("a", failed=0, stuck_ended=EndedStandstill(at=NOW, why=StandstillEnd.NOBODY_WAITS))],
            "No task waits any more, and nothing was mended: a, acc/pool-cpu",
            Severity.INFO,
            id="nobody waits any more",
        ),
        pytest.param(
            [
                over(name, failed=0, stuck_ended=EndedStandstill(at=NOW, why=StandstillEnd.JOB_DISABLED))
                for name in ("a", "b")
            ],
            "2 jobs of acc/pool-cpu stand still no longer, and nothing was mended",
            Severity.INFO,
            id="disabled while they stood still",
        ),
        pytest.param(
            [_resumed("a", StandstillEnd.JOB_DISABLED), _resumed("b", StandstillEnd.NOBODY_WAITS)],
            "2 jobs stand still no longer, and nothing was mended: acc/pool-cpu",
            Severity.WARNING,
            id="disabled and emptied, with nodes that still fail",
        ),
        pytest.param(
            [_resumed("a", None), _resumed("b", StandstillEnd.JOB_DISABLED)],
            "Moves again, 38 of 40 nodes still take none of the job's tasks: a, acc/pool-cpu; "
            "1 job stands still no longer, and nothing was mended",
            Severity.WARNING,
            id="one moves again and one was disabled, with nodes that still fail",
        ),
        pytest.param(
            [over("a", failed=0, stuck_ended=EndedStandstill(at=NOW))],
            "Moves again after 6 minutes: a, acc/pool-cpu",
            Severity.GOOD,
            id="one moves again",
        ),
        pytest.param(
            [over("a"), over("b", closed=JobEnd.ENDED), over("c", closed=JobEnd.ENDED)],
            "Preparation works again after 6 minutes: a, acc/pool-cpu; 2 jobs have ended",
            Severity.INFO,
            id="one mended, two ended",
        ),
        pytest.param(
            [
                news(job_of("a", EXIT, stuck_ended=EndedStandstill(at=NOW, why=why)), told=STOOD_STILL)
                for why in (None, StandstillEnd.JOB_DISABLED)
            ],
            "Moves again, 1 of 40 nodes still takes none of the job's tasks: a, acc/pool-cpu; "
            "1 job stands still no longer, and nothing was mended",
            Severity.WARNING,
            id="one moves, one is disabled, and nodes are held up",
        ),
    ],
)
def test_ends_say_whether_somebody_mended_it(items: list[News], heading: str, severity: Severity) -> None:
    """What was mended is green and says how long it took; what merely left or ended is never called mended."""
    notice = told(*items)
    assert notice.heading == heading
    assert notice.severity is severity


def test_jobs_that_failed_and_ended_are_told_so() -> None:
    """Of jobs that are over nobody reads that they have failures now."""
    ended = [
        job_of(f"short-{number}", cause(nodes=3), closed=JobEnd.ENDED, preparation=PhaseCounts(failed=3))
        for number in range(10)
    ]
    items = [news(job, told=Told(job_id=job.job_id, counted_from=NOW, standing=True)) for job in ended]
    assert told(*items).heading == "10 jobs ended with failures: acc/pool-cpu"


@pytest.mark.parametrize(
    ("items", "heading"),
    [
        pytest.param(
            [news(job_of(f"j-{n}", cause(nodes=2), cause("DiskFull", nodes=4, release=True))) for n in range(3)],
            "Preparation and release failed in 3 jobs: acc/pool-cpu",
            id="both phases",
        ),
        pytest.param(
            [
                *(news(job_of(f"j-{n}", cause(nodes=2))) for n in range(2)),
                *(news(job_of(f"k-{n}", cause("DiskFull", nodes=4, release=True))) for n in range(2)),
            ],
            "Preparation failed in 2 jobs, release failed in 2 jobs: acc/pool-cpu",
            id="either phase",
        ),
        pytest.param(
            [over(name, closed=JobEnd.GONE) for name in ("a", "b")],
            "2 jobs of acc/pool-cpu are gone, unmended",
            id="gone",
        ),
        pytest.param(
            [over("a", closed=JobEnd.GONE), over("b", closed=JobEnd.REPLACED)],
            "2 jobs of acc/pool-cpu are over, unmended",
            id="over in two ways",
        ),
    ],
)
def test_what_jobs_do_not_share_is_counted_by_its_name(items: list[News], heading: str) -> None:
    """Each phase is named, and where, also when there is no single cause; what is over is not called mended."""
    assert told(*items).heading == heading
