"""The world's own life: repeatable by seed, and never against the rules of the service."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from local.batch_simulator.filters import parse_time
from local.batch_simulator.jobs import Failure, Job
from local.batch_simulator.life.jobs import Life
from local.batch_simulator.life.pace import Pace
from local.batch_simulator.rendering import job_json, status_json
from local.batch_simulator.statuses import Info, is_failed
from local.batch_simulator.world import World
from tests.stack.batch_simulator.conftest import NOW

PACE = Pace(jobs=6, nodes=12, fail_rate=0.3, linger=timedelta(seconds=30))
HOUR = timedelta(hours=1)
JOB_MOVES = {
    ("active", "terminating"),
    ("active", "deleting"),
    ("terminating", "completed"),
    ("completed", "deleting"),
}


@dataclass
class Story:
    """What a world went through, in order."""

    moves: list[tuple[Job, str, str]] = field(default_factory=list)
    statuses: list[tuple[Job, str, Info | None, Info | None, Info | None, Info | None]] = field(default_factory=list)


class ToldWorld(World):
    """A world that remembers every change."""

    def __init__(self, *, now: datetime) -> None:
        super().__init__(now=now)
        self.story = Story()

    def set_job_state(
        self, job_id: str, state: str, *, at: datetime | None = None, terminate_reason: str | None = None
    ) -> None:
        """Remember the move."""
        job = self.job(job_id)
        assert job is not None
        self.story.moves.append((job, job.state, state))
        super().set_job_state(job_id, state, at=at, terminate_reason=terminate_reason)

    def set_status(
        self,
        job_id: str,
        pool: str,
        node: str,
        *,
        preparation: Info | None = None,
        release: Info | None = None,
        at: datetime | None = None,
    ) -> None:
        """Remember both infos before and after."""
        job = self.job(job_id)
        assert job is not None
        old = job.statuses.get((node, pool.lower()))
        before = (old.preparation, old.release) if old else (None, None)
        self.story.statuses.append((job, job.state, before[0], preparation, before[1], release))
        super().set_status(job_id, pool, node, preparation=preparation, release=release, at=at)


def live(seed: int, *, step: timedelta = HOUR, pace: Pace = PACE) -> ToldWorld:
    """A world after an hour, advanced in steps."""
    world = ToldWorld(now=NOW)
    Life(world, pace, seed=seed, start=NOW)
    now = NOW
    while now < NOW + HOUR:
        now = min(now + step, NOW + HOUR)
        world.advance(now)
    return world


@pytest.fixture(scope="module")
def told() -> ToldWorld:
    """One world after an hour, for all who only read."""
    return live(7)


def picture(world: World) -> object:
    """All that a client could see."""
    return [
        (job_json(job, ""), [status_json(job.statuses[key], "") for key in job.after(None)]) for job in world.jobs()
    ]


def test_the_same_seed_tells_the_same_story(told: ToldWorld) -> None:
    """Neither chance nor the steps of time change what a seed leads to; another seed does."""
    in_small_steps = live(7, step=timedelta(seconds=17))

    assert picture(in_small_steps) == picture(told)
    assert in_small_steps.failures == told.failures
    assert live(8).failures != told.failures


def kind_of_change(before: Info | None, after: Info | None) -> str:
    """The name of a change of one execution info, or what is illegal about it."""
    if before == after:
        return "none"
    if after is None:
        return "illegal: vanished"
    if after["state"] == "completed":
        return completion(before, after)
    if after.keys() & {"endTime", "exitCode", "result", "failureInfo"}:
        return "illegal: running with a result"
    return "start" if before is None else restart(before, after)


def restart(before: Info, after: Info) -> str:
    """The name of a new start, or what is illegal about it."""
    if parse_time(after["startTime"]) <= parse_time(before["startTime"]):
        return "illegal: an older start"
    if before["state"] == "completed":
        return "again" if after.get("retryCount", 0) == 0 else "illegal: a rerun counted as retry"
    if after["retryCount"] == before["retryCount"] + 1 and after["lastRetryTime"] == after["startTime"]:
        return "retry"
    return "illegal: a restart that is no retry"


def completion(before: Info | None, after: Info) -> str:
    """The name of an end, or what is illegal about it."""
    if before is None or before["state"] != "running" or before["startTime"] != after["startTime"]:
        return "illegal: completed without running"
    if parse_time(after["endTime"]) <= parse_time(after["startTime"]):
        return "illegal: ended before it started"
    if (after.get("retryCount", 0) > 0) != ("lastRetryTime" in after):
        return "illegal: lastRetryTime without retry"
    if is_failed(after):
        return (
            "failed" if "failureInfo" in after and after.get("exitCode") != 0 else "illegal: a failure without reason"
        )
    return "succeeded" if after["exitCode"] == 0 and "failureInfo" not in after else "illegal: a bad success"


def test_every_change_of_a_node_is_legal(told: ToldWorld) -> None:
    """Tasks start, are retried, end and run again as the service lets them, and all of it happens."""
    preparations = Counter(kind_of_change(old, new) for _, _, old, new, _, _ in told.story.statuses)
    releases = Counter(kind_of_change(old, new) for _, _, _, _, old, new in told.story.statuses)

    assert set(preparations) == {"none", "start", "retry", "again", "failed", "succeeded"}
    assert set(releases) == {"none", "start", "failed", "succeeded"}


def test_retries_are_for_exit_codes_within_the_limit(told: ToldWorld) -> None:
    """No preparation is retried more often than its job allows, and none that could not be started."""
    for job, _, _, after, _, _ in told.story.statuses:
        if after is not None:
            assert after["retryCount"] <= job.max_task_retry_count
            if is_failed(after):
                assert after["retryCount"] == (job.max_task_retry_count if "exitCode" in after else 0)


def test_release_runs_at_the_end_where_preparation_succeeded(told: ToldWorld) -> None:
    """A release task is seen only while its job terminates or is deleted, after a good preparation."""
    for _, state, _, preparation, old, new in told.story.statuses:
        if old != new:
            assert state in {"terminating", "deleting"}
            assert preparation is not None
            assert preparation["result"] == "success"


def test_jobs_move_as_the_service_lets_them(told: ToldWorld) -> None:
    """All moves between job states are legal, each of them happens, and ids come back as other incarnations."""
    assert {(old, new) for _, old, new in told.story.moves} == JOB_MOVES
    incarnations: dict[str, set[datetime]] = {}
    for job, _, _ in told.story.moves:
        incarnations.setdefault(job.job_id, set()).add(job.creation_time)
    assert max(len(times) for times in incarnations.values()) > 1


def test_nothing_changes_in_a_completed_job(told: ToldWorld) -> None:
    """A job completes only after all its release tasks."""
    assert "completed" not in {state for _, state, *_ in told.story.statuses}


def test_one_job_is_stuck_and_one_has_no_preparation() -> None:
    """Soon after the start the fourth job has failed everywhere with tasks waiting; the third can't be listed."""
    world = World(now=NOW)
    Life(world, Pace(), seed=1, start=NOW)
    world.advance(NOW + timedelta(minutes=1))

    stuck = [
        job
        for job in world.jobs()
        if job.statuses and all(is_failed(status.preparation or {}) for status in job.statuses.values())
    ]
    assert [(job.state, len(job.statuses), job.tasks) for job in stuck] == [
        ("active", 20, {"active": 60, "running": 0})
    ]
    assert [job.has_preparation for job in world.jobs()].count(False) == 1


def test_without_failures_nothing_fails() -> None:
    """At rate 0 an hour passes without a failure, while jobs come and go."""
    world = live(3, pace=Pace(fail_rate=0))

    assert world.failures == []
    assert len(world.story.moves) > 10


def test_who_looks_often_enough_sees_every_failure() -> None:
    """Failures stay listed for `linger`: polls at that interval together see exactly the truth."""
    world = World(now=NOW)
    Life(world, PACE, seed=11, start=NOW)
    seen: set[tuple[str, ...]] = set()
    for count in range(120):
        world.advance(NOW + count * PACE.linger)
        seen |= {occurrence for job in world.jobs() for occurrence in failed_occurrences(job)}

    assert seen == {occurrence_of(failure) for failure in world.failures}
    assert len(seen) == len(world.failures) > 100


def failed_occurrences(job: Job) -> set[tuple[str, ...]]:
    """What a listing of the job shows as failed."""
    body = job_json(job, "")
    return {
        (body["id"], body["creationTime"], status.pool, status.node, phase, info["startTime"])
        for status in job.statuses.values()
        for phase, info in (("preparation", status.preparation), ("release", status.release))
        if info is not None and is_failed(info)
    }


def occurrence_of(failure: Failure) -> tuple[str, ...]:
    """The same of a record of truth."""
    return (
        failure.job,
        failure.creation_time,
        failure.pool,
        failure.node,
        failure.phase,
        failure.start_time or "",
    )
