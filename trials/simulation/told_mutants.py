"""Defects in what chat and pager are told that somebody might bring in one day, each applied to the app as it is."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec
from msgspec.structs import replace

from shared.api import summary_rules
from shared.batch.model import TaskCounts
from shared.delivery import attempt, webhook_states
from shared.delivery.answer_rules import Verdict
from shared.delivery.dispatch import DeliveryRun
from shared.delivery.failing_rules import change_events
from shared.digests import chat_plan, one_webhook, untold
from shared.digests.chat_rules import news_of as news_of_job
from shared.digests.incidents import rules as incident_rules
from shared.digests.message_intervals import after_sending
from shared.digests.mutes import muted_until
from shared.digests.one_webhook import WebhookDigest
from shared.ledger import ledger
from shared.ledger.recipients import recipients
from shared.messages import pagerduty
from shared.messages.events import Event, EventType
from shared.messages.format_table import format_of
from shared.messages.pagerduty import render_pagerduty
from shared.polling import account_troubles, known_jobs, standstills
from shared.pools import standstill_rules, suspicion_rules
from shared.pools.standstill_rules import Findings, StandstillChange, StandstillDecision
from shared.ports import Column, Merge, Operation, Put, Row
from shared.state.jobs import JobHead
from shared.state.rows import from_row, job_key
from shared.state.telling import Pace, Told
from trials.promises.reading import EVENT_KEYS
from trials.simulation.mutants import MUTANTS, mutant

__all__ = ["MUTANTS"]


@mutant
def told_without_a_lease() -> AbstractContextManager[object]:
    """Whoever sees news tells it, and writes over what others have written meanwhile."""

    def tell(self: Any, *, probe: bool) -> datetime | None:
        now = self._deliverer.clock()
        plan = self._look(now, probe=probe)
        for message in plan.messages if plan else ():
            self._send(message, probe=probe)
        return None

    def put(key: str, columns: Mapping[str, Column], _before: Row | None) -> Put:
        return Put(key=key, columns=columns)

    stack = ExitStack()
    stack.enter_context(patch.object(WebhookDigest, "tell", tell))
    stack.enter_context(patch.object(one_webhook, "swap", put))
    return stack


@mutant
def told_as_the_job_stands_when_it_is_recorded() -> AbstractContextManager[object]:
    """What failed while a message was on its way is recorded as told by it."""

    def record(self: Any, message: Any, pace: Pace, kept: Sequence[Operation]) -> None:
        late = [_as_it_stands_now(self, operation) for operation in message.record_delivered(self._deliverer.clock())]
        self._write_all(self._held(pace), [*kept, *late])

    return patch.object(WebhookDigest, "_record", record)


def _as_it_stands_now(digest: Any, operation: Operation) -> Operation:
    said = operation.columns.get("said") if isinstance(operation, Merge) else None
    if not isinstance(operation, Merge) or not isinstance(said, bytes):
        return operation
    told = msgspec.msgpack.decode(said, type=Told)
    row = digest._deliverer.table.get(digest._account, job_key(told.job_id))
    ever = from_row(row, JobHead).ever if row else None
    told = replace(told, preparation=ever.preparation, release=ever.release) if ever else told
    return replace(operation, columns={**operation.columns, "said": msgspec.msgpack.encode(told)})


@mutant
def told_before_it_is_sent() -> AbstractContextManager[object]:
    """A message is recorded and then sent, so that a receiver who is away never gets it."""
    original = WebhookDigest._send

    def send(self: Any, message: Any, *, probe: bool) -> Verdict:
        self._record(message, after_sending(self.pace, self._deliverer.clock()))
        return original(self, message, probe=probe)

    return patch.object(WebhookDigest, "_send", send)


@mutant
def mute_never_ends() -> AbstractContextManager[object]:
    """Whatever has been muted once stays so."""

    def until(mutes: Any, job_id: str, pools: Any, now: datetime) -> datetime | None:
        endless = [replace(mute, ends_at=now + timedelta(days=99)) for mute in mutes]
        return muted_until(endless, job_id, pools, now)

    return _with_mutes(until)


@mutant
def mute_holds_nothing_back() -> AbstractContextManager[object]:
    """Mutes are kept and not heeded."""
    return _with_mutes(lambda *_: None)


def _with_mutes(until: Any) -> AbstractContextManager[object]:
    stack = ExitStack()
    for rules in (chat_plan, incident_rules):
        stack.enter_context(patch.object(rules, "muted_until", until))
    return stack


@mutant
def mute_holds_back_the_end() -> AbstractContextManager[object]:
    """People are left with what they were told before they muted it."""

    def until(news: Any, mutes: Any, now: datetime) -> datetime | None:
        return muted_until(mutes, news.job_id, (), now)

    return patch.object(chat_plan, "_muted_until", until)


@mutant
def pause_never_grows() -> AbstractContextManager[object]:
    """What goes on is told every five minutes."""

    def after(pace: Pace, now: datetime, groups: Any) -> Pace:
        return replace(after_sending(pace, now, groups), step=1)

    return patch.object(one_webhook, "after_sending", after)


@mutant
def end_not_told_by_itself() -> AbstractContextManager[object]:
    """That something is over is told only along with new failures."""
    original = news_of_job

    def news_of(webhook: Any, account: str, known: Any, now: datetime) -> Any:
        news = original(webhook, account, known, now)
        return news if news is None or news.preparation or news.release else None

    return patch.object(chat_plan, "news_of", news_of)


@mutant
def incident_that_never_ends() -> AbstractContextManager[object]:
    """What opened an incident is mended, and nobody is told."""
    return patch.object(incident_rules, "ENDS_AFTER", timedelta(days=99))


@mutant
def incident_ends_at_once() -> AbstractContextManager[object]:
    """What flaps is an incident each time."""
    return patch.object(incident_rules, "ENDS_AFTER", timedelta(0))


@mutant
def incident_for_each_message() -> AbstractContextManager[object]:
    """An incident's key holds what was told, so that its end is that of another."""

    def render(notice: Any, key: str) -> bytes:
        page = notice.page
        if not page.key.startswith(EVENT_KEYS):
            page = replace(page, key=f"{page.key}:{len(page.details)}")
        return render_pagerduty(replace(notice, page=page), key)

    return patch.object(pagerduty, "render_pagerduty", render)


@mutant
def counts_begin_anew_with_a_new_job() -> AbstractContextManager[object]:
    """What a job's head counted is forgotten when another job takes its id, told or not."""
    return patch.object(known_jobs, "replacing", lambda before, new: replace(new, generation=before.generation))


@mutant
def trouble_told_after_its_end() -> AbstractContextManager[object]:
    """A page that was held up is sent whatever has been told since."""
    return patch.object(attempt, "trouble_events_of", lambda *_: None)


@mutant
def stuck_without_asking_for_tasks() -> AbstractContextManager[object]:
    """A job is called stuck for what its listing shows, which may be old."""

    def look(*_: object) -> Findings:
        return Findings(tasks=TaskCounts(active=1), moves=False)

    return patch.object(standstills.StandstillWatcher, "_look", look)


@mutant
def stuck_again_and_again() -> AbstractContextManager[object]:
    """A standstill is called over at the next look, and told once more."""

    def judge(*_: object, **__: object) -> StandstillDecision:
        return StandstillDecision(standstill=None, change=StandstillChange.ENDS)

    return patch.object(standstill_rules, "_judge_confirmed", judge)


@mutant
def dead_pool_not_noticed() -> AbstractContextManager[object]:
    """Only failed preparations make a job suspect: nobody hears of a pool of which no node works."""
    return patch.object(suspicion_rules, "NONE_ABLE_FOR", timedelta(days=9))


@mutant
def stuck_at_once() -> AbstractContextManager[object]:
    """A job whose first node has failed is called stuck before the others had their turn."""
    stack = ExitStack()
    for rules in (suspicion_rules, standstill_rules):
        stack.enter_context(patch.object(rules, "to_hold", lambda *_: 1))
    stack.enter_context(patch.object(standstills.StandstillWatcher, "_may_move", lambda *_: False))
    return stack


@mutant
def who_refused_is_never_pinged() -> AbstractContextManager[object]:
    """Only a failing webhook is probed: one that refused its only message is called well until there is another."""

    def is_to_be_probed(self: Any, name: str) -> bool:
        enabled: bool = self._deliverer.webhooks[name].enabled
        return enabled and self._deliverer.clock() < self._deadline and self.is_failing(name)

    return patch.object(DeliveryRun, "_is_to_be_probed", is_to_be_probed)


@mutant
def late_news_is_shown_nowhere() -> AbstractContextManager[object]:
    """The summary names the webhooks that are failing, and none that has merely not been told in time."""
    return patch.object(summary_rules, "_late", lambda *_: [])


@mutant
def late_news_of_pools_is_shown_nowhere() -> AbstractContextManager[object]:
    """What chat and pager were not told in time is counted of jobs alone."""
    return patch.object(untold, "read_pools", lambda *_: {})


@mutant
def account_is_never_reachable() -> AbstractContextManager[object]:
    """That an account is out of reach is told, and never that it is read again."""
    return _without_end(account_troubles, "_well", EventType.ACCOUNT_REACHABLE)


@mutant
def webhook_recovers_unsaid() -> AbstractContextManager[object]:
    """That a webhook takes nothing is told, and never that it takes messages again."""

    def told(*arguments: Any) -> Any:
        return tuple(event for event in change_events(*arguments) if event.type != EventType.WEBHOOK_RECOVERED)

    return patch.object(webhook_states, "change_events", told)


@mutant
def ends_are_for_programs() -> AbstractContextManager[object]:
    """Chat and pager are told of the troubles of accounts and webhooks, and of no end."""

    def those_told(webhooks: Any, event: Event) -> Any:
        told = [hook for hook in webhooks if event.type not in _ENDS or not format_of(hook).tells_state]
        return recipients(told, event)

    return patch.object(ledger, "recipients", those_told)


_ENDS = {EventType.ACCOUNT_REACHABLE, EventType.WEBHOOK_RECOVERED, EventType.WEBHOOK_ENABLED}


def _without_end(module: Any, function: str, end: EventType) -> AbstractContextManager[object]:
    original = getattr(module, function)

    def decide(*arguments: Any) -> Any:
        decided, events = original(*arguments)
        return decided, tuple(event for event in events if event.type != end)

    return patch.object(module, function, decide)
