"""Writes decisions into the table, each of them whole or not at all.

Owns how a decision becomes operations. Does not own what is decided (`changes.slicing`, `polling.job_rules`,
`polling.cycle_rules`), how doubt about a write is resolved (`ledger.transaction`) or rows' encoding (`state.rows`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import LostRaceError, RowConflictError
from shared.ledger.job_transaction import Slice
from shared.ledger.recipients import OwedEvent, new_delivery, recipients
from shared.ledger.transaction import Transaction, Written, commit_transaction
from shared.messages.events import Event
from shared.messages.format_table import format_of
from shared.ports import MAX_ROWS, Column, Delete, Insert, Merge, Operation, Put, Row, Table
from shared.state.accounts import Cycle
from shared.state.digest_rows import wanted_columns
from shared.state.jobs import JobHead
from shared.state.rows import (
    CYCLE,
    chunk_key,
    digest_key,
    job_key,
    pack,
    to_columns,
    webhook_key,
)
from shared.state.telling import WebhookState
from shared.webhook import Webhook


class Ledger(Struct, frozen=True, kw_only=True):
    """Commits one account's decisions; `new_id` makes commit ids."""

    table: Table
    account: str
    webhooks: tuple[Webhook, ...]
    new_id: Callable[[], str]

    def rows_of(self, event: Event) -> int:
        """How many rows an event takes, with all that is owed for it."""
        return 1 + len(recipients(self.webhooks, event))

    @property
    def spare_rows(self) -> int:
        """How many rows a job's transaction needs for the webhooks that are told how things stand."""
        return sum(1 for webhook in self.webhooks if webhook.enabled and format_of(webhook).tells_state)

    def commit_job(self, row: Row | None, before: JobHead | None, step: Slice, now: datetime) -> Written:
        """Write one slice of a job; `row` is the head's row as it was read or last written, None for a new job.

        Raises:
            LostRaceError: Nothing of the slice may be taken as written.
        """
        head = replace(step.head, commit=self.new_id())
        others: list[Operation] = [
            Put(key=chunk_key(head.job_id, head.filed_under, prefix), columns=pack(content))
            for prefix, content in step.chunks.items()
        ]
        others.extend(Delete(key=chunk_key(head.job_id, head.filed_under, prefix)) for prefix in step.dropped)
        if before is None or head.generation != before.generation:
            others.extend(self._wanted(head, now))
        owed = [self._owed(event, now) for event in step.events]
        return self._commit(self._swap_head(row, head, others, owed))

    def commit_cycle(
        self, row: Row | None, cycle: Cycle, events: Sequence[Event], now: datetime, *others: Operation
    ) -> Written:
        """Write how a cycle went, with the events that tell of the account, and whatever ends with it.

        Raises:
            LostRaceError: Another cycle of the account ended meanwhile; read its row and decide again.
        """
        cycle = replace(cycle, commit=self.new_id())
        return self.commit_row(CYCLE, row, to_columns(cycle), cycle.commit, events, now, *others)

    def commit_row(
        self,
        key: str,
        row: Row | None,
        columns: Mapping[str, Column],
        commit: str,
        events: Sequence[Event],
        now: datetime,
        *others: Operation,
    ) -> Written:
        """Write a row whose columns hold this commit id, with the events that tell of it.

        Raises:
            LostRaceError: Somebody else wrote it meanwhile; what was decided is to be dropped.
        """
        owed = tuple(self._owed(event, now) for event in events)
        return self._commit(Transaction(key=key, row=row, columns=columns, commit=commit, others=others, owed=owed))

    def commit_webhook(self, row: Row | None, state: WebhookState, events: Sequence[Event], now: datetime) -> Written:
        """Write how healthy a webhook is, with the events that tell the others of it; only for the partition OWN.

        Raises:
            LostRaceError: Somebody else wrote its state meanwhile.
        """
        state = replace(state, commit=self.new_id())
        owed = tuple(self._owed(event, now, besides=state.name) for event in events)
        key, columns = webhook_key(state.name), to_columns(state)
        return self._commit(Transaction(key=key, row=row, columns=columns, commit=state.commit, owed=owed))

    def insert_jobs(self, heads: Sequence[JobHead]) -> list[Row]:
        """Store the heads of at most MAX_ROWS jobs seen for the first time, before any of their nodes is listed.

        Raises:
            RowConflictError: Somebody else stored one of them meanwhile: none is stored; all of them are seen again.
            StoreUnavailableError: It is not known whether they are stored.
            StoreError: The table refuses one of them.
        """
        columns = {job_key(head.job_id): to_columns(head) for head in heads}
        etags = self.table.transact(self.account, [Insert(key=key, columns=new) for key, new in columns.items()])
        return [Row(key=key, columns=columns[key], etag=etag) for key, etag in etags.items()]

    def replace_job(self, row: Row | None, before: JobHead, step: Slice, now: datetime) -> Written:
        """Swap a job's head for one that begins anew, dropping the chunks of the one before.

        Raises:
            LostRaceError: Somebody else wrote the job meanwhile.
        """
        head = replace(step.head, commit=self.new_id())
        wanted = list(self._wanted(head, now))
        owed = [self._owed(event, now) for event in step.events]
        rows = 1 + len(wanted) + sum(len(one.operations()) for one in owed)
        if row is not None and rows + len(before.chunks) > MAX_ROWS:
            row = self.remove_chunks(row, before)
            before = replace(before, chunks=())
        return self._commit(self._swap_head(row, head, [*self._dropping(before), *wanted], owed))

    def remove_chunks(self, row: Row, head: JobHead) -> Row:
        """Drop a job's chunks, as many at a time as fit a transaction, the head always swapped.

        Raises:
            LostRaceError: Somebody else wrote the job meanwhile; it is not to be dropped then.
        """
        while head.chunks:
            dropped = replace(head, chunks=head.chunks[: MAX_ROWS - 1])
            head = replace(head, chunks=head.chunks[MAX_ROWS - 1 :], page_fingerprints=None, commit=self.new_id())
            row = self._commit(self._swap_head(row, head, self._dropping(dropped))).row
        return row

    def remove_job(self, row: Row, head: JobHead, *, keep_head: bool) -> None:
        """Drop a job's chunks and, unless it must stay, its head with what chat and pager were told of it.

        Raises:
            LostRaceError: Somebody else wrote the job meanwhile; it is not to be dropped then.
        """
        row = self.remove_chunks(row, head)
        if not keep_head:
            digests = [
                Delete(key=digest_key(webhook.name, head.job_id))
                for webhook in self.webhooks
                if format_of(webhook).tells_state
            ]
            try:
                self.table.transact(self.account, [Delete(key=row.key, etag=row.etag), *digests])
            except RowConflictError as error:
                raise LostRaceError(f"Job {head.job_id} was written by somebody else.") from error

    def _dropping(self, head: JobHead) -> list[Operation]:
        return [Delete(key=chunk_key(head.job_id, head.filed_under, prefix)) for prefix in head.chunks]

    def _wanted(self, head: JobHead, now: datetime) -> Iterable[Operation]:
        for webhook in self.webhooks:
            of_interest = webhook.is_about(job_id=head.job_id, account=self.account, pools=head.pools)
            if webhook.enabled and of_interest and format_of(webhook).tells_state:
                key = digest_key(webhook.name, head.job_id)
                yield Merge(key=key, columns=wanted_columns(head.generation, now))

    def _swap_head(
        self, row: Row | None, head: JobHead, others: Sequence[Operation], owed: Sequence[OwedEvent] = ()
    ) -> Transaction:
        key, columns, commit = job_key(head.job_id), to_columns(head), head.commit
        return Transaction(key=key, row=row, columns=columns, commit=commit, others=others, owed=tuple(owed))

    def _owed(self, event: Event, now: datetime, besides: str | None = None) -> OwedEvent:
        names = (name for name in recipients(self.webhooks, event) if name != besides)
        owed = tuple(new_delivery(name, event, now) for name in names)
        return OwedEvent(event=event, deliveries=owed)

    def _commit(self, work: Transaction) -> Written:
        return commit_transaction(self.table, self.account, work)
