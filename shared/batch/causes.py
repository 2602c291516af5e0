"""Why tasks fail, said once for all the nodes that fail alike.

Owns what a cause is: code and normalised message. Does not own how a job's causes follow its nodes
(`changes.cause_table`) or advice on what to do about a code (`batch.advice`).
"""

import re
from functools import cache, lru_cache

from shared.batch.model import ExecutionInfo, NameValuePair
from shared.batch.pool_model import NodeError, StartTaskInfo

MAX_MESSAGE_CHARACTERS = 200
_MAX_DETAIL_CHARACTERS, _DETAIL_BEGINS = 120, 40
EXIT_CODE = "FailureExitCode"
UNKNOWN_CODE = "Unknown"
_LOOKED_AT_CHARACTERS = 1024  # what comes later is cut anyway, unless nearly all before it differs from node to node

# What differs from node to node in otherwise equal messages: ids, times, long numbers, addresses, ports, queries of
# URLs, and what lies below the tasks' directory, whose path has the job's id in it.
_VARIABLE_PARTS = (
    (r"\s+", " "),
    (r" ?\b(?:RequestId|Time):\S*", ""),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<id>"),
    (r"(https?://[^\s?'\"]+)\?[^\s'\"]+", r"\1"),
    (r"(?<![^\s'\"=(])[^\s'\"=(]*?[/\\]tasks[/\\](?:workitems|startup)\b[^\s'\",;:)]*", "<task directory>"),
    (r"\btvm(?:ps)?[-_]\w+(?:-\w+)*", "<node>"),
    (r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}\b", "<id>"),
    (r"(?<![\w.:])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])", "<address>"),
    (r"\[[0-9a-fA-F:]{2,39}\]|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}:?[0-9a-fA-F]{1,4}(?![\w:])", "<address>"),
    (r"(?<=[\w\]>]):\d{2,5}\b", ":<port>"),
    (r"(?<=\bport )\d+", "<port>"),
    (r"\b\d{5,}\b", "<n>"),
)
_TELLING = (("image",), ("blob", "url", "uri", "source"), ("file", "path"), ("package",), ("container",), ("message",))
"""What the names of a failure's details hold that say what could not be had, or why: the most telling first."""


def cause_of(info: ExecutionInfo | StartTaskInfo) -> tuple[str, str]:
    """The code and normalised message of a failed run, with what names the thing: an image, a file, a URL.

    Where Batch gives only an exit code the words are ours.
    """
    failure = info.failure_info
    details = (failure.details if failure is not None else None) or ()
    error = info.container_info.error if info.container_info is not None else None
    return _cause(failure and failure.code, failure and failure.message, info.exit_code, details, error)


def cause_of_error(error: NodeError) -> tuple[str, str]:
    """The code, empty for none, and normalised message of what is wrong with a node, with what names the thing."""
    return error.code or "", _with_detail(error.message or "", error.error_details or ())


def code_of(code: str | None, exit_code: int | None) -> str:
    """The code of a failure: Batch's own, or ours where Batch gives only an exit code, or nothing."""
    return code or (EXIT_CODE if exit_code else UNKNOWN_CODE)


@lru_cache(maxsize=1024)  # a job's nodes fail for few different reasons, thousands of times
def _cause(
    code: str | None,
    message: str | None,
    exit_code: int | None,
    details: tuple[NameValuePair, ...],
    container_error: str | None,
) -> tuple[str, str]:
    code = code_of(code, exit_code)
    if code == EXIT_CODE and exit_code is not None:
        return code, f"The task exited with exit code {exit_code}."
    return code, _with_detail(message or "", details, container_error or "")


def _with_detail(message: str, details: tuple[NameValuePair, ...], otherwise: str = "") -> str:
    """A normalised message and what it is about, unless it says that already; `otherwise` where no detail names it."""
    said, thing = normalise(message), _shortened(_without_variable_parts(_detail(details) or otherwise))
    if not thing or thing.lower() in said.lower():
        return said
    if not said:
        return thing
    return f"{said[: MAX_MESSAGE_CHARACTERS - len(thing) - 2].rstrip('. ')}: {thing}"


def _detail(details: tuple[NameValuePair, ...]) -> str:
    """The value that names what could not be had; else what Batch adds to its message."""
    named = [((pair.name or "").lower(), pair.value) for pair in details if pair.value]
    found = (value for words in _TELLING for name, value in named if any(word in name for word in words))
    return next(found, "")


def _shortened(thing: str) -> str:
    """A long name without its middle: it ends with the file. The host of a URL says enough without its scheme."""
    thing = thing.removeprefix("https://").removeprefix("http://")
    if len(thing) <= _MAX_DETAIL_CHARACTERS:
        return thing
    return f"{thing[:_DETAIL_BEGINS]}…{thing[_DETAIL_BEGINS + 1 - _MAX_DETAIL_CHARACTERS :]}"


def normalise(message: str) -> str:
    """A message without what differs from node to node, at most MAX_MESSAGE_CHARACTERS long."""
    return _without_variable_parts(message)[:MAX_MESSAGE_CHARACTERS]


def _without_variable_parts(text: str) -> str:
    text = text[:_LOOKED_AT_CHARACTERS]
    for pattern, replacement in _variable_parts():
        text = pattern.sub(replacement, text)
    return text.strip()


@cache
def _variable_parts() -> tuple[tuple[re.Pattern[str], str], ...]:
    # Not compiled at import: where nothing fails there is no cause.
    return tuple((re.compile(pattern), replacement) for pattern, replacement in _VARIABLE_PARTS)
