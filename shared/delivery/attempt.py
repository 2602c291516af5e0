"""One attempt to deliver something: claim, render, sign, send, decide, record.

Owns the walk of a delivery. Does not own which of them is attempted when (`delivery.dispatch`), what an answer means
(`delivery.answer_rules`), requests' form (`messages.format_table`) or how bytes travel (`ports.Sender`). A delivery is
held by a lease while it is attempted:

    due --claim (ETag)--> leased --send--> record (ETag): done | dead | due again, later
     ^                      |
     +---- lease expires ---+   whoever held it died: attempted once more, same id, same bytes
"""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.decoding import json_decoder
from shared.delivery.answer_rules import Judgement, Verdict, attempt_of, claim, give_up, judge, leave_out, next_step
from shared.delivery.overtaken import trouble_events_of
from shared.delivery.rows import record
from shared.delivery.sending import send_message, send_ping
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.recipients import is_told_by_event
from shared.ledger.transaction import Pending
from shared.messages.events import EventType, Origin, webhook_event
from shared.messages.format import Message
from shared.messages.format_table import format_of
from shared.ports import Authorize, Clock, Replace, Sender, Table
from shared.state.rows import delivery_key, event_key, to_columns, unpack_body
from shared.state.telling import Attempt, DeliveryState
from shared.webhook import Webhook


class Attempter(Struct, frozen=True, kw_only=True):
    """Attempts deliveries; `new_id` makes lease ids.

    `follow` hears what each attempt says about its webhook, `expect` when a delivery is due again; `recovered_at` says
    when a webhook last took messages again, None if it never failed.
    """

    table: Table
    sender: Sender
    authorize: Authorize
    clock: Clock
    new_id: Callable[[], str]
    follow: Callable[[str, Judgement, Attempt], None]
    expect: Callable[[str, datetime], None]
    recovered_at: Callable[[str], datetime | None]

    def attempt(self, webhook: Webhook, item: Pending, *, probe: bool = False) -> None:
        """Attempt a delivery, unless somebody else holds it or there is no need any more."""
        # claim
        now = self.clock()
        claimed = claim(item.delivery, self.new_id(), now, probe=probe)
        key = delivery_key(DeliveryState.DUE, webhook.name, claimed.event_id)
        try:
            swap = Replace(key=key, columns=to_columns(claimed), etag=item.etag)
            etag = self.table.transact(item.partition, [swap])[key]
            held = replace(item, delivery=claimed, etag=etag)
            try:
                body = item.body or self._body(item)
            except UnreadableRowError as error:
                self._put_off(held, str(error), now, probe=probe)
                return
        except StoreError as error:
            # Somebody else holds it, or nothing is known: a lease that nobody uses expires.
            write_line("claim-lost", webhook=webhook.name, event=claimed.event_id, error=str(error))
            return
        if body is None:
            record(self.table, held, give_up(claimed, "the event is not stored any more", now))
            return
        # Its format was another one when this was to be sent: now it is told of the job with all that stand.
        if format_of(webhook).tells_state and not is_told_by_event(webhook, json_decoder(_Event).decode(body).type):
            record(self.table, held, leave_out(claimed, f"the webhook has the format {webhook.format} now", now))
            return
        trouble = trouble_events_of(self.table, item.partition, webhook, body)
        if trouble is not None and (overtaken := trouble.why_left_out()) is not None:
            if trouble.may_be_recorded(claimed, now):
                record(self.table, held, leave_out(claimed, overtaken, now))
            return

        # render, sign, send
        message = Message(id=claimed.event_id, body=body)
        answers = send_message(self.sender, self.authorize, webhook, message, now, probe=probe)

        # decide
        ended = self.clock()
        judged = [judge(format_of(webhook), answer, claimed.tries, ended) for answer in answers]
        made = [attempt_of(*both, ended, probe=probe) for both in zip(judged, answers, strict=True)]
        step = next_step(claimed, judged[-1], *made, recovered_at=self.recovered_at(webhook.name))

        # record; an end that came meanwhile first, for afterwards nobody would look for it
        if trouble is None or trouble.may_be_recorded(claimed, ended, sent=True):
            record(self.table, held, step)
        if step.state is DeliveryState.DUE:
            self.expect(webhook.name, step.delivery.next_attempt_at)
        for judgement, attempt in zip(judged, made, strict=True):
            self.follow(webhook.name, judgement, attempt)
        write_line(
            "attempt",
            webhook=webhook.name,
            event=claimed.event_id,
            tries=claimed.tries,
            verdict=judged[-1].verdict.value,
            reason=judged[-1].reason,
            durationMs=made[-1].duration_ms,
        )

    def ping(self, webhook: Webhook, own: Origin) -> None:
        """See whether a webhook takes anything, without opening an incident."""
        now = self.clock()
        event = webhook_event(own, EventType.PING, webhook.name, now, now)
        message = Message(id=event.id, body=event.body)
        answer = send_ping(self.sender, self.authorize, webhook, message, now, aloud=False)
        ended = self.clock()
        judgement = judge(format_of(webhook), answer, 1, ended)
        self.follow(webhook.name, judgement, attempt_of(judgement, answer, ended, probe=True))
        verdict, reason = judgement.verdict.value, judgement.reason
        write_line("ping", webhook=webhook.name, event=event.id, verdict=verdict, reason=reason)

    def _put_off(self, held: Pending, why: str, now: datetime, *, probe: bool) -> None:
        """Try a delivery again later whose event can't be read now: the version that can may come back."""
        write_line("event-unreadable", webhook=held.delivery.webhook, event=held.delivery.event_id, error=why)
        judgement = Judgement(verdict=Verdict.RETRY, reason=why)
        step = next_step(held.delivery, judgement, Attempt(at=now, reason=why, probe=probe))
        record(self.table, held, step)
        if step.state is DeliveryState.DUE:
            self.expect(held.delivery.webhook, step.delivery.next_attempt_at)

    def _body(self, item: Pending) -> bytes | None:
        row = self.table.get(item.partition, event_key(item.delivery.event_id))
        return None if row is None else unpack_body(row)


class _Event(Struct, frozen=True):
    type: str
