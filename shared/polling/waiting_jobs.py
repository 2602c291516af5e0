"""Which jobs wait for a look, and since when.

Owns since when a job waits, and how many are remembered by name. Does not own which jobs are looked at, and in which
order (`polling.cycle_rules`). Pure.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from zlib import crc32

from msgspec import Struct

from shared.state.accounts import Cycle

MOST_NAMED = 5_000
"""Their names and moments take 400 KB of the cycle's row, which holds 1 MiB."""


class WaitingJobs(Struct, frozen=True, kw_only=True):
    """The jobs that wait: those `named`, by lower-case id, and how many more.

    A job waits since it was last looked at or first listed; `unnamed_since` is the earliest such moment of those that
    are not named, None when there are none.
    """

    named: Mapping[str, datetime]
    unnamed: int = 0
    unnamed_since: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """Since when the first of them waits, None when nobody does."""
        first = min(self.named.values(), default=None)
        return min((moment for moment in (first, self.unnamed_since) if moment is not None), default=None)


def go_on_waiting(known: Cycle, looked_at: AbstractSet[str]) -> WaitingJobs:
    """Who waits after a cycle that could not tell which jobs there are."""
    return WaitingJobs(
        named={job: since for job, since in known.waiting.items() if job not in looked_at},
        unnamed=known.waiting_unnamed,
        unnamed_since=known.waiting_unnamed_since,
    )


def wait(
    known: Cycle, waiting: AbstractSet[str], sighted: AbstractSet[str], *, last_look: datetime, now: datetime
) -> WaitingJobs:
    """Who waits after a cycle that listed all jobs.

    Args:
        known: The cycle before.
        waiting: The jobs that were due and not looked at.
        sighted: The jobs that were listed for the first time.
        last_look: Since when every job was looked at that did not wait then.
        now: When the cycle began.
    """
    # Who was not named then may have waited for as long as the first of those.
    others = known.waiting_unnamed_since or last_look
    # Of those that have waited for as long, who waited before comes first.
    stays = [job for job in known.waiting if job in waiting and job not in sighted]
    order = [*stays, *sorted(waiting - set(stays))]
    since = {job: now if job in sighted else known.waiting.get(job, others) for job in order}
    return _name_longest(since, known.cycles)


def _name_longest(since: Mapping[str, datetime], cycles: int) -> WaitingJobs:
    if len(since) <= MOST_NAMED:
        return WaitingJobs(named=since)
    # Of those that have waited for as long, others are named each time: no job is left out for ever.
    order = sorted(since, key=lambda job: (since[job], crc32(f"{cycles} {job}".encode())))
    named, unnamed = order[:MOST_NAMED], order[MOST_NAMED:]
    return WaitingJobs(
        named={job: since[job] for job in named},
        unnamed=len(unnamed),
        unnamed_since=min(since[job] for job in unnamed),
    )
