"""What a finished cycle says of its account as a whole: healthy, unreachable, or readable again.

Owns when an account's trouble begins, when it is told and when its end is. Does not own how far the account is read
(`polling.cycle_rules`) or a job's own trouble (`polling.job_rules`). Pure.

Both ends of a trouble have a threshold, so that what comes and goes is told as one that goes on: it is told when it
lasts, and its end when it has stayed away for as long as chat pauses between the messages of a series.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.digests.message_intervals import PAUSES, QUIET
from shared.errors import AccountDeniedError, ThrottledError
from shared.messages.events import Event, EventType, Origin, account_event, trouble_data
from shared.moments import as_utc
from shared.polling.cycle_rules import NO_CYCLE, CycleResult, cycle_after, is_stale
from shared.polling.job_rules import trouble_of
from shared.polling.unreadable import stays_unreadable
from shared.state.accounts import Cycle, Recurrence
from shared.state.jobs import NOT_POLLED, TOO_MUCH_TO_READ, Trouble

DENIED_FOR = timedelta(minutes=2)
"""How far apart two cycles in a row begin that were refused: one refusal may be a token or a role on its way."""
_JITTER = timedelta(seconds=1)  # no timer fires on the dot

_NOT_POLLED_MESSAGE = "Nothing was polled for too long: did the timer stop?"


def finish_cycle(
    origin: Origin, before: Cycle | None, result: CycleResult, stale_after: timedelta
) -> tuple[Cycle, tuple[Event, ...]]:
    """The account's cycle row, and the events that tell of the account's troubles and their end.

    Refused credentials are told when two cycles in a row met them, whatever else kept the account from being read when
    it is blind: read up to a moment that lies further back than `stale_after`. That nothing ran for so long is told by
    the first cycle that does.
    """
    known, now = before or NO_CYCLE, result.finished_at
    cycle = cycle_after(before, result)
    denied = isinstance(result.error, AccountDeniedError)
    cycle = replace(cycle, denied_since=(known.denied_since or result.started_at) if denied else None)
    # A cycle that Batch's throttling cut short has got on: the next goes on where it stopped.
    got_on = result.error is None or (isinstance(result.error, ThrottledError) and bool(result.looked_at))
    if result.listed and got_on and result.unreadable is None and not is_stale(cycle, stale_after, now):
        return _well(origin, known, replace(cycle, trouble=None), stale_after, now)
    return _troubled(origin, known, cycle, result, stale_after)


def skip_cycle(origin: Origin, before: Cycle, now: datetime, stale_after: timedelta) -> tuple[Cycle, tuple[Event, ...]]:
    """The cycle row while Batch wants no request, and what that tells: an account that got blind meanwhile."""
    cycle = replace(before, finished_at=now)
    known = before.trouble
    since = before.read_up_to or (known.since if known else before.started_at)
    # People know, or it is not blind yet.
    if (known is not None and known.event_id is not None) or now - since <= stale_after:
        return cycle, ()
    wait = Trouble(code="TooManyRequests", message="Batch wants to be left alone for a while.", since=since)
    return _tell_unreachable(origin, cycle, known or wait, now)


def _well(
    origin: Origin, known: Cycle, cycle: Cycle, stale_after: timedelta, now: datetime
) -> tuple[Cycle, tuple[Event, ...]]:
    """The row of an account that is read again, and the end of what was told of it, if that has stayed away."""
    before = known.read_up_to
    was_blind = before is not None and cycle.started_at - before >= stale_after
    if known.trouble is not None and known.trouble.event_id is not None:
        cycle = _hold_back(cycle, known.trouble)
    begun: tuple[Event, ...] = ()
    if cycle.recurrence.event_id is None:
        # What was not told is nobody's business, unless nothing ran for too long to tell it.
        if before is None or not was_blind:
            return cycle, ()
        trouble = Trouble(code=NOT_POLLED, message=_NOT_POLLED_MESSAGE, since=before)
        blind, begun = _tell_unreachable(origin, cycle, trouble, now)
        cycle = _hold_back(cycle, blind.trouble or trouble)
    held = cycle.recurrence
    well_since = held.well_since if held.well_since is not None and not was_blind else now
    if now - well_since < _stays_away_for(held):
        return replace(cycle, recurrence=replace(held, well_since=well_since)), begun
    end = account_event(origin, EventType.ACCOUNT_REACHABLE, held.since or now, now)
    return replace(cycle, recurrence=Recurrence(ends=held.ends + 1, ended_at=now)), (*begun, end)


def _hold_back(cycle: Cycle, told: Trouble) -> Cycle:
    """The row when a trouble that was told has passed; after a quiet hour it is the first of a series."""
    ended_at = cycle.recurrence.ended_at
    goes_on = ended_at is not None and told.since - ended_at < QUIET
    series = cycle.recurrence if goes_on else Recurrence()
    return replace(cycle, recurrence=replace(series, event_id=told.event_id, since=told.since, well_since=None))


def _stays_away_for(recurrence: Recurrence) -> timedelta:
    """How long an account is well before that is told."""
    return PAUSES[min(recurrence.ends, len(PAUSES)) - 1] if recurrence.ends else timedelta(0)


def _troubled(
    origin: Origin, known: Cycle, cycle: Cycle, result: CycleResult, stale_after: timedelta
) -> tuple[Cycle, tuple[Event, ...]]:
    now = result.finished_at
    before = known.trouble
    trouble = _what_is_wrong(known, cycle, result, stale_after)
    # Neither well nor in trouble, for all that is known: what stood before stands.
    if trouble is None:
        return cycle, ()
    # Told once: only the words follow what is wrong now.
    if before is not None and before.event_id is not None:
        return replace(cycle, trouble=replace(trouble, event_id=before.event_id)), ()
    # Blind is blind, whatever the reason.
    if now - as_utc(cycle.read_up_to or trouble.since) > stale_after:
        return _tell_unreachable(origin, cycle, trouble, now)
    # Throttling and faults of the service pass by themselves as a rule; refused credentials that last do not.
    is_denied = cycle.denied_since is not None and result.started_at - cycle.denied_since >= DENIED_FOR - _JITTER
    if is_denied or stays_unreadable(trouble):
        return _tell_unreachable(origin, cycle, trouble, now)
    return replace(cycle, trouble=trouble), ()


def _what_is_wrong(known: Cycle, cycle: Cycle, result: CycleResult, stale_after: timedelta) -> Trouble | None:
    """What keeps the account from being read, None if nothing does or nobody knows."""
    before = known.trouble
    times = before.times + 1 if before else 1
    since = before.since if before else None
    # What stopped the cycle comes before what it left undone.
    if result.error is not None:
        return trouble_of(result.error, since=since or result.finished_at, times=times)
    # Every job was looked at, if perhaps not every entry could be read.
    if not result.not_looked_at:
        odd = result.unreadable
        return trouble_of(odd, since=since or result.finished_at, times=times) if odd else None
    since = since or cycle.read_up_to or result.finished_at
    # No setting of the round would have helped: nothing ran.
    if result.started_at - known.started_at >= stale_after:
        return Trouble(code=NOT_POLLED, message=_NOT_POLLED_MESSAGE, since=since, times=times)
    message = (
        f"Not every job was looked at within STALE_AFTER_SECONDS ({stale_after.total_seconds():.0f} s): "
        f"{cycle.not_looked_at} of {cycle.jobs} still wait. If it stays so, raise POLL_CONCURRENCY or "
        "POLL_BUDGET_SECONDS, watch fewer jobs with TRACKED_JOBS, or allow a longer round with STALE_AFTER_SECONDS."
    )
    return Trouble(code=TOO_MUCH_TO_READ, message=message, since=since, times=times)


def _tell_unreachable(origin: Origin, cycle: Cycle, trouble: Trouble, now: datetime) -> tuple[Cycle, tuple[Event, ...]]:
    """The row of an account that is told to be out of reach, and the event; none if it has come back before its end."""
    held = cycle.recurrence
    # It was well for too short to be called so: to people it never ended.
    if held.event_id is not None:
        again = replace(trouble, since=held.since or trouble.since, event_id=held.event_id)
        series = Recurrence(ends=held.ends, ended_at=held.ended_at)
        return replace(cycle, trouble=again, recurrence=series), ()
    event = account_event(origin, EventType.ACCOUNT_UNREACHABLE, trouble.since, now, error=trouble_data(trouble))
    return replace(cycle, trouble=replace(trouble, event_id=event.id)), (event,)
