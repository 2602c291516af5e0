"""Says in words why things were decided as they were.

Owns the sentences. Does not own the decisions (`changes.node_rules`, `polling.job_rules`, `delivery.attempts`), which
it only explains. Pure.
"""

from datetime import datetime

from msgspec.structs import replace

from shared.api.event_views import Matching
from shared.batch.model import Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.digests.mutes import Mute
from shared.digests.rules import KnownToWebhook, News
from shared.messages.events import Event
from shared.state.jobs import JobHead, NodeRecord, OpenFailure, PhaseRecord, Reason, Tracking
from shared.webhook import EVERYTHING, Webhook

_TRACKING = {
    Tracking.WATCHING: "The job is looked at in every cycle.",
    Tracking.SETTLED: "The job is over, or the settings no longer name it, and it is not looked at any more.",
    Tracking.NO_PREPARATION_TASK: "The job has no preparation task, so there is nothing to watch.",
    Tracking.GONE: "Batch does not know the job any more.",
    Tracking.UNREACHABLE: "The job could not be looked at in three cycles in a row; the summary says why.",
    Tracking.STOPPED: "Somebody asked to leave the job alone: it is not looked at until it is asked for by PUT.",
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
    if run.reason is Reason.RESOLVED and run.event_id is None:
        return "This run succeeded after a failure that was never announced, so its end was not announced either."
    if run.reason is Reason.RESOLVED:
        return "This run succeeded after a failure, and that was announced."
    return _explain_no_failure(record.open if phase is Phase.PREPARATION else None, outcome_of(run.info))


def match(webhook: Webhook, event: Event, *, owed: bool) -> tuple[Matching, str]:
    """How a webhook relates to an event, and why; `owed` when a delivery of it is on record."""
    if owed:
        return Matching.OWED, "The event was owed to this webhook; its delivery says what came of it."
    if not webhook.enabled:
        return Matching.SWITCHED_OFF, "The webhook is switched off in the settings."
    if closed := _closed_filters(webhook, event):
        return Matching.FILTERED, f"The webhook's filters do not let the event pass: {', '.join(closed)}."
    unknown = (
        "The webhook matches now, but was not owed the event: it was added or changed later, or the delivery is older "
        "than the retention. It can be sent by redelivery."
    )
    return Matching.NOT_OWED, unknown


def match_as_state(
    webhook: Webhook, event: Event, known: KnownToWebhook | None, news: News | None, mute: tuple[str, Mute] | None
) -> tuple[Matching, str]:
    """How a chat or pager webhook, which is told how jobs stand, relates to an event of a job, and why.

    `known` is what it was told of the job, None for nothing, `news` what it does not know yet, and `mute` the one that
    holds the job back now, with its name.
    """
    matching, explanation = match(webhook, event, owed=False)
    if matching is not Matching.NOT_OWED:
        return matching, explanation
    how = f"A webhook of format {webhook.format} is told how the job stands, not every event by itself."
    if known is None:
        return Matching.NOT_OWED, f"{how} It was never to be told of this job: it was added or changed later."
    told = known.told.at
    if told is not None and told >= event.recorded_at:
        return Matching.TOLD_AS_STATE, f"{how} It was last told at {_text(told)}, after this event."
    if news is not None and news.can_be_muted and mute is not None:
        name, until = mute[0], _text(mute[1].ends_at)
        return Matching.MUTED, f"Mute {name} holds the job back until {until}: the webhook is told when the mute ends."
    if news is not None:
        return Matching.TOLD_AS_STATE, f"{how} It has not been told since this event: the next message will say it."
    return Matching.TOLD_AS_STATE, f"{how} What this event says was over before the next message, and is not told."


def _explain_no_failure(opened: OpenFailure | None, outcome: Outcome) -> str:
    if opened is not None:
        return (
            f"This run is {outcome.value} and has not succeeded, so the failure of {_text(opened.since)} stays open. "
            "Nothing is announced until the preparation succeeds or fails again."
        )
    if outcome is Outcome.UNKNOWN:
        return "Batch reports a state or result that this version does not know; it counts as unknown, not as failed."
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
