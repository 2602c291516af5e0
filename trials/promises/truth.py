"""What really happened in the simulated Batch account, whatever anybody was shown of it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from local.batch_simulator.filters import parse_time
from local.batch_simulator.jobs import Job
from local.batch_simulator.statuses import Info, Phase, is_failed
from local.batch_simulator.world import World
from trials.promises.true_pools import TruePools


class Incarnation(NamedTuple):
    """One life of a job id."""

    job: str
    created: datetime


class Occurrence(NamedTuple):
    """One run of a phase on a node, ids in lower case."""

    incarnation: Incarnation
    pool: str
    node: str
    phase: str
    started: datetime | None


class TrueWorld(World):
    """A world that remembers how every run ended; `ended` maps it to whether it failed, `true_pools` are its pools."""

    def __init__(self, *, now: datetime) -> None:
        super().__init__(now=now)
        self.pools = self.true_pools = TruePools()
        self.ended: dict[Occurrence, bool] = {}
        self._ends: dict[Incarnation, list[tuple[datetime, bool]]] = {}
        self._stood_until: dict[Incarnation, datetime] = {}

    def set_tasks(self, job_id: str, **counts: int) -> None:
        """Replace the job's task counts, and remember until when it stood still."""
        self._remember_standing(job_id)
        super().set_tasks(job_id, **counts)

    def set_job_state(
        self, job_id: str, state: str, *, at: datetime | None = None, terminate_reason: str | None = None
    ) -> None:
        """Move the job to another state, and remember until when it stood still."""
        self._remember_standing(job_id)
        super().set_job_state(job_id, state, at=at, terminate_reason=terminate_reason)

    def stood_still(self, incarnation: Incarnation, now: datetime) -> datetime | None:
        """When the job's tasks last waited while none ran, a minute sooner at most; None for never."""
        job = self.job(incarnation.job)
        if job is not None and incarnation_of(job) == incarnation and _stands_still(job):
            return now
        return self._stood_until.get(incarnation)

    def keeps_failing(self, incarnation: Incarnation, now: datetime) -> bool:
        """Whether one preparation after the other has failed of late, and none succeeded."""
        ends = self._ends.get(incarnation, ())
        failures = sum(failed and now - at <= timedelta(minutes=65) for at, failed in ends)
        return failures >= 3 and all(failed or now - at >= timedelta(minutes=28) for at, failed in ends)

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
        """Show a status, and remember how the run ended if it has."""
        self._remember_standing(job_id)
        super().set_status(job_id, pool, node, preparation=preparation, release=release, at=at)
        job = self.job(job_id)
        if job is None:
            return
        for phase, info in ((Phase.PREPARATION, preparation), (Phase.RELEASE, release)):
            if info is not None and str(info.get("state")).lower() == "completed":
                self.ended[occurrence_of(job, pool, node, phase, info)] = is_failed(info)
                if phase is Phase.PREPARATION and info.get("endTime"):
                    end = parse_time(str(info["endTime"])), is_failed(info)
                    self._ends.setdefault(incarnation_of(job), []).append(end)

    def _remember_standing(self, job_id: str) -> None:
        job = self.job(job_id)
        if job is not None and _stands_still(job):
            self._stood_until[incarnation_of(job)] = self.now


def _stands_still(job: Job) -> bool:
    """Whether tasks wait and none runs; a task that counts as running may still prepare."""
    if job.state != "active" or not job.tasks.get("active", 0):
        return False
    return not job.tasks.get("running", 0) or not any(task.state == "running" for task in job.shown_tasks())


def incarnation_of(job: Job) -> Incarnation:
    """The incarnation that a job is."""
    return Incarnation(job.job_id.lower(), job.creation_time)


def occurrence_of(job: Job, pool: str, node: str, phase: Phase, info: Info) -> Occurrence:
    """The run that an execution info of a job is about."""
    started = info.get("startTime")
    moment = parse_time(str(started)) if started else None
    return Occurrence(incarnation_of(job), pool.lower(), node.lower(), phase.value, moment)
