"""Finds secrets in other people's texts: by the name before them, by their place, or by their shape.

Owns which spellings are recognised. Does not own control characters or cuts (`redaction`). Every pattern takes time in
proportion to the text: identifiers are taken whole, and whatever is open-ended ends at a line, a quote or the text.
"""

import re
from functools import cache
from typing import Final

REDACTED: Final = "[redacted]"

# What a name ends in, written small and without its separators: `AZURE_STORAGE_KEY`, `accountKey`, `--account-key`.
_STRONG: Final = (
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
    *("connectionstring", "sharedaccesssignature", "authorization", "sastoken", "accountkey", "batchkey", "keydata"),
)
# These say it only when the value looks drawn by chance: a key may be any key, a code any code.
_WEAK: Final = ("key", "token", "auth", "code", "signature", "cookie", "session", "sessionid")
_PASS: Final = ("_pass", "-pass", ".pass")
_NOT_LETTERS: Final = re.compile(r"[^a-z0-9]+")
_RANDOM: Final = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])[A-Za-z0-9+/=_%~-]{20,}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,}")
_SHORTEST_TOKEN: Final = 8
_LOOKED_AT: Final = 200
_WORDY: Final = re.compile(r"[A-Za-z]{1,15}[.!?)]*")

# Quotes as they are written, within JSON, HTML and URLs too; what may stand before them: b'..', SecretStr('..').
_QUOTE = r"(?:\\{0,8}[\"'`]|\\{1,8}u002[27]|&(?:quot|\#3[49]|apos);|%(?:25){0,3}2[27])"
_BLANK = r"[ \t\xa0]{0,8}"
_SEPARATOR = (
    rf"{_QUOTE}?{_BLANK}(?:=>|:=|[=:\uff1d\uff1a]|%(?:25){{0,3}}3[AaDd])"
    rf"(?:\s{{0,40}}(?={_QUOTE})|{_BLANK}(?:[bBfFrRuU]{{1,2}}|\w{{1,20}}\()(?={_QUOTE})|{_BLANK})|"
    rf"{_QUOTE}{_BLANK},{_BLANK}(?={_QUOTE})"
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
        "block": rf"{_NAME}{_QUOTE}?:{_BLANK}[|>][-+0-9]{{0,2}}[ \t]{{0,8}}\n(?=[ \t])",
        "element": r"<([A-Za-z_][\w.:-]*+)>",
        "pair": rf"\b(?:name|key){_QUOTE}?[ \t]{{0,8}}[=:][ \t]{{0,8}}{_QUOTE}?([\w.$-]++){_QUOTE}?"
        rf"[\s,]{{1,40}}{_QUOTE}?value{_QUOTE}?[ \t]{{0,8}}[=:][ \t]{{0,8}}",
    }
    return {name: re.compile(pattern, re.IGNORECASE) for name, pattern in ignoring_case.items()} | {
        "shouted": re.compile(r"(?<![\w.$-])([A-Z][A-Z0-9]*+(?:_[A-Z0-9]++)*+)[ \t]+(?=\S{8})(?=\S*[0-9])"),
        "quote": re.compile(_QUOTE),
        "indented": re.compile(r"[ \t][^\n]*(?:\n[ \t][^\n]*)*"),
        "bare": re.compile(rf"{_PLACEHOLDER}[^\s;,\"'<>\\][^\s;,\"'<>]*+", re.IGNORECASE),
        "quoted": re.compile(_PLACEHOLDER, re.IGNORECASE),
    }


# The word after a scheme is a credential when it has something that plain words lack, or is long: "SharedKey is not
# allowed for this account" has to stay readable.
_CREDENTIAL = r"(?:(?=[A-Za-z]*[0-9._~+/=:-])[A-Za-z0-9._~+/=:%-]+|[A-Za-z]{16,})"
_SHAPES: Final = (
    # PEM blocks, also without their end or their beginning
    (r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S])*(?:-----END[A-Z0-9 ]*-----)?", REDACTED),
    (r"\A(?:(?!-----)[\s\S])*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----", REDACTED),
    # HTTP's schemes
    (rf"\b((?:Bearer|Basic|SharedKey(?:Lite)?|SharedAccessSignature|token)\s+){_CREDENTIAL}", rf"\1{REDACTED}"),
    (
        (
            rf"(authorization(?:{_QUOTE})?[ \t]{{0,8}}[=:][ \t]{{0,8}}(?:{_QUOTE})?"
            rf"(?:Bearer|Basic|token|SharedKey\w{{0,9}})[ \t]+)(?!\[redacted\])[^\s\"',;\\]+"
        ),
        rf"\1{REDACTED}",
    ),
    # what takes a password as a word of its own
    (r"(\bsshpass\s+(?:-[eP]\s*\S+\s+)?-p\s*)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (r"(\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;&]{0,200}?\s-p)(?!\[redacted\])[^\s-]\S*", rf"\1{REDACTED}"),
    (
        r"(\becho\s+(?:-n\s+)?)(?!\[redacted\])\S+(?=\s*\|\s*(?:docker|podman|helm|az|oras)\b[^\n]{0,40}\blogin\b)",
        rf"\1{REDACTED}",
    ),
    (r"(Private-Lines:\s*[0-9]+\n)(?:[A-Za-z0-9+/=]+(?:\n|\Z))+", rf"\1{REDACTED}\n"),
    (r"([?&]code=)(?!\[redacted\])[^\s&\"'<>]{6,}", rf"\1{REDACTED}"),
    # tokens that say whose they are
    (r"(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){1,4}|(?<![\w-])eyJ[\w-]{6,}\Z", REDACTED),
    (r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{4,}|github_pat_?\w*|glpat-[\w-]{4,})", REDACTED),
    (r"(?<![A-Za-z0-9])npm_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{6,}+(?!_)", REDACTED),
    (r"(?<![A-Za-z0-9])(?:pypi-Ag[\w-]*|dckr_[po]at_[\w-]*|AIza[\w-]{6,}|sk_live_\w{4,})", REDACTED),
    (r"(?<![A-Za-z0-9])(?:hf_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{10,}|sk-(?:proj|ant|svcacct)-[\w-]{8,})", REDACTED),
    (r"(?<![A-Za-z0-9])(?:xox[abeoprs](?:\.xox[a-z])?-[\w-]{4,}|xapp-[\w-]{4,})", REDACTED),
    (r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/+-]+", rf"\1{REDACTED}"),
    (r"(?<![A-Za-z0-9+])(?:AKIA|ASIA)[0-9A-Z]{5,}(?![a-z])", REDACTED),
    (r"(?<![\w~.-])[\w.-]{3}[0-9]Q~[\w~.-]{2,}", REDACTED),
    (r"(?<![A-Za-z0-9+/-])[A-Za-z0-9+/]{86}==|(?<![\w=+-])[\w-]{86}==", REDACTED),
    (r"(?<![A-Za-z0-9+/%-])(?:[A-Za-z0-9]|%2[BbFf]){86}(?:%3[Dd]|=){2}", REDACTED),
    (r"(?<![\w+])u\+[\w-]{16,}", REDACTED),
    # who asks, before the host; also when the text ends there
    (r"(://[^\s/@:]*:)(?!\[redacted\]@)[^\s/]+@", rf"\1{REDACTED}@"),
    (r"(://)[^\s/@:]{16,}@", rf"\1{REDACTED}@"),
    (r"(://[^\s/@:]*:)(?![0-9]{1,5}\b)(?!\[)[^\s/@]{3,}\Z", rf"\1{REDACTED}"),
    # what databases and command lines take
    (r"(\b(?:PASSWORD|IDENTIFIED\s+BY)\s+)'(?!\[redacted\])[^'\n]*'?", rf"\1'{REDACTED}'"),
    (r"((?<![\w-])(?:-u|--user)[= \t]+[\"']?[^\s:\"']+:)(?!\[redacted\])[^\s\"']+", rf"\1{REDACTED}"),
    (r"(\blogin\s+(?:-u\s+)?\S+\s+(?:-p|password)\s+)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (r"(?<![\w.:-])([\w.*-]+:(?:5432|6432|\*):[\w*-]+:[\w*-]+:)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
)
# An ASCII text without any of these, in lower case, has no secret; looking for them costs a tenth of the patterns.
MARKS: Final = (
    *(
        "key",
        "sig",
        "eyj",
        "@",
        "secret",
        "token",
        "pass",
        "pwd",
        "bearer",
        "basic",
        "credential",
        "connection",
        "auth",
    ),
    *(
        "code",
        "cookie",
        "session",
        "identified",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat",
        "glpat-",
        "npm_",
    ),
    *("pypi-", "dckr_", "xox", "xapp-", "hooks.slack", "akia", "asia", "aiza", "sk_live", "q~", "==", "u+", "://"),
    *("-u", "login", ":5432", ":6432", ":*:", "mysql", "mariadb", "hf_", "sk-", "%3d%3d"),
)


@cache
def _shapes() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in _SHAPES)


def redact(text: str) -> str:
    """The text with `[redacted]` in the place of every secret that is recognised."""
    for pattern, replacement in _shapes():
        text = pattern.sub(replacement, text)
    for form in ("pair", "element", "block", "option", "shouted", "named"):
        text = _redact_named(form, text)
    return text


def names_secret(name: str) -> bool:
    """Whether what has such a name is a secret whatever it looks like."""
    small = _small(name)
    if small in {"token", "tokens"}:
        return False  # of a grammar as a rule
    if small.endswith(_STRONG) or name.lower().endswith(_PASS):
        return True
    return small.endswith("sig") and (small.endswith("3fsig") or not small[-4:-3].isalpha())  # 3f: an escaped ?


def _looks_secret(name: str, value: str) -> bool:
    """Whether the first characters of what has a name that says little look drawn by chance."""
    if _small(name) == "token":
        return len(value) >= _SHORTEST_TOKEN and not _WORDY.fullmatch(value)
    return _RANDOM.match(value) is not None or _HEX.match(value) is not None


def _small(name: str) -> str:
    return _NOT_LETTERS.sub("", name.lower()).rstrip("0123456789")


def _redact_named(form: str, text: str) -> str:
    pattern, only_strong = _patterns()[form], form in {"option", "shouted"}
    kept: list[str] = []
    done = at = 0
    while found := pattern.search(text, at):
        at = found.end()
        is_secret = names_secret(found[1])
        if not is_secret and (only_strong or not _small(found[1]).endswith(_WEAK)):
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
