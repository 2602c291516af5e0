"""What people are told of many jobs at once: what they have in common, what to do, and how many of each there are."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.chat_rules import News
from shared.digests.jobs.notices import jobs_notice
from shared.digests.jobs.titles import line_of
from shared.messages.length import MAX_LINES, fitted, lines_of
from shared.messages.notices import Notice, Severity
from shared.state.jobs import Cause, JobEnd, JobHead, PhaseCounts
from shared.state.pools import EndedStandstill, Standstill, StandstillCause, StandstillEnd, StandstillReason
from shared.state.telling import Told
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, news

NODE = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"
DENIED = (
    "Access for one of the specified Azure Blob(s) is denied: contosotools.blob.core.windows.net/setup/tools.tar.gz"
)


def _cause(code: str = "BlobAccessDenied", text: str = DENIED, *, nodes: int = 38, release: bool = False) -> Cause:
    phase = Phase.RELEASE if release else Phase.PREPARATION
    return Cause(
        phase=phase, code=code, message=text, nodes=nodes, example=("pool-cpu", NODE), first_seen=NOW, last_seen=NOW
    )


EXIT = _cause("FailureExitCode", "The task exited with exit code 1.", nodes=1)


def _job(job_id: str, *causes: Cause, pool: str = "pool-cpu", **state: Any) -> JobHead:
    failed = {phase: sum(cause.nodes for cause in causes if cause.phase is phase) for phase in Phase}
    job = JobHead(
        job_id=job_id,
        first_seen_at=NOW,
        state="active",
        pool_id=pool,
        nodes=40,
        causes=causes,
        preparation=PhaseCounts(failed=failed[Phase.PREPARATION], open=failed[Phase.PREPARATION]),
        release=PhaseCounts(failed=failed[Phase.RELEASE]),
        preparation_failed_ever=failed[Phase.PREPARATION],
        release_failed_ever=failed[Phase.RELEASE],
        generation=1,
    )
    return replace(job, **state)


def _over(job_id: str, *, failed: int = 3, minutes: int = 6, **state: Any) -> News:
    head = _job(job_id, preparation_failed_ever=failed, **state)
    since = NOW - timedelta(minutes=minutes)
    told = Told(job_id=job_id, counted_from=NOW, standing=True, preparation=failed, since=since, at=NOW)
    told = told if failed else replace(told, stuck_since=since)
    return news(head, told=told)


def _told(*items: News) -> Notice:
    notice = fitted(jobs_notice(ACCOUNT, items, LINKS))
    assert lines_of(notice) <= MAX_LINES
    return notice


@pytest.mark.parametrize("ids", ["j-{}", "render-{:03}", "monte-carlo-simulation-2026-11-05-{:03}", "x" * 61 + "{:03}"])
@pytest.mark.parametrize("jobs", [2, 3, 8, 30, 500])
def test_a_mass_failure_says_what_to_do(jobs: int, ids: str) -> None:
    """However many jobs, and however long their ids: how many, where, why, since when and what to do, once each."""
    notice = _told(*(news(_job(ids.format(number), _cause())) for number in range(jobs)))
    assert (
        notice.heading
        == f"Preparation failed in {jobs} jobs of acc/pool-cpu, on up to 38 of 40 nodes: BlobAccessDenied"
    )
    (section,) = notice.sections
    assert [name for name, _ in section.facts] == ["Why preparation failed", "Since", "What to do"]
    assert section.named + notice.left_out == jobs


@pytest.mark.parametrize(
    ("made", "heading", "severity"),
    [
        pytest.param(
            [_job(f"j-{number}", _cause(nodes=5), _cause("DiskFull", nodes=2)) for number in range(12)],
            "Preparation failed in 12 jobs of acc/pool-cpu, on up to 7 of 40 nodes: BlobAccessDenied and DiskFull",
            Severity.ERROR,
            id="two causes in each",
        ),
        pytest.param(
            [
                _job(f"j-{number}", _cause(f"Code{number % 5}", nodes=9), pool=f"pool-{number % 3}")
                for number in range(500)
            ],
            "Preparation failed in 500 jobs of 3 pools of acc, on up to 9 of 40 nodes: 5 causes",
            Severity.ERROR,
            id="many causes in several pools",
        ),
        pytest.param(
            [_job(f"j-{number}", _cause("DiskFull", nodes=4, release=True)) for number in range(5)],
            "Release failed in 5 jobs of acc/pool-cpu, on up to 4 of 40 nodes: DiskFull",
            Severity.WARNING,
            id="releases",
        ),
        pytest.param(
            [_job("j", _cause(nodes=2), _cause("DiskFull", nodes=4, release=True))],
            "Preparation failed on 2 of 40 nodes (BlobAccessDenied); release failed on 4 of 40 nodes (DiskFull): "
            "j, acc/pool-cpu",
            Severity.ERROR,
            id="each phase with its own cause",
        ),
    ],
)
def test_headings_say_where_and_why(made: list[JobHead], heading: str, severity: Severity) -> None:
    """The first line names the phase, how many jobs and nodes, where and why, also where that is not one thing."""
    notice = _told(*map(news, made))
    assert (notice.heading, notice.severity) == (heading, severity)
    assert "What to do" in dict(notice.sections[0].facts) or "Code" in str(notice.sections[0].facts)


def test_one_sick_node_is_called_one() -> None:
    """A node that fails several jobs by its own fault is called that, and removed by the command below."""
    notice = _told(*(news(_job(f"render-{number:02}", EXIT)) for number in range(12)))
    assert notice.heading == "One node of acc/pool-cpu fails the preparation of 12 jobs: exit code 1"
    (section,) = notice.sections
    facts = dict(section.facts)
    assert facts["What to do"].startswith("Remove the node;")
    (command,) = section.commands
    assert command.startswith("az batch node delete ")
    assert NODE in command


def _still(reason: StandstillReason, code: str = "Quota") -> Standstill:
    cause = StandstillCause(code=code, message="no more")
    return Standstill(since=NOW, confirmed=True, reason=reason, pool_id="pool-cpu", cause=cause, tasks=88)


@pytest.mark.parametrize(
    ("reason", "severity"),
    [
        (StandstillReason.START_TASK_FAILED, Severity.CRITICAL),
        (StandstillReason.NODES_UNABLE, Severity.CRITICAL),
        (StandstillReason.RESIZE_FAILED, Severity.ERROR),
        (StandstillReason.AUTOSCALE_FAILED, Severity.ERROR),
        (StandstillReason.PREPARATION_SLOW, Severity.ERROR),
        (StandstillReason.POOL_GONE, Severity.WARNING),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2, 30])
def test_standstills_say_what_to_do(reason: StandstillReason, severity: Severity, jobs: int) -> None:
    """How bad it is goes by the reason, as it does for a pager, and the remedy is in the message."""
    notice = _told(*(news(_job(f"weekly-simulation-{number:02}", stuck=_still(reason))) for number in range(jobs)))
    assert notice.severity is severity
    assert "What to do" in dict(notice.sections[0].facts)


@pytest.mark.parametrize(
    ("items", "heading", "severity"),
    [
        pytest.param(
            [_over("a"), _over("b", minutes=72)],
            "Preparation works again in 2 jobs of acc/pool-cpu after up to 1 hour 12 minutes",
            Severity.GOOD,
            id="mended",
        ),
        pytest.param(
            [_over("a", failed=0), _over("b", failed=0)],
            "2 jobs of acc/pool-cpu move again after 6 minutes",
            Severity.GOOD,
            id="move again",
        ),
        pytest.param(
            [_over("a", closed=JobEnd.ENDED), _over("b", closed=JobEnd.ENDED)],
            "2 jobs of acc/pool-cpu have ended",
            Severity.INFO,
            id="ended",
        ),
        pytest.param(
            [_over("a", left=3, failing_since=NOW), _over("b", left=3, failing_since=NOW)],
            "The nodes that failed have left, nothing has succeeded since: 2 jobs of acc/pool-cpu",
            Severity.INFO,
            id="their nodes have left",
        ),
        pytest.param(
            [_over("a", left=3, failing_since=NOW)],
            "The nodes that failed have left; nothing has succeeded since: a, acc/pool-cpu",
            Severity.INFO,
            id="the nodes of one have left",
        ),
        pytest.param(
            [_over("a", left=1, succeeded_at=NOW)],
            "Preparation works again after 6 minutes, some nodes that failed have left: a, acc/pool-cpu",
            Severity.INFO,
            id="some nodes of one have left",
        ),
        pytest.param(
            [_over("a", failed=0, closed=JobEnd.ENDED)],
            "Ended, it had stood still: a, acc/pool-cpu",
            Severity.INFO,
            id="ended while it stood still",
        ),
        pytest.param(
            [_over("a", failed=0, stuck_ended=EndedStandstill(at=NOW, why=StandstillEnd.NOBODY_WAITS))],
            "No task waits any more, and nothing was mended: a, acc/pool-cpu",
            Severity.INFO,
            id="nobody waits any more",
        ),
        pytest.param(
            [
                _over(name, failed=0, stuck_ended=EndedStandstill(at=NOW, why=StandstillEnd.JOB_DISABLED))
                for name in ("a", "b")
            ],
            "2 jobs stood still to the end: acc",
            Severity.INFO,
            id="disabled while they stood still",
        ),
        pytest.param(
            [_over("a", failed=0, stuck_ended=EndedStandstill(at=NOW))],
            "Moves again after 6 minutes: a, acc/pool-cpu",
            Severity.GOOD,
            id="one moves again",
        ),
        pytest.param(
            [_over("a"), _over("b", closed=JobEnd.ENDED), _over("c", closed=JobEnd.ENDED)],
            "Preparation works again after 6 minutes: a, acc/pool-cpu; 2 jobs have ended",
            Severity.INFO,
            id="one mended, two ended",
        ),
    ],
)
def test_ends_say_whether_somebody_mended_it(items: list[News], heading: str, severity: Severity) -> None:
    """What was mended is green and says how long it took; what merely left or ended is never called mended."""
    notice = _told(*items)
    assert notice.heading == heading
    assert notice.severity is severity


@pytest.mark.parametrize(
    ("reason", "phase", "number"),
    [
        (StandstillReason.START_TASK_FAILED, Phase.PREPARATION, "pool's nodes, preparation: 3 newly failed"),
        (StandstillReason.START_TASK_FAILED, Phase.RELEASE, "pool's nodes, release: 3 newly failed"),
        (StandstillReason.PREPARATION_FAILED, Phase.RELEASE, "that could work, release: 3 newly failed"),
        (StandstillReason.PREPARATION_FAILED, Phase.PREPARATION, "that could work, 3 newly failed"),
    ],
)
def test_a_line_says_what_has_newly_failed(reason: StandstillReason, phase: Phase, number: str) -> None:
    """The number in the line of a job that stands still is said to be of the phase that failed, unless it is named."""
    failed: dict[str, Any] = {f"{phase.value}_failed_ever": 3}
    entry = line_of(news(_job("j", stuck=_still(reason), **failed)))
    assert entry is not None
    assert entry.text.endswith(number)


def test_releases_are_told_of_jobs_that_stand_still_alike() -> None:
    """That release failed in jobs that stand still for one reason is told of each: it is recorded as told."""
    still = _still(StandstillReason.START_TASK_FAILED)
    first, also = _told(
        *(news(_job(f"j-{number}", stuck=still, release_failed_ever=3)) for number in range(2))
    ).sections
    assert dict(first.facts)["Release"] == "3 newly failed, before the job began anew"
    assert [entry.text.endswith(", release: 3 newly failed") for entry in also.entries] == [True]


def test_jobs_that_failed_and_ended_are_told_so() -> None:
    """Of jobs that are over nobody reads that they have failures now."""
    ended = [
        _job(f"short-{number}", _cause(nodes=3), closed=JobEnd.ENDED, preparation=PhaseCounts(failed=3))
        for number in range(10)
    ]
    items = [news(job, told=Told(job_id=job.job_id, counted_from=NOW, standing=True)) for job in ended]
    assert _told(*items).heading == "10 jobs ended with failures: acc"


def test_tasks_that_need_no_preparation_run_all_the_same() -> None:
    """Where the job's tasks do not wait for preparation, nobody reads that its nodes take none of them."""
    (section,) = _told(news(_job("j", _cause(), wait_for_success=False))).sections
    assert dict(section.facts)["Preparation"].endswith(
        "the job's tasks run there all the same (waitForSuccess is false)"
    )


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_what_the_heading_says_is_not_said_again(state: str) -> None:
    """Whole ids in the heading are not repeated, unless the job's state is to be said, too."""
    (section,) = _told(news(_job("j", _cause(), state=state))).sections
    assert ("Job" in dict(section.facts)) == (state == "disabled")
