"""A Batch account on loopback in which every job is played by a function of the test's choice.

Owns the job listing and the spelling of pages. Does not check credentials or options: the simulator does.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer

Play = Callable[[Asked], ScriptedAnswer]
JSON = {"Content-Type": "application/json", "request-id": "11111111-2222-3333-4444-555555555555"}
POOL = "pool-1"


def account(
    plays: Mapping[str, Play], *, jobs: Callable[[], ScriptedAnswer] | None = None, other: Play | None = None
) -> ScriptedServer:
    """An account of these jobs, whose status listings are answered by their plays.

    `jobs` replaces the job listing (None: all of them, active), `other` what answers everything else (None: 404).
    """

    def respond(asked: Asked) -> ScriptedAnswer:
        match [unquote(part) for part in urlsplit(asked.target).path.split("/")[1:]]:
            case ["jobs"]:
                return jobs() if jobs else json_answer({"value": [job_of(name) for name in plays]})
            case ["jobs", name] if name in plays:
                return json_answer(job_of(name))
            case ["jobs", name, "jobpreparationandreleasetaskstatus"] if name in plays:
                return plays[name](asked)
            case ["jobs", _, "taskcounts"]:
                return json_answer({"taskCounts": {"active": 1, "running": 1}})
        return other(asked) if other else error_reply(404, "JobNotFound")

    return ScriptedServer(respond=respond)


def job_of(name: str, **changes: Any) -> dict[str, Any]:
    """A job as a listing shows it."""
    created = "2026-11-01T11:00:00Z"
    return {"id": name, "state": "active", "creationTime": created, "stateTransitionTime": created} | changes


def failed_node(node: str, *, now: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """A node whose preparation failed a minute ago; `changes` go into its execution info."""
    ended = (now or datetime.now(UTC)) - timedelta(minutes=1)
    info = {
        "startTime": _time(ended - timedelta(seconds=30)),
        "endTime": _time(ended),
        "state": "completed",
        "result": "failure",
        "retryCount": 0,
        "taskRootDirectory": "workitems/x/job-1/jobpreparation",
        "failureInfo": {"category": "UserError", "code": "BlobNotFound", "message": "The blob is not there."},
    }
    return {
        "poolId": POOL,
        "nodeId": node,
        "nodeUrl": f"https://a.example/pools/{POOL}/nodes/{node}",
        "jobPreparationTaskExecutionInfo": info | changes,
    }


def page(*nodes: Mapping[str, Any], link: str | None = None) -> Play:
    """Answers every question with one page."""
    body: dict[str, Any] = {"value": list(nodes)}
    if link is not None:
        body["odata.nextLink"] = link
    return lambda _asked: json_answer(body)


def says(reply: ScriptedAnswer) -> Play:
    """Answers every question with one reply."""
    return lambda _asked: reply


def json_answer(body: object, status: int = 200, **headers: str) -> ScriptedAnswer:
    """A body as JSON."""
    return ScriptedAnswer(status=status, headers=JSON | headers, body=json.dumps(body).encode())


def error_reply(status: int, code: str, message: str = "No.", **headers: str) -> ScriptedAnswer:
    """An error as Batch spells it."""
    return json_answer({"code": code, "message": {"lang": "en-US", "value": message}}, status, **headers)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
