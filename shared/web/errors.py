"""What is answered when a request can't be served.

Owns the body of every error, its status and its headers. Does not own why a use case refuses (`api.refusals`) or what
went wrong further down (`errors`): what is known of that is said, what is not is hidden.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil

from msgspec import Struct

from shared.api.refusals import (
    AmbiguousError,
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    RefusalError,
    TooSoonError,
)
from shared.errors import (
    BatchError,
    JobNotFoundError,
    PoolNotFoundError,
    PrepwatchError,
    SettingsError,
    StoreError,
    ThrottledError,
    UnreadableRowError,
)
from shared.state.jobs import UNREADABLE_ROW
from shared.web.http import Answer, json_answer


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


class RequestError(PrepwatchError):
    """A request that HTTP's own part can't serve; it is answered as it says."""

    def __init__(self, status: int, code: str, message: str, *, target: str | None = None) -> None:
        self.status = status
        self.info = ErrorInfo(code=code, message=message, target=target)
        super().__init__(message)


_REFUSALS: Mapping[type[RefusalError], tuple[int, str]] = {
    NotFoundError: (404, "NotFound"),
    AmbiguousError: (400, "MissingRequiredQueryParameter"),
    InvalidError: (400, "InvalidInput"),
    ConflictError: (409, "Conflict"),
    TooSoonError: (429, "TooManyRequests"),
}
"""The status of each kind of refusal, and the code of those that give no reason of their own."""


def error_answer(error: Exception) -> Answer:
    """The answer to an error: what is known is said, what is not is hidden."""
    status, info, headers = _explain(error)
    headers = {"x-ms-error-code": info.code, **headers}
    return json_answer(ErrorBody(error=info), status=status, headers=headers)


def error_answer_to_anybody(error: Exception) -> Answer:
    """The answer to an error for somebody without a key: that the settings are wrong, and not which."""
    if isinstance(error, SettingsError):
        message = "The app's settings are not usable; whoever may call the API, or read the app's log, is told which."
        error = RequestError(500, "InvalidSettings", message)
    return error_answer(error)


def _explain(error: Exception) -> tuple[int, ErrorInfo, dict[str, str]]:
    if isinstance(error, RequestError):
        return error.status, error.info, {}
    if isinstance(error, RefusalError):
        return _explain_refusal(error)
    if isinstance(error, SettingsError):
        details = tuple(ErrorDetail(code="InvalidSetting", message=problem) for problem in error.problems)
        message = "The app's settings are not usable; mend what the details name and restart it."
        return 500, ErrorInfo(code="InvalidSettings", message=message, details=details), {}
    if isinstance(error, BatchError):
        return _explain_batch(error)
    if isinstance(error, StoreError):
        return _explain_store(error)
    return 500, ErrorInfo(code="InternalError", message="Something went wrong; the app's log says what."), {}


def _explain_refusal(error: RefusalError) -> tuple[int, ErrorInfo, dict[str, str]]:
    status, code = _REFUSALS[type(error)]
    problems: Sequence[Problem] = error.problems if isinstance(error, InvalidError) else ()
    details = tuple(ErrorDetail(code="InvalidField", message=each.message, target=each.field) for each in problems)
    info = ErrorInfo(code=error.reason or code, message=_words(error), target=error.target, details=details)
    return status, info, _retry_after(error.wait if isinstance(error, TooSoonError) else None)


def _words(error: RefusalError) -> str:
    """Why, and where that helps which parameter of the query mends it."""
    if isinstance(error, AmbiguousError):
        return f"{error}: name one by ?{error.target}= ({', '.join(error.names)})."
    if isinstance(error, ConflictError) and error.name_by is not None:
        return f"{error}; name one by ?{error.name_by}=."
    return str(error)


def _explain_batch(error: BatchError) -> tuple[int, ErrorInfo, dict[str, str]]:
    if isinstance(error, JobNotFoundError | PoolNotFoundError):
        return 404, ErrorInfo(code=error.code, message=error.message), {}
    details = [ErrorDetail(code=key, message=value) for key, value in error.values]
    if error.request_id is not None:
        details.append(ErrorDetail(code="requestId", message=error.request_id))
    info = ErrorInfo(code=error.code, message=f"Batch says: {error.message}", target="Batch", details=tuple(details))
    if isinstance(error, ThrottledError):
        return 429, info, _retry_after(error.retry_after or timedelta(seconds=15))
    # A refusal of this very request is the caller's to mend; anything else is between Batch and us.
    return (error.status if error.status in {400, 409} else 503), info, {}


def _explain_store(error: StoreError) -> tuple[int, ErrorInfo, dict[str, str]]:
    if isinstance(error, UnreadableRowError):  # trying again does not help: the message says what does
        return 503, ErrorInfo(code=UNREADABLE_ROW, message=str(error)), {}
    message = "The state can't be read or written right now; try again in a few seconds."
    return 503, ErrorInfo(code="StoreUnavailable", message=message), {"retry-after": "5"}


def _retry_after(wait: timedelta | None) -> dict[str, str]:
    return {} if wait is None else {"retry-after": str(max(1, ceil(wait.total_seconds())))}
