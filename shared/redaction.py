"""Makes other people's text fit to be stored and shown: no control characters, no secrets, no more than a limit.

Owns which spellings of a secret are recognised and how a cut is marked. Does not own which texts are cleaned, nor
how long they may be.
"""

import re
from functools import cache
from typing import Final

TEXT_LIMIT: Final = 4096
"""Bytes of UTF-8 that a message, a detail or another text of Batch may keep."""

REDACTED: Final = "[redacted]"
CUT_MARK: Final = "… [cut]"
_CUT_MARK_BYTES: Final = len(CUT_MARK.encode())
# Of a text without end only so many times the limit are looked at, in characters: the rest is cut anyway.
_LOOKED_AT: Final = 8

# C0 and C1 without tab and line feed, then what reorders or hides text on a screen.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
# What programs colour their output with: whole, or its letters would stick to the next word and hide it.
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_WHITESPACE = re.compile(r"\s+")

# A value never begins as our own marks do: that is what makes cleaning twice the same as cleaning once.
_VALUE = r"(?!\[redacted\]|…)[^\s;,\"'<>]+"
_NAMES = "AccountKey|SharedAccessKey|SharedAccessSignature|AccessKey|secret|access_token|api[_-]?key|password|pwd"
# The word after a scheme is a credential when it has something that plain words lack, or is long: "SharedKey is not
# allowed for this account" has to stay readable.
_CREDENTIAL = r"(?:(?=[A-Za-z]*[0-9._~+/=:-])[A-Za-z0-9._~+/=:%-]+|[A-Za-z]{16,})"
_SECRETS: Final = (
    (rf"\b((?:Bearer|Basic|SharedKey(?:Lite)?|SharedAccessSignature)\s+){_CREDENTIAL}", rf"\1{REDACTED}"),
    (r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*", REDACTED),
    (r"(://[^\s/@:]*:)[^\s/]+@", rf"\1{REDACTED}@"),
    (rf"((?<![A-Za-z])sig(?:=|%3D)){_VALUE}", rf"\1{REDACTED}"),
    (rf"((?:{_NAMES})[\"']?\s*[=:]\s*[\"']?){_VALUE}", rf"\1{REDACTED}"),
)
# Each pattern needs one of these in an ASCII text, in lower case; looking for them costs a tenth of the patterns.
_MARKS: Final = ("bearer", "basic", "key", "sig", "eyj", "@", "secret", "token", "password", "pwd")


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
    whole = _CONTROL.sub("", _TERMINAL.sub("", head)).encode("utf-8", "replace").decode()
    for pattern, replacement in _secrets():
        whole = pattern.sub(replacement, whole)
    encoded = whole.encode()
    if len(encoded) <= limit and len(head) == len(text):
        return whole
    kept = encoded[: limit - _CUT_MARK_BYTES].decode("utf-8", "ignore")
    # A cut through "[redacted]" would leave something that the next cleaning takes for a value.
    opening = kept.rfind("[", -len(REDACTED) + 1)
    if opening >= 0 and whole.startswith(REDACTED, opening):
        kept = kept[:opening]
    return kept + CUT_MARK


@cache
def _secrets() -> tuple[tuple[re.Pattern[str], str], ...]:
    # Not compiled at import: most cycles clean nothing that needs them.
    return tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in _SECRETS)


def _is_harmless(text: str) -> bool:
    """Whether nothing in the text can be a control character or part of a secret; False says nothing."""
    if not (text.isascii() and text.isprintable()):
        return False
    lower = text.lower()
    for mark in _MARKS:  # noqa: SIM110 - any() makes a generator, which costs more than the search
        if mark in lower:
            return False
    return True


def one_line(text: str, *, limit: int) -> str:
    """The cleaned text with every run of white space as one blank, for errors and logs.

    Args:
        text: Anything.
        limit: Bytes of UTF-8, the mark of a cut included; at least 16.
    """
    return clean(_WHITESPACE.sub(" ", text).strip(), limit=limit)
