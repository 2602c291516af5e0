"""A Teams workflow of "When a Teams webhook request is received": one Adaptive Card within Teams' limits.

A real workflow answers 202 before it looks at the card, and a card that it can't post then vanishes without a word to
anybody. Here what is wrong with it is refused at once, so that it is seen. Knows cards without inputs. Sources:
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (28 KB, rates),
https://adaptivecards.io/explorer (elements),
https://github.com/MicrosoftDocs/msteams-docs/issues/4145 (cards that vanish).
"""

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

from local.webhook_receiver.quota import Quota
from local.webhook_receiver.service import RefusedError, Request, Verdict, json_object

MOST_BYTES = 28 * 1024
MOST_ACTIONS = 6
RATES = (
    (4, timedelta(seconds=1)),
    (60, timedelta(seconds=30)),
    (100, timedelta(hours=1)),
    (1800, timedelta(days=1)),
)
CARD = "application/vnd.microsoft.card.adaptive"
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")

_STYLES: dict[str, tuple[object, ...]] = {
    "size": ("default", "small", "medium", "large", "extraLarge"),
    "weight": ("default", "lighter", "bolder"),
    "color": ("default", "dark", "light", "accent", "good", "warning", "attention"),
    "spacing": ("default", "none", "small", "medium", "large", "extraLarge", "padding"),
    "isSubtle": (True, False),
    "separator": (True, False),
    "wrap": (True, False),
    "fontType": ("default", "monospace"),
    "bleed": (True, False),
    "style": ("default", "emphasis", "good", "attention", "warning", "accent"),
}
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|\*\*")
_BLOCK = {"type", "spacing", "separator"}
_RUN = {"type", "text", "size", "weight", "color", "isSubtle"}


class TeamsWorkflow:
    """One workflow, and how many requests it has taken lately."""

    def __init__(self) -> None:
        self._quota = Quota(*RATES)

    def receive(self, request: Request) -> Verdict:
        """Take a card, or say what Teams would not show."""
        wait = self._quota.wait(request.at)
        if wait:
            return Verdict(
                status=HTTPStatus.TOO_MANY_REQUESTS,
                reason="more requests than Teams takes",
                accepted=False,
                headers={"Retry-After": str(math.ceil(wait.total_seconds()))},
            )
        try:
            shows = tuple(read_message(request))
        except RefusedError as refused:
            return refused.verdict
        return Verdict(status=HTTPStatus.ACCEPTED, reason="within Teams' limits", shows=shows)


def read_message(request: Request) -> Iterator[str]:
    """What people see of a message, line by line.

    Raises:
        RefusedError: Teams would not show it.
    """
    if request.media_type != "application/json":
        raise RefusedError("the content type is not application/json")
    if len(request.body) > MOST_BYTES:
        why = f"the message has {len(request.body)} bytes, not up to {MOST_BYTES}"
        raise RefusedError(why, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    message = json_object(request.body)
    if message.get("type") != "message" or not isinstance(message.get("summary", ""), str):
        raise RefusedError("type is not message, or the summary is no text")
    attachments = _items("attachments", message.get("attachments"))
    if len(attachments) != 1:
        raise RefusedError(f"there are {len(attachments)} attachments, and only the first would be posted")
    attachment = _object("attachments[0]", attachments[0])
    if attachment.get("contentType") != CARD:
        raise RefusedError(f"attachments[0].contentType is not {CARD}")
    card = _object("the card", attachment.get("content"))
    if card.get("type") != "AdaptiveCard" or card.get("version") not in VERSIONS:
        raise RefusedError(f"the card is not an AdaptiveCard of a version that Teams shows, {', '.join(VERSIONS)}")
    if not isinstance(card.get("fallbackText", ""), str):
        raise RefusedError("the card's fallbackText is no text")
    for number, part in enumerate(_items("body", card.get("body"))):
        yield from _read_part(f"body[{number}]", _object(f"body[{number}]", part))
    if "actions" in card:
        yield from _read_actions(_items("actions", card["actions"]))


def _read_part(where: str, part: dict[str, object]) -> Iterator[str]:
    kind = part.get("type")
    if kind == "TextBlock":
        _check_members(where, part, _BLOCK | _RUN | {"wrap", "fontType"})
        yield _read_markdown(_text(where, part))
    elif kind == "Container":
        _check_members(where, part, _BLOCK | {"items", "style", "bleed"})
        for number, item in enumerate(_items(f"{where}.items", part.get("items"))):
            yield from _read_part(f"{where}.items[{number}]", _object(f"{where}.items[{number}]", item))
    elif kind == "RichTextBlock":
        _check_members(where, part, _BLOCK | {"inlines"})
        runs = [_object(f"{where}.inlines", run) for run in _items(f"{where}.inlines", part.get("inlines"))]
        for run in runs:
            if run.get("type") != "TextRun":
                raise RefusedError(f"{where}.inlines has a {run.get('type')!r}, and TextRun is all that there is")
            _check_members(f"{where}.inlines", run, _RUN)
        yield "".join(_text(f"{where}.inlines", run) for run in runs)
    elif kind == "FactSet":
        _check_members(where, part, _BLOCK | {"facts"})
        for item in _items(f"{where}.facts", part.get("facts")):
            fact = _object(f"{where}.facts", item)
            yield f"{fact.get('title')}: {fact.get('value')}"
    else:
        raise RefusedError(f"{where} is of the type {kind!r}, which is not known here")


def _read_markdown(text: str) -> str:
    """A text block as people see it: without the marks of bold letters and what escapes a sign."""
    return _ESCAPED.sub(lambda found: found[1] or "", text)


def _read_actions(actions: list[object]) -> Iterator[str]:
    if len(actions) > MOST_ACTIONS:
        raise RefusedError(f"there are {len(actions)} actions, not up to {MOST_ACTIONS}")
    for item in actions:
        action = _object("actions", item)
        url = action.get("url")
        if action.get("type") != "Action.OpenUrl" or not isinstance(url, str) or not url.startswith("http"):
            raise RefusedError("actions has one that opens no address")
        yield f"[{action.get('title')}] {url}"


def _check_members(where: str, value: dict[str, object], known: set[str]) -> None:
    if unknown := value.keys() - known:
        raise RefusedError(f"{where} has {', '.join(sorted(unknown))}, which a {value['type']} has not")
    for name, choices in _STYLES.items():
        if name in value and value[name] not in choices:
            raise RefusedError(f"{where}.{name} is {value[name]!r}, not one of {', '.join(map(str, choices))}")


def _text(where: str, value: dict[str, object]) -> str:
    text = value.get("text")
    if not isinstance(text, str) or not text:
        raise RefusedError(f"{where} has no text")
    return text


def _items(where: str, value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise RefusedError(f"{where} is not a list with something in it")
    return value


def _object(where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise RefusedError(f"{where} is not an object")
    return value
