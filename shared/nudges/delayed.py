"""Has an account looked after again at a time of its own, when no poll comes before that.

Owns which moments are worth a nudge, and that one instance asks once for each. Does not own what waits for one
(`delivery.dispatch`, `digests.dispatch`). A nudge that is lost costs waiting until the next poll: the table is the
truth.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.nudges.nudge import DELIVERIES_QUEUE
from shared.nudges.nudger import Nudger
from shared.ports import Clock

SOONEST = timedelta(seconds=5)
"""The least delay: what is due by now was just tried, or is held by somebody else."""


class DelayedNudges:
    """Sends nudges that stay invisible until something is due; `next_poll` is the first firing after a moment."""

    def __init__(self, nudger: Nudger, clock: Clock, next_poll: Callable[[datetime], datetime]) -> None:
        self._nudger = nudger
        self._clock = clock
        self._next_poll = next_poll
        self._asked: dict[str, datetime] = {}

    def is_early(self, at: datetime | None) -> bool:
        """Whether something is due before the next poll would find it; None is due never."""
        return at is not None and at < self._next_poll(self._clock())

    def ask(self, account: str, at: datetime | None) -> None:
        """Have an account looked after at this moment, unless a poll comes first, or a nudge of this instance."""
        if at is None or not self.is_early(at):
            return
        now = self._clock()
        asked = self._asked.get(account)
        if asked is not None and now < asked <= max(at, now + SOONEST):
            return
        delay = max(at - now, SOONEST)
        if not self._nudger.send(DELIVERIES_QUEUE, [account], delay):
            self._asked[account] = now + delay
