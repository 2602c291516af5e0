"""How a notice is written for a Teams workflow: one Adaptive Card.

Owns the card and its size. Does not own the words (`messages.notices`). Other people's text stands in text runs only,
which know no markdown, so that nothing in it can link, format or mention. Sources: the Workflows trigger "When a
Teams webhook request is received"; https://adaptivecards.io/explorer/TextRun.html.
"""

import msgspec

from shared.messages.format import Format, Tells, request_to
from shared.messages.notices import Mood, Notice, Section
from shared.webhook import Webhook, WebhookRequest

MAX_BYTES = 18_000
"""Teams takes about 28 KB, and a card that is too large vanishes after its acceptance; some were lost at 21 KB."""

_COLORS = {Mood.CRITICAL: "attention", Mood.ERROR: "attention", Mood.WARNING: "warning", Mood.GOOD: "good"}


def render_teams(notice: Notice) -> bytes:
    """The body of the request, at most MAX_BYTES long."""
    while len(body := _encode(notice)) > MAX_BYTES and notice.sections:
        notice = notice.shorter()
    return body


def _encode(notice: Notice) -> bytes:
    heading = _run(notice.heading, size="large", weight="bolder", color=_COLORS.get(notice.mood, "default"))
    body = [_lines([heading]), *(part for section in notice.sections for part in _section(section, notice.heading))]
    if notice.rest:
        body.append(_lines([_run(notice.rest, isSubtle=True)]))
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "fallbackText": _inert(notice.heading),
        "body": body,
        "msteams": {"width": "full"},
    }
    if notice.links:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": title.capitalize(), "url": url} for title, url in notice.links.items()
        ]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return msgspec.json.encode({"type": "message", "attachments": [attachment]})


def _section(section: Section, said: str) -> list[dict[str, object]]:
    """The section in lines, without its title if that has been `said`."""
    title = _lines([_run(section.title, weight="bolder")], separator=True)
    parts = [] if section.title == said else [title]
    parts.extend(
        _lines([_run(f"{name}: ", isSubtle=True), _run(value)], spacing="none") for name, value in section.facts
    )
    return parts


def _lines(runs: list[dict[str, object]], **properties: object) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": runs, **properties}


def _run(text: str, **properties: object) -> dict[str, object]:
    return {"type": "TextRun", "text": _inert(text), **properties}


def _inert(text: str) -> str:
    # Cards replace {{DATE(...)}} and ${...} wherever they find them; <at> is a mention in the fallback text.
    return text.replace("{{", "{ {").replace("${", "$ {").replace("<at>", "< at>")


def _write_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    return request_to(webhook, render_teams(notice))


TEAMS = Format(name="teams", tells=Tells.CHAT, write_notice=_write_notice)
