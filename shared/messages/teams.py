"""How a notice is written for a Teams workflow: one Adaptive Card.

Owns the card and its size. Does not own the words (`messages.notices`). Text blocks wrap where other text runs out of a
narrow card, and know some markdown: in other people's text it is escaped, so that nothing can link, format or mention.
Sources: the Workflows trigger "When a Teams webhook request is received"; https://adaptivecards.io/explorer/TextBlock.html;
https://spec.commonmark.org/0.31.2/#backslash-escapes.
"""

import re

import msgspec

from shared.messages.format import Format, Tells, request_to
from shared.messages.length import fitted
from shared.messages.notices import ListEntry, Notice, Section, Severity
from shared.webhook import Webhook, WebhookRequest

_WORKFLOWS = (".logic.azure.com", ".logic.azure.us", ".logic.azure.cn", ".api.powerplatform.com")
_MAX_BYTES = 18_000
"""Teams takes about 28 KB, and a card that is too large vanishes after its acceptance; some were lost at 21 KB."""

# Coloured letters can't be read on white; what lies behind them may be coloured.
_STYLES = {
    Severity.CRITICAL: "attention",
    Severity.ERROR: "attention",
    Severity.WARNING: "warning",
    Severity.INFO: "accent",
    Severity.GOOD: "good",
}
# Only where it would mean something: within a word an underscore does not, nor does a lone backslash in a path.
_MARKDOWN = re.compile(
    r"[*`\[]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|~(?=~)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\\(?=[!-/:-@\[-`{-~])"
)


def render_teams(notice: Notice) -> bytes:
    """The body of the request, at most MAX_BYTES long."""
    notice = fitted(notice)
    while len(body := _encode(notice)) > _MAX_BYTES and notice.sections:
        notice = notice.shorter()
    return body


def _encode(notice: Notice) -> bytes:
    heading = _block(_escaped(notice.signed_heading), size="large", weight="bolder")
    body: list[dict[str, object]] = [
        {"type": "Container", "style": _STYLES[notice.severity], "bleed": True, "items": [heading]},
        *(part for section in notice.sections for part in _section(section, is_said=notice.says(section))),
    ]
    if notice.rest:
        body.append(_block(notice.rest, isSubtle=True))
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "fallbackText": _inert(notice.heading),
        "body": body,
        "msteams": {"width": "full"},
    }
    if notice.dashboard is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Dashboard", "url": notice.dashboard}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    # The summary is what a locked phone can show; without one it says "Card".
    return msgspec.json.encode(
        {"type": "message", "summary": _inert(notice.signed_heading), "attachments": [attachment]}
    )


def _section(section: Section, *, is_said: bool) -> list[dict[str, object]]:
    """The section in lines, without its title if the heading has it."""
    title = _block(_escaped(section.title), weight="bolder", separator=True)
    parts = [] if is_said else [title]
    parts.extend(_block(f"**{name}:** {_escaped(value)}", spacing="none") for name, value in section.facts)
    parts.extend(_block(_entry(entry), spacing="none") for entry in section.entries)
    parts.extend(_block(_escaped(command), spacing="small", fontType="monospace") for command in section.commands)
    return parts


def _entry(entry: ListEntry) -> str:
    return f"**{_escaped(entry.label.strip())}** {_escaped(entry.text)}" if entry.names else _escaped(entry.text)


def _block(text: str, **properties: object) -> dict[str, object]:
    return {"type": "TextBlock", "text": text, "wrap": True, **properties}


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", _inert(text))


def _inert(text: str) -> str:
    # Cards replace {{DATE(...)}} and ${...} wherever they find them; <at> is a mention in the fallback text.
    return text.replace("{{", "{ {").replace("${", "$ {").replace("<at>", "< at>")


def _write_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    return request_to(webhook, render_teams(notice))


TEAMS = Format(name="teams", tells=Tells.CHAT, write_notice=_write_notice, shared_hosts=_WORKFLOWS)
