"""The command itself: `python -m local.functions_host` as a process, alone and with Azurite."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import IO

import pytest
import requests

from local.azurite import Azurite
from local.functions_host.azure_queues import AzureQueues
from local.memory import free_port
from tests.stack.functions_host.sample import APP, SETTINGS, write_app

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60  # seconds; only ever used up by a failing test
STORAGE_OUT_OF_REACH = "AccountName=devstoreaccount1;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:9/devstoreaccount1;"


@dataclass(slots=True)
class Process:
    """A running host; *lines* is what it printed."""

    popen: subprocess.Popen[str]
    arriving: "Queue[str | None]" = field(default_factory=Queue)
    lines: list[str] = field(default_factory=list)

    def wait_for(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The *count*-th of the lines to come that match *pattern*."""
        while (line := self.arriving.get(timeout=PATIENCE)) is not None:
            self.lines.append(line)
            match = re.search(pattern, line)
            count -= match is not None
            if match and not count:
                return match
        raise AssertionError(f"the host ended without {pattern!r}:\n{''.join(self.lines)}")

    def read(self, stream: IO[str]) -> None:
        """Pass on what the host prints until it ends."""
        for line in stream:
            self.arriving.put(line)
        self.arriving.put(None)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)


@contextmanager
def _host(directory: Path, settings: Mapping[str, str], source: str = APP, *arguments: str) -> Iterator[Process]:
    write_app(directory, source)
    values = {"Values": {**SETTINGS, **settings}}
    directory.joinpath("local.settings.json").write_text(json.dumps(values), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "local.functions_host",
        "--port",
        "0",
        "--app-dir",
        str(directory),
        *arguments,
    ]
    popen = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    process = Process(popen)
    assert popen.stdout is not None
    reader = threading.Thread(target=process.read, args=(popen.stdout,))
    reader.start()
    try:
        yield process
    finally:
        popen.kill()
        popen.wait()
        reader.join()
        popen.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_the_host_tells_its_functions_serves_and_ends(tmp_path: Path, number: int) -> None:
    """It prints the functions and a line to wait for, answers HTTP without storage, and ends cleanly on a signal."""
    with _host(tmp_path, {"AzureWebJobsStorage": STORAGE_OUT_OF_REACH, "AzureWebJobs.odd.Disabled": "1"}) as process:
        process.wait_for(r"echo: \[GET,POST\] http://localhost:\d+/api/echo/\{name\}")
        process.wait_for(r"poll: timerTrigger")
        process.wait_for(r"work: queueTrigger")
        process.wait_for(r"odd is disabled")
        url = process.wait_for(r"^Host ready: (http://\S+)")[1]
        assert requests.get(url + "/api/plain", timeout=PATIENCE).text == "text"
        assert process.end(number) == 0


@pytest.mark.azurite
@pytest.mark.parametrize(("group", "ends"), [(None, True), ("work", True), ("poll", False), ("http", False)])
def test_a_queue_that_refuses_ends_the_process(tmp_path: Path, azurite: Azurite, group: str | None, ends: bool) -> None:  # noqa: FBT001 - a column
    """With Azurite and a wrong key: the process that listens ends by itself, an instance of another group answers."""
    refused = re.sub("AccountKey=[^;]*", "AccountKey=a2V5", azurite.connection_string)
    arguments = () if group is None else ("--group", group)
    with _host(tmp_path, {"AzureWebJobsStorage": refused}, APP, *arguments) as process:
        if ends:
            # It may be refused before all is ready, and says so first then.
            process.wait_for(r"Host is shutting down: the queue 'work' refuses \(403")
            assert process.popen.wait(PATIENCE) == 0
        else:
            url = process.wait_for(r"^Host ready: (http://\S+)")[1]
            assert requests.get(url + "/api/plain", timeout=PATIENCE).text == "text"
            assert process.end() == 0


LOGGING = """
import logging
import threading

import azure.functions as func

app = func.FunctionApp()
logging.warning("while it is imported")


@app.route(route="plain", auth_level=func.AuthLevel.ANONYMOUS)
def plain(req: func.HttpRequest, context: func.Context) -> str:
    def claiming() -> None:
        context.thread_local_storage.invocation_id = context.invocation_id
        logging.warning("on a thread that claims it")

    for work in (lambda: logging.warning("on a thread of its own"), claiming):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    logging.getLogger("azure.core").warning("on the invocation's thread")
    return "text"
"""


def test_what_is_logged_without_an_invocation_is_dropped(tmp_path: Path) -> None:
    """A line arrives from the thread of an invocation, or one that claims it; all others are dropped as in Azure."""
    with _host(tmp_path, {}, LOGGING) as process:
        url = process.wait_for(r"^Host ready: (http://\S+)")[1]
        assert requests.get(url + "/api/plain", timeout=PATIENCE).text == "text"
        process.wait_for(r"Executed 'Functions.plain' \(Succeeded")
        assert process.end() == 0
    said = [line for line in process.lines if re.search("thread|imported", line)]
    assert [line.partition("] ")[2].strip() for line in said] == [
        "on a thread that claims it",
        "on the invocation's thread",
    ]


FAILING = """
import logging

import azure.functions as func

app = func.FunctionApp()


@app.route(route="fail", auth_level=func.AuthLevel.ANONYMOUS)
def fail(req: func.HttpRequest) -> str:
    logging.getLogger("app").info("said by the app")
    raise ValueError("a reason\\nover two lines")


@app.timer_trigger(arg_name="timer", schedule="often")
def broken(timer: func.TimerRequest) -> None:
    pass
"""


@pytest.mark.slow
def test_a_quiet_host_says_what_is_wrong_in_a_line_each(tmp_path: Path) -> None:
    """With --quiet it says what the app logs, and of its own only what is wrong, without traceback."""
    port = free_port()
    with _host(tmp_path, {}, FAILING, "--quiet", "--port", str(port)) as process:
        process.wait_for("The 'broken' function is in error: The schedule expression 'often' was not recognized")
        address = f"http://127.0.0.1:{port}/api/fail"
        while True:
            try:
                assert requests.get(address, timeout=PATIENCE).status_code == 500
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        process.wait_for("ValueError")
        assert process.end() == 0
        said = [line.partition("] ")[2] for line in process.lines if line.startswith("[")]
    failed = "System.Private.CoreLib: Exception while executing function: Functions.fail."
    assert said == ["said by the app\n", f"{failed} ValueError: a reason over two lines\n"]


def test_a_group_that_is_none_ends_the_host(tmp_path: Path) -> None:
    """A wrong --group is told with the groups that there are."""
    with _host(tmp_path, {}, APP, "--group", "nobody") as process:
        process.wait_for(r"The host can't start: .*'nobody', there are: http, poll, work")
        assert process.popen.wait(PATIENCE) == 1


def test_an_app_that_cannot_be_indexed_ends_the_host(tmp_path: Path) -> None:
    """A failing import is printed and is exit code 1."""
    with _host(tmp_path, {}, "import nowhere_to_be_found") as process:
        process.wait_for(r"The host can't start: .*nowhere_to_be_found")
        assert process.popen.wait(PATIENCE) == 1


def test_a_function_in_error_is_told_by_name(tmp_path: Path) -> None:
    """A missing setting puts its function in error, with the host's words, and the host starts."""
    with _host(tmp_path, {"POLL_SCHEDULE": "", "AzureWebJobsStorage": STORAGE_OUT_OF_REACH}) as process:
        process.wait_for(r"The 'poll' function is in error: '%POLL_SCHEDULE%' does not resolve to a value\.")
        process.wait_for(r"Host ready")


def test_messages_walk_from_timer_to_function_to_poison(tmp_path: Path, azurite: Azurite) -> None:
    """With Azurite: two functions race to create a queue, messages are worked on, retried and given up."""
    queues = AzureQueues.connect(azurite.connection_string)
    name = f"work-{uuid.uuid4()}"
    with _host(tmp_path, {"AzureWebJobsStorage": azurite.connection_string, "WORK": name}) as process:
        url = process.wait_for(r"^Host ready: (http://\S+)")[1]
        for _ in range(2):
            assert requests.post(url + "/admin/functions/poll", json={}, timeout=PATIENCE).status_code == 202
        process.wait_for(r"Executed 'Functions\.work' \(Succeeded", 4)
        queues.queue(name).put("ZmFpbA==")
        process.wait_for(r"Executed 'Functions\.work' \(Failed")
        process.wait_for(r"MaxDequeueCount of 2. Moving message to queue")
        assert process.end() == 0
    (poisoned,) = queues.queue(name + "-poison").receive(count=32, visibility=timedelta(minutes=1))
    assert (poisoned.text, poisoned.dequeue_count) == ("ZmFpbA==", 1)
    assert not queues.queue(name).receive(count=32, visibility=timedelta(0, 1))


def test_a_host_that_was_down_is_past_due_once(tmp_path: Path, azurite: Azurite) -> None:
    """With Azurite: a stored status whose next occurrence is over makes one run with IsPastDue at the start."""
    name = f"work-{uuid.uuid4()}"
    settings = {"AzureWebJobsStorage": azurite.connection_string, "WORK": name, "AzureWebJobs.work.Disabled": "1"}
    status = {"Last": None, "Next": "2026-01-01T00:00:00+00:00", "LastUpdated": "2025-12-01T00:00:00+00:00"}
    path = tmp_path / ".local" / "functions_host" / "timers" / "poll.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(status), encoding="utf-8")
    with _host(tmp_path, settings) as process:
        process.wait_for(r"Executed 'Functions\.poll' \(Succeeded")
        assert process.end() == 0
    bodies = [message.text for message in AzureQueues.connect(azurite.connection_string).queue(name).receive(
        count=32, visibility=timedelta(minutes=1))]  # fmt: skip
    assert bodies == ["eyJwYXN0RHVlIjogdHJ1ZX0=", "WzEsMl0="]
