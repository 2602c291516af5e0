"""What is remembered of what keeps a node from a job's tasks: an open failure, a preparation that has not ended.

Owns these shapes. Does not own how they change (`changes.node_rules`, `changes.slow_preparations`).
"""

from datetime import datetime

from msgspec import Struct


class Chain(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The tries of one preparation on one node, as long as it has not ended; `since` is when the first began.

    `slow` says that it was found to take too long, `lost` that its node was not able when it was: nobody knows what
    becomes of it. `owed` says that a `preparation.slow` was told of this node, by now perhaps of a chain before this
    one, and its end was not.
    """

    since: datetime | None = None
    slow: bool = False
    lost: bool = False
    owed: bool = False


class OpenFailure(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A preparation failure that keeps a node from the job's tasks until its preparation succeeds.

    `since` is when the failed run ended, or started when Batch gave no end.
    """

    since: datetime | None = None
    code: str = ""
    message: str = ""
    announced: bool = True
