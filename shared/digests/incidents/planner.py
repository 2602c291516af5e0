"""What a pager is to be sent: incidents, one by one.

Owns the walk from what is known to its pages, and back to what is recorded of them. Does not own what is decided
(`digests.incidents.rules`, `digests.pools.messages`) or the words (`digests.incidents.notices`).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_plan import tried_at
from shared.digests.incidents.notices import incident_notice
from shared.digests.incidents.rules import AGAIN_AFTER, IncidentPage, after_page, decide_pages
from shared.digests.message_intervals import Occasion
from shared.digests.named_nodes import NodeNames
from shared.digests.pools.messages import PoolPage, news_of_pools, pages_of
from shared.digests.pools.notices import pool_page
from shared.digests.pools.rows import forget_pools
from shared.digests.pools.rules import PoolPlan
from shared.digests.rows import incidents_row, refused_row, settling, told_row
from shared.digests.send_plan import DueMessage, Gathered, SendPlan
from shared.messages.events import Origin
from shared.ports import Operation, Rows
from shared.state.rows import digest_key
from shared.state.telling import Attempt, Incident, Pace, Told
from shared.webhook import Webhook


class PagePlanner(Struct, frozen=True, kw_only=True):
    """Plans what one pager is to be sent about one account."""

    table: Rows
    origin: Origin
    webhook: Webhook

    def plan(self, occasion: Occasion, known: Gathered, pools: PoolPlan) -> SendPlan:
        """What to send now; `pools` is what there is to tell of pools."""
        pace, now = occasion.pace, occasion.now
        hook, paged = self.webhook, decide_pages(occasion, known.jobs, known.incidents)
        page_messages = _PageMessages(planner=self, incidents=dict(paged.incidents), told={}, pace=pace, now=now)
        writes: list[Operation] = [settling(hook.name, each) for each in paged.settled]
        writes += forget_pools(hook.name, pools.settled)
        if paged.incidents != known.incidents:
            writes.append(incidents_row(hook.name, paged.incidents))
        of_pools = pages_of(hook, occasion.account, pools, known.told, len(paged.incidents), now)
        due = [page for page in of_pools if page.due_at <= now or occasion.probe]
        wakes = [page.due_at for page in of_pools if page.due_at > now]
        if (until := occasion.paused_until) is not None:
            due, wakes = [], [until]
        wakes += [at for at in (paged.wake_at, pools.wake_at) if at is not None]
        return SendPlan(
            messages=(*map(page_messages.message, paged.pages), *(self._of_pools(page, pace, now) for page in due)),
            pace=paged.pace,
            writes=tuple(writes),
            wake_at=min(wakes, default=None),
        )

    def _of_pools(self, page: PoolPage, pace: Pace, now: datetime) -> DueMessage:
        since = min(item.wanted_at for item in page.news)
        return DueMessage(
            jobs=(),
            waiting_since={} if page.ends else news_of_pools(page.webhook, page.news),
            tried_at=tried_at((), since, pace),
            prepare=lambda: partial(pool_page, self.origin, page.incident, page.severity, page.news, now),
            record_before=page.record_before,
            record_delivered=page.record_delivered,
            record_refused=page.record_refused,
        )


class _PageMessages(Struct, frozen=True, kw_only=True):
    """The incidents and what is known of jobs, page after page."""

    planner: PagePlanner
    incidents: dict[str, Incident]
    told: dict[str, Told]
    pace: Pace
    now: datetime

    def message(self, page: IncidentPage) -> DueMessage:
        name, news = self.planner.webhook.name, page.news or page.members
        since = min((member.known.wanted_at for member in news), default=page.incident.told_at)
        return DueMessage(
            jobs=tuple(member.job_id for member in news),
            waiting_since={digest_key(name, member.job_id): member.known.wanted_at for member in page.news},
            tried_at=tried_at((member.known.told for member in news), since, self.pace),
            prepare=lambda: partial(incident_notice, self.planner.origin, page, self._nodes(page), self.now),
            record_before=partial(self._opening, page),
            record_delivered=partial(self._delivered, page),
            record_refused=partial(self._refused, page),
        )

    def _nodes(self, page: IncidentPage) -> Sequence[tuple[str, str]]:
        names = NodeNames(table=self.planner.table, account=self.planner.origin.partition)
        return names.of_concerns([(member.head, member.concern) for member in page.members])

    def _opening(self, page: IncidentPage, now: datetime) -> list[Operation]:
        if page.ends or page.earlier is not None or page.name in self.incidents:
            return []
        # Not told of yet: it may be tried again at once.
        self.incidents[page.name] = replace(page.incident, told_at=now - AGAIN_AFTER)
        return [incidents_row(self.planner.webhook.name, self.incidents)]

    def _delivered(self, page: IncidentPage, now: datetime) -> list[Operation]:
        name = self.planner.webhook.name
        if page.ends:
            self.incidents.pop(page.name, None)
            over = [after_page(page.earlier, page, now)] if page.earlier else []
            return [incidents_row(name, self.incidents), *(told_row(name, each) for each in over)]
        if page.earlier is None:
            self.incidents[page.name] = replace(page.incident, told_at=now)
        operations: list[Operation] = [incidents_row(name, self.incidents)]
        for job, member in {member.job_id.lower(): member for member in page.news}.items():
            told = after_page(self.told.get(job, member.known.told), page, now)
            self.told[job] = told
            operations.append(told_row(name, told))
        return operations

    def _refused(self, page: IncidentPage, attempt: Attempt) -> list[Operation]:
        name = self.planner.webhook.name
        if page.ends:  # nobody will ever take it
            return self._delivered(page, attempt.at)
        by_job = {member.job_id.lower(): member.known for member in page.news}
        refusals: list[Operation] = [
            refused_row(name, known.job_id, known.told, known.generation, attempt) for known in by_job.values()
        ]
        incident = self.incidents.get(page.name)
        if incident is not None and not incident.is_opened:
            del self.incidents[page.name]
            refusals.append(incidents_row(name, self.incidents))
        return refusals
