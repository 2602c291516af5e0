"""How deliveries that wait are found, and how it is written down what has become of them.

Owns reading due rows, the move of a delivery from one state to the next, and closing many at once. Does not own what
becomes of a delivery (`delivery.answer_rules`).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from shared.delivery.answer_rules import NextStep, give_up, is_held, leave_out
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.transaction import Pending
from shared.ports import MAX_ROWS, Delete, Operation, Put, Replace, Table
from shared.state.rows import deliveries_of, delivery_key, from_row, range_of, to_columns
from shared.state.telling import Delivery, DeliveryState, WebhookState

REMOVED_AFTER = timedelta(hours=1)
"""How long what is owed to a webhook that is not configured waits: another version may be running beside this one."""
_TOGETHER = MAX_ROWS // 2  # a delivery that ends is two rows


def read_due(table: Table, partition: str, webhook: str | None = None) -> Iterator[Pending]:
    """The deliveries of a partition that wait for a webhook (None: for any), whether their time has come or not.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    start, end = range_of(DeliveryState.DUE.value) if webhook is None else deliveries_of(DeliveryState.DUE, webhook)
    for row in table.query(partition, start, end):
        try:
            delivery = from_row(row, Delivery)
        except UnreadableRowError as error:
            write_line("delivery-unreadable", error=str(error))
            continue
        yield Pending(partition=partition, delivery=delivery, etag=row.etag)


def record(table: Table, item: Pending, step: NextStep) -> None:
    """Write how a delivery stands after this; if that is lost, its lease expires."""
    if not _record_all(table, [(item, step)]):
        # It is attempted again with the same id and bytes, unless this was written after all.
        write_line("record-lost", webhook=step.delivery.webhook, event=step.delivery.event_id)


def close_removed(table: Table, items: Iterable[Pending], now: datetime) -> None:
    """Close what was owed for an hour to a webhook that is not configured any more, which is nobody's fault."""
    reason = "the webhook is not configured any more"
    old = [item for item in items if now - item.delivery.created_at >= REMOVED_AFTER]
    _end_all(table, [(item, leave_out(item.delivery, reason, now)) for item in old], now)


def close_disabled(table: Table, items: Iterable[Pending], state: WebhookState, now: datetime) -> None:
    """Close what waits for a webhook that is disabled: given up, unless a person has asked for that."""
    step = leave_out if state.by_request else give_up
    reason = f"the webhook is disabled: {state.reason}"
    _end_all(table, [(item, step(item.delivery, reason, now)) for item in items], now)


def _end_all(table: Table, ended: Sequence[tuple[Pending, NextStep]], now: datetime) -> None:
    free = [each for each in ended if not is_held(each[0].delivery.leased_until, now)]
    for start in range(0, len(free), _TOGETHER):
        some = free[start : start + _TOGETHER]
        if not _record_all(table, some):  # one of them has changed meanwhile
            for item, step in some:
                record(table, item, step)


def _record_all(table: Table, ended: Sequence[tuple[Pending, NextStep]]) -> bool:
    """Write how deliveries of one partition stand after this, together; False when that is not known to be done."""
    operations: list[Operation] = []
    for item, step in ended:
        delivery = step.delivery
        due = delivery_key(DeliveryState.DUE, delivery.webhook, delivery.event_id)
        columns = to_columns(delivery)
        if step.state is DeliveryState.DUE:
            operations.append(Replace(key=due, columns=columns, etag=item.etag))
        else:
            after = delivery_key(step.state, delivery.webhook, delivery.event_id)
            operations += [Delete(key=due, etag=item.etag), Put(key=after, columns=columns)]
    try:
        table.transact(ended[0][0].partition, operations)
    except StoreError as error:
        write_line("deliveries-not-recorded", error=str(error))
        return False
    for _, step in ended:
        if step.state is DeliveryState.DEAD:
            about = step.delivery
            write_line(
                "delivery-dead", logging.WARNING, webhook=about.webhook, event=about.event_id, reason=about.reason
            )
    return True
