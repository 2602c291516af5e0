"""Which jobs can't move though their tasks wait, as only the account itself knows, and whether people hear it in time.

Owns when a standstill must be told, and that it is told once. Does not own whether a job can move (`moving`), nor when
somebody looks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.ports import Clock
from trials.promises.moving import is_on_the_way, why_it_stands
from trials.promises.truth import Incarnation, TrueWorld, incarnation_of

TOLD_WITHIN = timedelta(minutes=12)
"""Ten minutes and two polls."""
_PUT_OFF_FOR = timedelta(minutes=30)


@dataclass(slots=True)
class _Standing:
    """Why a job stands still, since when in undisturbed time; `told` counts how often, `put_off` that nodes came."""

    why: str
    since: datetime
    told: int = 0
    put_off: bool = False


@dataclass(slots=True, kw_only=True)
class Standstills:
    """Watches the jobs of a world each time that somebody looks, and what is told; `seen` counts standstills."""

    world: TrueWorld
    clock: Clock
    blame: Callable[[str], None]
    seen: int = 0
    _standing: dict[Incarnation, _Standing] = field(default_factory=dict)
    _stuck: set[Incarnation] = field(default_factory=set)

    def look(self, *, undisturbed: bool) -> None:
        """Blame whoever was to tell of a standstill that has lasted; time in which Batch or the app ailed is none."""
        now = self.clock()
        jobs = {incarnation_of(job): job for job in self.world.jobs()}
        for gone in self._standing.keys() - jobs.keys():
            del self._standing[gone]
        for incarnation, job in jobs.items():
            pool = self.world.pools.find(job.pool)
            why = why_it_stands(job, pool, now)
            known = self._standing.get(incarnation)
            if why is None:
                self._standing.pop(incarnation, None)
                continue
            if known is None or known.why != why:
                known = self._standing[incarnation] = _Standing(why, now)
                self.seen += 1
            if not undisturbed:
                known.since = now
            known.put_off |= is_on_the_way(pool)
            within = TOLD_WITHIN + (_PUT_OFF_FOR if known.put_off else timedelta(0))
            if now - known.since > within and incarnation not in self._stuck:
                self.blame(f"nobody was told that {job.job_id} stands still since {known.since:%H:%M}: {why}")

    def see(self, kind: str, incarnation: Incarnation) -> None:
        """Take note of a standstill, or its end, that is told."""
        if kind == "job.resumed":
            self._stuck.discard(incarnation)
            return
        self._stuck.add(incarnation)
        standing = self._standing.get(incarnation)
        if standing is not None:
            standing.told += 1
            if standing.told > 1:
                self.blame(f"{incarnation.job} was told again to stand still, and has not moved since: {standing.why}")
