"""Owns what a queue output binding makes of what a function gave it; does not own sending it."""

import json
import re
from collections.abc import Sequence

_ZERO_FRACTION = re.compile(r'("\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\.0+(Z?")')


def messages_from_text(text: str) -> Sequence[str]:
    """The messages that `func.Out[str]`, bytes or a returned string become.

    The host parses text that looks like JSON and writes it again: an array becomes one message per item, an
    object is indented, a zero fraction of a second goes. Other text, and JSON that does not parse, goes verbatim.
    """
    stripped = text.strip()
    looks_like_json = (stripped[:1], stripped[-1:]) in {("{", "}"), ("[", "]")}
    if not looks_like_json:
        return (text,)
    try:
        value = json.loads(stripped)
    except json.JSONDecodeError:
        return (text,)
    if isinstance(value, list):
        return tuple(_item(item) for item in value)
    return (_written_again(value),)


def messages_from_json(document: str) -> Sequence[str]:
    """The messages that `func.Out[List[str]]` becomes: strings verbatim, one message each."""
    value = json.loads(document)
    return tuple(_item(item) for item in value) if isinstance(value, list) else (_written_again(value),)


def _item(item: object) -> str:
    return item if isinstance(item, str) else _written_again(item)


def _written_again(value: object) -> str:
    return _ZERO_FRACTION.sub(r"\1\2", json.dumps(value, indent=2, ensure_ascii=False))
