"""Finds secrets that only what is around them tells: prose, a heading, the line before, or a word of pure chance.

Owns when a word looks drawn by chance, and where such a word is taken for a secret. Does not own names (`secret_names`)
or what has a form of its own (`secrets`). Every pattern takes time in proportion to the text.
"""

import base64
import binascii
import re
from functools import cache
from typing import Final

from shared.secret_names import QUOTE, REDACTED, names_secret

# Runs of one kind are short where each character was drawn: measured, keys have 1.9 characters in a run, words 6.6.
_RUN: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LONGEST_RUNS: Final = 2.6
DRAWN: Final = re.compile(r"[A-Za-z0-9]{12}[A-Za-z0-9+/]{4}|[A-Za-z0-9/+]{40}")
"""Without a run like this one a text that speaks of no secret has none that is guessed."""
_DRAWN: Final = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])(?!(?:0x|[Uu])?[0-9a-fA-F]+\Z)\w{10,}\Z")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{0,12}){1,4}\Z", re.IGNORECASE)  # or its beginning
# An AWS secret has forty characters, and may have few digits: only a word of that form may have longer runs.
_AWS: Final = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])(?![0-9a-fA-F]+\Z)[A-Za-z0-9/+]{40}\Z")
_LONGEST_AWS_RUNS: Final = 3.6
_MANY_LETTERS: Final = 20
_PATH: Final = re.compile(r"[~.]?/.*|(?:.*/)?[A-Z]?[a-z]{2,}[0-9.]{0,8}(?:/.*)?")
_LONGEST_LOOKED_AT: Final = 4096
_DIGITS: Final = r"(?:0x|[Uu])?[0-9a-fA-F]+"
_IN_A_WORD: Final = r"[a-z]{3}|([A-Z])\1"
_SHA: Final = re.compile(r"sha[0-9]+-")
_DRAWN_LENGTH: Final = 10
_BARE: Final = 40
# Versions, dates, counts, places and other words that have digits in them and hide nothing.
_PLAIN: Final = re.compile(r"[0-9]+[.:].*|[0-9]{4}-[0-9]{2}.*|[0-9]+-[A-Za-z]+|.*://.*|.*\.\w{1,4}")
_PLAIN_PART: Final = re.compile(r"(?:(?:[A-Z]{0,3}[a-z]{2,})+|[a-z]+|[A-Z]+)?[0-9]*|[0-9]+[A-Za-z]*")
_SHORTEST: Final = 7
# Of a million lines of programs and documents none ends so but in a key or a line of a certificate.
UNENDED: Final = r"(?:(?<=[\s\"'`=:(\[])|(?<![\s\S]))(?=[A-Z0-9+/]*[a-z])(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{10,}+\Z"
"""Where a text may end in the middle of a key: the word looks drawn by chance, whether or not digits are in it yet."""


def redact_guessed(text: str) -> str:
    """The text with `[redacted]` for what must be a secret by what stands around it, or by where the text ends."""
    text = _redact_unended(text)
    speaks = _patterns()["speaks"].search(text) is not None
    if not speaks and not DRAWN.search(text):
        return text
    if speaks:
        text = _redact_said(_redact_columns(text) if "\n" in text else text)
    lines = text.split("\n")
    text = "\n".join(_redact_words(line) for line in lines)
    return _redact_continued(text) if len(lines) > 1 else text


def is_drawn(word: str) -> bool:
    """Whether some part of a word, without its punctuation, looks drawn by chance: letters of both cases and digits."""
    if _AWS.match(word) and not _PATH.fullmatch(word):
        return len(word) <= _LONGEST_AWS_RUNS * len(_RUN.findall(word))
    return any(
        _DRAWN.match(part) is not None and len(part) <= _LONGEST_RUNS * len(_RUN.findall(part))
        for part in re.split(r"[^A-Za-z0-9]+", word[:_LONGEST_LOOKED_AT])
    )


def _redact_unended(text: str) -> str:
    """The beginning of a secret of which only the rest, which was cut off, would tell: a key, a pair, a pipe."""
    for name in ("unended pair", "unended pipe"):
        found = _patterns()[name].search(text)
        if found and _is_value(found[1]):
            return text[: found.start(1)] + REDACTED + text[found.end(1) :]
    found = re.search(UNENDED, text)
    if found is None or _PATH.fullmatch(found[0]) or _says_nothing(found[0]) or re.fullmatch(_DIGITS, found[0]):
        return text
    letters = sum(character.isalnum() for character in found[0])
    before = text[max(0, found.start() - _LONGEST_BEFORE) : found.start()]
    longest = _LONGEST_RUNS if letters < _MANY_LETTERS or found[0].isalnum() else _LONGEST_AWS_RUNS
    if letters > longest * len(_RUN.findall(found[0])) or _patterns()["of a hash"].search(before):
        return text
    return text[: found.start()] + REDACTED


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    ending = (
        r"(?:key|pass(?:word|phrase|code|wd)?|secrets?|token|pwd|credentials?|string|signature|authorization|auth|pat)"
    )
    gap = r"(?:[-=]>|<<<|<!\[CDATA\[|<[^<>\n]{0,60}>|[\s\"'`()\[\]{}:=,|>\\])"
    filler = r"(?:is|was|are|of|value|to|be|as|set|now|equals|with|none|b)"
    word = r"[A-Za-z0-9+/_~%$!#@^*.-]"
    return {
        "said": re.compile(
            r"(?<![\w.$-])((?:(?:account|access|api|storage|shared|secret|private|pass|connection|client|routing|signing|"
            rf"subscription)[ ])?[\w.$-]*{ending}[0-9]?(?![\w.$-]))"
            rf"({gap}{{1,12}}+(?:{filler}(?!\w){gap}{{1,8}}+){{0,3}}+)({word}{{6,}}+={{0,2}})",
            re.IGNORECASE,
        ),
        "alone": re.compile(r"[ \t\"'`,;)\]}]*(?:</[^<>\n]{0,60}>)?[ \t]*(?:\n|\Z)"),
        "speaks": re.compile(rf"{ending}s?[0-9]?(?![a-z])", re.IGNORECASE),
        "word": re.compile(r"(?<![A-Za-z0-9+/_~%.-])[A-Za-z0-9+/_~%.-]{10,}+={0,2}"),
        "of a hash": re.compile(
            r"(?:\b(?:sha[0-9]*|md5|crc\w*|hash|digest|etag|integrity|checksum|fingerprint|thumbprint|commit|base64|"
            r"ssh-[a-z0-9]+|ecdsa-\S{1,40}|id(?:-[0-9])?)[\"']?[-:=, \t]{1,4}[\"']?)\Z",
            re.IGNORECASE,
        ),
        "unended pair": re.compile(
            rf"\w{{0,12}}value{QUOTE}[ \t]{{0,8}}[=:][ \t]{{0,8}}{QUOTE}([^\s\"'`\\{{}}]{{6,}}+)[^{{}}]{{0,40}}\Z",
            re.IGNORECASE,
        ),
        "unended pipe": re.compile(
            r"\b(?:echo|printf)\s+[\"']?([^\s\"'|]{6,}+)[\"']?\s*(?:\|[^\n|]{0,40})?\Z", re.IGNORECASE
        ),
        "goes on": re.compile(rf"[\"'\\]{{0,2}}\n[ \t]*({word}{{6,}}+={{0,2}})(?=[\"';&,\\)}}\]]|\s|\Z)"),
    }


def _redact_said(text: str) -> str:
    """The password is ..., with the key "...", token: and in the next line."""
    kept: list[str] = []
    done = at = 0
    while found := _patterns()["said"].search(text, at):
        name, between, value = found.groups()
        at = found.end(1)  # the word behind a name may be a name too: secret access key
        if "\n" in between and not _patterns()["alone"].match(text, found.end()):
            continue  # the next line is a sentence of its own
        if _is_value(value) if names_secret(name) else _is_key(name, value):
            kept.extend((text[done : found.start(3)], REDACTED))
            done = at = found.end()
    return "".join((*kept, text[done:]))


def _is_key(name: str, word: str) -> bool:
    """Whether a word behind a name that says little is a secret by its looks."""
    return (
        is_drawn(word)
        or _HEX.match(word) is not None
        or (name.lower().endswith("token") and _UUID.match(word) is not None)
    )


def _is_value(word: str) -> bool:
    """Whether a word behind the name of a secret is its value, and not the next word of a sentence."""
    if is_drawn(word):
        return True
    word = word.lstrip("*$&")
    if len(word) < _SHORTEST or _PLAIN.fullmatch(word) or ("/" in word and _PATH.fullmatch(word)):
        return False
    if word.isalpha():
        return len(word) >= _DRAWN_LENGTH and _PLAIN_PART.fullmatch(word) is None
    return any(_PLAIN_PART.fullmatch(part) is None for part in re.split(r"[-+=_./]", word))


def _redact_words(line: str) -> str:
    """Of a line that speaks of secrets, what is drawn by chance behind that; of any, what is so and long."""
    spoken = _patterns()["speaks"].search(line)
    if spoken is None and len(line) < _BARE:
        return line
    begins = spoken.end() if spoken else len(line)

    def replaced(found: re.Match[str]) -> str:
        word, at = found[0], found.start()
        shortest = _DRAWN_LENGTH if at >= begins else _BARE
        if len(word) < shortest or _SHA.match(word):
            return word
        if _patterns()["of a hash"].search(line, max(0, at - _LONGEST_BEFORE), at):
            return word
        pieces = word.split("/") if _PATH.fullmatch(word) else [word]
        return "/".join(
            REDACTED if len(piece) >= shortest and is_drawn(piece) and not _says_nothing(piece) else piece
            for piece in pieces
        )

    return _patterns()["word"].sub(replaced, line)


def _says_nothing(word: str) -> bool:
    """Whether a word is text in base64 that has no secret in it."""
    word = word[: len(word) - len(word) % 4] if "=" not in word else word  # the rest of a group of four was cut off
    try:
        inside = base64.b64decode(word + "=" * (-len(word) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    is_text = inside.isprintable() and re.search(_IN_A_WORD, inside) is not None
    return is_text and not _patterns()["speaks"].search(inside)


def _redact_continued(text: str) -> str:
    """A secret that was broken over lines goes on in the next ones."""
    kept: list[str] = []
    done, at = 0, text.find(REDACTED)
    while at >= 0:
        at += len(REDACTED)
        while (found := _patterns()["goes on"].match(text, at)) and _goes_on(found[1]):
            kept.append(text[done:at])
            done = at = found.end()
        at = text.find(REDACTED, at)
    return "".join((*kept, text[done:]))


def _goes_on(word: str) -> bool:
    return _is_value(word) or word.endswith("=")


def _redact_columns(text: str) -> str:
    """Hides what lies under a heading that names a secret, in rows cut by commas, tabs, semicolons, bars or blanks."""
    lines = text.split("\n")
    for separator in _SEPARATORS:
        columns: dict[int, str] = {}
        for number, line in enumerate(lines):
            cells = separator.split(line)
            if len(cells) < _FEWEST_COLUMNS:  # even: cells and what separates them
                columns = {}
            elif headings := {at: heading for at, cell in enumerate(cells) if (heading := _heading(cell)) is not None}:
                columns = headings
            elif columns:
                lines[number] = "".join(
                    _hidden(cell, columns[at]) if at in columns else cell for at, cell in enumerate(cells)
                )
    return "\n".join(lines)


_FEWEST_COLUMNS: Final = 3
_LONGEST_BEFORE: Final = 56
_LONGEST_ENDING: Final = 16
_SEPARATORS: Final = tuple(re.compile(f"({separator})") for separator in (",", "\t", ";", r"\|", " {2,}"))
_HEADING: Final = re.compile(r"\s*[\"']?([A-Za-z][\w .-]{2,40}?)[\"']?\s*")
_CELL: Final = re.compile(r"(\s*[\"']?)([^\s\"'\[]{6,})([\"']?\s*)")


def _heading(cell: str) -> str | None:
    found = _HEADING.fullmatch(cell)
    return found[1] if found and _patterns()["speaks"].search(found[1][-_LONGEST_ENDING:]) else None


def _hidden(cell: str, heading: str) -> str:
    found = _CELL.fullmatch(cell)
    if found is None or not found[2].strip("-=_*") or not (names_secret(heading) or _is_key(heading, found[2])):
        return cell
    return f"{found[1]}{REDACTED}{found[3]}"
