"""Says in words why things were decided as they were.

Owns the sentences. Does not own the decisions (`changes.node_rules`, `polling.job_rules`, `delivery.answer_rules`),
which it only explains. Pure.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.api.events.views import Matching
from shared.batch.model import Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.delivery.failing_rules import in_words
from shared.digests.chat_rules import KnownToWebhook
from shared.digests.mutes import Mute
from shared.digests.rows import Owed
from shared.messages.events import Event
from shared.messages.sentences import counted
from shared.moments import as_utc
from shared.state.chains import OpenFailure
from shared.state.jobs import JobHead, Tracking
from shared.state.nodes import NodeRecord, PhaseRecord, Reason
from shared.state.telling import Delivery
from shared.webhook import EVERYTHING, Webhook

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
