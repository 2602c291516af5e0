"""What the settings say of a cycle.

Owns this value. Does not own the settings as they are written, or what they default to (`settings.settings`).
"""

from datetime import timedelta

from msgspec import Struct

from shared.patterns import IdPatterns


class PollSettings(Struct, frozen=True, kw_only=True):
    """What shapes a cycle; `budget` is how long jobs are started, `first_sight` how far back a failure is news.

    `patterns` say which jobs are watched, `pools` which pools, None for those that the jobs use.
    `slow_after` is how long a preparation may take, zero to leave that alone, None to let each job's past decide.
    """

    patterns: IdPatterns
    pools: IdPatterns | None
    first_sight: timedelta
    budget: timedelta
    concurrency: int
    stale_after: timedelta
    max_nodes: int
    stderr_tail_bytes: int
    slow_after: timedelta | None
