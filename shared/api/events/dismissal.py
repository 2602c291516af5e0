"""Takes what was not told off the list of what is wrong, for people who know of it.

Owns which deliveries and messages a request means. Does not own what counts as wrong (`api.summary_rules`). What was
given up moves in one transaction and stays in the history, as closed:

    dead --delete (ETag), put done, closed--> no fault any more; it can still be sent again

Of a message that chat or pager calls wrong, and of failed releases, only that somebody knows is noted: there the next
news count.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice

from msgspec import Struct
from msgspec.structs import replace

from shared.api.events.views import MAX_AT_ONCE, DismissalsView
from shared.api.reasons import is_release_news
from shared.api.refusals import not_found
from shared.delivery.answer_rules import leave_out
from shared.digests.rows import dismiss_refusal
from shared.errors import RowConflictError
from shared.ledger.archive import Archive, StoredDelivery
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.messages.format_table import format_of
from shared.patterns import matches_any
from shared.ports import MAX_ROWS, Clock, Delete, Operation, Put, Table
from shared.state.rows import delivery_key, digests_of, job_key, range_of, read_head, to_columns
from shared.state.swapping import until_written
from shared.state.telling import DeliveryState
from shared.webhook import Webhook

_TOGETHER = MAX_ROWS // 2  # a delivery that moves is two rows


class Dismissal(Struct, frozen=True, kw_only=True):
    """Dismisses what was given up in all accounts."""

    table: Table
    clock: Clock
    archive: Archive
    webhooks: Mapping[str, Webhook]
    ledgers: Mapping[str, Ledger]

    def dismiss(self, webhook: str | None, event_id: str | None) -> DismissalsView:
        """Dismiss what was given up: of one webhook, of one event, or (None and None) all, MAX_AT_ONCE in a call.

        Raises:
            NotFoundError: No such event; or no such webhook, and nothing is kept of one.
            StoreError: The table can't be read or written; ask again, what was done already stays done.
        """
        # gather
        if event_id is not None and self.archive.event(event_id) is None:
            raise not_found("event", event_id)
        dead = list(islice(self._dead(webhook, event_id), MAX_AT_ONCE + 1))
        if webhook is not None and webhook not in self.webhooks and not dead:
            raise not_found("webhook", webhook)

        # apply
        some = dead[:MAX_AT_ONCE]
        some.sort(key=lambda one: one.partition)
        closed = sum(self._close(list(group)) for _, group in groupby(some, key=lambda one: one.partition))
        if event_id is None:
            closed += sum(self._dismiss_refusals(name) for name in self.webhooks if webhook in {None, name})
        return DismissalsView(dismissed=closed, more=len(dead) > MAX_AT_ONCE)

    def dismiss_releases(self, jobs: Sequence[str]) -> DismissalsView:
        """Dismiss the failed releases of the jobs that these ids and globs match; later ones are news again.

        Raises:
            NotFoundError: No such job is known.
            StoreError: The table can't be read or written; ask again, what was done already stays done.
        """
        found = [
            (account, row.key)
            for account in self.archive.accounts
            for row in self.table.query(account, *range_of("job"))
            if matches_any(jobs, row.key.removeprefix(job_key("")))
        ]
        if not found:
            raise not_found("job", ", ".join(jobs))
        done = sum(until_written(partial(self._dismiss_release, *one), f"Row {one[1]}") for one in found)
        return DismissalsView(dismissed=done, more=False)

    def _dismiss_release(self, account: str, key: str) -> bool:
        row, now = self.table.get(account, key), self.clock()
        head = read_head(row, now) if row is not None else None
        if row is None or head is None or not is_release_news(head, now):
            return False
        self.ledgers[account].commit_job(row, head, Slice(head=replace(head, release_dismissed_at=now)), now)
        return True

    def _dead(self, webhook: str | None, event_id: str | None) -> Iterator[StoredDelivery]:
        if event_id is None:
            return self.archive.in_state(DeliveryState.DEAD, self.archive.partitions, webhook=webhook)
        stored = self.archive.event(event_id)
        its = self.archive.of_event(stored) if stored is not None else {}
        return (one for name, one in its.items() if one.state is DeliveryState.DEAD and webhook in {None, name})

    def _close(self, dead: Sequence[StoredDelivery]) -> int:
        """Close deliveries of one partition; how many, for one that is being sent again is left alone."""
        closed = 0
        for start in range(0, len(dead), _TOGETHER):
            some = dead[start : start + _TOGETHER]
            if self._move(some):
                closed += len(some)
            else:
                closed += sum(self._move([one]) for one in some)
        return closed

    def _move(self, some: Sequence[StoredDelivery]) -> bool:
        operations: list[Operation] = []
        for one in some:
            about, now = one.delivery, self.clock()
            after = leave_out(about, f"dismissed by request: {about.reason}", now).delivery
            # When it was given up says more than when somebody had seen that.
            after = replace(after, ended_at=about.ended_at or now)
            done = delivery_key(DeliveryState.DONE, about.webhook, about.event_id)
            operations += [Delete(key=one.row.key, etag=one.row.etag), Put(key=done, columns=to_columns(after))]
        try:
            self.table.transact(some[0].partition, operations)
        except RowConflictError:
            return False
        return True

    def _dismiss_refusals(self, name: str) -> int:
        if not format_of(self.webhooks[name]).tells_state:
            return 0
        return sum(
            dismiss_refusal(self.table, account, row)
            for account in self.archive.accounts
            for row in self.table.query(account, *digests_of(name))
        )
