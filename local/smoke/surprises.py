"""What in recorded answers is not as Prepwatch was built to expect it.

Owns the expectations, each from the API's documentation or from what was seen, and whether it matters when one fails:
it does when somebody might not be told of a failure. Surprises quote field names and words of the API, never a value of
the account's. A surprise is no error: Prepwatch reads on in each of these cases.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, order=True)
class Surprise:
    """Something unexpected; *so* is what it means for what Prepwatch tells."""

    harmless: bool
    what: str
    so: str

    def __str__(self) -> str:
        """The whole in a line."""
        return f"{'harmless' if self.harmless else 'MATTERS '}  {self.what}: {self.so}"


def _harmless(what: str, so: str) -> Surprise:
    return Surprise(harmless=True, what=what, so=so)


def _matters(what: str, so: str) -> Surprise:
    return Surprise(harmless=False, what=what, so=so)


def surprises(exchanges: list[Recorded], now: datetime) -> list[tuple[Surprise, int]]:
    """What surprises in all exchanges, each once with how often it was met, what matters first."""
    found: Counter[Surprise] = Counter()
    for recorded in exchanges:
        found.update(_in_headers(recorded, now))
        if recorded.status == 200 and recorded.method == "GET" and not recorded.operation.startswith("File_"):
            body = json.loads(recorded.body)
            found.update(_in_link(recorded, body))
            if recorded.operation == _STATUSES:
                found.update(surprise for entry in body.get("value") or () for surprise in _in_entry(entry))
            elif recorded.operation == "Job_List":
                found.update(surprise for job in body.get("value") or () for surprise in _in_job(job))
    return sorted(found.items())


def _in_headers(recorded: Recorded, now: datetime) -> Iterator[Surprise]:
    for name in _EXPECTED_HEADERS:
        if name not in recorded.headers:
            yield _harmless(f"{recorded.operation} has no header {name}", "support has less to look for")
    if "date" in recorded.headers:
        skew = abs(parsedate_to_datetime(recorded.headers["date"]).astimezone(UTC) - now)
        if skew > _SKEW:
            yield _matters("this machine's clock and Batch's differ by minutes", "a shared key fails beyond fifteen")


def _in_link(recorded: Recorded, body: Mapping[str, Any]) -> Iterator[Surprise]:
    link = body.get("odata.nextLink")
    if not link:
        return
    asked, named = urlsplit(recorded.url), urlsplit(str(link))
    its_link = f"odata.nextLink of {recorded.operation}"
    if (named.scheme, named.netloc.lower()) != (asked.scheme, asked.netloc.lower()):
        yield _matters(f"{its_link} leads to another origin", "it is not followed, so further pages can't be read")
    if named.path.rsplit("/", 1)[-1].lower() != asked.path.rsplit("/", 1)[-1].lower():
        yield _harmless(f"{its_link} names another path", "it is followed")
    lost = {"$filter", "$select"} & parse_qs(asked.query).keys() - parse_qs(named.query).keys()
    if lost:
        yield _harmless(f"{its_link} has lost {', '.join(sorted(lost))}", "later pages hold more than was asked for")


def _in_entry(entry: Mapping[str, Any]) -> Iterator[Surprise]:
    yield from _unknown_fields("a status", entry, NodeStatus)
    for name in ("poolId", "nodeId"):
        if not entry.get(name):
            yield _matters(f"a status has no {name}", "it can't be told whose it is")
    if not entry.get("nodeUrl"):
        yield _harmless("a status has no nodeUrl", "nothing but a link is left out")
    for phase in ("jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"):
        if isinstance(info := entry.get(phase), dict):
            yield from _in_info(phase, info)


def _in_info(phase: str, info: Mapping[str, Any]) -> Iterator[Surprise]:
    yield from _unknown_fields(phase, info, ExecutionInfo)
    if not info.get("startTime"):
        yield _matters(f"{phase} has no startTime", "one run can't be told from the next")
    if not info.get("state"):
        yield _matters(f"{phase} has no state", "it is counted as unknown")
    if not info.get("taskRootDirectory"):
        yield _harmless(f"{phase} has no taskRootDirectory", "events go without the end of stderr.txt")
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


def _in_words(phase: str, words: Mapping[str, Any]) -> Iterator[Surprise]:
    for name, word in words.items():
        if word is None or word in _WORDS[name]:
            continue
        if str(word).lower() in _WORDS[name]:
            yield _harmless(f"{name} of {phase} is spelled {word}", "case makes no difference")
        elif name == "category":
            yield _harmless(f"{name} of {phase} is a word that Prepwatch does not know", "it is told as it is")
        else:
            yield _matters(f"{name} of {phase} is a word that Prepwatch does not know", "it is counted as unknown")


def _in_completed(phase: str, info: Mapping[str, Any]) -> Iterator[Surprise]:
    failure = info.get("failureInfo")
    judged = info.get("exitCode") is not None or failure is not None
    if info.get("result") is None and judged:
        yield _harmless(f"{phase} is completed without result", "exitCode and failureInfo say how it ended")
    elif info.get("result") is None:
        yield _matters(f"{phase} is completed without result, exitCode and failureInfo", "it is counted as unknown")
    elif not judged:
        yield _harmless(f"{phase} is completed without exitCode and failureInfo", "result says how it ended")
    if str(info.get("result")).lower() == "failure" and failure is None:
        yield _harmless(f"{phase} has failed without failureInfo", "it is told without a cause")


def _in_job(job: Mapping[str, Any]) -> Iterator[Surprise]:
    if not job.get("state"):
        yield _matters("a job has no state", "nobody knows when it is over")
    if not job.get("creationTime"):
        yield _matters("a job has no creationTime", "it can't be told from one of the same id before it")
    if not job.get("stateTransitionTime"):
        yield _harmless("a job has no stateTransitionTime", "the time of the poll takes its place")
    state = str(job.get("state") or "active")
    if state.lower() not in _JOB_STATES:
        yield _matters(
            "a job's state is a word that Prepwatch does not know", "the job is watched as if it were active"
        )
    elif state not in _JOB_STATES:
        yield _harmless(f"a job's state is spelled {state}", "case makes no difference")


def _unknown_fields(what: str, found: Mapping[str, Any], kind: type[msgspec.Struct]) -> Iterator[Surprise]:
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    for name in found.keys() - known:
        if name.isascii() and name.isalpha():
            yield _harmless(f"{what} has a field that Prepwatch does not know, {name}", "only live listings show it")
