"""Runs an app under the production worker library with the trigger data that the host would send.

Owns that data and reading back what came out as the host does. Use: `run_worker(app_dir, [timer("poll")])`.
"""

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.deployed_python import MISSING, deployed_python
from local.functions_host.queue_output import messages_from_json, messages_from_text
from local.functions_host.timers import ScheduleStatus, timer_info
from tests.support.needs import need

_DRIVER = Path(__file__).with_name("driver.py")
_LONGEST = timedelta(minutes=2)
_NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call of *function*: its trigger's value and metadata by kind (json, string, http)."""

    function: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A function as the worker reports it to the host; *bindings* are the raw ones, parsed."""

    name: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The binding that starts it: type, route, methods, authLevel, schedule, queueName."""
        return next(binding for binding in self.bindings if binding["type"].endswith("Trigger"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The HTTP response of a function; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an invocation gave: *error* is None when it succeeded; *messages* are those for each queue output."""

    error: str | None
    trace: str
    answer: Answer | None
    messages: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRun:
    """What the worker made of an app; *error* says why it could not be indexed, None when it could."""

    error: str | None
    functions: Mapping[str, Indexed]
    results: tuple[Result, ...]


def timer(function: str, *, past_due: bool = False) -> Invocation:
    """A run of a timer function that keeps a schedule status."""
    status = ScheduleStatus(last=_NOW, next=_NOW + timedelta(minutes=1), last_updated=_NOW)
    return Invocation(function=function, data={"json": timer_info(status, past_due=past_due)}, metadata={})


def queue(function: str, body: str, *, dequeue_count: int = 1) -> Invocation:
    """A queue message with the metadata that the host sends."""
    metadata = {
        "QueueTrigger": {"string": body},
        "Id": {"string": "7d9e6c5e-0000-4000-8000-000000000001"},
        "PopReceipt": {"string": "AgAAAAMAAAAAAAAA"},
        "DequeueCount": {"json": json.dumps(dequeue_count)},
        "InsertionTime": {"json": json.dumps(_NOW.isoformat())},
        "ExpirationTime": {"json": json.dumps((_NOW + timedelta(days=7)).isoformat())},
        "NextVisibleTime": {"json": json.dumps((_NOW + timedelta(minutes=10)).isoformat())},
    }
    return Invocation(function=function, data={"string": body}, metadata=metadata)


def http(
    function: str,
    *,
    method: str = "GET",
    url: str = "http://localhost:7071/api",
    route: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Invocation:
    """A request after routing; header names go out in lower case and empty query values not at all."""
    request = {
        "method": method,
        "url": url,
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "params": dict(route or {}),
        "query": {name: value for name, value in (query or {}).items() if value},
        "body": base64.b64encode(body).decode(),
    }
    return Invocation(function=function, data={"http": request}, metadata={})


def run_worker(
    app_dir: Path, invocations: Sequence[Invocation] = (), *, environment: Mapping[str, str] | None = None
) -> WorkerRun:
    """Index *app_dir* with the worker library and make *invocations*; *environment* is added to this process's own.

    Skips the test when there is no Python >= 3.13; fails it instead when PREPWATCH_REQUIRE_ALL is 1.
    """
    python = deployed_python()
    need(python is not None, MISSING)
    assert python is not None
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "in.json"), Path(directory, "out.json")
        calls = [{"function": each.function, "data": each.data, "metadata": each.metadata} for each in invocations]
        source.write_text(json.dumps(calls), encoding="utf-8")
        done = subprocess.run(
            [python, _DRIVER, app_dir, source, target],
            env={**os.environ, **(environment or {})},
            cwd=app_dir,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST.total_seconds(),
        )
        if not target.exists():
            raise AssertionError(f"the worker ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        document = json.loads(target.read_text(encoding="utf-8"))
    indexed = (Indexed(name=each["name"], bindings=tuple(each["bindings"])) for each in document["functions"])
    return WorkerRun(
        error=document["error"],
        functions={each.name: each for each in indexed},
        results=tuple(_result(each) for each in document["results"]),
    )


def _result(document: Mapping[str, Any]) -> Result:
    return Result(
        error=document["error"],
        trace=document["trace"],
        answer=_answer(document["returned"]),
        messages={name: _messages(value) for name, value in document["outputs"].items()},
    )


def _answer(returned: Mapping[str, Any] | None) -> Answer | None:
    if returned is None:
        return None
    if "string" in returned:
        plain = {"content-type": "text/plain; charset=utf-8"}
        return Answer(status=200, headers=plain, body=returned["string"].encode())
    http_data = returned["http"]
    return Answer(
        status=http_data["status"],
        headers={name.lower(): value for name, value in http_data["headers"].items()},
        body=base64.b64decode(http_data["body"]),
    )


def _messages(value: Mapping[str, str]) -> Sequence[str]:
    if "json" in value:
        return messages_from_json(value["json"])
    return messages_from_text(value["string"] if "string" in value else base64.b64decode(value["bytes"]).decode())
