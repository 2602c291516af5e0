"""Says in words how far an account is read, what of it is not seen, and what to do about it.

Owns these sentences. Does not own when an account is blind (`polling.cycle_rules`), its troubles
(`polling.account_troubles`) or how a missing right is mended (`api.access_remedies`). Pure.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.errors import UnreadableRowError
from shared.messages.event_notices import remedy_for
from shared.messages.sentences import minute
from shared.moments import as_utc
from shared.polling.cycle_rules import is_stale
from shared.pools.counts import TOO_SLOW
from shared.state.accounts import Cycle
from shared.state.jobs import NOT_POLLED, TOO_MUCH_TO_READ
from shared.state.rows import mend_of

MEND_ROW = "Deploy the newest version that has run here; if the row is damaged, do as the message says."

_TRIED_NOW = (
    "The other checks of this account try it now, and name a right that is missing with the command that gives it. If "
    "they are well and it stays so, quote the request id to Azure support."
)


def unreadable_cycle(error: UnreadableRowError, account: str) -> str:
    """That nobody can tell how the last cycle of an account went, and the mend."""
    why = mend_of(error, account, "the next cycle then begins anew, and tells nothing twice.")
    return f"No cycle can run. {why}"


def unreadable_pool(error: UnreadableRowError, account: str) -> str:
    """Why nobody can tell which nodes of a pool can't work, and the mend."""
    return mend_of(error, account, "what can't work there is then told anew.")


def pools_unread(account: str, cycle: Cycle | None, stale_after: timedelta, now: datetime) -> str | None:
    """That an account's pools can't be read, and what is not seen then; None while that is fresh."""
    if cycle is None or cycle.pools_error is None or cycle.pools_error_since is None:
        return _unanswered(account, cycle, stale_after, now)
    # Where counting is slow it is done seldom, and well in between.
    patience = 2 * stale_after if cycle.pools_error == TOO_SLOW else stale_after
    if now - as_utc(cycle.pools_error_since) <= patience:
        return None
    return (
        f"{account}: the nodes of its pools can't be counted since {minute(cycle.pools_error_since)}: "
        f"{cycle.pools_error}; standstills by the pool and broken nodes are not seen"
    )


def _unanswered(account: str, cycle: Cycle | None, stale_after: timedelta, now: datetime) -> str | None:
    """That the nodes are counted, and what else is asked of pools, and of jobs that wait for them, is not answered."""
    if cycle is None or cycle.unanswered is None or cycle.unanswered_since is None:
        return None
    if now - as_utc(cycle.unanswered_since) <= stale_after:
        return None
    return (
        f"{account}: not all that is asked about its pools and waiting jobs is answered since "
        f"{minute(cycle.unanswered_since)}: {cycle.unanswered}; standstills and broken nodes may not be seen"
    )


def how_read(
    account: str, cycle: Cycle | None, unreadable: Sequence[str], stale_after: timedelta, now: datetime
) -> tuple[str, str | None]:
    """How far an account is read, and what to do; None when there is nothing to do.

    `unreadable` are the pools of which nobody can tell how their nodes are, with the mend.
    """
    # Nobody has read it, or not all of it.
    if cycle is None or cycle.read_up_to is None:
        return "It has never been read whole.", _remedy_of(cycle)
    upto = f"It is read up to {minute(cycle.read_up_to)}"
    trouble = cycle.trouble
    # What was met last says most.
    if trouble is not None:
        return f"{upto}: {trouble.code}: {trouble.message}", _remedy_of(cycle)
    # Without an error nothing has run.
    if is_stale(cycle, stale_after, now):
        return f"{upto}, and nothing was polled since.", remedy_for(NOT_POLLED)
    if (words := pools_unread(account, cycle, stale_after, now)) is not None:
        mend = "Raise POLL_BUDGET_SECONDS: a tenth of it is for that." if cycle.pools_error == TOO_SLOW else _TRIED_NOW
        return f"{words}.", mend
    if unreadable:
        return f"Nodes of a pool are not watched: {unreadable[0]}", MEND_ROW
    return f"{upto}.", None


def _remedy_of(cycle: Cycle | None) -> str:
    if cycle is None or cycle.trouble is None:
        return remedy_for(NOT_POLLED)
    if cycle.trouble.code == TOO_MUCH_TO_READ:
        return "Do as the message says, if it stays so."
    return remedy_for(cycle.trouble.code) or _TRIED_NOW
