"""An hour of an account that Batch throttles lightly, on virtual time."""

from tests.support.throttled_account import ThrottledAccount

_JOBS, _EVERY, _MINUTES = 300, 250, 60


def throttling() -> dict[str, float]:
    """The jobs read in the worst minute by the jobs that were due, what was told, and what was refused."""
    account = ThrottledAccount(_JOBS, every=_EVERY)
    account.run(_MINUTES)
    return {
        "read": min(account.read.values()) / _JOBS if len(account.read) == _MINUTES else 0,
        "events": len(account.sender.ids),
        "refused": account.listings - sum(account.read.values()),
    }
