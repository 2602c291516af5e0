"""The errors that cross module borders, each with what its catcher should do.

Owns the hierarchy. Does not own wording for HTTP callers (`web.errors`). No message holds a URL's query, a
token, or more than 256 characters of somebody else's text.
"""

from collections.abc import Sequence
from datetime import timedelta


class PrepwatchError(Exception):
    """Any failure that Prepwatch names; everything else is a defect."""


class SettingsError(PrepwatchError):
    """Settings are missing or wrong; show every problem to whoever deploys, and do nothing else.

    Args:
        problems: One sentence each, naming the setting and the mend, never a value.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class BatchError(PrepwatchError):
    """The Batch service, or the way to it, failed; record it as the job's or the account's error.

    Args:
        code: Batch's own error code, or ours in the same style when Batch named none.
        message: What happened, for a person; redacted and capped.
        status: The HTTP status, or None when no answer came.
        request_id: Batch's request-id to quote to support, or None.
        values: Batch's additional name-value pairs.
        retry_after: How long Batch asks to be left alone, or None when it did not say.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        values: Sequence[tuple[str, str]] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.values = tuple(values)
        self.retry_after = retry_after
        super().__init__(f"{code}: {message}")


class JobNotFoundError(BatchError):
    """404 JobNotFound: the job does not exist (any more); close its tracking."""


class PoolNotFoundError(BatchError):
    """404 PoolNotFound: the pool does not exist (any more); a pool that a listing leaves out may still exist."""


class NoPreparationTaskError(BatchError):
    """409 JobPreparationTaskNotSpecified: nothing to watch; stop listing the job."""


class WrongStateError(BatchError):
    """Any other 409: what was asked about is in no state for it; the job's own error, or none while the job ends."""


class AccountDeniedError(BatchError):
    """401 or 403: the credential is refused for the whole account; ask for none of its other jobs."""


class ThrottledError(BatchError):
    """429 or 503: leave the whole account alone for `retry_after`, or for a while when it is None."""


class BatchUnavailableError(BatchError):
    """5xx, a timeout or a broken connection; ask again in the next cycle."""


class RejectedRequestError(BatchError):
    """400 or another refusal of this very request; asking again unchanged will not help."""


class HostileAnswerError(BatchError):
    """The answer breaks the contract (not JSON, wrong types, foreign or looping link, too large); keep the snapshot."""


class StoreError(PrepwatchError):
    """The table failed; nothing is known to be written."""


NO_STORE_TOKEN = "no Entra token for the storage"  # noqa: S105 - words for people


class StoreUnavailableError(StoreError):
    """No (usable) answer from the table; a write may or may not have happened, so settle it by reading."""


class RowConflictError(StoreError):
    """A row was not as the write expected: another ETag, already there, or gone; read again.

    Args:
        row_key: The row that conflicted, or None when the service did not say which.
        exists: True when an insert met an existing row.
    """

    def __init__(self, message: str, *, row_key: str | None = None, exists: bool = False) -> None:
        self.row_key = row_key
        self.exists = exists
        super().__init__(message)


class LostRaceError(StoreError):
    """Another writer was first, or it is not known whether this one was written; drop the decision and look again."""


class TransactionTooLargeError(StoreError):
    """The transaction would break a limit of the table service and was not sent; slice it."""


class UnreadableRowError(StoreError):
    """A stored row has a newer schema version or a shape that can't be read; leave it as it is and say so."""


class DefectError(PrepwatchError):
    """A defect of Prepwatch met in one job: record it as that job's error and go on with the others.

    Args:
        kind: The name of the exception, whose text may hold anything and stays in the log.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"Prepwatch met a defect in this job ({kind}): its log has the traceback; please report it.")


class CredentialError(PrepwatchError):
    """No token could be had; try again later, and say so to whoever runs this."""
