"""Defects in what chat and pager are told that somebody might bring in one day, each applied to the app as it is."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from shared.batch.model import TaskCounts
from shared.delivery import attempting
from shared.delivery.attempts import Verdict
from shared.digests import rules as digest_rules
from shared.digests import run as digests
from shared.digests.mutes import muted_until
from shared.digests.pace import after_sending
from shared.digests.rules import NewsKind
from shared.messages import pagerduty
from shared.messages.pagerduty import render_pagerduty
from shared.polling import heads, standstill_rules, standstills
from shared.polling.standstill_rules import Looked
from shared.ports import Column, Put
from shared.state.jobs import JobHead
from shared.state.rows import from_row, job_key
from shared.state.telling import Pace
from trials.simulation.mutants import MUTANTS, mutant

__all__ = ["MUTANTS"]

_WebhookDigest = digests._WebhookDigest


@mutant
def told_without_a_lease() -> AbstractContextManager[object]:
    """Whoever sees news tells it, and writes over what others have written meanwhile."""

    def tell(self: Any, *, probe: bool) -> datetime | None:
        now = self._deliverer.clock()
        plan = self._look(now, probe=probe)
        for message in plan.messages if plan else ():
            self._send(message, probe=probe)
        return None

    def put(*, key: str, columns: Mapping[str, Column], etag: str = "") -> Put:
        return Put(key=key, columns=columns)

    stack = ExitStack()
    stack.enter_context(patch.object(_WebhookDigest, "tell", tell))
    stack.enter_context(patch.object(digests, "Replace", put))
    stack.enter_context(patch.object(digests, "Insert", put))
    return stack


@mutant
def told_as_the_job_stands_when_it_is_recorded() -> AbstractContextManager[object]:
    """What failed while a message was on its way is recorded as told by it."""
    original = _WebhookDigest._record

    def record(self: Any, message: Any, pace: Pace) -> None:
        late = []
        for item in message:
            row = self._deliverer.table.get(self._account, job_key(item.job_id))
            ever = from_row(row, JobHead).ever if row else None
            told = replace(item.told, preparation=ever.preparation, release=ever.release) if ever else item.told
            late.append(replace(item, told=told))
        original(self, late, pace)

    return patch.object(_WebhookDigest, "_record", record)


@mutant
def told_before_it_is_sent() -> AbstractContextManager[object]:
    """A message is recorded and then sent, so that a receiver who is away never gets it."""
    original = _WebhookDigest._send

    def send(self: Any, message: Any, *, probe: bool) -> Verdict:
        self._record(message, after_sending(self.pace, self._deliverer.clock()))
        return original(self, message, probe=probe)

    return patch.object(_WebhookDigest, "_send", send)


@mutant
def mute_never_ends() -> AbstractContextManager[object]:
    """Whatever has been muted once stays so."""

    def until(mutes: Any, job_id: str, now: datetime) -> datetime | None:
        endless = [replace(mute, ends_at=now + timedelta(days=99)) for mute in mutes]
        return muted_until(endless, job_id, now)

    return patch.object(digest_rules, "muted_until", until)


@mutant
def mute_holds_nothing_back() -> AbstractContextManager[object]:
    """Mutes are kept and not heeded."""
    return patch.object(digest_rules, "muted_until", lambda *_: None)


@mutant
def mute_holds_back_the_end() -> AbstractContextManager[object]:
    """People are left with what they were told before they muted it."""

    def until(news: Any, mutes: Any, now: datetime) -> datetime | None:
        return muted_until(mutes, news.job_id, now)

    return patch.object(digest_rules, "_muted_until", until)


@mutant
def pause_never_grows() -> AbstractContextManager[object]:
    """What goes on is told every five minutes."""

    def after(pace: Pace, now: datetime) -> Pace:
        return replace(after_sending(pace, now), step=1)

    return patch.object(digests, "after_sending", after)


@mutant
def end_not_told_by_itself() -> AbstractContextManager[object]:
    """That something is over is told only along with new failures."""
    original = digest_rules.news_of

    def news_of(webhook: Any, account: str, known: Any, now: datetime) -> Any:
        news = original(webhook, account, known, now)
        return news if news is None or news.preparation or news.release else None

    return patch.object(digest_rules, "news_of", news_of)


@mutant
def end_swallows_the_counts() -> AbstractContextManager[object]:
    """An incident that is over is closed without a word on what failed since the last page."""
    original = digest_rules._pages

    def pages(news: Any) -> Any:
        return original(news)[-1:] if NewsKind.RESOLVED in news.kinds else original(news)

    return patch.object(digest_rules, "_pages", pages)


@mutant
def incident_for_each_message() -> AbstractContextManager[object]:
    """An incident's key holds what was told, so that its end is that of another."""

    def render(notice: Any, key: str) -> bytes:
        return render_pagerduty(replace(notice, subject=f"{notice.subject}:{len(notice.sections[0].facts)}"), key)

    return patch.object(pagerduty, "render_pagerduty", render)


@mutant
def counts_begin_anew_with_a_new_job() -> AbstractContextManager[object]:
    """What a job's head counted is forgotten when another job takes its id, told or not."""
    return patch.object(heads, "replacing", lambda before, new: replace(new, generation=before.generation))


@mutant
def trouble_told_after_its_end() -> AbstractContextManager[object]:
    """A page that was held up is sent whatever has been told since."""
    return patch.object(attempting, "pair_of", lambda *_: None)


@mutant
def stuck_without_asking_for_tasks() -> AbstractContextManager[object]:
    """A job is called stuck for what its listing shows, which may be old."""

    def look(*_: object) -> Looked:
        return Looked(tasks=TaskCounts(active=1), moves=False)

    return patch.object(standstills.StandstillWatcher, "_look", look)


@mutant
def stuck_at_once() -> AbstractContextManager[object]:
    """A job whose first node has failed is called stuck before the others had their turn."""
    return patch.object(standstill_rules, "_to_hold", lambda *_: 1)
