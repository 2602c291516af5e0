"""Keeps what chat and pager hear of a trouble in order: its beginning, then its end, or neither.

Owns the two events that begin and end a trouble of an account or a webhook, for those who take the last word for how
things stand. Does not own the events (`messages.events`) or deliveries (`delivery.dispatch`). Attempts come in any
order: without this, a page that could not be sent at once would open its incident when the end of it had been told, and
nothing would ever close it; and people would read that something is well again of which they never heard.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shared.decoding import json_decoder
from shared.delivery.answer_rules import ATTEMPT_LEASE
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.messages.events import EventType
from shared.messages.format_table import format_of
from shared.messages.ids import event_id
from shared.ports import Delete, Insert, Operation, Replace, Table
from shared.state.rows import delivery_key, event_key, from_row, to_columns
from shared.state.telling import Attempt, Delivery, DeliveryState
from shared.webhook import SendFailure, Webhook

_ENDS: Mapping[str, EventType] = {
    EventType.ACCOUNT_UNREACHABLE: EventType.ACCOUNT_REACHABLE,
    EventType.WEBHOOK_FAILING: EventType.WEBHOOK_RECOVERED,
    EventType.WEBHOOK_DISABLED: EventType.WEBHOOK_ENABLED,
}
_BEGINNINGS: Mapping[str, EventType] = {end.value: EventType(begin) for begin, end in _ENDS.items()}
_SURELY_UNHEARD = frozenset(SendFailure) - {SendFailure.TIMEOUT, SendFailure.CONNECTION, SendFailure.PROTOCOL}


class TroubleEvents(Struct, frozen=True, kw_only=True):
    """A trouble that a webhook is told of: the event that begins it, and the one, past or to come, that ends it.

    `ends` says that the end is what is about to be told, and `recorded_at` is when that which is told was recorded.
    """

    table: Table
    partition: str
    webhook: Webhook
    begin: EventType
    begin_id: str
    end_id: str
    ends: bool
    recorded_at: datetime

    def why_left_out(self) -> str | None:
        """Why nobody need hear of what is about to be told; None when somebody must, or the table gives no answer."""
        try:
            if self.ends:
                return None if self._may_be_heard() else "what it ends was over before it could be told"
            is_over = self.table.get(self.partition, event_key(self.end_id)) is not None
        except (StoreError, UnreadableRowError):
            return None
        return "it was over before it could be told" if is_over else None

    def may_be_recorded(self, delivery: Delivery, now: datetime, *, sent: bool = False) -> bool:
        """Whether it is known that the end is told after this beginning, if it has come and this may have been heard.

        False lets the lease of the beginning end, so that somebody tries again.
        """
        if self.ends or not (sent or delivery.lost):
            return True
        return not self._is_over() or self._tell_end_once_more(now)

    def _is_over(self) -> bool:
        try:
            return self.table.get(self.partition, event_key(self.end_id)) is not None
        except StoreError:
            return False

    def _may_be_heard(self) -> bool:
        """Whether the webhook may have heard of the beginning, so that it is owed the end."""
        if self.table.get(self.partition, event_key(self.begin_id)) is None:
            return True  # too long ago to know
        for state in DeliveryState:
            row = self.table.get(self.partition, delivery_key(state, self.webhook.name, self.begin_id))
            if row is not None:
                delivery = from_row(row, Delivery)
                told = state is DeliveryState.DONE and not delivery.closed
                # Whoever has claimed it since the end was recorded leaves it out.
                claimed = delivery.leased_until - ATTEMPT_LEASE if delivery.leased_until is not None else None
                lost = delivery.lost or (claimed is not None and claimed < self.recorded_at)
                return told or lost or any(map(self._may_have_arrived, delivery.attempts))
        # It was never to hear of it; if it does not care for beginnings, it is told the end all the same.
        return not self.webhook.wants(self.begin)

    def _may_have_arrived(self, attempt: Attempt) -> bool:
        if attempt.status is None:
            return attempt.failure not in _SURELY_UNHEARD
        # A pager may have opened an incident and then failed; the end of one that it never opened harms nobody.
        return attempt.status < 300 or (attempt.status >= 500 and format_of(self.webhook).opens_incidents)

    def _tell_end_once_more(self, now: datetime) -> bool:
        """Let the end be told after the beginning, which was on its way when the end came; False when not stored."""
        due, done = (
            delivery_key(state, self.webhook.name, self.end_id) for state in (DeliveryState.DUE, DeliveryState.DONE)
        )
        fresh = Delivery(webhook=self.webhook.name, event_id=self.end_id, created_at=now, next_attempt_at=now)
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
            write_line("end-not-told-again", webhook=self.webhook.name, event=self.end_id, error=str(error))
            return False
        return True


def trouble_events_of(table: Table, partition: str, webhook: Webhook, body: bytes) -> TroubleEvents | None:
    """The trouble that an event begins or ends; None when it does neither, or the webhook is told every event.

    Raises:
        msgspec.MsgspecError: The bytes are no event of ours; a defect.
    """
    # Whoever is told every event can put them in order.
    if not format_of(webhook).tells_state:
        return None
    event = json_decoder(_Event).decode(body)
    begin = _BEGINNINGS.get(event.type, event.type)
    end = _ENDS.get(begin)
    # What has no end can't be overtaken by it.
    if end is None:
        return None
    about = event.data.webhook or event.data.account
    since = datetime.fromisoformat(event.data.since)
    begin_id, end_id = (event_id(since, kind, about, event.data.since) for kind in (begin, end))
    return TroubleEvents(
        table=table,
        partition=partition,
        webhook=webhook,
        begin=EventType(begin),
        begin_id=begin_id,
        end_id=end_id,
        ends=event.type == end,
        recorded_at=event.recordedtime,
    )


class _Data(Struct, frozen=True):
    since: str = ""
    account: str = ""
    webhook: str = ""


class _Event(Struct, frozen=True):
    type: str
    recordedtime: datetime
    data: _Data
