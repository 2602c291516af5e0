"""How a notice is written for a Slack incoming webhook: Block Kit.

Owns blocks, escaping, Slack's limits, and what its answers say. Does not own the words (`messages.notices`). Text of
others stands in plain text objects only: no markup, no emoji codes, and with `&`, `<` and `>` escaped no mention.
Sources: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/messaging/formatting-message-text.
"""

import re

import msgspec

from shared.messages.format import Format, Tells, request_to
from shared.messages.notices import Mood, Notice, Section
from shared.webhook import Webhook, WebhookRequest

MAX_BYTES = 13_000
"""Slack refuses messages near 13,200 characters without documenting it; bytes are never fewer."""
MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3000

_SIGNS = {Mood.CRITICAL: "\N{POLICE CARS REVOLVING LIGHT}", Mood.ERROR: "\N{LARGE RED CIRCLE}"}
_SIGNS |= {Mood.WARNING: "\N{LARGE YELLOW CIRCLE}", Mood.GOOD: "\N{LARGE GREEN CIRCLE}"}
_SIGNS |= {Mood.INFO: "\N{LARGE BLUE CIRCLE}"}


def render_slack(notice: Notice) -> bytes:
    """The body of the request, within every limit."""
    while len(body := _encode(notice)) > MAX_BYTES and notice.sections:
        notice = notice.shorter()
    return body


def escape(text: str, limit: int) -> str:
    """Text that Slack shows as it is, at most `limit` characters with its escapes, none of which is cut through."""
    escaped = text.translate(_ESCAPES)
    if len(escaped) <= limit:
        return escaped
    return _HALF_ESCAPE.sub("", escaped[: limit - 1]) + "…"


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_HALF_ESCAPE = re.compile(r"&[a-z]*\Z")


def _encode(notice: Notice) -> bytes:
    title = f"{_SIGNS.get(notice.mood, '')} {notice.heading}".strip()
    said = notice.heading if len(escape(title, MAX_SECTION)) <= MAX_HEADER else None
    blocks: list[dict[str, object]] = [{"type": "header", "text": _plain(title, MAX_HEADER)}]
    blocks.extend({"type": "section", "text": _plain(_text(section, said), MAX_SECTION)} for section in notice.sections)
    if notice.rest:
        blocks.append({"type": "section", "text": _plain(notice.rest, MAX_SECTION)})
    if notice.links:
        links = " · ".join(f"<{escape(url, MAX_SECTION)}|{name}>" for name, url in notice.links.items())
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": links, "verbatim": True}]})
    message = {
        "text": escape(title, MAX_SECTION),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks[:MAX_BLOCKS],
    }
    return msgspec.json.encode(message)


def _text(section: Section, said: str | None) -> str:
    """The section in lines, without its title if that has been `said` and anything is left."""
    lines = [f"{name}: {value}" for name, value in section.facts]
    return "\n".join(lines if lines and section.title == said else [section.title, *lines])


def _plain(text: str, limit: int) -> dict[str, object]:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}


def _write_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    return request_to(webhook, render_slack(notice))


def _is_taken(status: int, body: bytes) -> bool:
    # A proxy on the way may say 200 as well; Slack alone says ok.
    return status == 200 and body.strip() == b"ok"


def _is_gone(status: int, body: bytes) -> bool:
    # 404 is no_service or a channel's webhook that was removed, 410 a channel that is archived.
    return status in {404, 410} or (status == 400 and body.strip() == b"invalid_token")


SLACK = Format(name="slack", tells=Tells.CHAT, write_notice=_write_notice, is_taken=_is_taken, is_gone=_is_gone)
