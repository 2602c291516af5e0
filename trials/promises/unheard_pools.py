"""Which pools chat and pager must know of and do not, as events and messages have it.

Owns since when. Does not own how long that may last (`green`). Knows none of the app's own rules but when so many nodes
can't work that people are to know.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.messages.events import EventType
from trials.promises.listeners import Listener
from trials.simulation.batch import ACCOUNT
from trials.simulation.system import System

_MANY = 3
"""So many nodes, if they are a tenth of the pool, are trouble at once."""
_ABLE = frozenset({"idle", "running"})


@dataclass(slots=True)
class UnheardPools:
    """By webhook and pool, since when it should have been told of; since when nodes of a pool are told to be broken.

    Who was told of the pool since then knows, even if other nodes of it have worked meanwhile, or none has.
    """

    _since: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _broken: dict[str, datetime] = field(default_factory=dict)
    _looked_at: datetime | None = None

    def look(self, system: System) -> None:
        """Note what is so now; to be called each minute."""
        now, broken = system.now, {pool for pool, _ in system.monitor.nodes.standing}
        self._broken = {pool: self._broken.get(pool, self._looked_at or now) for pool in broken}
        self._looked_at = now
        self._since = {
            (name, pool): self._since.get((name, pool), now)
            for pool in _in_trouble(system)
            for name, listener in system.monitor.listeners.items()
            if _must_know(system, listener, pool) and not listener.knows_of_pool(pool, self._broken[pool])
        }

    def since(self, webhook: str, shown: Mapping[str, Sequence[datetime]], slack: timedelta) -> datetime | None:
        """Since when a webhook should have been told of the first such pool, None when there is none.

        What Batch has not `shown` since the webhook was to know, or a little before, nobody could tell.
        """
        waiting = {pool: since - slack for (name, pool), since in self._since.items() if name == webhook}
        seen = [next((at for at in shown.get(pool, ()) if at >= since), None) for pool, since in waiting.items()]
        return min((at for at in seen if at is not None), default=None)


def _in_trouble(system: System) -> Iterator[str]:
    """The pools of which events say that many nodes can't work, while others can: of none a standstill may tell."""
    nodes = system.monitor.nodes
    for pool, broken in Counter(pool for pool, _ in nodes.standing).items():
        now = [states[-1][1] for (its, _), states in nodes.states.items() if its == pool]
        size = sum(state is not None for state in now)
        if broken >= max(_MANY, size / 10) and not _ABLE.isdisjoint(now):
            yield pool


def _must_know(system: System, listener: Listener, pool: str) -> bool:
    """Whether a webhook wants to know of the pool by each job that uses it, of which nobody has muted one."""
    jobs = [job.job_id for job in system.world.jobs() if job.pool == pool and job.state == "active"]
    wants = all(listener.wants(EventType.NODE_FAILED, job, ACCOUNT) for job in jobs)
    muted = any(system.monitor.mutes.holds(job, system.now, timedelta(0)) for job in jobs)
    return bool(jobs) and wants and not muted
