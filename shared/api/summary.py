"""Answers how things stand; polls first when what is remembered is too old.

Owns reading the state of all accounts, polling on demand, and the nudge for due deliveries. Does not own
the answer's content (`api.summary_rules`) or the cycle (`polling.cycle`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.api.account_reasons import unreadable_cycle, unreadable_pool
from shared.api.job_views import DeliveriesView, HealthView, SummaryView
from shared.api.pools.views import views_of
from shared.api.refusals import named, not_found
from shared.api.summary_rules import (
    NUDGES_IN_GENERAL,
    STALE_IN_GENERAL,
    UNHEARD_IN_GENERAL,
    AccountState,
    JobsPage,
    Known,
    build_summary,
    nudges_refused,
)
from shared.api.untold import UntoldReader
from shared.delivery.backlog import MAX_COUNTED
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.pool_records import read_records
from shared.messages.events import Origin
from shared.nudges.nudger import Nudger
from shared.patterns import IdPatterns
from shared.polling.cycle_rules import is_stale
from shared.polling.installation_faults import Faults
from shared.ports import Clock, Lanes, Table, swap
from shared.state.accounts import Cycle
from shared.state.jobs import UNREADABLE_ROW, Trouble
from shared.state.rows import (
    CYCLE,
    LAST_NUDGE,
    OWN,
    count_up_to,
    deliveries_of,
    from_row,
    mend_of,
    range_of,
    read_head,
    to_columns,
    webhook_key,
)
from shared.state.telling import DeliveryState, WebhookState
from shared.webhook import Webhook, waiting_words

_ANSWER_WITHIN = timedelta(seconds=100)
NUDGE_EVERY = timedelta(seconds=10)


class LastNudge(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a summary last nudged an account's deliveries; None in a row that was written for what it once held."""

    nudged_at: datetime | None = None


class Health(Struct, frozen=True, kw_only=True):
    """Whether all is well, and what anybody may be told of it."""

    well: bool
    view: HealthView


class SummaryQuery(Struct, frozen=True, kw_only=True):
    """What a caller wants to know; `max_age` None for the app's own measure of freshness."""

    page: JobsPage
    max_age: timedelta | None = None


class SummaryResult(Struct, frozen=True, kw_only=True):
    """The summary, whether more jobs follow, and the partitions whose deliveries are to be nudged."""

    summary: SummaryView
    more: bool
    nudges: tuple[str, ...]


class Summary(Struct, frozen=True, kw_only=True):
    """Summarises all accounts; `poll` runs or joins one account's cycle, asked for at a moment.

    It says whether the account's deliveries are to be nudged. `webhooks` are those that the settings switch on,
    `configured` the names of all. `portals` has the page of each account in the Azure portal, where it is known.
    """

    table: Table
    clock: Clock
    lanes: Lanes
    origins: Sequence[Origin]
    portals: Mapping[str, str]
    poll: Mapping[str, Callable[[datetime], bool]]
    new_id: Callable[[], str]
    webhooks: Sequence[Webhook]
    configured: Sequence[str]
    untold: UntoldReader
    tracked_pools: IdPatterns | None
    heartbeat_waits_for: str | None
    stale_after: timedelta
    next_poll: Callable[[datetime], datetime]
    faults: Faults
    nudger: Nudger

    def run(self, wanted: SummaryQuery) -> SummaryResult:
        """How things stand now.

        Raises:
            NotFoundError: No such account or job is known.
            StoreError: The table can't be read.
        """
        # gather
        account = wanted.page.account
        origins = named(self.origins, account)
        asked_at = self.clock()
        states = [self._read(origin) for origin in origins]
        max_age = self.stale_after if wanted.max_age is None else wanted.max_age
        old = [state for state in states if is_stale(state.cycle, max_age, asked_at)]
        polled = self._refresh([state for state in old if not self._must_wait(state)], asked_at)
        states = [self._read(_origin(origins, state)) if state.account in polled else state for state in states]
        webhooks, silent = self._read_webhooks()
        known = Known(
            accounts=states,
            webhooks=webhooks,
            switched_on=self.webhooks,
            configured=self.configured,
            untold=self.untold.read(self.webhooks),
            silent=silent,
            own=DeliveriesView(due=self._count(OWN, DeliveryState.DUE), dead=self._count_dead(OWN)),
            nudges=self._nudges(),
            heartbeat_waits_for=self.heartbeat_waits_for,
            stale_after=self.stale_after,
        )
        now = self.clock()

        # decide
        job = wanted.page.job
        if job is not None and not any(head.job_id.lower() == job.lower() for state in states for head in state.heads):
            raise not_found("job", job)
        summary, more = build_summary(known, wanted.page, now)
        summary = replace(summary, next_poll_at=self.next_poll(now))
        waiting = [state.account for state in states if state.due or polled.get(state.account)]
        waiting += [OWN] if known.own.due else []

        # apply
        nudges = tuple(partition for partition in waiting if self._may_nudge(partition, now))
        return SummaryResult(summary=summary, more=more, nudges=nudges)

    def health(self) -> Health:
        """What anybody may be told.

        Raises:
            StoreError: The table can't be read.
        """
        stale = (STALE_IN_GENERAL,) if self.faults.blind() else ()
        unheard = (UNHEARD_IN_GENERAL,) if self.faults.unheard() else ()
        nudges = (NUDGES_IN_GENERAL,) if self._nudges() else ()
        return Health(well=not stale and not unheard, view=HealthView(reasons=(*stale, *unheard, *nudges)))

    def _read(self, origin: Origin) -> AccountState:
        account = origin.partition
        row = self.table.get(account, CYCLE)
        now = self.clock()
        cycle, trouble = None, None
        try:
            cycle = from_row(row, Cycle) if row else None
        except UnreadableRowError as error:
            trouble = Trouble(code=UNREADABLE_ROW, message=unreadable_cycle(error, account), since=now)
        heads = tuple(read_head(head, now) for head in self.table.query(account, *range_of("job")))
        records = read_records(self.table, account)
        return AccountState(
            account=account,
            url=origin.url or "",
            portal_url=self.portals.get(account),
            cycle=cycle,
            trouble=trouble,
            heads=heads,
            pools=tuple(views_of(account, cycle, heads, records, tracked=self.tracked_pools, now=now)),
            unreadable=tuple(
                unreadable_pool(one.unreadable, account) for one in records.values() if one.unreadable is not None
            ),
            due=self._count(account, DeliveryState.DUE),
            dead=self._count_dead(account),
        )

    def _nudges(self) -> str | None:
        """What is wrong with nudging, None when nothing is known to be."""
        try:
            health = self.nudger.health()
        except UnreadableRowError as error:
            return f"whether nudges are taken is not known: {mend_of(error, OWN, 'it then begins anew')}"
        return None if health.failing_since is None else nudges_refused(health.reason, health.failing_since)

    def _count(self, partition: str, state: DeliveryState, webhook: str | None = None) -> int:
        start, end = deliveries_of(state, webhook) if webhook else range_of(state.value)
        return count_up_to(MAX_COUNTED, self.table.query(partition, start, end))

    def _count_dead(self, partition: str) -> int:
        """What was given up of webhooks that are configured: of others there is nobody left to be told."""
        return sum(self._count(partition, DeliveryState.DEAD, name) for name in self.configured)

    def _read_webhooks(self) -> tuple[list[WebhookState], dict[str, str]]:
        """How healthy the webhooks are, and why others are sent nothing, by name."""
        states = []
        silent = {one.name: waiting_words(one.waits_for) for one in self.webhooks if one.waits_for is not None}
        names = {webhook.name for webhook in self.webhooks}
        for row in self.table.query(OWN, *range_of("webhook")):
            name = row.key.removeprefix(webhook_key(""))
            if name not in names or name in silent:
                continue
            try:
                states.append(from_row(row, WebhookState))
            except UnreadableRowError as error:
                silent[name] = mend_of(error, OWN, "the webhook then begins anew.")
        return states, silent

    def _must_wait(self, state: AccountState) -> bool:
        cycle = state.cycle
        return cycle is not None and cycle.not_before is not None and self.clock() < cycle.not_before

    def _refresh(self, states: Sequence[AccountState], asked_at: datetime) -> dict[str, bool]:
        """Poll these accounts side by side; those polled in time, by whomever, and which are to be nudged."""
        done: dict[str, bool] = {}
        lane = f"refresh:{self.new_id()}"  # one of its own: nobody waits for what others ask for
        for state in states:
            self.lanes.submit(lane, len(states), partial(self._poll, state.account, asked_at, done))
        self.lanes.join(lane, _ANSWER_WITHIN)
        return dict(done)

    def _poll(self, account: str, asked_at: datetime, done: dict[str, bool]) -> None:
        try:
            done[account] = self.poll[account](asked_at)
        except StoreError as error:
            write_line("refresh-failed", account=account, error=str(error))

    def _may_nudge(self, account: str, now: datetime) -> bool:
        """Whether nobody has nudged within NUDGE_EVERY, and this is now written down as the last time."""
        try:
            row = self.table.get(account, LAST_NUDGE)
            last = from_row(row, LastNudge).nudged_at if row else None
            if last is not None and timedelta(0) <= now - last < NUDGE_EVERY:
                return False
            self.table.transact(account, [swap(LAST_NUDGE, to_columns(LastNudge(nudged_at=now)), row)])
        except StoreError:  # somebody else was first, nobody can tell, or the table is away: polls deliver all the same
            return False
        return True


def _origin(origins: Sequence[Origin], state: AccountState) -> Origin:
    return next(origin for origin in origins if origin.account == state.account)
