"""Finds secrets behind the names that say what they are: as an assignment, an option, a pair, an element.

Owns which names say so, and where the value of one begins and ends. Does not own what is known without a name
(`secrets`), or what is only guessed (`secret_guesses`). Every pattern takes time in proportion to the text.
"""

import re
from functools import cache
from typing import Final

REDACTED: Final = "[redacted]"
"""What stands in the place of a secret."""

# What a name ends in, written small and without its separators: `AZURE_STORAGE_KEY`, `accountKey`, `--account-key`.
STRONG: Final = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "credential", "credentials"),
    *(
        "apikey",
        "accesskey",
        "accountkey",
        "storagekey",
        "sharedkey",
        "secretkey",
        "privatekey",
        "signingkey",
        "authkey",
    ),
    *("masterkey", "encryptionkey", "routingkey", "integrationkey", "servicekey", "functionkey", "subscriptionkey"),
    *("connectionstring", "sharedaccesssignature", "authorization", "sastoken", "batchkey", "keydata"),
)
# These say it only when the value looks drawn by chance: a key may be any key, a code any code.
WEAK: Final = ("key", "token", "auth", "code", "signature", "cookie", "session", "sessionid")
SHORT: Final = ("_pass", "-pass", ".pass", "_pat", "-pat")
NAME_MARKS: Final = ("key", "sig", "secret", "token", "pass", "pwd", "credential", "connection", "auth", "code",
    "cookie", "session", "_pat", "-pat")  # fmt: skip
"""In every name that says so stands one of these."""
_FORMS: Final = ("pair", "element", "block", "option", "shouted", "named")
_NUMBER: Final = re.compile(r"(?<![-.0-9])_?[0-9]++\Z")  # not that of a version: libsecret-1-0
_NOT_LETTERS: Final = re.compile(r"[^a-z0-9]+")
_RANDOM: Final = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])[A-Za-z0-9+/=_%~-]{20,}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,}")
_SHORTEST_TOKEN: Final = 8
_LOOKED_AT: Final = 200
_WORDY: Final = re.compile(r"[A-Za-z]{1,15}[.!?)]*")

# Quotes as they are written, within JSON, HTML and URLs too; what may stand before them: b'..', SecretStr('..').
QUOTE: Final = r"(?:\"{3}|'{3}|\\{0,8}[\"'`]|\\{1,8}u002[27]|&(?:quot|\#3[49]|apos);|%(?:25){0,3}2[27])"
_BLANK = r"[ \t\xa0]{0,8}"
_SEPARATOR = (
    rf"{QUOTE}?{_BLANK}(?:=>|:=|[=:\uff1d\uff1a]|%(?:25){{0,3}}3[AaDd])"
    rf"(?:\s{{0,40}}(?={QUOTE})|{_BLANK}(?:[bBfFrRuU]{{1,2}}|\w{{1,20}}\()(?={QUOTE})|{_BLANK})|"
    rf"{QUOTE}{_BLANK},{_BLANK}[bBuU]{{0,2}}(?={QUOTE})"
)
# A name: after `%26` it begins behind the digits.
_NAME = r"(?<![\w.$-])([\w.$-]++)"
_PLACEHOLDER = (  # or one of our own marks, or a word that goes on
    r"(?!\[redacted\]|…|\*{2,}|\$[{(A-Za-z]|%[A-Za-z_]+%|\{\{|<|"
    r"(?:null|none|nil|true|false|undefined|required|missing|invalid|incorrect|expired|expected|unexpected|empty|"
    r"Bearer|Basic|Digest|SharedKey|SharedKeyLite|SharedAccessSignature|AWS4-HMAC-SHA256|token)(?![\w-]))"
)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    # Not compiled at import: most cycles clean nothing that needs them.
    ignoring_case = {
        "named": rf"{_NAME}(?:{_SEPARATOR})",
        "option": r"(?<![\w-])--?([A-Za-z][\w-]*+)[ \t]+(?!-)",
        "block": rf"{_NAME}{QUOTE}?:{_BLANK}[|>][-+0-9]{{0,2}}[ \t]{{0,8}}\n(?=[ \t])",
        "element": r"<([A-Za-z_][\w.:-]*+)>",
        "pair": rf"\b(?:name|key){QUOTE}?[ \t]{{0,8}}[=:][ \t]{{0,8}}{QUOTE}?([\w.$-]++){QUOTE}?"
        rf"[\s,]{{1,40}}{QUOTE}?\w{{0,12}}value{QUOTE}?[ \t]{{0,8}}[=:][ \t]{{0,8}}",
    }
    return {name: re.compile(pattern, re.IGNORECASE) for name, pattern in ignoring_case.items()} | {
        "turned pair": re.compile(
            rf"(\b\w{{0,12}}value{QUOTE}?[ \t]{{0,8}}[=:][ \t]{{0,8}}{QUOTE})([^\s\"'`\\]++)"
            rf"({QUOTE}[\s,]{{1,40}}{QUOTE}?(?:name|key){QUOTE}?[ \t]{{0,8}}[=:][ \t]{{0,8}}{QUOTE}?([\w.$-]++))",
            re.IGNORECASE,
        ),
        "shouted": re.compile(r"(?<![\w.$-])([A-Z][A-Z0-9]*+(?:_[A-Z0-9]++)*+)[ \t]+(?=\S{8})(?=\S*[0-9])"),
        "quote": re.compile(QUOTE),
        "indented": re.compile(r"[ \t][^\n]*(?:\n[ \t][^\n]*)*"),
        "bare": re.compile(rf"{_PLACEHOLDER}(?![\[{{(]+[\s\"'\\])[^\s;,\"'<>\\][^\s;,\"'<>]*+", re.IGNORECASE),
        "quoted": re.compile(_PLACEHOLDER, re.IGNORECASE),
    }


def redact_named(text: str) -> str:
    """The text with `[redacted]` for the value of every name that says that it is a secret."""
    folded = text.casefold()
    if not any(mark in folded for mark in NAME_MARKS):
        return text
    text = _patterns()["turned pair"].sub(_redact_turned, text)
    for form in _FORMS:
        text = _redact_form(form, text)
    return text


def names_secret(name: str) -> bool:
    """Whether what has such a name is a secret whatever it looks like."""
    small = _small(name)
    if small in {"token", "tokens"}:
        return False  # of a grammar as a rule
    if small.endswith(STRONG) or name.lower().endswith(SHORT):
        return True
    return small.endswith("sig") and (small.endswith("3fsig") or not small[-4:-3].isalpha())  # 3f: an escaped ?


def _looks_secret(name: str, value: str) -> bool:
    """Whether the first characters of what has a name that says little look drawn by chance."""
    if _small(name) == "token":
        return len(value) >= _SHORTEST_TOKEN and not _WORDY.fullmatch(value)
    return _RANDOM.match(value) is not None or _HEX.match(value) is not None


def _small(name: str) -> str:
    return _NOT_LETTERS.sub("", _NUMBER.sub("", name.lower()))


def _redact_turned(found: re.Match[str]) -> str:
    before, value, behind, name = found.groups()
    is_secret = names_secret(name) or (_small(name).endswith(WEAK) and _looks_secret(name, value))
    return f"{before}{REDACTED if is_secret else value}{behind}"


def _redact_form(form: str, text: str) -> str:
    pattern, only_strong = _patterns()[form], form in {"option", "shouted"}
    kept: list[str] = []
    done = at = 0
    while found := pattern.search(text, at):
        at = found.end()
        is_secret = names_secret(found[1])
        if not is_secret and (only_strong or not _small(found[1]).endswith(WEAK)):
            continue
        # Of a value that may be none only the beginning is looked at, or each name in a long word would cost all of it.
        start, end = _value_at(text, at, len(text) if is_secret else at + _LOOKED_AT, form)
        if start == end or not (is_secret or _looks_secret(found[1], text[start:end])):
            continue
        if not is_secret:
            start, end = _value_at(text, at, len(text), form)
        kept.extend((text[done:start], REDACTED))
        done = at = end
    return "".join((*kept, text[done:])) if kept else text


def _value_at(text: str, at: int, limit: int, form: str) -> tuple[int, int]:
    """Where a value begins and ends, no later than the limit; one that is empty is none."""
    patterns = _patterns()
    if form == "block":
        block = patterns["indented"].match(text, at, limit)
        return (at, block.end()) if block else (at, at)
    if form == "element":
        end = text.find("<", at, limit)
        end = min(limit, len(text)) if end < 0 else end
        return (at, end) if patterns["quoted"].match(text, at) else (at, at)
    quote = patterns["quote"].match(text, at)
    if quote is None:
        bare = patterns["bare"].match(text, at, limit)
        return (at, bare.end()) if bare else (at, at)
    start = quote.end()
    return (start, _closing(text, start, limit, quote[0])) if patterns["quoted"].match(text, start) else (start, start)


def _closing(text: str, start: int, limit: int, quote: str) -> int:
    """Where the quoted value ends: before its quote, else with the line."""
    line_end = text.find("\n", start, limit)
    line_end = min(limit, len(text)) if line_end < 0 else line_end
    at = start
    while (at := text.find(quote, at, line_end)) >= 0:
        if len(quote) > 1 or text[at - 1] != "\\" or at == start:
            return at
        at += 1
    return max(start, line_end)
