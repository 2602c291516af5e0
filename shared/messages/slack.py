"""How a notice is written for a Slack incoming webhook: Block Kit.

Owns blocks, escaping, Slack's limits, and what its answers say. Does not own the words (`messages.notices`). Text of
others stands in rich text, which knows no markup and no mention, and in plain text objects, where `&`, `<` and `>` are
escaped.
Sources: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/messaging/formatting-message-text.
"""

import re
from collections.abc import Sequence

import msgspec

from shared.messages.format import Format, Tells, request_to
from shared.messages.length import fitted
from shared.messages.notices import SIGNS, Notice, Section
from shared.webhook import Webhook, WebhookRequest

_MAX_BYTES = 13_000
"""Slack refuses messages near 13,200 characters without documenting it; bytes are never fewer."""
MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3000


def render_slack(notice: Notice) -> bytes:
    """The body of the request, within every limit."""
    notice = fitted(notice)
    while len(body := _encode(notice)) > _MAX_BYTES and notice.sections:
        notice = notice.shorter()
    return body


def escape(text: str, limit: int) -> str:
    """Text that Slack shows as it is, at most `limit` units with its escapes, none of which is cut through."""
    escaped = text.translate(_ESCAPES)
    if _units(escaped) <= limit:
        return escaped
    kept = escaped.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    return _HALF_ESCAPE.sub("", kept) + "…"


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_HALF_ESCAPE = re.compile(r"&[a-z]*\Z")


def _encode(notice: Notice) -> bytes:
    title = notice.signed_heading
    blocks: list[dict[str, object]] = [{"type": "header", "text": _plain(title, MAX_HEADER)}]
    blocks.extend(
        _lines(_section(section, is_said=_is_said(notice, section)), section.commands) for section in notice.sections
    )
    if notice.rest:
        blocks.append(_lines([_text(notice.rest)]))
    if notice.dashboard is not None:
        blocks.append(_lines([{"type": "link", "url": notice.dashboard, "text": "Dashboard"}]))
    message = {
        "text": escape(title, MAX_SECTION),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks[:MAX_BLOCKS],
    }
    return msgspec.json.encode(message)


def _is_said(notice: Notice, section: Section) -> bool:
    """Whether the header has the title of the section, which has more to say, uncut."""
    title = escape(f"{SIGNS[notice.severity]} {section.title}", MAX_SECTION)
    return notice.says(section) and bool(section.facts or section.entries) and _units(title) <= MAX_HEADER


def _section(section: Section, *, is_said: bool) -> list[dict[str, object]]:
    """The section in lines, without its title if the header has it."""
    elements = [] if is_said else [_text(section.title, bold=True)]
    room = MAX_SECTION - sum(_units(str(element["text"])) for element in elements)
    lines = [(f"{name}: ", value) for name, value in section.facts]
    lines += [(entry.label, entry.text) for entry in section.entries]
    for name, value in lines:
        label = f"\n{name}" if elements else name
        room -= _units(label + value)
        if room < 0:
            break
        elements += [*([_text(label, bold=True)] if label else []), _text(value)]
    return elements


def _lines(elements: list[dict[str, object]], commands: Sequence[str] = ()) -> dict[str, object]:
    copied = [{"type": "rich_text_preformatted", "elements": [_text(command)]} for command in commands]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}, *copied]}


def _text(text: str, *, bold: bool = False) -> dict[str, object]:
    """A text that is shown as it is: in rich text there is no markup, no mention and nothing to escape."""
    return {"type": "text", "text": text} | ({"style": {"bold": True}} if bold else {})


def _plain(text: str, limit: int) -> dict[str, object]:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}


def _units(text: str) -> int:
    """The length as Slack counts it, in units of UTF-16."""
    return len(text) + sum(character > "\uffff" for character in text)


def _write_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    return request_to(webhook, render_slack(notice))


def _is_taken(status: int, body: bytes) -> bool:
    # A proxy on the way may say 200 as well; Slack alone says ok.
    return status == 200 and body.strip() == b"ok"


def _is_gone(status: int, body: bytes) -> bool:
    # 404 is no_service or a channel's webhook that was removed, 410 a channel that is archived.
    return status in {404, 410} or (status == 400 and body.strip() == b"invalid_token")


SLACK = Format(
    name="slack",
    tells=Tells.CHAT,
    write_notice=_write_notice,
    is_taken=_is_taken,
    is_gone=_is_gone,
    hosts=("hooks.slack.com", "hooks.slack-gov.com"),
)
