"""How chat is told once a day what still stands.

Owns what such a message is made of. Does not own what it tells (`digests.daily.rules`), or the words for jobs and pools
(`digests.jobs.notices`, `digests.pools.notices`).
"""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from shared.digests.daily.rules import Ongoing
from shared.digests.jobs.notices import jobs_notice
from shared.digests.named_nodes import NodeNames
from shared.digests.pools.notices import with_pools
from shared.messages.events import Origin, links_of
from shared.messages.notices import Notice, join_notices
from shared.ports import Rows

LEAD = "Not over yet: "
"""What its heading begins with: none of it is new."""


def prepare_daily(table: Rows, origin: Origin, ongoing: Ongoing, now: datetime) -> Callable[[], Notice]:
    """Read which nodes what still stands is about; what writes the notice."""
    named = NodeNames(table=table, account=origin.partition).named(ongoing.jobs)
    return lambda: daily_notice(origin, replace(ongoing, jobs=tuple(named)), now)


def daily_notice(origin: Origin, ongoing: Ongoing, now: datetime) -> Notice:
    """The notice that tells what still stands, which is at least one thing."""
    jobs, links = ongoing.jobs, links_of(origin, ongoing.jobs[0].job_id if len(ongoing.jobs) == 1 else None)
    notice = jobs_notice(origin.partition, jobs, links) if jobs else None
    if ongoing.pools:
        notice = with_pools(notice, origin, ongoing.pools, now)
    if ongoing.trouble is not None:
        # What is blind comes first: all else is how it was when it was last read.
        notice = join_notices(notice, ongoing.trouble, notice) if notice is not None else ongoing.trouble
    if notice is None:
        raise AssertionError("nothing stands")
    return notice.under(LEAD)
