"""Says in words why things were decided as they were.

Owns the sentences. Does not own the decisions (`diff`, `job_rules`, `outbox`), which it only explains. Pure.
"""

from datetime import datetime

from msgspec.structs import replace

from shared.api_events import Matching
from shared.events import Event
from shared.model import Outcome, Phase
from shared.outbox import is_told_by_event, recipients
from shared.outcomes import outcome_of
from shared.state import JobHead, NodeRecord, OpenFailure, PhaseRecord, Reason, Tracking
from shared.webhook_config import EVERYTHING, Webhook

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
    if not is_told_by_event(webhook, event):
        told = f"A webhook of format {webhook.format.value} is told how the job stands, not every event by itself."
        return Matching.TOLD_AS_STATE, told
    if closed := _closed_filters(webhook, event):
        return Matching.FILTERED, f"The webhook's filters do not let the event pass: {', '.join(closed)}."
    unknown = (
        "The webhook matches now, but was not owed the event: it was added or changed later, or the delivery is older "
        "than the retention. It can be sent by redelivery."
    )
    return Matching.NOT_OWED, unknown


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
    unfiltered = replace(webhook, events=EVERYTHING, jobs=EVERYTHING, accounts=EVERYTHING, pools=EVERYTHING)
    alone = {
        "events": replace(unfiltered, events=webhook.events),
        "jobs": replace(unfiltered, jobs=webhook.jobs),
        "accounts": replace(unfiltered, accounts=webhook.accounts),
        "pools": replace(unfiltered, pools=webhook.pools),
    }
    return [name for name, filtered in alone.items() if not recipients((filtered,), event)]


def _text(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else moment.isoformat().replace("+00:00", "Z")
