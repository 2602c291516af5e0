"""What people are told in chat and by pager, in plain words: from the news about jobs, or from an event.

Owns the words, and how much is said. Does not own how a service wants them written (`format_teams`, `format_slack`,
`format_pagerduty`). All text is plain and cleaned: no control characters, no secrets, one line, bounded.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.digest_rules import News, NewsKind
from shared.events import EventType
from shared.failure_codes import advice
from shared.model import Phase
from shared.redaction import one_line
from shared.state import Cause, JobEnd, JobHead

MAX_SECTIONS = 20
MAX_CAUSES = 3
MAX_NODES = 20

_TITLE_BYTES = 400
_VALUE_BYTES = 600
_NAME_BYTES = 160
_NODES_BYTES = 2400
_ENDS = {
    JobEnd.ENDED: "the job has ended",
    JobEnd.GONE: "the job is gone",
    JobEnd.REPLACED: "a new job has taken its id",
    JobEnd.UNTRACKED: "the job is not watched any more",
}


class Mood(StrEnum):
    """How bad what a notice tells is."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    GOOD = "good"


class Section(Struct, frozen=True, kw_only=True):
    """Something that a notice tells, the most important facts first; each a name and a value."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()


class Notice(Struct, frozen=True, kw_only=True):
    """A message for people; `subject` is what it is about (a job, an account, a webhook), the same for its end.

    `left_out` counts the sections that there was no room for; `since` is None when nobody knows.
    """

    heading: str
    mood: Mood
    subject: str
    account: str
    about: str
    since: datetime | None = None
    sections: tuple[Section, ...] = ()
    left_out: int = 0
    links: Mapping[str, str]

    @property
    def rest(self) -> str:
        """What to say about the sections left out, empty for none."""
        return f"and {self.left_out} more; the summary has them all" if self.left_out else ""

    def shorter(self) -> "Notice":
        """The notice without its last section; one that has a single section left, without its last fact."""
        *others, last = self.sections
        if others or not last.facts:
            return replace(self, sections=tuple(others), left_out=self.left_out + 1)
        return replace(self, sections=(replace(last, facts=last.facts[:-1]),))


def jobs_notice(account: str, news: Sequence[News], links: Mapping[str, str]) -> Notice:
    """The notice that tells how jobs stand, the first ones in full."""
    shown = news[:MAX_SECTIONS]
    some = max(1, MAX_NODES // len(shown))
    failed = [item for item in news if item.kind is NewsKind.FAILED]
    only = news[0] if len(news) == 1 else None
    return Notice(
        heading=one_line(_title(only) if only else _heading(account, len(failed), len(news)), limit=_TITLE_BYTES),
        mood=min((_mood(item) for item in news), key=list(Mood).index),
        subject=f"job:{account}:{only.job_id.lower()}" if only else f"jobs:{account}",
        account=account,
        about=only.job_id if only else "jobs",
        since=min((since for item in failed if (since := _since(item.head))), default=None),
        sections=tuple(_section(item, some) for item in shown),
        left_out=len(news) - len(shown),
        links=links,
    )


def event_notice(body: bytes) -> Notice:
    """The notice that tells an event as it comes.

    Raises:
        msgspec.MsgspecError: The bytes are no event of ours; a defect.
    """
    event = msgspec.json.decode(body, type=_Event)
    data = event.data
    kind = event.type.removeprefix("prepwatch.")
    words, mood = _EVENTS.get(event.type, (kind + ": {about}", Mood.WARNING))
    account = data.account or event.source
    about = data.webhook or data.job_id or account
    heading = one_line(words.format(about=_value(about, _NAME_BYTES)), limit=_TITLE_BYTES)
    facts = [("Since", _value(data.since)), ("Reason", _value(data.reason))]
    if data.error is not None:
        facts += [("Error", _value(data.error.code)), ("Message", _value(data.error.message))]
        facts += [("Request id", _value(data.error.request_id or ""))]
    return Notice(
        heading=heading,
        mood=mood,
        subject=f"{kind.partition('.')[0]}:{about}",
        account=one_line(account, limit=_NAME_BYTES),
        about=one_line(about, limit=_NAME_BYTES),
        since=event.time,
        sections=(Section(title=event.type, facts=tuple(fact for fact in facts if fact[1])),),
        links=data.links,
    )


class _Error(Struct, frozen=True, rename="camel"):
    code: str = ""
    message: str = ""
    request_id: str | None = None


class _Data(Struct, frozen=True, rename="camel"):
    account: str | None = None
    webhook: str | None = None
    job_id: str | None = None
    since: str = ""
    reason: str = ""
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
    EventType.WEBHOOK_FAILING: ("Webhook {about} does not answer as it should", Mood.ERROR),
    EventType.WEBHOOK_RECOVERED: ("Webhook {about} works again", Mood.GOOD),
    EventType.WEBHOOK_DISABLED: ("Webhook {about} is switched off: its receiver is gone for good", Mood.ERROR),
    EventType.PING: ("Prepwatch reaches you here (webhook {about})", Mood.INFO),
}


def _heading(account: str, failed: int, told: int) -> str:
    resolved = told - failed
    parts = [f"failures in {failed} {_plural('job', failed)}"] if failed else []
    parts += [f"{resolved} {_plural('job', resolved)} resolved"] if resolved else []
    return f"{_capital(', '.join(parts))} on {account}"


def _title(news: News) -> str:
    head = news.head
    if news.kind is NewsKind.RESOLVED or head is None:
        return f"{news.job_id}: resolved"
    if head.stuck is not None and head.stuck.told:
        return f"{news.job_id}: stuck, preparation failed on all {head.nodes} nodes"
    if news.preparation or not news.release:
        return f"{news.job_id}: preparation failed on {head.preparation.open or news.preparation} of {head.nodes} nodes"
    return f"{news.job_id}: release failed on {head.release.failed} of {head.nodes} nodes"


def _section(news: News, max_nodes: int) -> Section:
    head = news.head
    facts: list[tuple[str, str]] = []
    if news.preparation:
        open_now = f"{head.preparation.open} of {head.nodes} nodes are held up" if head else ""
        facts.append(("Preparation", f"{_new(news.preparation)}, {open_now or 'none is held up any more'}"))
    if news.release and head:
        facts.append(("Release", f"{_new(news.release)}, {head.release.failed} of {head.nodes} nodes in all"))
    if news.kind is NewsKind.RESOLVED:
        facts.append(("Why", _ENDS[head.closed] if head and head.closed else "no node is held up any more"))
    if head is not None:
        if head.stuck is not None and head.stuck.told:
            facts.append(("Stuck", f"no node can take the job's tasks, since {_moment(head.stuck.since)}"))
        if news.kind is NewsKind.FAILED:
            facts += [fact for cause in _causes(news, head) for fact in _cause_facts(cause)]
            facts += _node_facts(news, head, max_nodes)
        if (since := _since(head)) is not None:
            facts.append(("Since", _moment(since)))
        if head.trouble is not None:
            facts.append(("Not seen now", _value(f"{head.trouble.code}: {head.trouble.message}")))
        facts.append(("Job", _value(f"{head.state or 'of unknown state'}, pool {head.pool_id or 'unknown'}")))
    return Section(title=one_line(_title(news), limit=_TITLE_BYTES), facts=tuple(facts))


def _causes(news: News, head: JobHead) -> tuple[Cause, ...]:
    phases = {Phase.PREPARATION} if news.preparation or not news.release else set()
    phases |= {Phase.RELEASE} if news.release else set()
    return tuple(cause for cause in head.causes if cause.phase in phases)[:MAX_CAUSES]


def _cause_facts(cause: Cause) -> list[tuple[str, str]]:
    where = f"{cause.code} on {cause.nodes} {_plural('node', cause.nodes)}"
    facts = [("Cause", _value(f"{where}: {cause.message}" if cause.message else where))]
    if (what := advice(cause.code)) is not None:
        facts.append(("What to do", what))
    return facts


def _node_facts(news: News, head: JobHead, limit: int) -> list[tuple[str, str]]:
    nodes = news.nodes or tuple(cause.example for cause in _causes(news, head))
    names = [one_line("/".join(node), limit=_NAME_BYTES) for node in list(dict.fromkeys(nodes))[:limit]]
    if not names:
        return []
    concerned = head.preparation.open if news.preparation or not news.release else head.release.failed
    more = max(0, concerned - len(names))
    text = _value(", ".join(names), _NODES_BYTES)
    return [("Nodes", f"{text} and {more} more" if more else text)]


def _mood(news: News) -> Mood:
    head = news.head
    if news.kind is NewsKind.RESOLVED or head is None:
        return Mood.GOOD
    if head.stuck is not None and head.stuck.told:
        return Mood.CRITICAL
    return Mood.ERROR if news.preparation or not news.release else Mood.WARNING


def _since(head: JobHead | None) -> datetime | None:
    if head is None:
        return None
    return min((cause.first_seen for cause in head.causes if cause.first_seen), default=None)


def _new(number: int) -> str:
    return f"{number} newly failed"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _value(text: str, limit: int = _VALUE_BYTES) -> str:
    return one_line(text, limit=limit)


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
