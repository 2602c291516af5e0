"""Keeps what chat and pager hear of a trouble from coming after the end of it.

Owns the order of the two events that begin and end a trouble of an account or a webhook, for those who take the last
word for how things stand. Does not own the events (`messages.events`) or deliveries (`delivery.run`). Attempts come
in any order: without this, a page that could not be sent at once would open its incident when the end of it had been
told, and nothing would ever close it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.errors import StoreError
from shared.journal import write_line
from shared.messages.events import EventType
from shared.messages.formats import format_of
from shared.messages.ids import event_id
from shared.ports import Delete, Insert, Operation, Replace, Table
from shared.state.rows import delivery_key, event_key, to_columns
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

_ENDS: Mapping[str, EventType] = {
    EventType.ACCOUNT_UNREACHABLE: EventType.ACCOUNT_REACHABLE,
    EventType.WEBHOOK_FAILING: EventType.WEBHOOK_RECOVERED,
}


class TroubleEnd(Struct, frozen=True, kw_only=True):
    """The event, past or to come, that ends a trouble which a webhook is told of."""

    table: Table
    partition: str
    webhook: str
    event_id: str

    def is_known(self) -> bool:
        """Whether the trouble is over, so that nobody need hear of it; False when the table gives no answer."""
        try:
            return self.table.get(self.partition, event_key(self.event_id)) is not None
        except StoreError:
            return False

    def tell_once_more(self, now: datetime) -> bool:
        """Let the end be told after the trouble, which was on its way when the end came.

        False when that is not known to be stored: let the lease of the trouble end, so that somebody tries again.
        """
        due, done = (
            delivery_key(state, self.webhook, self.event_id) for state in (DeliveryState.DUE, DeliveryState.DONE)
        )
        fresh = Delivery(webhook=self.webhook, event_id=self.event_id, created_at=now, next_attempt_at=now)
        columns = to_columns(fresh)
        operations: Sequence[Operation] = ()
        try:
            # Whoever is sending it now can't record that, and it is sent again.
            if (row := self.table.get(self.partition, due)) is not None:
                operations = [Replace(key=due, columns=columns, etag=row.etag)]
            elif (row := self.table.get(self.partition, done)) is not None:
                operations = [Delete(key=done, etag=row.etag), Insert(key=due, columns=columns)]
            if operations:
                self.table.transact(self.partition, operations)
        except StoreError as error:
            write_line("end-not-told-again", webhook=self.webhook, event=self.event_id, error=str(error))
            return False
        return True


def end_of(table: Table, partition: str, webhook: Webhook, body: bytes) -> TroubleEnd | None:
    """The end of the trouble that an event begins; None when it begins none, or the webhook is told every event.

    Raises:
        msgspec.MsgspecError: The bytes are no event of ours; a defect.
    """
    if not format_of(webhook).tells_state:
        return None
    event = msgspec.json.decode(body, type=_Event)
    kind = _ENDS.get(event.type)
    if kind is None:
        return None
    about = event.data.webhook if kind is EventType.WEBHOOK_RECOVERED else event.data.account
    identity = event_id(datetime.fromisoformat(event.data.since), kind.value, about, event.data.since)
    return TroubleEnd(table=table, partition=partition, webhook=webhook.name, event_id=identity)


class _Data(Struct, frozen=True):
    since: str = ""
    account: str = ""
    webhook: str = ""


class _Event(Struct, frozen=True):
    type: str
    data: _Data
