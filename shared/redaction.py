"""Makes other people's text fit to be stored and shown: no control characters, no secrets, no more than a limit.

Owns the order (escape sequences, what is invisible, secrets, the cut) and how a cut is marked. Does not own which
spellings of a secret are recognised (`secrets`), which texts are cleaned, or how long they may be.
"""

import re
from typing import Final

from shared.secret_guesses import DRAWN, UNENDED
from shared.secret_names import REDACTED
from shared.secrets import MARKS, redact

TEXT_LIMIT: Final = 4096
"""Bytes of UTF-8 that a message, a detail or another text of Batch may keep."""

CUT_MARK: Final = "… [cut]"
_CUT_MARK_BYTES: Final = len(CUT_MARK.encode())
# Of a text without end only so many times the limit are looked at, in characters: the rest is cut anyway.
_LOOKED_AT: Final = 8
# A key of 88 characters is known by its end only: when the text was cut, its beginning may stand at the end of it.
_BARE_KEY: Final = 88
_HALF_A_KEY: Final = re.compile(r"\S{10,}\Z")
_LONGEST_SECRET: Final = 4096
"""Characters: a key of 4,096 bits as PEM has some 3,300."""
# Words with a blank between them: what has none may be a value, a row of a table or a line of a key.
_WORDS: Final = re.compile(r"[A-Za-z,.:] [A-Za-z]|[^\x00-\x7f]{2}")

# C0 and C1 without tab and line feed, then what reorders or hides text on a screen.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)
# What joins letters of other scripts, and parts of an emoji; beside ASCII it only hides.
_JOINER = re.compile(r"(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f\u200c\u200d])")
# What programs move and colour their output with (ECMA-48): whole, or its letters would stick to the next word.
# A lone ESC before a word that announces a secret takes no letter of it away.
_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]+[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|"
    r"\x1b[!-/][ -/]*[0-~]|\x1b [F-N]|(.)\x08(?=\1)|_\x08|"
    r"\x1b(?!(?i:pass|pg|sig|secret|bear|basic|account|shared|access|api|aws|az|token|gh|git|npm|pypi|xox|key|auth|"
    r"client|conn|cook|eyj|pwd|db|d[co]|slack|ak|as|u\\+))[0-~]"
)
_WHITESPACE = re.compile(r"\s+")


def clean(text: str, *, limit: int = TEXT_LIMIT) -> str:
    """Strip control characters, redact secrets, and cut at *limit* bytes of UTF-8, ending in `… [cut]`.

    Tabs and line feeds stay. Cleaning a cleaned text with the same limit changes nothing.

    Args:
        text: Anything; a lone surrogate becomes a question mark.
        limit: Bytes, the mark included; at least 16.
    """
    if len(text) <= limit and _is_harmless(text):
        return text
    head = text[: limit * _LOOKED_AT]
    whole = redact(_visible(head))
    if len(head) < len(text):
        whole = whole[:-_BARE_KEY] + _HALF_A_KEY.sub("", whole[-_BARE_KEY:])
    encoded = whole.encode()
    if len(encoded) <= limit and len(head) == len(text):
        return whole
    kept = encoded[: limit - _CUT_MARK_BYTES].decode("utf-8", "ignore")
    # A cut through "[redacted]" would leave something that the next cleaning takes for a value.
    opening = kept.rfind("[", -len(REDACTED) + 1)
    if opening >= 0 and whole.startswith(REDACTED, opening):
        kept = kept[:opening]
    # So would a cut through a word that is no value: "password: required" becomes "password: requ".
    again = redact(kept)
    same = next((at for at, (one, other) in enumerate(zip(kept, again, strict=False)) if one != other), len(again))
    return kept[:same] + CUT_MARK


def clean_tail(text: str, *, limit: int, is_cut: bool = False) -> str:
    """The end of the cleaned text, at most *limit* bytes of UTF-8; cut from the beginning, after the cleaning.

    Hand over what comes before it too: only who sees the beginning of a secret knows it. *is_cut* says that even more
    comes before: then the text may begin in the middle of one, and what may be the rest of it is dropped.
    """
    whole = redact(_visible(text))
    if is_cut:
        whole = whole[_rest_of_a_secret(whole) :]
    encoded = whole.encode()
    if len(encoded) <= limit:
        return encoded.decode()
    kept = encoded[-limit:].decode("utf-8", "ignore")
    # Half a mark would be taken for a value the next time.
    closing = kept.find("]", 0, len(REDACTED) - 1)
    return kept[closing + 1 :] if closing >= 0 and REDACTED.endswith(kept[: closing + 1]) else kept


def _rest_of_a_secret(text: str) -> int:
    """How many characters may belong to a secret that began before the text: up to a line of words, but the first."""
    at = 0
    for line in text[:_LONGEST_SECRET].splitlines(keepends=True):
        if at and _WORDS.search(line):
            return at
        at += len(line)
    return at


def _visible(text: str) -> str:
    return _JOINER.sub("", _CONTROL.sub("", _TERMINAL.sub("", text))).encode("utf-8", "replace").decode()


def _is_harmless(text: str) -> bool:
    """Whether nothing in the text can be a control character or part of a secret; False says nothing."""
    if not (text.isascii() and text.isprintable()):
        return False
    lower = text.lower()
    for mark in MARKS:
        if mark in lower:
            return False
    return DRAWN.search(text) is None and re.search(UNENDED, text) is None


def one_line(text: str, *, limit: int) -> str:
    """The cleaned text with every run of white space as one blank, for errors and logs.

    Args:
        text: Anything.
        limit: Bytes of UTF-8, the mark of a cut included; at least 16.
    """
    return clean(_WHITESPACE.sub(" ", text).strip(), limit=limit)
