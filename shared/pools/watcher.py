"""Watches which nodes of an account's pools can't work.

Owns what Batch is asked for that, within which bounds, and the writing of what follows. Does not own when a pool is
listed or what a listing means (`pools.nodes`). What these requests are refused makes facts unknown; it never makes the
account unreachable.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import STDERR, STDOUT
from shared.batch.pool_model import NODE_SELECT, ComputeNode
from shared.batch.wire import state_filter
from shared.errors import BatchError, PoolNotFoundError, StoreError, ThrottledError
from shared.journal import write_line
from shared.ledger.ledger import Ledger
from shared.ledger.pool_records import StoredPool, commit_record, read_records
from shared.ledger.transaction import Pending
from shared.messages.events import Event, Origin
from shared.messages.pool_events import pool_events
from shared.moments import is_to_come
from shared.patterns import IdPatterns
from shared.pools.facts import is_failure
from shared.pools.node_files import START_TASK_DIRECTORY, Allowance, NodeFiles
from shared.pools.nodes import (
    Seen,
    after_listing,
    decide_nodes,
    is_present,
    lacks_nodes,
    must_list,
    not_listed,
    not_watched,
    with_events,
)
from shared.pools.states import ABLE, BEGINNING, RESTARTING, UNABLE
from shared.pools.unable import OF_START_TASK
from shared.ports import MAX_ROWS, BatchService, Clock
from shared.state.pools import Counted, NodeChange, PoolMemory, PoolRecord

NOT_ABLE = state_filter(sorted(UNABLE | BEGINNING | RESTARTING))
"""The `$filter` of nodes that can't work, or may turn out so."""
_ABLE = state_filter(sorted(ABLE))
_MOST_EVENTS = 40
"""Events of one transaction: with their bodies they stay below its limit."""


class PoolWatcher(Struct, frozen=True, kw_only=True):
    """Watches the pools of one account; `offer` is handed every delivery that a commit made due.

    `tracked` are the pools that are watched, None for all that are counted; `first_sight` is how far back a failure
    is news when a pool is first seen.
    """

    batch: BatchService
    ledger: Ledger
    origin: Origin
    clock: Clock
    tracked: IdPatterns | None
    first_sight: timedelta
    max_nodes: int
    files: NodeFiles
    offer: Callable[[Sequence[Pending]], None]

    def run(
        self,
        counted: Counted,
        users: Mapping[str, frozenset[str]],
        read_up_to: datetime | None,
        deadline: datetime,
        *,
        all_jobs: bool,
    ) -> Counted:
        """Look at the pools that have nodes to list, and return what is remembered of all of them then.

        `users` are the active jobs of each by its lower-case id, `all_jobs` says that no other job may use one, and
        `read_up_to` is the moment up to which the account was read before.
        """
        after, unanswered = dict(counted.pools), list[str]()
        self._look(after, unanswered, users, read_up_to, deadline, all_jobs=all_jobs)
        return replace(counted, pools=after, unanswered=unanswered[-1] if unanswered else counted.unanswered)

    def _look(
        self,
        after: dict[str, PoolMemory],
        unanswered: list[str],
        users: Mapping[str, frozenset[str]],
        read_up_to: datetime | None,
        deadline: datetime,
        *,
        all_jobs: bool,
    ) -> None:
        try:
            known = read_records(self.ledger.table, self.ledger.account)
        except StoreError as error:
            write_line("pools-unread", account=self.ledger.account, error=str(error))
            return
        for key, memory in list(after.items()):
            if self.tracked is not None and not self.tracked.matches(memory.pool_id):
                continue
            found = known.pop(key, None)
            # What was told of it can't be read: nothing is told twice.
            if found is not None and found.record is None:
                continue
            # The others are looked at by the next cycle.
            if self.clock() >= deadline:
                return
            try:
                after[key] = self._watch(memory, found, users.get(key, frozenset()), read_up_to, deadline)
            except ThrottledError:
                return
            except (BatchError, StoreError) as error:
                unanswered.extend(self._note(memory.pool_id, error))
        for key, one in known.items():
            if one.record is not None and (key in users or all_jobs or not self._is_named(one.record)):
                self._leave(one, one.record, is_used=key in users)

    def _note(self, pool_id: str, error: BatchError | StoreError) -> list[str]:
        """Log why a pool could not be looked at; Batch's code, where it did not answer."""
        write_line("pool-error", account=self.ledger.account, pool=pool_id, error=str(error))
        return [error.code] if isinstance(error, BatchError) and is_failure(error) else []

    def _is_named(self, record: PoolRecord) -> bool:
        """Whether the settings have the pool watched if it is used."""
        return self.tracked is None or self.tracked.matches(record.pool_id)

    def _watch(
        self,
        memory: PoolMemory,
        known: StoredPool | None,
        jobs: frozenset[str],
        read_up_to: datetime | None,
        deadline: datetime,
    ) -> PoolMemory:
        # gather
        now = self.clock()
        before = known.record if known is not None else None
        if not must_list(memory, before, now):
            if before is not None and before.unwatched_since is not None:
                self._write(known, before, replace(before, unwatched_since=None), (), now)
            return not_listed(memory, before)
        seen = self._list(memory, before, deadline)

        # decide
        news_from = (min(read_up_to, now) if read_up_to is not None else now) - self.first_sight
        if before is None:
            before = PoolRecord(pool_id=memory.pool_id, announce_from=news_from)
        # A clock that has jumped back since noted it: what fails from now on is news.
        since = news_from if is_to_come(before.announce_from, now) else before.announce_from
        decided, changes = decide_nodes(self.origin.partition, replace(before, announce_from=since), seen, now)

        # apply; files go with their node
        changes = self._with_tails(memory.pool_id, changes, deadline)
        events = self._events(memory, decided, changes, jobs, now)
        self._write(known, before, decided, events, now)
        return after_listing(memory, seen, decided, now)

    def _list(self, memory: PoolMemory, record: PoolRecord | None, deadline: datetime) -> Seen:
        """The nodes that are neither able nor away, and which are able if one that is remembered is not among them.

        Raises:
            BatchError: Batch does not say.
        """
        try:
            pages = self.batch.list_nodes(memory.pool_id, odata_filter=NOT_ABLE, select=NODE_SELECT, deadline=deadline)
            nodes = [node for node in chain.from_iterable(pages) if is_present(node)]
            shown = {node.id.lower() for node in nodes}
            if record is None or all(node.node_id.lower() in shown for node in record.open):
                return Seen(nodes=nodes)
            pages = self.batch.list_nodes(memory.pool_id, odata_filter=_ABLE, select="id,state", deadline=deadline)
            able = frozenset(map(_able_id, chain.from_iterable(pages)))
            return Seen(nodes=nodes, able=able, lacks=lacks_nodes(memory, nodes))
        except PoolNotFoundError:
            return Seen(nodes=())

    def _with_tails(self, pool_id: str, changes: Sequence[NodeChange], deadline: datetime) -> tuple[NodeChange, ...]:
        """The changes, the first few of every cause with what the start task wrote last."""
        if self.files.max_bytes == 0:
            return tuple(changes)
        allowance = Allowance()
        chosen = allowance.choose(
            (place, (change.known.code, change.known.message))
            for place, change in enumerate(changes)
            if change.end is None and change.known.reason in OF_START_TASK
        )
        until = min(deadline, self.clock() + allowance.time)

        def tail(change: NodeChange, file: str) -> str | None:
            return self.files.tail(pool_id, change.known.node_id, START_TASK_DIRECTORY, file, until, allowance)

        return tuple(
            replace(change, stderr_tail=tail(change, STDERR), stdout_tail=tail(change, STDOUT))
            if place in chosen
            else change
            for place, change in enumerate(changes)
        )

    def _events(
        self,
        memory: PoolMemory,
        decided: PoolRecord,
        changes: Sequence[NodeChange],
        jobs: frozenset[str],
        now: datetime,
    ) -> list[tuple[Event, tuple[str, ...]]]:
        events = pool_events(
            self.origin,
            memory.pool_id,
            changes,
            jobs=jobs,
            by_state=memory.by_state,
            unable=len(decided.open),
            max_nodes=self.max_nodes,
            now=now,
        )
        return list(events)

    def _write(
        self,
        known: StoredPool | None,
        before: PoolRecord,
        after: PoolRecord,
        events: Sequence[tuple[Event, tuple[str, ...]]],
        now: datetime,
    ) -> None:
        """Write what has changed, each event in the transaction that records its nodes.

        Raises:
            StoreError: The rest is not written; the next listing shows it again, and the same ids come out.
        """
        row = known.row if known is not None else None
        if after == before or (row is None and not after.nodes):
            return
        announced = frozenset(occurrence for _, occurrences in events for occurrence in occurrences)
        named: dict[str, str] = {}
        for portion in self._portions(events):
            named |= {occurrence: event.id for event, occurrences in portion for occurrence in occurrences}
            step = with_events(before, after, named, announced=announced)
            written = commit_record(self.ledger, row, step, [event for event, _ in portion], now)
            row = written.row
            self.offer(written.pending)

    def _portions(
        self, events: Sequence[tuple[Event, tuple[str, ...]]]
    ) -> Iterator[list[tuple[Event, tuple[str, ...]]]]:
        """The events as they fit transactions; without any, one portion for the record alone."""
        portion: list[tuple[Event, tuple[str, ...]]] = []
        rows = 1
        for event, occurrences in events:
            more = self.ledger.rows_of(event)
            if portion and (rows + more > MAX_ROWS or len(portion) >= _MOST_EVENTS):
                yield portion
                portion, rows = [], 1
            portion.append((event, occurrences))
            rows += more
        yield portion

    def _leave(self, known: StoredPool, record: PoolRecord, *, is_used: bool) -> None:
        """What becomes of the record of a pool that was not counted."""
        now = self.clock()
        after, changes = not_watched(record, now)
        # Batch has left out a pool that is watched: nothing is known of it, and nothing over.
        if is_used and self._is_named(record):
            after, changes = replace(record, unwatched_since=None), ()
        memory = PoolMemory(pool_id=record.pool_id)
        try:
            self._write(known, record, after, self._events(memory, after, changes, frozenset(), now), now)
        except StoreError as error:
            write_line("pool-error", account=self.ledger.account, pool=memory.pool_id, error=str(error))


def _able_id(node: ComputeNode) -> str:
    return node.id.lower() if (node.state or "").lower() in ABLE else ""
