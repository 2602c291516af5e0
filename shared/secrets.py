"""Finds secrets in other people's texts: by the name before them, by their place, shape or look.

Owns which spellings are recognised. Does not own control characters or cuts (`redaction`). Every pattern takes time in
proportion to the text: identifiers are taken whole, and whatever is open-ended ends at a line, a quote or the text.
"""

import re
from functools import cache
from typing import Final

from shared.secret_guesses import redact_guessed
from shared.secret_names import NAME_MARKS, QUOTE, REDACTED, redact_named

# The word after a scheme is a credential when it has something that plain words lack, or is long: "SharedKey is not
# allowed for this account" has to stay readable.
_CREDENTIAL = r"(?:(?=[A-Za-z]*(?:[0-9_~+/=-]|[.:%][A-Za-z0-9]))[A-Za-z0-9._~+/][A-Za-z0-9._~+/=:%-]{3,}|[A-Za-z]{16,})"
# "token" and "basic" are words of every day too.
_DRAWN_CREDENTIAL = r"(?:(?=[A-Za-z._-]*[0-9=])[A-Za-z0-9._~+/][A-Za-z0-9._~+/=:%-]{3,}|[A-Za-z]{16,})"
# What looks like a secret: texts in lower case of which one stands in each (none: it is always looked for), the
# pattern, and what takes its place.
SHAPES: Final = (
    # PEM blocks, also without their end or their beginning
    (
        ("private key",),
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S])*(?:-----END[A-Z0-9 ]*-----)?",
        REDACTED,
    ),
    (("private key",), r"\A(?:(?!-----BEGIN)[\s\S])*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----", REDACTED),
    # HTTP's schemes
    (
        ("bearer", "sharedkey", "sharedaccesssignature"),
        rf"\b((?:Bearer|SharedKey(?:Lite)?|SharedAccessSignature)\s+){_CREDENTIAL}",
        rf"\1{REDACTED}",
    ),
    (("basic", "token"), rf"\b((?:Basic|token)\s+){_DRAWN_CREDENTIAL}", rf"\1{REDACTED}"),
    (
        ("authorization",),
        (
            rf"(authorization(?:{QUOTE})?[ \t]{{0,8}}[=:][ \t]{{0,8}}(?:{QUOTE})?"
            rf"(?:Bearer|Basic|token|SharedKey\w{{0,9}})[ \t]+)(?!\[redacted\])[^\s\"',;\\]+"
        ),
        rf"\1{REDACTED}",
    ),
    (
        ("authorization",),
        rf"(authorization{QUOTE}?[ \t]*[=:][ \t]*{QUOTE}?\w{{2,20}}[ \t]+)(?=[\w+/.~-]*[0-9])[^\s\"',;\\]{{6,}}",
        rf"\1{REDACTED}",
    ),
    (("x-amz-signature",), r"(X-Amz-Signature(?:=|%3D))[0-9a-f]{6,}", rf"\1{REDACTED}"),
    (("digest",), r"(\bDigest\s[^\n]{0,400}?\bresponse=\"?)[0-9a-f]{6,}", rf"\1{REDACTED}"),
    (("cookie",), r"(\bcookie\s{0,4}:\s{0,4})(?!\[redacted\])(?=[^\s=;:]{1,80}=)[^\n\"'\\]+", rf"\1{REDACTED}"),
    # what takes a password as a word of its own
    (("sshpass",), r"(\bsshpass\s+(?:-[eP]\s*\S+\s+)?-p\s*)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (
        ("mysql", "mariadb"),
        r"(\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;&]{0,200}?\s-p)(?!\[redacted\])[^\s-]\S*",
        rf"\1{REDACTED}",
    ),
    (
        ("login", "-stdin"),
        r"(\b(?:echo|printf)\s+(?:-n\s+|[\"']?%s[\"']?\s+)?[\"']?)(?!\[redacted\])[^\s\"']+(?=[\"']?\s*\|[^\n]{0,80}?(?:\blogin\b|-stdin\b))",
        rf"\1{REDACTED}",
    ),
    (("private-lines",), r"(Private-Lines:\s*[0-9]+\n)(?:[A-Za-z0-9+/=]+(?:\n|\Z))+", rf"\1{REDACTED}\n"),
    (("code=",), r"([?&]code=)(?!\[redacted\])[^\s&\"'<>]{6,}", rf"\1{REDACTED}"),
    (("mask::", "issecret"), r"(::add-mask::|issecret=true\])(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (
        ("secret",),
        r"(\bsecret\s+set\s[^\n]{0,200}?--(?:value|body)[ =][\"']?)(?!\[redacted\])[^\s\"']+",
        rf"\1{REDACTED}",
    ),
    (("redis-cli",), r"(\bredis-cli\s[^\n]{0,200}?-a\s+)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (("/user:",), r"(\bnet\s+use\s[^\n]{0,200}?/user:\S{1,100}\s+)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (("account.key",), r"(\baccount\.key\.[\w.-]+[=: \t]+[\"']?)(?!\[redacted\])[^\s\"']+", rf"\1{REDACTED}"),
    (
        ("pass",),
        r"(\bpass(?:word|phrase) for [^\s:]{1,100}(?: [^\s:]{1,100}|://[^\s:]{1,100}){0,2}:\s)(?!\[redacted\])\S+",
        rf"\1{REDACTED}",
    ),
    # the private numbers of a JSON Web Key
    (
        (),
        rf"({QUOTE}(?:d|p|q|dp|dq|qi|k){QUOTE}[ \t]*:[ \t]*{QUOTE})(?=[\w-]*[0-9]|[\w-]*\Z)[\w-]{{10,}}",
        rf"\1{REDACTED}",
    ),
    # tokens that say whose they are
    (("eyj",), r"(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){1,4}|(?<![\w-])eyJ[\w-]{6,}\Z", REDACTED),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat-"),
        r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{4,}|github_pat_?\w*|glpat-[\w-]{4,})",
        REDACTED,
    ),
    (("npm_",), r"(?<![A-Za-z0-9])npm_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{6,}+(?!_)", REDACTED),
    (
        ("pypi-", "dckr_", "aiza", "sk_live"),
        r"(?<![A-Za-z0-9])(?:pypi-Ag[\w-]*|dckr_[po]at_[\w-]*|AIza[\w-]{6,}|sk_live_\w{4,})",
        REDACTED,
    ),
    (
        ("hf_", "sk-"),
        r"(?<![A-Za-z0-9])(?:hf_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{10,}|sk-(?:proj|ant|svcacct)-[\w-]{8,})",
        REDACTED,
    ),
    (("xox", "xapp-"), r"(?<![A-Za-z0-9])(?:xox[abeoprs](?:\.xox[a-z])?-[\w-]{4,}|xapp-[\w-]{4,})", REDACTED),
    (
        ("hooks.slack", "api/webhooks"),
        r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/)[\w/+-]+",
        rf"\1{REDACTED}",
    ),
    (
        ("webhook.office", "integration/"),
        r"(\.webhook\.office\.com/\w+/|events\.pagerduty\.com/integration/)[\w@/-]+",
        rf"\1{REDACTED}",
    ),
    (("akia", "asia"), r"(?<![A-Za-z0-9+])(?:AKIA|ASIA)[0-9A-Z]{5,}(?![a-z])", REDACTED),
    (("q~",), r"(?<![\w~.-])[\w.-]{3}[0-9]Q~[\w~.-]{2,}", REDACTED),
    (("==",), r"(?<![A-Za-z0-9+/-])[A-Za-z0-9+/]{86}==|(?<![\w=+-])[\w-]{86}==", REDACTED),
    (("==", "%3d"), r"(?<![A-Za-z0-9+/%-])(?:[A-Za-z0-9]|%2[BbFf]){86}(?:%3[Dd]|=){2}", REDACTED),
    (("u+",), r"(?<![\w+])u\+[\w-]{16,}", REDACTED),
    # who asks, before the host; also when the text ends there
    (("://",), r"(://[^\s/@:]*:)(?!\[redacted\]@)[^\s/]+@", rf"\1{REDACTED}@"),
    (("://",), r"(://)[^\s/@:]{16,}@", rf"\1{REDACTED}@"),
    (("://",), r"(://[^\s/@:]*:)(?![0-9]{1,5}\b)(?![\[<$])[^\s/@]{3,}\Z", rf"\1{REDACTED}"),
    # what databases and command lines take
    (("password", "identified"), r"(\b(?:PASSWORD|IDENTIFIED\s+BY)\s+)'(?!\[redacted\])[^'\n]*'?", rf"\1'{REDACTED}'"),
    (("-u",), r"((?<![\w-])(?:-u|--user)[= \t]+[\"']?[^\s:\"']+:)(?!\[redacted\])[^\s\"']+", rf"\1{REDACTED}"),
    (("login",), r"(\blogin\s[^\n|;&]{0,200}?(?:-p|\bpassword)\s+)(?!\[redacted\])\S+", rf"\1{REDACTED}"),
    (
        (":5432", ":6432", ":*:"),
        r"(?<![\w.:-])([\w.*-]+:(?:5432|6432|\*):[\w*-]+:[\w*-]+:)(?!\[redacted\])\S+",
        rf"\1{REDACTED}",
    ),
)
# What else announces a secret: that of a JSON Web Key, an escaped letter, what is only guessed.
_OTHER_MARKS: Final = ("kty", "crv", "\\u00", "&#", "%4", "%5", "%6", "%7", "@", "webhook", "value", "echo", "printf")
MARKS: Final = (*NAME_MARKS, *dict.fromkeys(mark for marks, _, _ in SHAPES for mark in marks), *_OTHER_MARKS)
"""An ASCII text without any of these, in lower case, has no secret; looking for them costs a tenth of the patterns."""

# Letters, and what stands between a name and its value, that need no escape: in JSON, HTML, a URL.
_ESCAPED: Final = re.compile(
    r"\\u00(2[6bBfF]|3[0-9aAdD]|[46][1-9a-fA-F]|[57][0-9aA])|\\/|&#0{0,2}(4[3789]|5[0-8]|6[15-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2]);|"
    r"%([46][1-9a-fA-F]|[57][0-9aA])"
)


@cache
def _shapes() -> tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...]:
    return tuple((marks, re.compile(pattern, re.IGNORECASE), replacement) for marks, pattern, replacement in SHAPES)


def redact(text: str) -> str:
    """The text with `[redacted]` in the place of every secret that is recognised."""
    plain = _ESCAPED.sub(_unescaped, text)
    if plain != text and (redacted := _redact(plain)) != plain:
        return redacted
    return _redact(text)


def _redact(text: str) -> str:
    folded = text.casefold()  # as the patterns ignore case: a long s is an s
    for marks, pattern, replacement in _shapes():
        if not marks or any(mark in folded for mark in marks):
            text = pattern.sub(replacement, text)
    return redact_guessed(redact_named(text))


def _unescaped(found: re.Match[str]) -> str:
    in_json, in_html, in_url = found.groups()
    return chr(int(in_json or in_url, 16) if in_html is None else int(in_html)) if any(found.groups()) else "/"
