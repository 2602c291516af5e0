"""Says in words why things were decided as they were, and how healthy webhooks are.

Owns the sentences. Does not own the decisions (`changes.node_rules`, `polling.job_rules`, `delivery.answer_rules`),
which it only explains. Pure.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from msgspec.structs import replace

from shared.api.account_reasons import MEND_ROW
from shared.api.events.views import Matching
from shared.api.webhook_views import UntoldView
from shared.batch.model import Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.delivery.advice import advice_on
from shared.delivery.failing_rules import in_words
from shared.digests.chat_rules import KnownToWebhook
from shared.digests.mutes import Mute
from shared.digests.rows import Owed
from shared.messages.events import Event, EventType
from shared.messages.format_table import FORMATS
from shared.messages.sentences import counted, minute, plural, waiting
from shared.moments import as_utc
from shared.patterns import matches_any
from shared.state.chains import OpenFailure
from shared.state.jobs import JobHead, Tracking
from shared.state.nodes import NodeRecord, PhaseRecord, Reason
from shared.state.telling import Delivery, WebhookState
from shared.webhook import EVENT_TYPE_PREFIX, EVERYTHING, Webhook

RELEASE_NEWS_FOR = timedelta(hours=24)
"""How long the summary says that releases failed, unless somebody dismisses it."""

_TRACKING = {
    Tracking.WATCHING: "The job is read in every poll.",
    Tracking.SETTLED: "The job is finished, or the settings no longer name it, and it is not read any more.",
    Tracking.NO_PREPARATION_TASK: "The job has no preparation task, so there is nothing to watch.",
    Tracking.GONE: "Batch does not know the job any more.",
    Tracking.UNREACHABLE: "The job could not be read in three polls in a row; the summary says why.",
    Tracking.STOPPED: "Somebody asked to stop watching the job: it is not read until it is asked for by PUT.",
}


def explain_tracking(head: JobHead) -> str:
    """Whether a job is looked at, and why."""
    return _TRACKING[head.tracking]


def explain_phase(head: JobHead, record: NodeRecord, phase: Phase, run: PhaseRecord) -> str:
    """Why the newest run of a phase on a node was announced, or was not."""
    if run.reason is Reason.NEWLY_FAILED:
        return "This run failed and was not recorded as failed before, so it was announced."
    if run.reason is Reason.BEFORE_FIRST_SIGHT:
        return (
            f"This run failed before {_text(head.announce_from)}, too long before the job was first watched: it is "
            "recorded and counted, and was not announced."
        )
    if run.reason is Reason.SLOW:
        return "This run goes on for too long, or was tried ten times again, and that was announced."
    if record.left is not None and phase is Phase.PREPARATION:
        return "This run failed, and its node has left the job's pool: that was announced, and mended nothing."
    if run.reason is Reason.RESOLVED and run.event_id is None:
        return "This run succeeded after a failure that was never announced, so its end was not announced either."
    if run.reason is Reason.RESOLVED:
        return "This run succeeded after a failure, and that was announced."
    return _explain_no_failure(record.open if phase is Phase.PREPARATION else None, outcome_of(run.info))


def match(webhook: Webhook, event: Event, *, owed: Delivery | None) -> tuple[Matching, str]:
    """How a webhook relates to an event, and why; `owed` is the delivery of it that is on record, None without one."""
    if owed is not None:
        return Matching.OWED, f"The event was to be sent to this webhook; {_what_came_of(owed)}"
    if not webhook.enabled:
        return Matching.SWITCHED_OFF, "The webhook is switched off in the settings."
    if closed := _closed_filters(webhook, event):
        return Matching.FILTERED, f"The webhook's filters do not let the event pass: {', '.join(closed)}."
    unknown = (
        "The webhook matches now, but was not to be sent the event: it was added or changed later, or the delivery is "
        "older than the retention. It can be sent by redelivery."
    )
    return Matching.NOT_OWED, unknown


def match_as_state(
    webhook: Webhook, event: Event, known: KnownToWebhook | None, owed: Owed, mute: tuple[str, Mute] | None
) -> tuple[Matching, str]:
    """How a chat or pager webhook, which is told how jobs stand, relates to an event of a job, and why.

    `known` is what it was told of the job, None for nothing, `owed` what it does not know yet, and `mute` the one that
    holds the job back now, with its name.
    """
    matching, explanation = match(webhook, event, owed=None)
    if matching is not Matching.NOT_OWED:
        return matching, explanation
    how = f"A webhook of format {webhook.format} is told how the job stands, not every event by itself."
    if known is None:
        return Matching.NOT_OWED, f"{how} It was never to be told of this job: it was added or changed later."
    told, refusal = known.told.at, known.told.refusal
    if told is not None and told >= event.recorded_at and (owed is Owed.NOTHING or refusal is None):
        return Matching.TOLD_AS_STATE, f"{how} It was last told at {_text(told)}, after this event."
    if owed is Owed.NOTHING:
        return Matching.TOLD_AS_STATE, f"{how} What this event says was over before the next message, and is not told."
    return _why_untold(how, known, owed, mute)


def _why_untold(how: str, known: KnownToWebhook, owed: Owed, mute: tuple[str, Mute] | None) -> tuple[Matching, str]:
    """Why a webhook does not know yet what it is to be told."""
    refusal = known.told.refusal
    if refusal is not None and refusal.generation >= known.generation:
        wrong = f"{how} Its message was refused at {_text(refusal.attempt.at)}, in a single line too"
        again = "It is sent again when there is more to tell, or once the webhook has recovered."
        return Matching.REFUSED, f"{wrong}: {in_words(refusal.attempt)}. {again}"
    if owed is Owed.NEWS and mute is not None:
        name, until = mute[0], _text(mute[1].ends_at)
        return Matching.MUTED, f"Mute {name} holds the job back until {until}: the webhook is told when the mute ends."
    return Matching.TOLD_AS_STATE, f"{how} It has not been told since this event: the next message will say it."


def release_failures(heads: Sequence[JobHead], now: datetime) -> list[str]:
    """That releases failed lately, and on how many nodes; nothing when none did that nobody has dismissed."""
    failed = [head for head in heads if is_release_news(head, now)]
    if not failed:
        return []
    where = nodes_of_jobs([head.release.failed for head in failed])
    return [f"release failed {where} within 24 hours: data may be left behind"]


def nodes_of_jobs(nodes: Sequence[int]) -> str:
    """On how many nodes something happened in jobs with so many each; a node may be among those of several jobs."""
    if len(nodes) == 1:
        return f"on {counted(nodes[0], 'node')} of 1 job"
    return f"in {counted(len(nodes), 'job')} (on {counted(sum(nodes), 'node')}, counted job by job)"


def is_release_news(head: JobHead, now: datetime) -> bool:
    """Whether releases of a job failed lately and nobody has dismissed it: they are final, so nothing else ends it."""
    at = head.release_failed_at
    if at is None or now - as_utc(at) >= RELEASE_NEWS_FOR:
        return False
    return head.release_dismissed_at is None or as_utc(head.release_dismissed_at) < as_utc(at)


def unmatched_events(webhook: Webhook) -> str | None:
    """That a webhook asks for events of which there are none, with those that there are; None when it does not."""
    types = [kind.removeprefix(EVENT_TYPE_PREFIX) for kind in EventType]
    patterns = [pattern for pattern in webhook.events if not any(matches_any([pattern], kind) for kind in types)]
    if not patterns:
        return None
    verb = "matches" if len(patterns) == 1 else "match"
    return f"events of webhook {webhook.name}: {', '.join(patterns)} {verb} no event type; there are {', '.join(types)}"


def taken_nothing(state: WebhookState, untold: UntoldView | None) -> str:
    """That a webhook is failing: since when, its last answer, what to mend, and what waits."""
    since = f" since {minute(state.failing_since)}" if state.failing_since else ""
    last = state.last
    mend = f". {advice_on(last.failure, last.status)}" if last is not None else ""
    waits = f" {_waiting(untold)}" if untold is not None and _number(untold) else ""
    why = in_words(last) or state.reason
    return f"webhook {state.name} has accepted nothing{since}: {why}{mend}{waits}"


def is_disabled(state: WebhookState) -> str:
    """That a webhook is sent nothing more: by whose wish, or since when and why, and what to do."""
    enable = f"POST /api/webhooks/{state.name}/enable"
    if state.by_request:
        return f"webhook {state.name} is disabled, {state.reason}: {enable} has it told again"
    since = f" since {minute(state.disabled_since)}" if state.disabled_since else ""
    return f"webhook {state.name} is disabled{since}: {state.reason}. Mend the receiver, then {enable}"


def not_all_taken(name: str, untold: UntoldView) -> str:
    """That a webhook which is not failing has not taken something in time."""
    return f"webhook {name} has not taken everything: {_waiting(untold)}"


def called_wrong(name: str, untold: UntoldView) -> str:
    """That chat or pager calls messages wrong, and of how many jobs and pools it so was not told."""
    return (
        f"webhook {name} calls the message about {_refused(untold)} wrong, which could not be told: {untold.refusal}. "
        "It is sent again when there is more to tell; POST /api/dismissals takes it off this list"
    )


def _refused(untold: UntoldView) -> str:
    return f"{counted(untold.refused, 'job')} or {plural('pool', untold.refused)}"


def _waiting(untold: UntoldView) -> str:
    since = minute(untold.since) if untold.since else "an unknown time"
    return f"{waiting(_number(untold), 'message')}, the oldest since {since}"


def _number(untold: UntoldView) -> int:
    return untold.deliveries + untold.jobs + untold.pools


def taken_unread(webhook: Webhook) -> tuple[str, str] | None:
    """That a webhook accepts whatever it is sent before it reads it, and what to do; None when that is not known."""
    host = urlsplit(webhook.url).hostname or ""
    meant = next((one.name for one in FORMATS.values() if host.endswith(one.shared_hosts)), webhook.format)
    if meant == webhook.format:
        return None
    words = (
        "Its address is a workflow's, which accepts whatever it is sent: only its own runs show whether it could read"
    )
    mend = f"If the workflow posts to a {meant.capitalize()} channel, put it into WEBHOOKS with the format {meant}."
    return f"{words} the format {webhook.format}.", mend


def muted_in_words(mute: Mute) -> str:
    """What a mute keeps from chat and pager, until when, by whose wish and why."""
    jobs = f"jobs {', '.join(mute.jobs)}" if mute.jobs else ""
    pools = f"pools {', '.join(mute.pools)}" if mute.pools else ""
    about = " and ".join(filter(None, (jobs, pools)))
    said = f"says {mute.created_by}: {mute.comment}"
    return f"Chat and pager are told nothing of {about} until {_text(mute.ends_at)}, {said}"


def told_lately(webhook: Webhook, state: WebhookState | None, untold: UntoldView) -> tuple[str, str | None]:
    """What became of what a webhook was sent lately, and what to do; None when there is nothing to do.

    `state` is None when nobody can tell how healthy the webhook is.
    """
    if not webhook.enabled or (state is not None and state.disabled_since is not None and state.by_request):
        return "It is switched off, and sent nothing.", None
    if state is None:
        return "Nobody can tell how it fares: its row can't be read.", "Read GET /api/summary, which names the row."
    if state.disabled_since is not None:
        mend = f"Mend the receiver, then POST /api/webhooks/{webhook.name}/enable."
        return f"It is sent nothing since {_text(state.disabled_since)}: {state.reason}.", mend
    if state.failing_since is not None:
        last = in_words(state.last) or state.reason
        mend = advice_on(state.last.failure, state.last.status) if state.last is not None else "Look at its receiver."
        ping = f"Then POST /api/webhooks/{webhook.name}/ping: once it takes something, all that waits is sent."
        return f"It has taken nothing since {_text(state.failing_since)}: {last}.", f"{mend} {ping}"
    return _what_waits(webhook, state, untold)


def _what_waits(webhook: Webhook, state: WebhookState, untold: UntoldView) -> tuple[str, str | None]:
    if untold.silent or untold.unreadable:
        what = "nothing of jobs" if untold.silent else "not everything"
        return f"It is told {what}: {untold.silent or untold.unreadable}", MEND_ROW
    if untold.refused:
        mend = "See in the receiver why; POST /api/dismissals takes it off the list."
        return f"It calls the message about {_refused(untold)} wrong: {untold.refusal}.", mend
    if untold.late:
        mend = f"POST /api/webhooks/{webhook.name}/ping tries it now."
        return f"It has not taken {counted(untold.late, 'message')} for a quarter of an hour.", mend
    if state.last is not None:
        return f"Its last message was not taken, and is sent again: {in_words(state.last)}.", None
    return "It takes what it is sent.", None


def _what_came_of(owed: Delivery) -> str:
    last = owed.attempts[-1] if owed.attempts else None
    if last is None:
        return "its delivery says what came of it."
    tries = f"after {counted(owed.tries, 'attempt')}"
    if owed.ended_at is None:
        return f"it has not taken it {tries}, the last at {_text(last.at)}: {in_words(last)}."
    return f"{tries}: {owed.reason or last.reason}."


def _explain_no_failure(opened: OpenFailure | None, outcome: Outcome) -> str:
    if opened is not None:
        return (
            f"This run is {outcome.value} and has not succeeded, so the failure of {_text(opened.since)} stays open. "
            "Nothing is announced until the preparation succeeds or fails again."
        )
    if outcome is Outcome.UNKNOWN:
        return "Batch reports a state or result that this version does not know; it counts as unknown, not as failed."
    if outcome is Outcome.SUCCEEDED:
        return "This run succeeded, so there was nothing to announce."
    return f"This run is {outcome.value}: it has not failed, so there was nothing to announce."


def _closed_filters(webhook: Webhook, event: Event) -> list[str]:
    """The filters, by name, that keep an event from a webhook."""

    def passes(filtered: Webhook) -> bool:
        return filtered.wants(event.type, job_id=event.job_id, account=event.account, pools=event.pools)

    unfiltered = replace(webhook, events=EVERYTHING, jobs=EVERYTHING, accounts=EVERYTHING, pools=EVERYTHING)
    alone = {
        "events": replace(unfiltered, events=webhook.events),
        "jobs": replace(unfiltered, jobs=webhook.jobs),
        "accounts": replace(unfiltered, accounts=webhook.accounts),
        "pools": replace(unfiltered, pools=webhook.pools),
    }
    return [name for name, filtered in alone.items() if not passes(filtered)]


def _text(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else moment.isoformat().replace("+00:00", "Z")
