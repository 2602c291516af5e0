"""What in recorded answers is not as Prepwatch was built to expect it.

Owns the expectations, each from the API's documentation or from what was seen. Surprises quote field names and words of
the API, never a value of the account's. A surprise is no error: Prepwatch reads on in each of these cases.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from local.smoke.recording import Recorded
from shared.batch.model import ContainerInfo, ExecutionInfo, FailureInfo, NodeStatus

_STATUSES: Final = "Job_ListPreparationAndReleaseTaskStatus"
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "state": frozenset({"running", "completed"}),
    "result": frozenset({"success", "failure"}),
    "category": frozenset({"usererror", "servererror"}),
}
_JOB_STATES: Final = frozenset({
    "active", "disabling", "disabled", "enabling", "terminating", "completed", "deleting",
})  # fmt: skip
_EXPECTED_HEADERS: Final = ("request-id", "client-request-id", "date")
_SKEW: Final = timedelta(minutes=2)


def surprises(exchanges: list[Recorded], now: datetime) -> list[str]:
    """What surprises in all exchanges, each once with how often it was met."""
    found: Counter[str] = Counter()
    for recorded in exchanges:
        found.update(_in_headers(recorded, now))
        if recorded.status == 200 and recorded.method == "GET" and not recorded.operation.startswith("File_"):
            body = json.loads(recorded.body)
            found.update(_in_link(recorded, body))
            if recorded.operation == _STATUSES:
                found.update(text for entry in body.get("value") or () for text in _in_entry(entry))
            elif recorded.operation == "Job_List":
                found.update(text for job in body.get("value") or () for text in _in_job(job))
    return [f"{text} ({times}x)" for text, times in sorted(found.items())]


def _in_headers(recorded: Recorded, now: datetime) -> Iterator[str]:
    for name in _EXPECTED_HEADERS:
        if name not in recorded.headers:
            yield f"{recorded.operation}: no header {name}"
    if "date" in recorded.headers:
        skew = abs(parsedate_to_datetime(recorded.headers["date"]).astimezone(UTC) - now)
        if skew > _SKEW:
            yield "this machine's clock and Batch's differ by minutes: SharedKey fails beyond fifteen"


def _in_link(recorded: Recorded, body: Mapping[str, Any]) -> Iterator[str]:
    link = body.get("odata.nextLink")
    if not link:
        return
    asked, named = urlsplit(recorded.url), urlsplit(str(link))
    if (named.scheme, named.netloc.lower()) != (asked.scheme, asked.netloc.lower()):
        yield f"{recorded.operation}: odata.nextLink leads to another origin; it is not followed"
    if named.path.rsplit("/", 1)[-1].lower() != asked.path.rsplit("/", 1)[-1].lower():
        yield f"{recorded.operation}: odata.nextLink names another path; it is followed"
    lost = {"$filter", "$select"} & parse_qs(asked.query).keys() - parse_qs(named.query).keys()
    if lost:
        yield f"{recorded.operation}: odata.nextLink has lost {', '.join(sorted(lost))}"


def _in_entry(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown_fields("a status", entry, NodeStatus)
    for name in ("poolId", "nodeId", "nodeUrl"):
        if not entry.get(name):
            yield f"a status has no {name}"
    for phase in ("jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"):
        if isinstance(info := entry.get(phase), dict):
            yield from _in_info(phase, info)


def _in_info(phase: str, info: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown_fields(phase, info, ExecutionInfo)
    for name in ("startTime", "state", "taskRootDirectory"):
        if not info.get(name):
            yield f"{phase} has no {name}"
    failure = info.get("failureInfo")
    words = {"state": info.get("state"), "result": info.get("result")}
    if isinstance(failure, dict):
        yield from _unknown_fields("failureInfo", failure, FailureInfo)
        words["category"] = failure.get("category")
    if isinstance(container := info.get("containerInfo"), dict):
        yield from _unknown_fields("containerInfo", container, ContainerInfo)
    yield from _in_words(phase, words)
    if str(info.get("state")).lower() == "completed":
        yield from _in_completed(phase, info)


def _in_words(phase: str, words: Mapping[str, Any]) -> Iterator[str]:
    for name, word in words.items():
        if word is None:
            continue
        if str(word).lower() not in _WORDS[name]:
            yield f"{phase}: {name} is a word that Prepwatch does not know; it is counted as unknown"
        elif word not in _WORDS[name]:
            yield f"{phase}: {name} is spelled {word}"


def _in_completed(phase: str, info: Mapping[str, Any]) -> Iterator[str]:
    failure = info.get("failureInfo")
    if info.get("result") is None:
        yield f"{phase} is completed without result"
    if info.get("exitCode") is None and failure is None:
        yield f"{phase} is completed without exitCode and failureInfo"
    if str(info.get("result")).lower() == "failure" and failure is None:
        yield f"{phase} has failed without failureInfo"


def _in_job(job: Mapping[str, Any]) -> Iterator[str]:
    for name in ("state", "creationTime", "stateTransitionTime"):
        if not job.get(name):
            yield f"a job has no {name}"
    if (state := job.get("state")) and state not in _JOB_STATES:
        yield "a job's state is a word, or a spelling, that Prepwatch does not know"


def _unknown_fields(what: str, found: Mapping[str, Any], kind: type[msgspec.Struct]) -> Iterator[str]:
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    for name in found.keys() - known:
        if name.isascii() and name.isalpha():
            yield f"{what} has a field that Prepwatch does not know: {name}"
