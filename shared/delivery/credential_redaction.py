"""That no answer and no log repeats what opens a receiver: its address, its key, its token.

Owns how a webhook's credentials are found in a text, however they are spelled there, and that without Entra ID there is
no token. Does not own tokens (`ports.Authorize`) or secrets in what Batch says (`redaction`, `secrets`).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from shared.errors import CredentialError
from shared.secret_names import REDACTED
from shared.webhook import Webhook

_LEAST_CREDENTIAL = 12
"""Characters; nobody's credential is shorter, and ordinary words of a path stay readable."""
_ESCAPED_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_ESCAPED_BY_DOTNET = re.compile(r"[+&'<>`\"]")


def without_credentials(webhook: Webhook, body: bytes, granted: Collection[str]) -> bytes:
    """The body of an answer without what opens the receiver: `granted` are the headers with the token it was sent."""
    return _hide(body, _credentials(webhook, granted))


def hide_credentials(webhook: Webhook, text: str) -> str:
    """A text of ours that a log is to keep, without what opens the receiver, however it is spelled there."""
    return _hide(text.encode(errors="replace"), _credentials(webhook, ())).decode(errors="replace")


def without_token(webhook: Webhook) -> Mapping[str, str]:
    """A `ports.Authorize` for installations without Entra ID.

    Raises:
        CredentialError: Always.
    """
    raise CredentialError(f"Webhook {webhook.name} needs Entra ID, which this installation was built without.")


def _credentials(webhook: Webhook, granted: Collection[str]) -> set[str]:
    """What opens a receiver: the path and query of its URL as a whole, their longer parts, the key, and the token."""
    address = urlsplit(webhook.url)
    whole = f"{address.path}?{address.query}" if address.query else address.path
    parts = (whole, *re.split(r"[/?&=]", whole), *(word for value in granted for word in value.split()))
    key = {webhook.key} if webhook.key else set()
    return key | {part for part in parts if len(part) >= _LEAST_CREDENTIAL}


def _hide(body: bytes, credentials: Collection[str]) -> bytes:
    spellings = {spelling.encode() for credential in credentials for spelling in _spellings(credential)}
    for spelling in sorted(spellings, key=len, reverse=True):
        body = re.sub(re.escape(spelling), REDACTED.encode(), body, flags=re.IGNORECASE)
    # An answer is cut where it grows too long, which may be within a credential.
    cut = max((_common_end(body, spelling) for spelling in spellings), default=0)
    return body[:-cut] + REDACTED.encode() if cut else body


def _spellings(credential: str) -> Iterator[str]:
    """A credential as it is, and as URLs, JSON (`/` and the signs that .NET escapes) and HTML may spell it."""
    for plain in (credential, unquote(credential)):
        yield from (plain, quote(plain, safe=""), plain.replace("/", r"\/"), plain.translate(_ESCAPED_IN_HTML))
        yield _ESCAPED_BY_DOTNET.sub(lambda sign: f"\\u{ord(sign[0]):04x}", plain)


def _common_end(body: bytes, spelling: bytes) -> int:
    """How many bytes at the body's end are the beginning of a spelling; 0 for fewer than a word has."""
    longest = min(len(body), len(spelling) - 1)
    return next((size for size in range(longest, 5, -1) if body.endswith(spelling[:size])), 0)
