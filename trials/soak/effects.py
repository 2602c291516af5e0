"""Names every effect of the app, and tells somebody just before and just after it.

Owns the names of the points in docs/crash-table.md. Does not own what happens there: dying, counting, writing a log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.parts import Outside
from shared.ports import Delete, Insert, Operation, Put, Replace, Row, Sender, Table
from shared.state.jobs import JobHead
from shared.state.rows import from_row
from shared.state.telling import Delivery, Pace
from shared.webhook import WebhookAnswer, WebhookRequest

Tell = Callable[[str, Sequence[Operation]], None]
"""Called with a point such as `commit:before`, and the operations of a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTable:
    """A table whose writes are told of; `:after` only when the write is known to be done."""

    table: Table
    tell: Tell

    def get(self, partition: str, key: str) -> Row | None:
        """As the table does."""
        return self.table.get(partition, key)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """As the table does."""
        return self.table.query(partition, start, end)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """As the table does, told of before and after."""
        kind = kind_of(operations)
        self.tell(f"{kind}:before", operations)
        etags = self.table.transact(partition, operations)
        self.tell(f"{kind}:after", operations)
        return etags


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSender:
    """A sender whose messages are told of."""

    sender: Sender
    tell: Tell

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """As the sender does, told of before and after."""
        self.tell("send:before", ())
        answer = self.sender.send(request)
        self.tell("send:after", ())
        return answer

    def get(self, url: str) -> WebhookAnswer:
        """As the sender does."""
        return self.sender.get(url)


def watched(outside: Outside, tell: Tell) -> Outside:
    """The same outside, its effects told of."""
    return Outside(
        table=WatchedTable(table=outside.table, tell=tell),
        batch=outside.batch,
        sender=WatchedSender(sender=outside.sender, tell=tell),
        lanes=outside.lanes,
        clock=outside.clock,
        queues=outside.queues,
        pause=outside.pause,
        new_id=outside.new_id,
    )


def kind_of(operations: Sequence[Operation]) -> str:
    """What a write is, by the names of docs/crash-table.md.

    Raises:
        ValueError: The app writes something that has no name yet; name it here and in docs/crash-table.md.
    """
    first = operations[0]
    table = first.key.partition("|")[0]
    # Of the rows about single jobs only those of refusals are ever swapped.
    if isinstance(first, Replace) and table == "digest" and first.key.count("|") > 1:
        return "dismiss"
    if isinstance(first, Insert | Replace) and table == "digest":
        pace = _pace_of(first)
        # What still stands is recorded by its pace alone; what was not taken notes when it was tried.
        told = any(not other.key.startswith("sent|") for other in operations[1:])
        told |= len(operations) > 1 and pace.tried_at is None
        return "told" if told else "hold" if pace.leased_until is None else "turn"
    if isinstance(first, Replace) and table == "due":
        return "record" if held_by(first) is None else "claim"
    if table == "dead" and any(isinstance(other, Put) for other in operations):
        return "dismiss"
    if table == "done" and any(isinstance(other, Insert) for other in operations):
        return "again"
    if isinstance(first, Replace) and table == "job":
        return _kind_of_swap(first, operations)
    for name, tables, operation in _NAMES:
        if table in tables and isinstance(first, operation):
            return name
    raise ValueError(f"no name for a write of {first.key}")


_NAMES = (
    ("sight", {"job"}, Insert),
    ("remove", {"job"}, Delete),
    ("begin", {"running"}, Insert | Replace),
    ("end", {"running"}, Delete),
    ("cycle", {"cycle"}, Insert | Replace),
    ("record", {"due"}, Delete),
    ("redeliver", {"due"}, Insert),
    ("webhook", {"webhook"}, Insert | Replace),
    ("refresh", {"refresh"}, Insert | Replace),
    ("nudges", {"nudges"}, Insert | Replace),
    ("ping", {"ping"}, Insert | Replace),
    ("mute", {"mute"}, Put | Delete),
    ("diagnostics", {"diagnostics"}, Put | Delete),
    ("pool", {"pool"}, Insert | Replace),
    ("accounts", {"accounts"}, Insert | Replace),
    ("purge", {"done", "dead", "event", "pool", "sent"}, Delete),
)
"""Writes that are known by their first row and by what happens to it."""


def _kind_of_swap(swap: Replace, operations: Sequence[Operation]) -> str:
    """What a transaction is that swaps a job's head: a head that begins anew has counted no node yet."""
    head = from_row(_as_row(swap), JobHead)
    puts = any(isinstance(other, Put) for other in operations)
    drops = any(isinstance(other, Delete) for other in operations)
    if puts:
        return "split" if drops else "commit" if head.page_fingerprints is not None else "slice"
    if head.nodes == 0 and head.page_fingerprints is None and head.closed is None:
        return "replace"
    return "drop" if drops else "commit"


def held_by(write: Replace) -> Delivery | None:
    """The delivery as this write claims it, or None when the write is no claim."""
    delivery = from_row(_as_row(write), Delivery)
    return delivery if delivery.leased_until is not None else None


def _pace_of(write: Insert | Replace) -> Pace:
    return from_row(_as_row(write), Pace)


def _as_row(write: Insert | Replace) -> Row:
    return Row(key=write.key, columns=write.columns, etag="")
