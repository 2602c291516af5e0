"""Why tasks fail, said once for all the nodes that fail alike.

Owns what a cause is: code and normalised message. Does not own how a job's causes follow its nodes
(`changes.cause_table`) or advice on what to do about a code (`batch.advice`).
"""

import re
from functools import cache, lru_cache

from shared.batch.model import ExecutionInfo
from shared.batch.pools import StartTaskInfo

MAX_MESSAGE_CHARACTERS = 200
EXIT_CODE = "FailureExitCode"
UNKNOWN = "Unknown"
_LOOKED_AT_CHARACTERS = 1024  # what comes later is cut anyway, unless nearly all before it differs from node to node

# What differs from node to node in otherwise equal messages: ids, times, long numbers, addresses' queries.
_VARIABLE_PARTS = (
    (r"\s+", " "),
    (r" ?\b(?:RequestId|Time):\S*", ""),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<id>"),
    (r"\btvm(?:ps)?[-_]\w+(?:-\w+)*", "<node>"),
    (r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}\b", "<id>"),
    (r"(https?://[^\s?'\"]+)\?[^\s'\"]+", r"\1"),
    (r"\b\d{5,}\b", "<n>"),
)


def cause_of(info: ExecutionInfo | StartTaskInfo) -> tuple[str, str]:
    """The code and normalised message of a failed run; our own words where Batch gives only an exit code."""
    failure = info.failure_info
    return _cause(failure and failure.code, failure and failure.message, info.exit_code)


def code_of(code: str | None, exit_code: int | None) -> str:
    """The code of a failure: Batch's own, or ours where Batch gives only an exit code, or nothing."""
    return code or (EXIT_CODE if exit_code else UNKNOWN)


@lru_cache(maxsize=1024)  # a job's nodes fail for few different reasons, thousands of times
def _cause(code: str | None, message: str | None, exit_code: int | None) -> tuple[str, str]:
    code = code_of(code, exit_code)
    if code == EXIT_CODE and exit_code is not None:
        return code, f"The task exited with exit code {exit_code}."
    return code, normalise(message or "")


def normalise(message: str) -> str:
    """A message without what differs from node to node, at most MAX_MESSAGE_CHARACTERS long."""
    message = message[:_LOOKED_AT_CHARACTERS]
    for pattern, replacement in _variable_parts():
        message = pattern.sub(replacement, message)
    return message.strip()[:MAX_MESSAGE_CHARACTERS]


@cache
def _variable_parts() -> tuple[tuple[re.Pattern[str], str], ...]:
    # Not compiled at import: where nothing fails there is no cause.
    return tuple((re.compile(pattern), replacement) for pattern, replacement in _VARIABLE_PARTS)
