"""Tries what Prepwatch needs, with its own identity, and says what is missing in words that can be acted upon.

Owns which things are tried. Does not own what to do when access is refused (`api.access_remedies`), the calls
themselves (`ports`) or HTTP. Nothing is changed but a row of its own in the table, and a nudge is put on the queue of
deliveries.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from shared.api.access_remedies import NO_TOKEN, Identity, batch_remedy, queue_remedy, reference_remedy, table_remedy
from shared.api.account_reasons import MEND_ROW, how_read, unreadable_cycle, unreadable_pool
from shared.api.untold import UntoldReader
from shared.api.webhook_reasons import muted_in_words, taken_unread, told_lately, unmatched_events
from shared.batch.model import STDERR
from shared.delivery.webhook_states import read_states
from shared.digests.mutes import read_mutes
from shared.errors import BatchError, NoPreparationTaskError, StoreError, UnreadableRowError
from shared.ledger.pool_records import read_records
from shared.messages.events import Origin
from shared.nudges.nudge import DELIVERIES_QUEUE
from shared.nudges.nudger import Nudger
from shared.patterns import IdPatterns
from shared.ports import BatchService, Clock, Delete, ListingOptions, Put, Table
from shared.reprs import repr_without
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, OWN, from_row
from shared.webhook import Webhook, waiting_words

DIAGNOSTICS = "diagnostics"
"""The row that is written and deleted again."""
TRY_WITHIN = timedelta(seconds=10)
_NO_WEBHOOK = "Set WEBHOOK_URL and WEBHOOK_SECRET, or WEBHOOKS."
OLD_AFTER = timedelta(days=2 * 365)
"""From then on a version of the Batch API is named: Batch withdraws old ones, and says so a while before."""


class Check(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that was tried; `remedy` is what to do, null when there is nothing to do."""

    name: str
    ok: bool
    message: str
    remedy: str | None = None


class DiagnosticsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/diagnostics."""

    value: tuple[Check, ...]


class Diagnostics(Struct, frozen=True, kw_only=True):
    """Tries everything; `check_address` says why the address of one of the `webhooks` can't be called.

    `waiting` are those things that can't be tried before a setting can be read, with that setting. `storage_account`
    and `queue_account` are those whose roles decide about table and queues, None where a key or a signature does.
    """

    table: Table
    clock: Clock
    origins: Sequence[Origin]
    batch: Mapping[str, BatchService]
    tracked: IdPatterns
    webhooks: Mapping[str, Webhook]
    untold: UntoldReader
    stale_after: timedelta
    waiting: Mapping[str, str]
    check_address: Callable[[str], str | None]
    nudger: Nudger
    queue_account: str | None
    identity: Identity
    storage_account: str | None
    stderr_tail_bytes: int
    batch_api_version: str
    heartbeat_url: str | None

    __repr__ = repr_without("heartbeat_url")

    def run(self) -> tuple[Check, ...]:
        """What was tried, in the order in which one thing needs another; never raises for what is found."""
        return tuple(self._checks())

    def _checks(self) -> Iterator[Check]:
        for origin in self.origins:
            yield from self._account(origin)
            yield from self._reading(origin.partition)
        yield from self._version()
        yield self._state()
        yield self._queue()
        for webhook in self.webhooks.values():
            yield self._address(f"webhook {webhook.name}", webhook.url, "the webhook's address")
        if self.heartbeat_url is not None:
            yield self._address("heartbeat", self.heartbeat_url, "HEARTBEAT_URL")
        yield from self._formats()
        yield from self._events()
        yield from self._told()
        yield from self._mutes()
        yield from (self._waits(name, setting) for name, setting in self.waiting.items())
        if not any(hook.enabled for hook in self.webhooks.values()) and not self.waiting.keys() - {"heartbeat"}:
            words = "Every webhook is switched off in the settings" if self.webhooks else "No webhook is configured"
            mend = "Set enabled to true in WEBHOOKS." if self.webhooks else _NO_WEBHOOK
            yield Check(name="webhooks", ok=False, message=f"{words}: nobody is notified of failures.", remedy=mend)

    def _address(self, name: str, url: str, what: str) -> Check:
        trouble = self.check_address(url)
        remedy = None if trouble is None else f"Mend {what}, or the network's name resolution."
        message = trouble or "Its name is resolved and its address may be called; nothing was sent."
        return Check(name=name, ok=trouble is None, message=message, remedy=remedy)

    def _formats(self) -> Iterator[Check]:
        """Workflows that are sent another format than that of a Teams channel: nothing is known to be wrong."""
        for webhook in self.webhooks.values():
            if (said := taken_unread(webhook)) is not None:
                yield Check(name=f"format of {webhook.name}", ok=True, message=said[0], remedy=said[1])

    def _mutes(self) -> Iterator[Check]:
        """What chat and pager are not told now, by whose wish: no fault, however long it goes on."""
        try:
            mutes = read_mutes(self.table)
        except StoreError:
            return  # the table's own check says so
        for name, mute in mutes.items():
            if mute.starts_at <= self.clock() < mute.ends_at:
                remedy = f"DELETE /api/mutes/{name}, if that is over."
                yield Check(name=f"mute {name}", ok=True, message=muted_in_words(mute), remedy=remedy)

    def _version(self) -> Iterator[Check]:
        """The version of the Batch API, when it is old: nothing is wrong yet."""
        # As text: a version need not be a day of the calendar.
        if self.batch_api_version[:10] < f"{self.clock() - OLD_AFTER:%Y-%m-%d}":
            yield Check(
                name="Batch API version",
                ok=True,
                message=f"{self.batch_api_version} works, and is older than two years.",
                remedy="Set BATCH_API_VERSION to a newer one, for example 2025-06-01, and look here again.",
            )

    def _events(self) -> Iterator[Check]:
        """Filters of events that let nothing pass, a misspelt one for instance."""
        for webhook in self.webhooks.values():
            wrong = unmatched_events(webhook)
            if wrong is not None:
                remedy = "Correct the webhook's events in WEBHOOKS; `*` and `?` match any text and any character."
                yield Check(name=f"events of {webhook.name}", ok=False, message=f"{wrong}.", remedy=remedy)

    def _told(self) -> Iterator[Check]:
        """What webhooks took of what they were sent lately; nothing is sent now."""
        try:
            states, untold = read_states(self.table, self.webhooks), self.untold.read(self.webhooks.values())
        except StoreError:
            return  # the table's own check says so
        for name, webhook in self.webhooks.items():
            message, remedy = told_lately(webhook, states[name], untold[name])
            yield Check(name=f"messages to {name}", ok=remedy is None, message=message, remedy=remedy)

    def _waits(self, name: str, setting: str) -> Check:
        remedy = reference_remedy(self.identity)
        return Check(name=name, ok=False, message=f"It waits: {waiting_words(setting)}.", remedy=remedy)

    def _account(self, origin: Origin) -> Iterator[Check]:
        account = origin.partition
        batch = self.batch[account]
        deadline = self.clock() + TRY_WITHIN
        try:
            page = next(batch.list_jobs(odata_filter=None, select="id", deadline=deadline), ())
        except BatchError as error:
            if error.code == NO_TOKEN:
                yield self._refused(f"token for {account}", account, error)
                return
            yield self._token(account)
            yield self._refused(f"job listing of {account}", account, error)
            return
        yield self._token(account)
        yield Check(
            name=f"job listing of {account}", ok=True, message=f"It may be asked; jobs on its first page: {len(page)}."
        )
        if page and not any(self.tracked.matches(job.id) for job in page):
            yield Check(
                name=f"tracked jobs of {account}",
                ok=True,  # those that it names may be still to come
                message=f"TRACKED_JOBS lets through none of the jobs on its first page, such as {page[0].id}.",
                remedy="Correct TRACKED_JOBS if one of them is to be watched; * is every job with a preparation task.",
            )

        def count_nodes() -> str:
            next(batch.list_node_counts(deadline=deadline), ())
            return "The nodes of its pools can be counted."

        yield self._tried(f"node counts of {account}", account, count_nodes)
        if not page:
            yield Check(name=f"jobs of {account}", ok=True, message="There is no job to try anything else on.")
            return
        job = page[0].id

        def list_statuses() -> str:
            try:
                batch.list_status_page(job, ListingOptions(max_results=1, timeout_seconds=10))
            except NoPreparationTaskError:
                return f"It may be asked; job {job} has no preparation task."
            return f"The statuses of job {job} can be listed."

        def count_tasks() -> str:
            batch.count_tasks(job, deadline=deadline)
            return f"The tasks of job {job} can be counted."

        yield self._tried(f"status listing of {account}", account, list_statuses)
        yield self._tried(f"task counts of {account}", account, count_tasks)
        if self.stderr_tail_bytes > 0:
            yield self._tried(f"file read of {account}", account, lambda: self._read_file(batch))

    def _reading(self, account: str) -> Iterator[Check]:
        """Whether what may be read is read: polls do that, not this try."""
        name = f"reading of {account}"
        try:
            row, records = self.table.get(account, CYCLE), read_records(self.table, account).values()
            cycle = from_row(row, Cycle) if row else None
        except UnreadableRowError as error:
            yield Check(name=name, ok=False, message=unreadable_cycle(error, account), remedy=MEND_ROW)
            return
        except StoreError:
            return  # the table's own check says so
        odd = [unreadable_pool(one.unreadable, account) for one in records if one.unreadable is not None]
        message, remedy = how_read(account, cycle, odd, self.stale_after, self.clock())
        yield Check(name=name, ok=remedy is None, message=message, remedy=remedy)

    def _read_file(self, batch: BatchService) -> str:
        """Reading a file that is not there is as good a proof: a refused caller is told so first."""
        try:
            batch.read_file_tail(DIAGNOSTICS, DIAGNOSTICS, STDERR, max_bytes=1, deadline=self.clock() + TRY_WITHIN)
        except BatchError as error:
            if error.status != 404:
                raise
        return "Files of nodes may be read: a node that does not exist was said not to exist, not to be forbidden."

    def _token(self, account: str) -> Check:
        words = "None is needed, the account's key signs." if self.identity.uses_key else "Entra ID gave one."
        return Check(name=f"token for {account}", ok=True, message=words)

    def _tried(self, name: str, account: str, work: Callable[[], str]) -> Check:
        try:
            return Check(name=name, ok=True, message=work())
        except BatchError as error:
            return self._refused(name, account, error)

    def _refused(self, name: str, account: str, error: BatchError) -> Check:
        request = f" (request {error.request_id})" if error.request_id else ""
        remedy = batch_remedy(self.identity, account, error)
        return Check(name=name, ok=False, message=f"{error.message}{request}", remedy=remedy)

    def _state(self) -> Check:
        name = "table write"
        now = self.clock()
        try:
            self.table.transact(OWN, [Put(key=DIAGNOSTICS, columns={"at": now})])
            self.table.transact(OWN, [Delete(key=DIAGNOSTICS)])
        except StoreError as error:
            remedy = table_remedy(self.identity, self.storage_account, str(error))
            return Check(name=name, ok=False, message=str(error), remedy=remedy)
        return Check(name=name, ok=True, message="A row was written and deleted again.")

    def _queue(self) -> Check:
        name = "queue write"
        account = self.origins[0].partition
        refusal = self.nudger.send(DELIVERIES_QUEUE, [account]).get(account)
        if refusal is None:
            return Check(name=name, ok=True, message=f"A nudge was put on the queue {DELIVERIES_QUEUE}.")
        cost = "polls and their deliveries go on; retries wait for the next poll, and requests set no delivery going"
        remedy = queue_remedy(self.identity, self.queue_account, refusal)
        return Check(name=name, ok=False, message=f"{refusal}: {cost}.", remedy=remedy)
