"""What people are told in chat and by pager of events about accounts, webhooks and pings.

Owns the words: what has happened, what it means, what to do. Does not own what a message is made of
(`messages.notices`), or how jobs are told (`digests.jobs.notices`).
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from shared.batch.model import UNREADABLE
from shared.decoding import json_decoder
from shared.messages.events import EventType
from shared.messages.ids import incident_key
from shared.messages.notices import NAME_BYTES, TITLE_BYTES, VALUE_BYTES, Notice, PageDetails, Section, Severity, fact
from shared.messages.sentences import (
    account_name,
    clock_time,
    counted,
    lasted,
    plural,
    since_when,
    to_the_second,
    waiting,
)
from shared.redaction import one_line
from shared.state.jobs import NOT_POLLED, TOO_MUCH_TO_READ
from shared.webhook import EVENT_TYPE_PREFIX


class _Words(Struct, frozen=True):
    """What is said of an event: its heading, how bad it is, what it means and what to do; `{lasted}` for an end.

    Of a webhook `waits` says what it means while something waits for it, and `rests` while nothing does.
    """

    heading: str
    severity: Severity
    means: str = ""
    do: str = ""
    waits: str = ""
    rests: str = ""


def event_notice(body: bytes, now: datetime) -> Notice:
    """The notice that tells an event as it comes, at this moment.

    Raises:
        msgspec.MsgspecError: The bytes are no event of ours; a defect.
    """
    event = json_decoder(_Event).decode(body)
    data = event.data
    kind = event.type.removeprefix(EVENT_TYPE_PREFIX)
    words = _words(event)
    account = data.account or event.source
    about = data.webhook or data.job_id or account
    name = one_line(about if data.webhook else account_name(about), limit=NAME_BYTES)
    heading = words.heading.replace("{lasted}", _how_long(event))
    refused = data.status is not None and data.status >= _NO_SUCCESS
    heading = heading.replace("{refuses}", "refuses" if refused else "does not take")
    heading = heading.replace("{about}", name)
    code = str(data.status) if refused else data.error.code if data.error is not None else ""
    if code:
        heading = f"{heading}: {code}"
    heading = one_line(heading, limit=TITLE_BYTES)
    return Notice(
        heading=heading,
        severity=words.severity,
        sections=(Section(title=heading, facts=_facts(event, words, now)),),
        dashboard=data.links.get("dashboard"),
        page=PageDetails(
            key=incident_key(f"{kind.partition('.')[0]}:{about}"),
            over=words.severity is Severity.GOOD or data.by_request,
            account=one_line(account, limit=NAME_BYTES),
            about=name,
            since=event.time,
            kind=kind,
            details=_details(event, words, one_line(about, limit=NAME_BYTES)),
        ),
    )


def remedy_for(code: str) -> str:
    """What to do about an account's trouble where no permission can be missing; empty where one can, or nothing helps.

    It goes by the code of the error.
    """
    return _BY_CODE.get(code, "")


def _words(event: "_Event") -> _Words:
    error = event.data.error
    if event.data.by_request and event.type in _BY_REQUEST:
        return _BY_REQUEST[event.type]
    if error is not None and error.code == UNREADABLE and event.type in _IN_PART:
        return _IN_PART[event.type]
    return _EVENTS[event.type]


def _facts(event: "_Event", words: _Words, now: datetime) -> tuple[tuple[str, str], ...]:
    data, error = event.data, event.data.error
    facts = [
        fact("Why", error.message if error else data.reason if words.severity is not Severity.GOOD else ""),
        _when(event, words, now),
        ("What it means", _means(event, words)),
        ("What to do", _remedy(event, words)),
        fact("Request id", (error.request_id if error else None) or ""),
    ]
    return tuple(each for each in facts if each[1])


def _remedy(event: "_Event", words: _Words) -> str:
    error = event.data.error
    return _BY_CODE.get(error.code, words.do) if error is not None else words.do


def _means(event: "_Event", words: _Words) -> str:
    """What it means, with what waits and was given up if the event has counted it."""
    data = event.data
    # Told by a version that did not count, or nobody could.
    if data.events_waiting is None:
        return words.means
    waits = [waiting(data.events_waiting, "event")] if data.events_waiting else []
    if data.jobs_waiting and event.type in _TELLS_NEWS:
        waits.append(f"news of {counted(data.jobs_waiting, 'job')} or {plural('pool', data.jobs_waiting)} waits")
    is_said = bool(waits and words.waits)
    said = words.waits.replace("{waits}", " and ".join(waits)) if is_said else words.rests or words.means
    if event.type == EventType.WEBHOOK_ENABLED and data.jobs_waiting is not None:
        said = "It is told what stands now."
    return f"{said[:1].upper()}{said[1:]} {_given_up(event)}".strip()


def _given_up(event: "_Event") -> str:
    number = event.data.given_up
    if not number:
        return "None was given up." if event.type == EventType.WEBHOOK_RECOVERED else ""
    was, it = ("was", "it") if number == 1 else ("were", "them")
    return f"{counted(number, 'event')} {was} given up: send {it} again from the dashboard."


def _when(event: "_Event", words: _Words, now: datetime) -> tuple[str, str]:
    since = event.data.since
    # A ping is of a moment.
    if since is None or event.type == EventType.PING:
        return "Since", ""
    if words.severity is Severity.GOOD:
        return "Lasted", f"{_how_long(event)}, from {clock_time(since, now)}"
    return "Since", since_when(since, now)


def _how_long(event: "_Event") -> str:
    """How long what an event ends has lasted: it was written down at its end."""
    since, until = event.data.since, event.recordedtime or event.time
    return lasted(until - since) if since is not None and until is not None else "a while"


def _details(event: "_Event", words: _Words, about: str) -> dict[str, object]:
    """What a pager's rules and people can read of the event, under keys that are always the same."""
    data, error = event.data, event.data.error
    details = {
        "why": one_line(error.message if error else data.reason, limit=VALUE_BYTES),
        "since": to_the_second(data.since),
        "means": _means(event, words),
        "do": _remedy(event, words),
        "account" if data.webhook is None else "webhook": about,
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
    status: int | None = None
    events_waiting: int | None = None
    jobs_waiting: int | None = None
    given_up: int = 0
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
    recordedtime: datetime | None = None


_NOT_SEEN = "What fails there is not seen until this is mended, and is told then."
_EVENTS: Mapping[str, _Words] = {
    EventType.ACCOUNT_UNREACHABLE: _Words(
        "Prepwatch can't read Batch account {about}",
        Severity.CRITICAL,
        _NOT_SEEN,
        "Press Diagnostics on the dashboard: it names each permission that is missing, with the command that gives it. "
        "If none is, quote the request id to Azure support.",
    ),
    EventType.ACCOUNT_REACHABLE: _Words(
        "Prepwatch reads Batch account {about} again after {lasted}",
        Severity.GOOD,
        "What failed there meanwhile, and is still listed, is told now.",
    ),
    EventType.WEBHOOK_FAILING: _Words(
        "Webhook {about} {refuses} what it is sent",
        Severity.WARNING,
        "Nothing is lost yet: each event is tried for three days, and chat is told how things stand once it listens.",
        "Look at its receiver, then send a ping from the dashboard: when it is taken, all that waits is sent.",
        "{waits}; nothing of that is lost: each event is tried for three days, and how things stand is told once it "
        "listens.",
        "Nothing waits for it now.",
    ),
    EventType.WEBHOOK_RECOVERED: _Words(
        "Webhook {about} works again after {lasted}",
        Severity.GOOD,
        "What still waits for it is sent now, the oldest first.",
        waits="{waits}; all of it is sent now, the oldest first.",
        rests="Nothing waits for it any more.",
    ),
    EventType.WEBHOOK_DISABLED: _Words(
        "Webhook {about} is switched off: its receiver says that it is gone for good",
        Severity.ERROR,
        "Nothing is sent to it any more.",
        "Create the receiver anew, set its new URL, then enable the webhook on the dashboard.",
        "Nothing is sent to it any more: {waits} in vain, and can be sent again once it is enabled.",
    ),
    EventType.WEBHOOK_ENABLED: _Words(
        "Webhook {about} is switched on again after {lasted}",
        Severity.GOOD,
        "What happened meanwhile is not sent to it by itself, but chat and pager are told what stands now.",
        rests="What happened meanwhile is not sent to it by itself.",
    ),
    EventType.PING: _Words(
        "Prepwatch reaches you here (webhook {about})",
        Severity.INFO,
        "Nothing is wrong: somebody has tried this webhook.",
    ),
}
_TELLS_NEWS = frozenset({EventType.WEBHOOK_FAILING, EventType.WEBHOOK_RECOVERED})
_NO_SUCCESS = 300
_BY_CODE = {
    "TooManyRequests": "Nothing at once: Prepwatch waits as Batch asks. If it stays so, see who else asks this account "
    "so often.",
    NOT_POLLED: "See that the app runs and that its timer fires: POLL_SCHEDULE, and the log of the function poll.",
    TOO_MUCH_TO_READ: "",
}
"""What to do where no permission can be missing; too much to read says itself which settings help."""
_IN_PART: Mapping[str, _Words] = {
    EventType.ACCOUNT_UNREACHABLE: _Words(
        "Prepwatch can't read some of the jobs of Batch account {about}",
        Severity.ERROR,
        "What fails in these jobs is not seen until this is mended, and is told then. All others are watched.",
        "Update Prepwatch, or report what it can't read.",
    ),
}
_BY_REQUEST: Mapping[str, _Words] = {
    EventType.WEBHOOK_DISABLED: _Words(
        "Webhook {about} was switched off by request",
        Severity.INFO,
        "Nothing is sent to it until somebody enables it on the dashboard.",
        waits="Nothing is sent to it until somebody enables it on the dashboard: {waits} in vain.",
    ),
}
"""What a colleague did on purpose: nobody is called for it, and what was told of the webhook before is over."""
