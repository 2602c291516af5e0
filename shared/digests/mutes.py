"""Which jobs and pools chat and pager are not told about for a while.

Owns what a mute is, when it holds a job back, and how mutes are read. Does not own how people set them (`api.mutes`) or
what is told afterwards (`digests.chat_rules`). The fields are those of an Alertmanager silence.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.patterns import matches_any
from shared.ports import Table
from shared.state.rows import OWN, from_row, mute_key, range_of


class Mute(Struct, frozen=True, kw_only=True, rename="camel"):
    """Holds back what concerns jobs that match one of the globs, or run in such a pool, until before `ends_at`."""

    jobs: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str


def muted_until(mutes: Iterable[Mute], job_id: str, pools: Collection[str], now: datetime) -> datetime | None:
    """When the last of the mutes ends that hold a job in these pools back now; None when none does."""
    return max((mute.ends_at for mute in mutes if _holds_back(mute, job_id, pools, now)), default=None)


def last_mute(mutes: Mapping[str, Mute], job_id: str, pools: Collection[str], now: datetime) -> str | None:
    """The name of the mute that holds a job back now, of several the one that ends last; None when none does."""
    holding = [name for name, mute in mutes.items() if _holds_back(mute, job_id, pools, now)]
    return max(holding, key=lambda name: mutes[name].ends_at, default=None)


def _holds_back(mute: Mute, job_id: str, pools: Collection[str], now: datetime) -> bool:
    is_meant = matches_any(mute.jobs, job_id) or any(matches_any(mute.pools, pool) for pool in pools)
    return is_meant and mute.starts_at <= now < mute.ends_at


def read_mutes(table: Table) -> dict[str, Mute]:
    """Every mute by name.

    One that can't be read is left out and logged, because too much told is better than too little.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    mutes: dict[str, Mute] = {}
    for row in table.query(OWN, *range_of("mute")):
        try:
            mutes[row.key.removeprefix(mute_key(""))] = from_row(row, Mute)
        except UnreadableRowError as error:
            write_line("mute-unreadable", error=str(error))
    return mutes
