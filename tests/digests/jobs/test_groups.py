"""What people are told of many jobs at once: what they have in common, what to do, and how many of each there are."""

from typing import Any

import pytest

from shared.digests.chat_plan import worst_job_first
from shared.digests.jobs.titles import line_of
from shared.messages.notices import Severity
from shared.state.jobs import JobHead
from shared.state.pools import StandstillReason
from tests.digests.jobs.many_jobs import DENIED, EXIT, NODE, cause, job_of, still, told
from tests.support.told_jobs import news


@pytest.mark.parametrize("ids", ["j-{}", "render-{:03}", "monte-carlo-simulation-2026-11-05-{:03}", "x" * 61 + "{:03}"])
@pytest.mark.parametrize("jobs", [2, 3, 8, 30, 500])
def test_a_mass_failure_says_what_to_do(jobs: int, ids: str) -> None:
    """However many jobs, and however long their ids: how many, where, why, since when and what to do, once each."""
    notice = told(*(news(job_of(ids.format(number), cause())) for number in range(jobs)))
    assert (
        notice.heading
        == f"Preparation failed in {jobs} jobs of acc/pool-cpu, on up to 38 of 40 nodes: BlobAccessDenied"
    )
    (section,) = notice.sections
    assert [name for name, _ in section.facts if name != "Tasks"] == ["Why preparation failed", "Since", "What to do"]
    assert section.named + notice.left_out == jobs


@pytest.mark.parametrize(
    ("made", "heading", "severity"),
    [
        pytest.param(
            [job_of(f"j-{number}", cause(nodes=5), cause("DiskFull", nodes=2)) for number in range(12)],
            "Preparation failed in 12 jobs of acc/pool-cpu, on up to 7 of 40 nodes: BlobAccessDenied and DiskFull",
            Severity.ERROR,
            id="two causes in each",
        ),
        pytest.param(
            [
                job_of(f"j-{number}", cause(f"Code{number % 5}", nodes=9), pool=f"pool-{number % 3}")
                for number in range(500)
            ],
            "Preparation failed in 500 jobs of 3 pools of acc, on up to 9 of 40 nodes: 5 causes",
            Severity.ERROR,
            id="many causes in several pools",
        ),
        pytest.param(
            [job_of(f"j-{number}", cause("DiskFull", nodes=4, release=True)) for number in range(5)],
            "Release failed in 5 jobs of acc/pool-cpu, on up to 4 of 40 nodes: DiskFull",
            Severity.WARNING,
            id="releases",
        ),
        pytest.param(
            [job_of("j", cause(nodes=2), cause("DiskFull", nodes=4, release=True))],
            "Preparation failed on 2 of 40 nodes (BlobAccessDenied); release failed on 4 of 40 nodes (DiskFull): "
            "j, acc/pool-cpu",
            Severity.ERROR,
            id="each phase with its own cause",
        ),
    ],
)
def test_headings_say_where_and_why(made: list[JobHead], heading: str, severity: Severity) -> None:
    """The first line names the phase, how many jobs and nodes, where and why, also where that is not one thing."""
    notice = told(*map(news, made))
    assert (notice.heading, notice.severity) == (heading, severity)
    assert "What to do" in dict(notice.sections[0].facts) or "Code" in str(notice.sections[0].facts)


def test_one_sick_node_is_called_one() -> None:
    """A node that fails several jobs by its own fault is called that, and removed by the command below."""
    notice = told(*(news(job_of(f"render-{number:02}", EXIT)) for number in range(12)))
    assert notice.heading == "One node of acc/pool-cpu fails the preparation of 12 jobs: exit code 1"
    (section,) = notice.sections
    facts = dict(section.facts)
    assert facts["What to do"].startswith("Remove the node;")
    (command,) = section.commands
    assert command.startswith("az batch node delete ")
    assert NODE in command


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
    notice = told(*(news(job_of(f"weekly-simulation-{number:02}", stuck=still(reason))) for number in range(jobs)))
    assert notice.severity is severity
    assert "What to do" in dict(notice.sections[0].facts)


def test_tasks_that_need_no_preparation_run_all_the_same() -> None:
    """Where the job's tasks do not wait for preparation, nobody reads that its nodes take none of them."""
    (section,) = told(news(job_of("j", cause(), wait_for_success=False))).sections
    assert dict(section.facts)["Preparation"].endswith(
        "the job's tasks run there all the same (waitForSuccess is false)"
    )


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_what_the_heading_says_is_not_said_again(state: str) -> None:
    """Whole ids in the heading are not repeated, unless the job's state is to be said, too."""
    (section,) = told(news(job_of("j", cause(), state=state))).sections
    assert ("Job" in dict(section.facts)) == (state == "disabled")


@pytest.mark.parametrize("jobs", [5, 8, 14])
def test_differing_numbers_cost_no_reason(jobs: int) -> None:
    """Where each job has a line of its own, lines go before why, since when and what to do."""
    notice = told(*(news(job_of(f"monte-carlo-{number:03}", cause(nodes=20 + number))) for number in range(jobs)))
    (section,) = notice.sections
    facts = dict(section.facts)
    assert facts["Why preparation failed"].endswith(DENIED)
    assert {"Since", "What to do"} <= facts.keys()
    assert section.named + notice.left_out == jobs


def test_the_worst_standstill_comes_first() -> None:
    """What is broken is told in full, and what waits for somebody's decision in a line, however many jobs that has."""
    gone = [job_of(f"a-{number}", pool="pool-old", stuck=still(StandstillReason.POOL_GONE)) for number in range(8)]
    broken = [job_of(f"b-{number}", stuck=still(StandstillReason.START_TASK_FAILED)) for number in range(3)]
    notice = told(*sorted(map(news, (*gone, *broken)), key=worst_job_first))
    assert notice.severity is Severity.CRITICAL
    assert "3 jobs of acc/pool-cpu stand still: the start task failed" in notice.sections[0].title


def test_a_number_says_whether_it_is_of_each_job() -> None:
    """Behind several names a number is marked as that of each."""
    (section,) = told(*(news(job_of(f"j-{number}", cause(nodes=5))) for number in range(2))).sections
    assert [(entry.names, entry.text) for entry in section.entries] == [
        (("j-0", "j-1"), "5 newly failed, 5 of 40 nodes each")
    ]


BLOCKED = "these nodes take none of the jobs' tasks"
RUN = "run on these nodes all the same (waitForSuccess is false)"


@pytest.mark.parametrize(("waits", "said"), [(None, BLOCKED), (True, BLOCKED), (False, RUN)])
def test_several_jobs_say_whether_their_tasks_run(waits: bool | None, said: str) -> None:  # noqa: FBT001 - as stored
    """Whether failed nodes hold tasks up decides whether somebody gets up."""
    made = [job_of(f"j-{number}", cause(nodes=5), wait_for_success=waits) for number in range(2)]
    (section,) = told(*map(news, made)).sections
    assert dict(section.facts)["Tasks"] == said


@pytest.mark.parametrize(
    ("reason", "failed", "number"),
    [
        pytest.param(
            StandstillReason.START_TASK_FAILED,
            {"preparation": 3},
            "pool's nodes, preparation: 3 newly failed",
            id="preparation beside the pool's trouble",
        ),
        pytest.param(
            StandstillReason.START_TASK_FAILED,
            {"release": 3},
            "pool's nodes, release: 3 newly failed",
            id="release beside the pool's trouble",
        ),
        pytest.param(
            StandstillReason.PREPARATION_FAILED,
            {"release": 3},
            "that could work, release: 3 newly failed",
            id="release beside preparation",
        ),
        pytest.param(
            StandstillReason.PREPARATION_FAILED, {"preparation": 3}, "that could work, 3 newly failed", id="preparation"
        ),
        pytest.param(
            StandstillReason.PREPARATION_FAILED,
            {"preparation": 3, "release": 2},
            "preparation: 3 newly failed, release: 2 newly failed",
            id="both",
        ),
    ],
)
def test_a_line_says_what_has_newly_failed(reason: StandstillReason, failed: dict[str, int], number: str) -> None:
    """The number in the line of a job that stands still is said to be of the phase that failed, unless it is named."""
    ever: dict[str, Any] = {f"{phase}_failed_ever": many for phase, many in failed.items()}
    entry = line_of(news(job_of("j", stuck=still(reason), **ever)))
    assert entry is not None
    assert entry.text.endswith(number)


def test_releases_are_told_of_jobs_that_stand_still_alike() -> None:
    """That release failed in jobs that stand still for one reason is told of each: it is recorded as told."""
    made = [
        job_of(f"j-{number}", stuck=still(StandstillReason.START_TASK_FAILED), release_failed_ever=3)
        for number in range(2)
    ]
    first, also = told(*map(news, made)).sections
    assert dict(first.facts)["Release"] == "3 newly failed, before the job began anew"
    assert [entry.text.endswith(", release: 3 newly failed") for entry in also.entries] == [True]
