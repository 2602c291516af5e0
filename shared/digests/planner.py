"""What chat and pager are to be sent, as far as whoever sends it has to know.

Owns the two walks from the table to what may be sent and back to what is recorded of it: of chat, which is told of jobs
in one message, and of a pager, which is told of incidents one by one. Does not own what is decided
(`digests.chat_plan`, `digests.incidents.rules`), the words (`digests.jobs.notices`, `digests.incidents.notices`) or the
sending (`digests.one_webhook`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_plan import OtherNews, decide_chat, groups_of, tried_at
from shared.digests.chat_rules import KnownToWebhook, News
from shared.digests.daily.notices import prepare_daily
from shared.digests.daily.rows import read_lasting
from shared.digests.daily.rules import Lasting, was_looked_into, what_stands
from shared.digests.incidents.notices import incident_notice
from shared.digests.incidents.rules import AGAIN_AFTER, IncidentPage, after_page, decide_pages
from shared.digests.jobs.notices import jobs_notice
from shared.digests.message_intervals import HOLD, paused_until
from shared.digests.mutes import Mute
from shared.digests.named_nodes import NodeNames
from shared.digests.pools.messages import PoolPage, news_of_pools, pages_of, refused_in_chat, told_in_chat
from shared.digests.pools.notices import pool_page, with_pools
from shared.digests.pools.rows import Pools, forget_pools, read_told_pools, with_jobs
from shared.digests.pools.rules import PoolNews, PoolState, decide_pools
from shared.digests.rows import incidents_row, read_incidents, read_known, refused_row, settling, told_row
from shared.messages.events import Origin, links_of
from shared.messages.format_table import format_of
from shared.messages.notices import Notice
from shared.ports import Operation, Rows
from shared.state.rows import digest_key
from shared.state.telling import Attempt, Incident, Pace, PoolTold, Told
from shared.webhook import Webhook


class DueMessage(Struct, frozen=True, kw_only=True):
    """A message that may be sent now, and what is then to be recorded of it.

    `waiting_since` is since when there is what it tells, by the keys of the rows in which what was told of a job or
    pool lies; that an incident is over is none. `groups` are the pools and causes that it tells of, if a pause depends
    on them, as none does on one that `is_daily`. `tried_at` is when the webhook was last tried with it, or since when
    it waits.
    `prepare` reads what the message names, and returns what writes it. What `record_before` returns is recorded before
    it is sent, so that what it opens is ended whatever is recorded after it.
    """

    jobs: tuple[str, ...]
    waiting_since: Mapping[str, datetime] = {}
    groups: frozenset[str] = frozenset()
    is_daily: bool = False
    tried_at: datetime
    prepare: Callable[[], Callable[[], Notice]]
    record_before: Callable[[datetime], Sequence[Operation]] = lambda _now: ()
    record_delivered: Callable[[datetime], Sequence[Operation]] = lambda _now: ()
    record_refused: Callable[[Attempt], Sequence[Operation]] = lambda _attempt: ()


class SendPlan(Struct, frozen=True, kw_only=True):
    """The messages to send now, or when something may have to be sent (None: when more happens).

    `pace` and `writes` are to be written even if nothing is sent.
    """

    messages: tuple[DueMessage, ...]
    pace: Pace
    writes: tuple[Operation, ...] = ()
    wake_at: datetime | None = None


class Gathered(Struct, frozen=True, kw_only=True):
    """What is known to a webhook of an account's jobs, and the incidents that it has open, by name.

    `pools` are those that it may have to be told about, `told` what it was told of pools, and `lasting` what may still
    stand beside jobs, None unless it is time to say so.
    """

    jobs: tuple[KnownToWebhook, ...]
    incidents: Mapping[str, Incident]
    pools: tuple[PoolState, ...] = ()
    told: Mapping[str, PoolTold] = {}
    lasting: Lasting | None = None


class DigestPlanner(Struct, frozen=True, kw_only=True):
    """Decides what one webhook is to be sent about one account.

    `pools` are those with nodes that can't work; None while nobody can tell.
    """

    table: Rows
    origin: Origin
    webhook: Webhook
    pools: Pools | None = None

    @property
    def account(self) -> str:
        """The account's partition."""
        return self.origin.partition

    def gather(self, now: datetime, since: datetime | None = None) -> Gathered | None:
        """What the webhook may have to be told; None when nobody waits for anything, which costs a query.

        Of chat that is also what may go on `since` a moment, None when it is not time to say so.

        Raises:
            StoreUnavailableError: The table gave no answer.
            UnreadableRowError: Nobody can tell.
        """
        incidents = read_incidents(self.table, self.account, self.webhook)
        jobs = read_known(self.table, self.account, self.webhook.name, now, incidents)
        # A record lasts as long as somebody is owed the end of what was told of it.
        told, unknown = read_told_pools(self.table, self.account, self.webhook.name) if self.pools else ({}, {})
        every = {**(self.pools or {}), **unknown}
        pools = with_jobs(self.table, self.account, every, told, now) if self.pools else []
        if not (jobs or incidents or pools or since):
            return None
        lasting = None
        if since is not None:
            lasting = read_lasting(self.table, self.account, self.webhook, every, told, since, now)
        return Gathered(jobs=tuple(jobs), incidents=incidents, pools=tuple(pools), told=told, lasting=lasting)

    def decide(
        self,
        known: Gathered,
        pace: Pace,
        mutes: Sequence[Mute],
        now: datetime,
        *,
        recovered_at: datetime | None,
        probe: bool,
    ) -> SendPlan:
        """What to send now, as a `probe` whatever the time."""
        hook, account = self.webhook, self.account
        pools = decide_pools(hook, account, known.pools, known.told, mutes, now, recovered_at=recovered_at, probe=probe)
        over = forget_pools(hook.name, pools.settled)
        if not format_of(hook).opens_incidents:
            other = OtherNews(
                wanted_at=min((item.wanted_at for item in pools.news), default=None),
                is_first=any(item.is_first for item in pools.news),
            )
            chat = decide_chat(
                hook, account, known.jobs, pace, mutes, now, other=other, recovered_at=recovered_at, probe=probe
            )
            messages = tuple(self._of_jobs(news, pools.news, pace, now) for news in chat.messages)
            wakes = [at for at in (chat.wake_at, pools.wake_at) if at is not None]
            looked = chat.pace if was_looked_into(chat.pace, now) else replace(chat.pace, daily_at=now)
            plan = SendPlan(messages=messages, pace=looked, writes=tuple(over), wake_at=min(wakes, default=None))
            held = not probe and paused_until(pace, recovered_at, now) is not None
            news_first = bool(messages) or (plan.wake_at is not None and plan.wake_at - now <= HOLD)
            return plan if held or news_first else self._with_daily(plan, known, mutes, now)
        paged = decide_pages(
            hook, account, known.jobs, known.incidents, pace, mutes, now, recovered_at=recovered_at, probe=probe
        )
        page_messages = _PageMessages(planner=self, incidents=dict(paged.incidents), told={}, pace=pace, now=now)
        writes: list[Operation] = [*(settling(hook.name, each) for each in paged.settled), *over]
        if paged.incidents != known.incidents:
            writes.append(incidents_row(hook.name, paged.incidents))
        of_pools = pages_of(hook, account, pools, known.told, len(paged.incidents), now)
        due = [page for page in of_pools if page.due_at <= now or probe]
        wakes = [page.due_at for page in of_pools if page.due_at > now]
        if not probe and (until := paused_until(pace, recovered_at, now)) is not None:
            due, wakes = [], [until]
        wakes += [at for at in (paged.wake_at, pools.wake_at) if at is not None]
        return SendPlan(
            messages=(*map(page_messages.message, paged.pages), *(self._of_pools(page, pace, now) for page in due)),
            pace=paged.pace,
            writes=tuple(writes),
            wake_at=min(wakes, default=None),
        )

    def _with_daily(self, plan: SendPlan, known: Gathered, mutes: Sequence[Mute], now: datetime) -> SendPlan:
        """The same with what still stands, once it is time to say so; what is new has been told."""
        lasting = known.lasting
        if lasting is None:
            return plan
        ongoing = what_stands(known.jobs, lasting, known.told, mutes, now)
        if not ongoing:
            return replace(plan, pace=replace(plan.pace, daily_at=now))
        message = DueMessage(
            jobs=tuple(item.job_id for item in ongoing.jobs),
            is_daily=True,
            tried_at=plan.pace.tried_at or lasting.since,
            prepare=lambda: prepare_daily(self.table, self.origin, ongoing, now),
        )
        return replace(plan, messages=(message,))

    def _of_jobs(self, news: Sequence[News], pools: Sequence[PoolNews], pace: Pace, now: datetime) -> DueMessage:
        name = self.webhook.name
        since = min([item.wanted_at for item in news] + [item.wanted_at for item in pools])
        return DueMessage(
            jobs=tuple(item.job_id for item in news),
            waiting_since={
                **{digest_key(name, item.job_id): item.wanted_at for item in news},
                **news_of_pools(name, pools),
            },
            groups=frozenset().union(*(groups_of(item) for item in news)),
            tried_at=tried_at((item.before for item in news), since, pace),
            prepare=lambda: self._notice(news, pools, now),
            record_delivered=lambda at: [
                *(told_row(name, item.after, item.generation) for item in news),
                *told_in_chat(name, pools, at),
            ],
            record_refused=lambda attempt: [
                *(refused_row(name, item.job_id, item.before, item.generation, attempt) for item in news),
                *refused_in_chat(name, pools, attempt),
            ],
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

    def _notice(self, news: Sequence[News], pools: Sequence[PoolNews], now: datetime) -> Callable[[], Notice]:
        if not news:
            return lambda: with_pools(None, self.origin, pools, now)
        links = links_of(self.origin, news[0].job_id if len(news) == 1 else None)
        named = NodeNames(table=self.table, account=self.account).named(news)
        if not pools:
            return lambda: jobs_notice(self.account, named, links)
        return lambda: with_pools(jobs_notice(self.account, named, links), self.origin, pools, now)


class _PageMessages(Struct, frozen=True, kw_only=True):
    """The incidents and what is known of jobs, page after page."""

    planner: DigestPlanner
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
        names = NodeNames(table=self.planner.table, account=self.planner.account)
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
