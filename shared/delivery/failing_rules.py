"""Webhook health from attempt to attempt, and what the other webhooks are told of it.

Owns when a webhook is failing, when it may be tried, what ends that, and when that is a fault of the installation.
Does not own what an answer means (`delivery.answer_rules`) or where states lie (`delivery.webhook_states`). Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from shared.delivery.answer_rules import LONGEST_WAIT, Judgement, Verdict
from shared.delivery.backlog import Backlog
from shared.messages.events import Event, EventType, Origin, webhook_event
from shared.messages.format_table import format_of
from shared.moments import is_to_come
from shared.state.telling import Attempt, WebhookState
from shared.webhook import Webhook

Count = Callable[[datetime], Backlog | None]
"""What waits for a webhook, and what was given up of it since a moment; None when nobody can tell."""
FAILING_AFTER = 3
PROBE_EVERY = timedelta(minutes=5)
SUSPECT_AFTER = timedelta(minutes=1)
"""When a webhook that has not taken something is pinged, if nothing that waits would soon show its health."""
LONG_PATIENCE = timedelta(minutes=15)
"""A receiver that asks for more, at once or bit by bit, takes nothing, however politely it says so."""
UNHEARD_AFTER = timedelta(minutes=15)
"""How long a webhook may be failing before the installation as a whole is not well."""
BY_REQUEST = "switched off by request"
ENABLED = "enabled by request"


class WebhookStanding(StrEnum):
    """How healthy a webhook is; `off` is switched off in the settings, `disabled` by a person or by its receiver."""

    OK = "ok"
    FAILING = "failing"
    DISABLED = "disabled"
    OFF = "off"


def standing_of(webhook: Webhook, state: WebhookState) -> WebhookStanding:
    """How healthy a webhook is, in a word."""
    # Nothing is sent there, whatever it would take.
    if not webhook.enabled:
        return WebhookStanding.OFF
    # It stays so until somebody enables it.
    if state.disabled_since is not None:
        return WebhookStanding.DISABLED
    # A setting of its own can't be read yet: it is sent nothing.
    if webhook.waits_for is not None:
        return WebhookStanding.FAILING
    return WebhookStanding.OK if state.failing_since is None else WebhookStanding.FAILING


def follow_webhook(state: WebhookState, judgement: Judgement, attempt: Attempt) -> WebhookState:
    """How healthy a webhook is after an attempt.

    Whatever the answer, three in a row that were not taken make it failing since the first of them, and so does one
    that asks to be left alone until long after the first: then it is probed. Only a receiver that says it is gone is
    switched off.
    """
    now = attempt.at
    if state.disabled_since is not None:  # it was under way
        return state
    # One success says more than all failures before it.
    if judgement.verdict is Verdict.DELIVERED:
        return _well(state, now) if state.failing_since is not None else _well(state, state.recovered_at)
    # Its receiver says itself that it is gone.
    if judgement.verdict is Verdict.DISABLE:
        return replace(state, disabled_since=now, by_request=False, last=attempt, reason=judgement.reason)
    failures = state.failures + 1
    asked = min(judgement.asked_wait or timedelta(0), LONGEST_WAIT)
    was = state.failing_since is not None
    since = _believed(state.failing_since or state.refused_since or now, now)
    failing = was or failures >= FAILING_AFTER or now + asked - since > LONG_PATIENCE
    clock = state.not_before if was and state.not_before is not None else now + PROBE_EVERY
    earliest = [*([min(clock, now + PROBE_EVERY)] if failing else []), *([now + asked] if asked else [])]
    return replace(
        state,
        failures=failures,
        refused_since=since,
        failing_since=since if failing else None,
        not_before=max(earliest, default=None),
        last=attempt,
        reason=judgement.reason,
    )


def _believed(since: datetime, now: datetime) -> datetime:
    """Since when it goes on, which its end will repeat; now if that was written by a clock that has jumped back."""
    return now if is_to_come(since, now) else since


def _well(state: WebhookState, recovered_at: datetime | None) -> WebhookState:
    return WebhookState(name=state.name, probed_at=state.probed_at, recovered_at=recovered_at, commit=state.commit)


def waits(state: WebhookState, now: datetime) -> bool:
    """Whether nothing may be sent to a webhook yet."""
    if state.not_before is None or now >= state.not_before:
        return False
    return not is_to_come(_tried(state) or now, now)


def begin_probe(state: WebhookState, now: datetime) -> WebhookState | None:
    """The state of a webhook whose probe begins now; None when it is not time for one.

    A failing webhook is probed on its own clock. One that has not taken something is pinged once in a while, because
    nothing else may be sent there for days.
    """
    # It may not be sent anything, or there is nothing to find out.
    if state.disabled_since is not None or waits(state, now) or (not state.failures and state.failing_since is None):
        return None
    # However many things wait for it, one at a time finds out.
    if state.failing_since is not None:
        return replace(state, probed_at=now, not_before=now + PROBE_EVERY)
    # It was tried a moment ago: it has hardly changed.
    tried = _tried(state)
    if tried is not None and now < tried + SUSPECT_AFTER and not is_to_come(tried, now):
        return None
    return replace(state, probed_at=now)


def is_suspect(state: WebhookState, retry_at: datetime | None) -> bool:
    """Whether a webhook has not taken what it was sent last, and only a ping shows soon its health.

    `retry_at` is when something that waits for it is due, None when nothing waits.
    """
    tried = _tried(state)
    soon = retry_at is not None and (tried is None or retry_at <= tried + PROBE_EVERY)
    return state.failures > 0 and not soon


def _tried(state: WebhookState) -> datetime | None:
    """When a webhook was last sent something, as far as that matters."""
    return max(filter(None, (state.probed_at, state.last.at if state.last else None)), default=None)


def next_try(state: WebhookState, retry_at: datetime | None) -> datetime | None:
    """When a webhook is to be tried next, if what waits for it is due at `retry_at` (None: nothing waits).

    None when it is not to be tried, or nobody knows when.
    """
    # Only a person ends that.
    if state.disabled_since is not None:
        return None
    if state.failing_since is not None:  # then it is only probed
        return state.not_before
    if is_suspect(state, retry_at):
        tried = _tried(state)
        retry_at = tried + SUSPECT_AFTER if tried else retry_at
    return max(retry_at, state.not_before or retry_at) if retry_at else None


def try_again(state: WebhookState, now: datetime, *, taken: bool) -> WebhookState:
    """The state of a webhook that somebody has asked to be tried: all that waits is due at once.

    What a ping has shown to be `taken` ends its failing; else it fails until it takes something, and is probed now.
    """
    if state.disabled_since is not None:
        return state
    return _well(state, now) if taken else replace(state, not_before=None, recovered_at=now)


def enable(state: WebhookState, now: datetime) -> WebhookState:
    """The state of a webhook that somebody lets be sent events: with nothing held against it if it was disabled."""
    if state.disabled_since is not None:
        return WebhookState(name=state.name, recovered_at=now)
    return try_again(state, now, taken=False)


def disable(state: WebhookState, now: datetime) -> WebhookState:
    """The state of a webhook that somebody has switched off."""
    if state.disabled_since is not None:
        return state
    return replace(state, disabled_since=now, by_request=True, reason=BY_REQUEST)


def change_events(
    own: Origin, before: WebhookState, after: WebhookState, now: datetime, count: Count = lambda _since: None
) -> tuple[Event, ...]:
    """The events that tell the other webhooks of a change in the health of one, or of its being switched.

    Each beginning has an end of its own: one that failed, then was gone and is enabled again, ends both. They say what
    waits and was given up meanwhile, as `count` says if there is an event: None for nobody knows.
    """
    turned = _turns(before, after)
    if not turned:
        return ()
    backlog = count(min(since for _, since, _, _ in turned))
    waits = backlog.data() if backlog is not None else {}
    return tuple(
        webhook_event(own, kind, after.name, since, now, reason=reason, **data, **waits)
        for kind, since, reason, data in turned
    )


def _turns(before: WebhookState, after: WebhookState) -> list[tuple[EventType, datetime, str, dict[str, object]]]:
    """What has turned: the type of its event, since when, why, and what else the event says."""
    # Nothing is sent there any more: that it was failing says less.
    if before.disabled_since is None and after.disabled_since is not None:
        by: dict[str, object] = {"byRequest": after.by_request}
        return [(EventType.WEBHOOK_DISABLED, after.disabled_since, after.reason, by)]
    turned: list[tuple[EventType, datetime, str, dict[str, object]]] = []
    if before.disabled_since is not None and after.disabled_since is None:
        turned.append((EventType.WEBHOOK_ENABLED, before.disabled_since, ENABLED, {}))
    if before.failing_since is None and after.failing_since is not None:
        status = after.last.status if after.last is not None else None
        said: dict[str, object] = {} if status is None else {"status": status}
        turned.append((EventType.WEBHOOK_FAILING, after.failing_since, in_words(after.last) or after.reason, said))
    if before.failing_since is not None and after.failing_since is None:
        turned.append(
            (EventType.WEBHOOK_RECOVERED, before.failing_since, ENABLED if turned else "it takes messages", {})
        )
    return turned


def in_words(attempt: Attempt | None) -> str:
    """Why an attempt came to nothing, with the first words of the answer and no full stop; empty for none."""
    if attempt is None:
        return ""
    answer = attempt.answer.strip()
    return (f"{attempt.reason}: {answer[:_WORDS]}" if answer else attempt.reason).removesuffix(".")


_WORDS = 200  # characters of an answer that people read in passing


def listens(webhook: Webhook, state: WebhookState | None) -> bool:
    """Whether a webhook is told anything, at once or once it works again; `state` is None if nobody can tell it."""
    return webhook.enabled and state is not None and state.disabled_since is None


def takes_nothing(state: WebhookState | None) -> bool:
    """Whether a webhook takes nothing, and not because a person has asked for that; None is one nobody knows of."""
    return state is None or (
        not _is_disabled_by_person(state) and (state.failing_since or state.disabled_since) is not None
    )


def unheard(webhooks: Iterable[Webhook], states: Mapping[str, WebhookState | None], now: datetime) -> list[str]:
    """Why Prepwatch is not heard, a sentence for each reason; the installation is not well while there is one.

    That is so when for UNHEARD_AFTER a pager or a webhook of programs has taken nothing, or every chat has. What a
    person has switched off is no fault. `states` holds None for a webhook of which nobody can tell.
    """
    on = [webhook for webhook in webhooks if not is_off(webhook, states.get(webhook.name, _NONE))]
    silent = {webhook.name for webhook in on if _is_unheard(states.get(webhook.name, _NONE), now)}
    chats = [webhook.name for webhook in on if format_of(webhook).is_chat]
    reasons = [
        f"webhook {hook.name} takes nothing" for hook in on if hook.name in silent and not format_of(hook).is_chat
    ]
    if chats and silent.issuperset(chats):
        reasons.append(f"no chat takes anything: {', '.join(sorted(chats))}")
    return reasons


_NONE = WebhookState(name="")


def is_off(webhook: Webhook, state: WebhookState | None) -> bool:
    """Whether a person has switched a webhook off, here or in the settings; `state` is None if nobody can tell it."""
    return not webhook.enabled or _is_disabled_by_person(state)


def _is_disabled_by_person(state: WebhookState | None) -> bool:
    return state is not None and state.disabled_since is not None and state.by_request


def _is_unheard(state: WebhookState | None, now: datetime) -> bool:
    if state is None:
        return True
    since = min(filter(None, (state.disabled_since, state.failing_since)), default=None)
    return since is not None and now - since >= UNHEARD_AFTER
