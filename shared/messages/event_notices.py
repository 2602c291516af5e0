"""What people are told in chat and by pager of an event that comes by itself: of an account, a webhook, or a ping.

Owns the words. Does not own what a message is made of (`messages.notices`), or how jobs are told
(`digests.job_notices`).
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.batch.model import UNREADABLE
from shared.messages.events import EventType
from shared.messages.notices import NAME_BYTES, TITLE_BYTES, VALUE_BYTES, Mood, Notice, Section, fact
from shared.messages.sentences import since_when
from shared.moments import time_text
from shared.redaction import one_line
from shared.webhook import EVENT_TYPE_PREFIX


def event_notice(body: bytes, now: datetime) -> Notice:
    """The notice that tells an event as it comes, at this moment.

    Raises:
        msgspec.MsgspecError: The bytes are no event of ours; a defect.
    """
    event = msgspec.json.decode(body, type=_Event)
    data = event.data
    kind = event.type.removeprefix(EVENT_TYPE_PREFIX)
    known = _BY_REQUEST if data.by_request else _EVENTS
    if data.error is not None and data.error.code == UNREADABLE:
        known = _IN_PART
    words, mood = known.get(event.type) or _EVENTS.get(event.type, (kind + ": {about}", Mood.WARNING))
    account = data.account or event.source
    about = data.webhook or data.job_id or account
    heading = one_line(words.format(about=one_line(about, limit=NAME_BYTES)), limit=TITLE_BYTES)
    facts = [fact("Since", since_when(data.since, now) if data.since else ""), fact("Reason", data.reason)]
    if data.error is not None:
        facts += [fact("Error", data.error.code), fact("Message", data.error.message)]
        facts += [fact("Request id", data.error.request_id or "")]
    return Notice(
        heading=heading,
        mood=mood,
        over=mood is Mood.GOOD or data.by_request,
        subject=f"{kind.partition('.')[0]}:{about}",
        account=one_line(account, limit=NAME_BYTES),
        about=one_line(about, limit=NAME_BYTES),
        since=event.time,
        sections=(Section(title=event.type, facts=tuple(each for each in facts if each[1])),),
        dashboard=data.links.get("dashboard"),
        kind=kind,
        details=_details(event, one_line(about, limit=NAME_BYTES)),
    )


def _details(event: "_Event", about: str) -> dict[str, object]:
    """What a pager's rules and people can read of the event, under keys that are always the same."""
    data, error = event.data, event.data.error
    details = {
        "why": one_line(error.message if error else data.reason, limit=VALUE_BYTES),
        "since": time_text(data.since),
        "account" if event.data.webhook is None else "webhook": about,
        "code": one_line(error.code, limit=VALUE_BYTES) if error else "",
        "requestId": one_line(error.request_id or "", limit=VALUE_BYTES) if error else "",
    }
    return {name: value for name, value in details.items() if value}


class _Error(Struct, frozen=True, rename="camel"):
    code: str = ""
    message: str = ""
    request_id: str | None = None


class _Data(Struct, frozen=True, rename="camel"):
    account: str | None = None
    webhook: str | None = None
    job_id: str | None = None
    since: datetime | None = None
    reason: str = ""
    by_request: bool = False
    error: _Error | None = None
    links: dict[str, str] = {}


class _Event(Struct, frozen=True):
    type: str
    source: str
    data: _Data
    subject: str | None = None
    time: datetime | None = None


_EVENTS: Mapping[str, tuple[str, Mood]] = {
    EventType.ACCOUNT_UNREACHABLE: ("Prepwatch can't watch Batch account {about}", Mood.CRITICAL),
    EventType.ACCOUNT_REACHABLE: ("Prepwatch watches Batch account {about} again", Mood.GOOD),
    EventType.WEBHOOK_FAILING: ("Webhook {about} refuses what it is sent, or does not answer", Mood.ERROR),
    EventType.WEBHOOK_RECOVERED: ("Webhook {about} works again", Mood.GOOD),
    EventType.WEBHOOK_DISABLED: ("Webhook {about} is switched off: its receiver is gone for good", Mood.ERROR),
    EventType.WEBHOOK_ENABLED: ("Webhook {about} is switched on again", Mood.GOOD),
    EventType.PING: ("Prepwatch reaches you here (webhook {about})", Mood.INFO),
}
_IN_PART: Mapping[str, tuple[str, Mood]] = {
    EventType.ACCOUNT_UNREACHABLE: ("Prepwatch can't read some of the jobs of Batch account {about}", Mood.ERROR),
}
_BY_REQUEST: Mapping[str, tuple[str, Mood]] = {
    EventType.WEBHOOK_DISABLED: ("Webhook {about} was switched off by request", Mood.INFO),
}
"""What a colleague did on purpose: nobody is called for it, and what was told of the webhook before is over."""
