"""A Slack incoming webhook: Block Kit messages within Slack's limits, one a second.

Knows the blocks of messages that nobody interacts with; all others are refused. Sources:
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (answers, errors),
https://docs.slack.dev/reference/block-kit/blocks (blocks and their limits),
https://docs.slack.dev/apis/web-api/rate-limits (a message a second), https://github.com/slackapi/bolt-js/issues/2509
(messages near 13,200 characters are refused, which Slack does not document).
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

from local.webhook_receiver.quota import Quota
from local.webhook_receiver.service import RefusedError, Request, Verdict, json_object

MOST_CHARACTERS = 13_200
MOST_BLOCKS = 50
MOST_IN_TEXT = 40_000
MOST_IN_HEADER = 150
MOST_IN_SECTION = 3000
MOST_FIELDS = 10
MOST_IN_FIELD = 2000
MOST_ELEMENTS = 10
MOST_PARTS = 100
"""Parts of a rich text; Slack documents no limit, and nobody reads as many."""

_PLAIN, _MARKDOWN = "plain_text", "mrkdwn"
_RICH_MEMBERS = {"text": {"type", "text", "style"}, "link": {"type", "url", "text", "style"}}
_TEXT_MEMBERS = {_PLAIN: {"type", "text", "emoji"}, _MARKDOWN: {"type", "text", "verbatim"}}


class SlackWebhook:
    """One incoming webhook, and how many messages it has taken lately."""

    def __init__(self) -> None:
        self._quota = Quota((1, timedelta(seconds=1)))

    def receive(self, request: Request) -> Verdict:
        """Take a message, or answer what Slack answers."""
        wait = self._quota.wait(request.at)
        if wait:
            retry_after = str(math.ceil(wait.total_seconds()))
            return Verdict(
                status=HTTPStatus.TOO_MANY_REQUESTS,
                reason="more than one message within a second",
                accepted=False,
                answer="rate_limited",
                headers={"Retry-After": retry_after},
            )
        try:
            shows = tuple(read_message(request))
        except RefusedError as refused:
            return refused.verdict
        return Verdict(status=HTTPStatus.OK, answer="ok", reason="within Slack's limits", shows=shows)


def read_message(request: Request) -> Iterator[str]:
    """What people see of a message, line by line.

    Raises:
        RefusedError: Slack would not take it.
    """
    if request.media_type != "application/json":
        raise RefusedError("the content type is not application/json", answer="invalid_payload")
    message = json_object(request.body, answer="invalid_payload")
    text, blocks = message.get("text"), message.get("blocks")
    if text is None and blocks is None:
        raise RefusedError("there is neither text nor blocks", answer="no_text")
    if text is not None:
        if not isinstance(text, str) or not text:
            raise RefusedError("text is no text, or empty", answer="no_text")
        if len(text) > MOST_IN_TEXT:
            raise RefusedError(f"text has {len(text)} characters, not up to {MOST_IN_TEXT}", answer="msg_too_long")
    size = len(request.body.decode(errors="replace"))
    if size > MOST_CHARACTERS:
        raise RefusedError(f"the message has {size} characters, not up to {MOST_CHARACTERS}", answer="msg_too_long")
    if blocks is None:
        yield from _lines(str(text))
        return
    for number, block in enumerate(_items("blocks", blocks, MOST_BLOCKS)):
        yield from _read_block(f"blocks[{number}]", block)


def _read_block(where: str, block: object) -> Iterator[str]:
    members = _object(where, block)
    match members.get("type"):
        case "header":
            yield from _read_text(f"{where}.text", members.get("text"), MOST_IN_HEADER, (_PLAIN,))
        case "section":
            yield from _read_section(where, members)
        case "context":
            for item in _items(f"{where}.elements", members.get("elements"), MOST_ELEMENTS):
                yield from _read_text(f"{where}.elements", item, MOST_IN_SECTION)
        case "divider":
            yield "---"
        case "rich_text":
            for item in _items(f"{where}.elements", members.get("elements"), MOST_PARTS):
                yield from _read_rich_text(f"{where}.elements", item)
        case other:
            raise _wrong(where, f"is of the type {other!r}, which is not known here")


def _read_section(where: str, members: dict[str, object]) -> Iterator[str]:
    if "text" not in members and "fields" not in members:
        raise _wrong(where, "has neither text nor fields")
    if "text" in members:
        yield from _read_text(f"{where}.text", members["text"], MOST_IN_SECTION)
    if "fields" in members:
        for item in _items(f"{where}.fields", members["fields"], MOST_FIELDS):
            yield from _read_text(f"{where}.fields", item, MOST_IN_FIELD)


def _read_rich_text(where: str, value: object) -> Iterator[str]:
    members = _object(where, value)
    if members.get("type") not in {"rich_text_section", "rich_text_preformatted"}:
        raise _wrong(where, f"has a {members.get('type')!r}, which is not known here")
    said = ""
    for item in _items(where, members.get("elements"), MOST_PARTS):
        element = _object(where, item)
        kind, text = element.get("type"), element.get("text")
        if kind not in _RICH_MEMBERS or (unknown := element.keys() - _RICH_MEMBERS[str(kind)]):
            raise _wrong(where, f"has a {kind!r} with {', '.join(sorted(unknown)) if kind in _RICH_MEMBERS else 'it'}")
        if not isinstance(text, str) or not text:
            raise _wrong(where, "has an element without text")
        if kind == "link" and not str(element.get("url", "")).startswith("http"):
            raise _wrong(where, "has a link that leads nowhere")
        said += text
    if len(said) > MOST_IN_SECTION:
        raise _wrong(where, f"has {len(said)} characters, not up to {MOST_IN_SECTION}")
    yield from said.splitlines()


def _read_text(where: str, value: object, most: int, kinds: tuple[str, ...] = (_PLAIN, _MARKDOWN)) -> Iterator[str]:
    members = _object(where, value)
    kind, text = members.get("type"), members.get("text")
    if kind not in kinds:
        raise _wrong(where, f"is of the type {kind!r}, not {' or '.join(kinds)}")
    if unknown := members.keys() - _TEXT_MEMBERS[str(kind)]:
        raise _wrong(where, f"has {', '.join(sorted(unknown))}, which a {kind} text has not")
    if not isinstance(text, str) or not 1 <= len(text) <= most:
        size = f"{len(text)} characters" if isinstance(text, str) else "no text"
        raise _wrong(where, f"has {size}, not 1 to {most}")
    yield from _lines(text)


def _lines(text: str) -> list[str]:
    # Slack knows these three escapes only.
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").splitlines()


def _items(where: str, value: object, most: int) -> list[object]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise _wrong(where, f"is not a list of 1 to {most}")
    return value


def _object(where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong(where, "is not an object")
    return value


def _wrong(where: str, what: str) -> RefusedError:
    return RefusedError(f"{where} {what}", answer="invalid_blocks")
