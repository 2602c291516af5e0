"""How fast chat and pager may be told, and when a webhook that could not be told is tried again.

Owns the pauses. Does not own what is news (`digests.chat_rules`) or the sending (`digests.one_webhook`). Pure. Moments
that are still to come were written down by a clock that has jumped back since: nothing waits for them.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.delivery.answer_rules import wait_before
from shared.digests.mutes import Mute
from shared.moments import is_to_come, unless_to_come
from shared.state.telling import Pace, Told
from shared.webhook import Webhook

HOLD = timedelta(seconds=10)
"""What fails together is told together."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60))
"""The waits between the messages of a series."""
REMEMBERED = timedelta(days=1)
"""How long a pool and cause that was told is no news by itself."""
MOST_GROUPS = 200
ENDS_AFTER = timedelta(minutes=10)
"""What comes back sooner was never over."""
ONE_CYCLE = timedelta(minutes=1)
"""How far apart it may be seen that several jobs have turned alike: they are read one after the other."""
QUIET = timedelta(hours=1)
"""After so long without news the next begins a series of its own."""

_LONGEST_WAIT_TRIES = 5  # the schedule's wait of an hour: what is told is how things stand then, so it never gets old


class Occasion(Struct, frozen=True, kw_only=True):
    """A moment at which a webhook may be told how an account stands, and what holds that back.

    `pace` is how the webhook was told so far, and `recovered_at` when it was last well again, None when that was never
    or long ago: what it has refused or failed to take before counts no more. A `probe` is sent whatever the time, and
    tells all that no mute holds back.
    """

    webhook: Webhook
    account: str
    now: datetime
    pace: Pace
    mutes: Sequence[Mute] = ()
    recovered_at: datetime | None = None
    probe: bool = False

    @property
    def paused_until(self) -> datetime | None:
        """Until when failed attempts hold the webhook back, None when they don't."""
        pace, until = self.pace, self.pace.not_before
        if self.probe or until is None or until <= self.now:
            return None
        # A webhook that has come back since takes messages, whatever failed before.
        return None if _is_before(pace.tried_at, self.recovered_at, self.now) else until

    def is_refused(self, told: Told, generation: int) -> bool:
        """Whether the webhook has refused what news of that generation tell, and is not to be asked again."""
        return not self.probe and is_refused(told, generation, self.recovered_at, self.now)


def after_sending(pace: Pace, now: datetime, groups: Collection[str] = ()) -> Pace:
    """The pace of a webhook that has just been told all its news, of these pools and causes."""
    step = 1 if _was_quiet(pace) else pace.step + 1
    known = {group: at for group, at in pace.groups.items() if now - at < REMEMBERED and group not in groups}
    newest = dict(list({**known, **dict.fromkeys(groups, now)}.items())[-MOST_GROUPS:])
    return replace(
        pace, held_since=None, sent_at=now, groups=newest, step=step, tries=0, tried_at=None, not_before=None
    )


def after_daily(pace: Pace, now: datetime) -> Pace:
    """The pace of a webhook that has just been told, or not had to be, what still stands: it moves no pause."""
    return replace(pace, daily_at=now, tries=0, tried_at=None, not_before=None)


def is_new(pace: Pace, groups: Collection[str], now: datetime) -> bool:
    """Whether one of these pools and causes was not told within a day."""
    return any(group not in pace.groups or now - pace.groups[group] >= REMEMBERED for group in groups)


def after_failing(pace: Pace, identity: str, now: datetime, recovered_at: datetime | None) -> Pace:
    """The pace of a webhook that could not be told; it is tried again within an hour, for as long as it takes.

    `identity` spreads the attempts of different webhooks. What failed before the webhook has recovered does not count.
    """
    tries = 1 if pace.tries and _is_before(pace.tried_at, recovered_at, now) else pace.tries + 1
    wait = wait_before(identity, min(tries, _LONGEST_WAIT_TRIES)) or timedelta(0)
    return replace(pace, tries=tries, tried_at=now, not_before=now + wait)


def is_refused(told: Told, generation: int, recovered_at: datetime | None, now: datetime) -> bool:
    """Whether a webhook has refused, and not recovered since, what news of that generation tell."""
    refusal = told.refusal
    return (
        refusal is not None
        and refusal.generation >= generation
        and not _is_before(refusal.attempt.at, recovered_at, now)
    )


def believable_pace(pace: Pace, now: datetime) -> Pace:
    """The pace without moments that are still to come."""
    held_since = min(pace.held_since, now) if pace.held_since else None
    return replace(pace, held_since=held_since, sent_at=unless_to_come(pace.sent_at, now))


def message_at(pace: Pace, wanted_at: datetime, *, first: bool, little: bool = False) -> datetime:
    """When a message may go out about what is wanted since then; `first` when something of it was not told before.

    What is `little` waits longest: whoever was told lately learns nothing to act upon from it.
    """
    gathered = (pace.held_since or wanted_at) + HOLD
    # Who was told nothing lately waits only for what fails together.
    if _was_quiet(pace) or pace.sent_at is None:
        return gathered
    pause = PAUSES[-1] if little else PAUSES[min(max(pace.step, 1), len(PAUSES)) - 1]
    return max(gathered, pace.sent_at + (min(pause, PAUSES[0]) if first else pause))


def _is_before(at: datetime | None, recovered_at: datetime | None, now: datetime) -> bool:
    """Whether the webhook has recovered since then, or nobody knows when that was."""
    # A clock that has jumped back since wrote it.
    if at is not None and is_to_come(at, now):
        return True
    return recovered_at is not None and (at is None or at <= recovered_at <= now)


def _was_quiet(pace: Pace) -> bool:
    return pace.sent_at is None or (pace.held_since is not None and pace.held_since - pace.sent_at >= QUIET)
