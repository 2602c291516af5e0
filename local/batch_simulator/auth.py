"""Who may ask: SharedKey signatures and bearer tokens as the Batch service checks them.

Owns the string to sign. Does not know accounts beyond the one it is given, nor roles.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from local.batch_simulator.protocol import BatchError, Request

TOLERANCE = timedelta(minutes=15)
_SIGNED_HEADERS = (
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


def string_to_sign(
    *, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], account: str
) -> str:
    """What a SharedKey signature covers; `path` as encoded in the URL, header names in lower case.

    Query names keep their case and are sorted as they are: the documentation says lower case, every client
    signs them as written. With ocp-date the Date header counts as empty.
    """
    signed = {**headers, "date": ""} if "ocp-date" in headers else headers
    lines = [method, *(signed.get(name, "") for name in _SIGNED_HEADERS)]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("ocp-")]
    resource = [f"/{account}{path}", *(f"{name}:{query[name]}" for name in sorted(query) if query[name])]
    return "\n".join(lines + resource)


def signature(key: str, text: str) -> str:
    """The base64 HMAC-SHA256 of `text` under the base64 `key`."""
    signed = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(signed).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Lets through whoever holds the account's key, or the one bearer token if there is one."""

    account: str
    key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def check(self, request: Request, now: datetime) -> None:
        """Pass or raise.

        Raises:
            BatchError: 401 without usable credentials, 403 AuthenticationFailed for a wrong signature or for
                an ocp-date more than 15 minutes away from `now`.
        """
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "sharedkey":
                self._check_shared_key(request, credentials, now)
            case "bearer" if self.token is not None and hmac.compare_digest(credentials.encode(), self.token.encode()):
                return
            case "bearer":
                raise _unauthorized("The bearer token is not accepted.")
            case _:
                raise _unauthorized("The Authorization header is missing or of an unknown scheme.")

    def _check_shared_key(self, request: Request, credentials: str, now: datetime) -> None:
        account, _, given = credentials.partition(":")
        if account.lower() != self.account.lower():
            raise _refused("The specified account in the Authorization header is not this account.")
        asked_at = request.headers.get("ocp-date") or request.headers.get("date")
        if asked_at is None:
            raise _refused("Neither ocp-date nor Date was sent.")
        try:
            sent = parsedate_to_datetime(asked_at)
        except ValueError as exc:
            raise _refused(f"'{asked_at}' is not an RFC 1123 date.") from exc
        sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
        if abs(now - sent) > TOLERANCE:
            raise _refused(f"The request's date '{asked_at}' is more than 15 minutes away from the server's.")
        text = string_to_sign(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            account=account,
        )
        if not hmac.compare_digest(signature(self.key, text).encode(), given.encode()):
            raise _refused(f"The MAC signature found in the HTTP request is not the same as of '{text}'.")


def _refused(detail: str) -> BatchError:
    return BatchError("AuthenticationFailed", {"AuthenticationErrorDetail": detail})


def _unauthorized(detail: str) -> BatchError:
    return BatchError(
        "AuthenticationFailed",
        {"AuthenticationErrorDetail": detail},
        status=HTTPStatus.UNAUTHORIZED,
        headers={"WWW-Authenticate": 'Bearer resource_id="https://batch.core.windows.net/"'},
    )
