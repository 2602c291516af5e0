"""Execution infos of preparation and release tasks in wire form, and when one counts as failed.

Owns the field names of these infos. Decides nothing about when they happen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from local.batch_simulator.protocol import format_time

Info: TypeAlias = Mapping[str, Any]


class Phase(StrEnum):
    """Which of a job's two special tasks."""

    PREPARATION = "preparation"
    RELEASE = "release"


INFO_NAMES: Mapping[Phase, str] = {
    Phase.PREPARATION: "jobPreparationTaskExecutionInfo",
    Phase.RELEASE: "jobReleaseTaskExecutionInfo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a task fails: the failureInfo that Batch gives and what the node's stderr.txt says.

    `exit_code` None means the task could not be started; Batch does not retry such a failure.
    """

    category: str
    code: str
    message: str
    details: tuple[tuple[str, str], ...] = ()
    exit_code: int | None = None
    stderr: str = ""


def task_directory(job_id: str, phase: Phase) -> str:
    """Where the task of `phase` keeps its files on a node."""
    return f"workitems/{job_id}/job-1/job{phase}"


def running(
    job_id: str,
    phase: Phase,
    *,
    start: datetime,
    retry_count: int = 0,
    last_retry: datetime | None = None,
) -> Info:
    """A task that runs, or runs again; `last_retry` None means it was never retried."""
    return {"startTime": format_time(start), "state": "running"} | _common(job_id, phase, retry_count, last_retry)


def succeeded(
    job_id: str,
    phase: Phase,
    *,
    start: datetime,
    end: datetime,
    retry_count: int = 0,
    last_retry: datetime | None = None,
) -> Info:
    """A task that ended with exit code 0."""
    return {
        "startTime": format_time(start),
        "endTime": format_time(end),
        "state": "completed",
        "exitCode": 0,
        "result": "success",
    } | _common(job_id, phase, retry_count, last_retry)


def failed(
    job_id: str,
    phase: Phase,
    cause: Cause,
    *,
    start: datetime,
    end: datetime,
    retry_count: int = 0,
    last_retry: datetime | None = None,
) -> Info:
    """A task that ended for good without success."""
    info: dict[str, Any] = {
        "startTime": format_time(start),
        "endTime": format_time(end),
        "state": "completed",
        "result": "failure",
        "failureInfo": {
            "category": cause.category,
            "code": cause.code,
            "message": cause.message,
            "details": [{"name": name, "value": value} for name, value in cause.details],
        },
    }
    if cause.exit_code is not None:
        info["exitCode"] = cause.exit_code
    return info | _common(job_id, phase, retry_count, last_retry)


def of_start_task(info: Info) -> Info:
    """The same of a pool's start task, of which Batch names no directory."""
    return {name: value for name, value in info.items() if name != "taskRootDirectory"}


def is_failed(info: Info) -> bool:
    """Completed, and anything says that it went wrong; cases and missing results are taken as they come."""
    if str(info.get("state", "")).lower() != "completed":
        return False
    result = info.get("result")
    if result is None:
        return info.get("failureInfo") is not None or info.get("exitCode") not in {None, 0}
    return str(result).lower() in {"failure", "failed"} or info.get("failureInfo") is not None


def why(info: Info) -> str:
    """One line for people: the failure's code and message, and the exit code if there is one."""
    failure = info.get("failureInfo") or {}
    parts = [str(failure[name]) for name in ("code", "message") if failure.get(name)]
    if info.get("exitCode") is not None:
        parts.append(f"exit code {info['exitCode']}")
    return ", ".join(parts) or "no reason given"


def _common(job_id: str, phase: Phase, retry_count: int, last_retry: datetime | None) -> dict[str, Any]:
    common: dict[str, Any] = {"taskRootDirectory": task_directory(job_id, phase)}
    if phase is Phase.PREPARATION:
        common["retryCount"] = retry_count
        if last_retry is not None:
            common["lastRetryTime"] = format_time(last_retry)
    return common
