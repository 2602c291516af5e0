"""Which jobs chat and pager are not told about for a while.

Owns what a mute is, and when it holds a job back. Does not own where mutes are kept (`mutes`) or what is told
afterwards (`digest_rules`). The fields are those of an Alertmanager silence.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from shared.patterns import matches_any


class Mute(Struct, frozen=True, kw_only=True, rename="camel"):
    """Holds back what concerns the jobs that match one of the globs, from `starts_at` until before `ends_at`."""

    jobs: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str


def muted_until(mutes: Iterable[Mute], job_id: str, now: datetime) -> datetime | None:
    """When the last of the mutes ends that hold this job back now; None when none does."""
    ends = [mute.ends_at for mute in mutes if mute.starts_at <= now < mute.ends_at and matches_any(mute.jobs, job_id)]
    return max(ends, default=None)
