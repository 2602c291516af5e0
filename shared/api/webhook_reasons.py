"""Says in words how webhooks fare, what keeps them from being told, and what to do about it.

Owns the sentences. Does not own how healthy a webhook is (`delivery.failing_rules`), what it has not been told
(`api.untold`) or what helps against an answer (`delivery.advice`). Pure.
"""

from urllib.parse import urlsplit

from shared.api.account_reasons import MEND_ROW
from shared.api.webhook_views import UntoldView
from shared.delivery.advice import advice_on
from shared.delivery.failing_rules import in_words
from shared.digests.mutes import Mute
from shared.messages.events import EventType
from shared.messages.format_table import FORMATS
from shared.messages.sentences import counted, minute, plural, waiting
from shared.patterns import matches_any
from shared.state.telling import WebhookState
from shared.webhook import EVENT_TYPE_PREFIX, Webhook


def unmatched_events(webhook: Webhook) -> str | None:
    """That a webhook asks for events of which there are none, with those that there are; None when it does not."""
    types = [kind.removeprefix(EVENT_TYPE_PREFIX) for kind in EventType]
    patterns = [pattern for pattern in webhook.events if not any(matches_any([pattern], kind) for kind in types)]
    if not patterns:
        return None
    verb = "matches" if len(patterns) == 1 else "match"
    return f"events of webhook {webhook.name}: {', '.join(patterns)} {verb} no event type; there are {', '.join(types)}"


def taken_nothing(webhook: Webhook, state: WebhookState, untold: UntoldView | None) -> str:
    """That a webhook is failing: since when, its last answer, what to mend, and what waits."""
    since = f" since {minute(state.failing_since)}" if state.failing_since else ""
    last = state.last
    mend = f". {advice_on(webhook, last.failure, last.status)}" if last is not None else ""
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
    return f"Chat and pager are told nothing of {about} until {minute(mute.ends_at)}, {said}"


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
        return f"It is sent nothing since {minute(state.disabled_since)}: {state.reason}.", mend
    if state.failing_since is not None:
        last, why = state.last, in_words(state.last) or state.reason
        mend = "Look at its receiver." if last is None else advice_on(webhook, last.failure, last.status)
        ping = f"Then POST /api/webhooks/{webhook.name}/ping: once it takes something, all that waits is sent."
        return f"It has taken nothing since {minute(state.failing_since)}: {why}.", f"{mend} {ping}"
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
