"""Signs requests to Batch with the account's key.

Owns the string-to-sign and the header made of it. It is written as the SDK writes it (Batch's REST documentation
differs in where it puts line feeds and in lower-casing names; the service follows the SDK). Does not own keeping the
key, nor the `ocp-date` header, which the caller sets.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

_SIGNED_HEADERS: Final = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def string_to_sign(method: str, url: str, headers: Mapping[str, str], *, account: str) -> str:
    """What the key signs: method, standard headers, ocp-* headers, account with path, decoded query.

    Args:
        method: GET or HEAD; the others need a content-length too.
        url: The final URL, escaped exactly as it is sent.
        headers: All headers of the request that are signed, `ocp-date` among them.
        account: The account's name, not its host.
    """
    parts = urlsplit(url)
    given = {name.lower(): value for name, value in headers.items() if value}
    lines = [method, *(given.get(name, "") for name in _SIGNED_HEADERS)]
    lines += [f"{name}:{value}" for name, value in sorted(given.items()) if name.startswith("ocp-")]
    lines.append(f"/{account}{parts.path}")
    # parse_qs drops blank values, as the SDK does; of a repeated name it signs the first value.
    lines += [f"{name}:{values[0]}" for name, values in sorted(parse_qs(parts.query).items())]
    return "\n".join(lines)


def authorization(method: str, url: str, headers: Mapping[str, str], *, account: str, key: bytes) -> str:
    """The Authorization header for exactly this request; Batch takes it within 15 minutes of its `ocp-date`.

    Args:
        method: GET or HEAD.
        url: The final URL, escaped exactly as it is sent.
        headers: All headers of the request that are signed, `ocp-date` among them.
        account: The account's name, not its host.
        key: The account key, decoded from its base64 form.
    """
    text = string_to_sign(method, url, headers, account=account)
    signature = hmac.digest(key, text.encode(), hashlib.sha256)
    return f"SharedKey {account}:{base64.b64encode(signature).decode()}"
