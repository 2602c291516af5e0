"""When Batch listed each failure, and which of them somebody who looked must have seen.

Owns what the app owes: a failure is owed when it was listed during the whole of a cycle that ended well and had no
trouble with its job, or is listed still. What came and went while every cycle was killed, cut off or refused was never
promised. Times are the simulated account's.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from local.batch_simulator.jobs import Job
from local.batch_simulator.life.jobs import Life
from local.batch_simulator.protocol import format_time
from local.batch_simulator.statuses import Info, Phase, is_failed
from local.batch_simulator.world import World
from trials.soak.checker import Occurrence, true_occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A cycle that ended well, from before it began until after it ended.

    `troubled` are the jobs that it failed to see, `troubled_pools` the pools; None when it saw none of these.
    """

    begun: datetime
    ended: datetime
    troubled: frozenset[str] = frozenset()
    troubled_pools: frozenset[str] | None = frozenset()

    def to_json(self) -> str:
        """A line of a log."""
        said = {
            "begun": self.begun.isoformat(),
            "ended": self.ended.isoformat(),
            "troubled": sorted(self.troubled),
            "troubledPools": None if self.troubled_pools is None else sorted(self.troubled_pools),
        }
        return json.dumps(said)

    def saw(self, pool: str) -> bool:
        """Whether it did not fail to see a pool."""
        return self.troubled_pools is not None and pool.lower() not in self.troubled_pools


@dataclass(frozen=True, slots=True)
class Span:
    """From the first moment that a failure was listed to the last, None while it is listed still."""

    first: datetime
    last: datetime | None


class ExposedLife:
    """A life that notes, each time somebody asks the account something, which failures it lists then."""

    def __init__(self, life: Life, world: World) -> None:
        self._life = life
        self._world = world
        self._now = world.now
        self._listed: dict[Occurrence, datetime] = {}
        self._ended: dict[Occurrence, list[Span]] = {}
        self._of_job: dict[int, tuple[Job, int, frozenset[Occurrence]]] = {}

    def advance(self, now: datetime) -> None:
        """Let happen what is due, then look at what is listed."""
        self._life.advance(now)
        listed = set(self._failures())
        for gone in self._listed.keys() - listed:
            self._ended.setdefault(gone, []).append(Span(self._listed.pop(gone), self._now))
        for new in listed - self._listed.keys():
            self._listed[new] = now
        self._now = now

    def spans(self, failure: Occurrence) -> list[Span]:
        """When a failure was listed; a moment between two questions counts as not."""
        still = [Span(self._listed[failure], None)] if failure in self._listed else []
        return [*self._ended.get(failure, ()), *still]

    def _failures(self) -> Iterator[Occurrence]:
        """What is listed as failed; a job that has not changed is not looked at again."""
        jobs = self._world.jobs()
        for job in jobs:
            known = self._of_job.get(id(job))
            if known is None or known[1] != job.version:
                known = self._of_job[id(job)] = (job, job.version, frozenset(_failures_of(job)))
            yield from known[2]


def to_json(spans: Iterable[Span]) -> list[tuple[str, str | None]]:
    """Spans as a line of the truth holds them."""
    return [(span.first.isoformat(), span.last.isoformat() if span.last else None) for span in spans]


def read_spans(listed: Iterable[tuple[str, str | None]]) -> list[Span]:
    """The spans of a line of the truth."""
    return [
        Span(datetime.fromisoformat(first), datetime.fromisoformat(last) if last else None) for first, last in listed
    ]


def read_polls(lines: Iterable[str]) -> list[Poll]:
    """The cycles of a log."""
    return [
        Poll(
            begun=datetime.fromisoformat(said["begun"]),
            ended=datetime.fromisoformat(said["ended"]),
            troubled=frozenset(said["troubled"]),
            troubled_pools=None if said["troubledPools"] is None else frozenset(said["troubledPools"]),
        )
        for said in map(json.loads, lines)
    ]


def owed(spans: Mapping[Occurrence, Collection[Span]], polls: Collection[Poll]) -> set[Occurrence]:
    """The failures that had to be told."""
    return {failure for failure, its in spans.items() if any(_was_seen(failure.job, span, polls) for span in its)}


def _was_seen(job: str, span: Span, polls: Collection[Poll]) -> bool:
    if span.last is None:
        return True
    return any(span.first <= poll.begun and poll.ended <= span.last and job not in poll.troubled for poll in polls)


def _failures_of(job: Job) -> Iterator[Occurrence]:
    for status in job.statuses.values():
        for phase, info in ((Phase.PREPARATION, status.preparation), (Phase.RELEASE, status.release)):
            if info is not None and is_failed(info):
                yield _occurrence(job, status.pool, status.node, phase, info)


def _occurrence(job: Job, pool: str, node: str, phase: Phase, info: Info) -> Occurrence:
    return true_occurrence(
        {
            "job": job.job_id,
            "creationTime": format_time(job.creation_time),
            "pool": pool,
            "node": node,
            "phase": phase,
            "startTime": info.get("startTime"),
        }
    )
