"""Names every effect of the app, and tells somebody just before and just after it.

Owns the names of the points in docs/crash-table.md. Does not own what happens there: dying, counting, writing a log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.composition import Outside
from shared.ports import Delete, Insert, Operation, Put, Replace, Row, Sender, Table
from shared.state import Delivery
from shared.table_rows import from_row
from shared.webhook_model import WebhookAnswer, WebhookRequest

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
        pause=outside.pause,
        new_id=outside.new_id,
    )


def kind_of(operations: Sequence[Operation]) -> str:
    """What a write is: sight, commit, drop, remove, cycle, claim, record or webhook.

    Raises:
        ValueError: The app writes something that has no name yet; name it here and in docs/crash-table.md.
    """
    first = operations[0]
    table = first.key.partition("|")[0]
    match table, first:
        case "job", Insert():
            return "sight"
        case "job", Replace():
            dropped = any(isinstance(other, Delete) for other in operations)
            return "drop" if dropped and not any(isinstance(other, Put) for other in operations) else "commit"
        case "job", Delete():
            return "remove"
        case "due", Replace() if held_by(first) is not None:
            return "claim"
        case "due", Replace() | Delete():
            return "record"
        case (("cycle" | "webhook"), _):
            return table
        case _:
            raise ValueError(f"no name for a write of {first.key}")


def held_by(write: Replace) -> Delivery | None:
    """The delivery as this write claims it, or None when the write is no claim."""
    delivery = from_row(Row(key=write.key, columns=write.columns, etag=""), Delivery)
    return delivery if delivery.leased_until is not None else None
