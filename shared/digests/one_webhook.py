"""Tells one chat or pager webhook how the jobs and pools of one account stand.

Owns the walk of a digest and its lease. Does not own what is to be sent (`digests.planner`) or how healthy a webhook is
(`delivery.webhook_states`). Of several who try, only the holder of the webhook's lease sends:

    news? --claim (ETag)--> read rows, then heads --> render, send --> merge `told` (ETag of the lease)
                                                                         ^
                           a crash before this line repeats the message, and never loses one
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from shared.delivery.answer_rules import ATTEMPT_LEASE, Verdict, attempt_of, is_held, judge
from shared.delivery.dispatch import Deliverer, DeliveryRun
from shared.delivery.failing_rules import waits
from shared.delivery.sending import send_notice
from shared.digests.daily.rules import due_since
from shared.digests.message_intervals import after_daily, after_failing, after_sending
from shared.digests.mutes import read_mutes
from shared.digests.new_webhooks import introductions
from shared.digests.planner import DigestPlanner
from shared.digests.pools.rows import Pools
from shared.digests.send_plan import DueMessage, SendPlan
from shared.digests.sent import Draft
from shared.journal import write_line
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.ports import MAX_ROWS, Operation, Row, swap
from shared.state.rows import from_row, pace_key, to_columns
from shared.state.telling import Pace, Sending, WebhookState
from shared.webhook import Webhook


class WebhookDigest(Struct, kw_only=True):
    """One webhook and one account: the pace's row as last read or written, and what is done at it."""

    webhook: Webhook
    origin: Origin
    deliveries: DeliveryRun
    pools: Pools | None = None
    row: Row | None = None
    pace: Pace = field(default_factory=Pace)

    @property
    def _deliverer(self) -> Deliverer:
        return self.deliveries.deliverer

    @property
    def _account(self) -> str:
        return self.origin.partition

    def leave_out(self) -> None:
        """Let the webhook be told what stands once it is on again; whoever is still telling it comes first."""
        self._read()
        if self.row is not None and not is_held(self.pace.leased_until, self._deliverer.clock()):
            self._write(replace(self.pace, lease="", leased_until=None, catching_up=True))

    def tried_at(self) -> datetime | None:
        """When the webhook was last tried with what it is to be told, None when it is not to be told anything now."""
        plan = self._look(self._deliverer.clock(), probe=True)
        return min((message.tried_at for message in plan.messages), default=None) if plan else None

    def tell(self, *, probe: bool) -> datetime | None:
        """Send what is due, as a `probe` a single message whatever the time; when something may be due next."""
        plan = self._look(self._deliverer.clock(), probe=probe)
        # Nobody waits for anything.
        if plan is None:
            return None
        now = self._deliverer.clock()
        # Another instance is telling it just now.
        if is_held(self.pace.leased_until, now):
            return self.pace.leased_until
        # Nothing is due yet; what is only to be remembered needs no claim.
        if not plan.messages:
            self._write_all(plan.pace, plan.writes)
            return plan.wake_at
        # Whoever comes next has the time for it.
        if now >= self.deliveries.deadline:
            return now
        state = self._state
        # Only a probe goes to one that fails, and nothing to one that is disabled.
        if state.disabled_since is not None or (waits(state, now) and not probe):
            return None
        # claim; what was decided before may have been told meanwhile
        self._write(replace(plan.pace, lease=self._deliverer.new_id(), leased_until=now + ATTEMPT_LEASE))
        return self._tell_claimed(probe=probe)

    def _tell_claimed(self, *, probe: bool) -> datetime | None:
        plan = self._look(self._deliverer.clock(), probe=probe)
        wake_at = plan.wake_at if plan else None
        messages = plan.messages if plan else ()
        if plan and plan.writes:
            self._write_all(self._held(self.pace), plan.writes)
        if probe:
            messages = tuple(sorted(messages, key=lambda message: message.tried_at)[:1])
        for message in messages:
            if self._deliverer.clock() >= self.deliveries.deadline:
                wake_at = self._deliverer.clock()
                break
            verdict = self._send(message, probe=probe)
            if verdict not in {Verdict.DELIVERED, Verdict.DEAD} or self.deliveries.is_failing(self.webhook.name):
                wake_at = self.pace.not_before
                break
        self._write(replace(self.pace, lease="", leased_until=None))
        return wake_at

    @property
    def _state(self) -> WebhookState:
        return self.deliveries.health.state(self.webhook.name)

    def _look(self, now: datetime, *, probe: bool) -> SendPlan | None:
        """Gather and decide; None when nobody waits to be told anything."""
        table = self._deliverer.table
        self._read()
        if self.pace.catching_up:
            was_off = self.row is not None
            self._write_all(self.pace, introductions(table, self._account, self.webhook, now, was_off=was_off))
            self._write(replace(self.pace, catching_up=False))
        planner = DigestPlanner(table=table, origin=self.origin, webhook=self.webhook, pools=self.pools)
        known = planner.gather(now, None if format_of(self.webhook).opens_incidents else due_since(self.pace, now))
        if known is None:
            return None
        mutes = tuple(read_mutes(table).values())
        return planner.decide(known, self.pace, mutes, now, recovered_at=self._state.recovered_at, probe=probe)

    def _read(self) -> None:
        """The pace as it lies in the table; who has none is new, and does not know of what stands."""
        self.row = self._deliverer.table.get(self._account, pace_key(self.webhook.name))
        new = Pace(catching_up=True, daily_at=self._deliverer.clock())
        self.pace = from_row(self.row, Pace) if self.row else new

    def _send(self, message: DueMessage, *, probe: bool) -> Verdict:
        # render, send
        notice = message.prepare()
        if before := message.record_before(self._deliverer.clock()):
            self._write_all(self._held(self.pace), before)
        kept = Draft(self.webhook, self._deliverer.new_id(), jobs=len(message.jobs))
        sender = self._deliverer.sender
        answers = send_notice(sender, self.webhook, notice, probe=probe, note=kept.note, account=self._account)

        # decide
        now = self._deliverer.clock()
        receiver = format_of(self.webhook)
        judged = [judge(receiver, answer, self.pace.tries + 1, now) for answer in answers]
        made = [attempt_of(*both, now, probe=probe) for both in zip(judged, answers, strict=True)]
        judgement = judged[-1]

        # record
        if judgement.verdict is Verdict.DELIVERED:
            daily = message.is_daily
            pace = after_daily(self.pace, now) if daily else after_sending(self.pace, now, message.groups)
            self._record(message, pace, kept.rows(now, Sending.DELIVERED, made))
        elif judgement.verdict is Verdict.DEAD:
            refused, daily_at = message.record_refused(made[-1]), now if message.is_daily else self.pace.daily_at
            pace = replace(self.pace, tried_at=now, daily_at=daily_at)
            self._write_all(self._held(pace), [*kept.rows(now, Sending.REFUSED, made), *refused])
        else:
            identity = f"{self._account}/{self.webhook.name}"
            pace = after_failing(self.pace, identity, now, self._state.recovered_at)
            self._write(pace, kept.rows(now, Sending.FAILED, made))
        for both in zip(judged, made, strict=True):
            self.deliveries.follow(self.webhook.name, *both)
        write_line(
            "digest",
            webhook=self.webhook.name,
            account=self._account,
            jobs=len(message.jobs),
            verdict=judgement.verdict.value,
            reason=judgement.reason,
        )
        return judgement.verdict

    def _record(self, message: DueMessage, pace: Pace, kept: Sequence[Operation] = ()) -> None:
        self._write_all(self._held(pace), [*kept, *message.record_delivered(self._deliverer.clock())])

    def _held(self, pace: Pace) -> Pace:
        """The pace while this lease goes on."""
        return replace(pace, leased_until=self._deliverer.clock() + ATTEMPT_LEASE)

    def _write_all(self, pace: Pace, others: Sequence[Operation]) -> None:
        if not others:
            self._write(pace)
        for start in range(0, len(others), MAX_ROWS - 1):
            self._write(pace, others[start : start + MAX_ROWS - 1])

    def _write(self, pace: Pace, others: Sequence[Operation] = ()) -> None:
        """Swap the pace's row, which shows that the lease is still ours, and do the rest with it."""
        if pace == self.pace and not others:
            return
        key, columns = pace_key(self.webhook.name), to_columns(pace)
        etags = self._deliverer.table.transact(self._account, [swap(key, columns, self.row), *others])
        self.row, self.pace = Row(key=key, columns=columns, etag=etags[key]), pace
