"""What is answered when a request can't be served.

Owns the body of every error and the errors that use cases raise for the caller. Does not own HTTP headers (`web.http`).
"""

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from shared.errors import (
    PrepwatchError,
)


class ErrorDetail(Struct, frozen=True, kw_only=True, rename="camel"):
    """One of several problems of a request."""

    code: str
    message: str
    target: str | None = None


class ErrorInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """What went wrong, what it concerns, and what lies behind it."""

    code: str
    message: str
    target: str | None = None
    details: tuple[ErrorDetail, ...] = ()


class ErrorBody(Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of every answer that is not a success."""

    error: ErrorInfo


class ApiError(PrepwatchError):
    """A request that can't be served; the translator answers it as it says."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[ErrorDetail] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.info = ErrorInfo(code=code, message=message, target=target, details=tuple(details))
        super().__init__(message)


def not_found(what: str, name: str) -> ApiError:
    """404: no such thing."""
    return ApiError(404, "NotFound", f"There is no {what} {name!r}.", target=name)
