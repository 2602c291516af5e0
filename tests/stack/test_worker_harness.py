"""The harness around the production worker library, proven on a small app of every kind that is used."""

from pathlib import Path

import pytest

from tests.stack.worker import WorkerRun, http, queue, run_worker, timer

APP = """
import json
import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.timer_trigger(arg_name="timer", schedule="%POLL_SCHEDULE%")
@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
def poll(timer: func.TimerRequest, out: func.Out[typing.List[str]]) -> None:
    out.set([json.dumps({"pastDue": timer.past_due, "last": timer.schedule_status["Last"]}), "[1,2]"])


@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="out", queue_name="done", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage, out: func.Out[str]) -> None:
    if message.dequeue_count > 1:
        raise ValueError("again")
    out.set(json.dumps([message.get_body().decode(), message.insertion_time.isoformat()]))


@app.route(route="jobs/{jobId}", methods=["GET", "PUT"])
def job(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    seen = [req.method, req.route_params["jobId"], dict(req.params), req.headers["x-a"], req.get_body().decode()]
    return func.HttpResponse(json.dumps(seen), status_code=202, headers={"ETag": "1"}, mimetype="application/json")
"""


def _app(directory: Path, source: str) -> Path:
    directory.joinpath("function_app.py").write_text(source, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> WorkerRun:
    """Everything that the app does, in one process of the worker."""
    request = http(
        "job", method="PUT", route={"jobId": "a:b"}, query={"x": "1", "y": ""}, headers={"X-A": "b"}, body=b"text"
    )
    calls = [timer("poll"), timer("poll", past_due=True), queue("work", "x"), queue("work", "x", dequeue_count=2)]
    return run_worker(_app(tmp_path_factory.mktemp("app"), APP), [*calls, request])


def test_functions_are_reported_with_their_raw_bindings(run: WorkerRun) -> None:
    """The worker reports name, trigger, route, methods, auth level, schedule and queue of each function."""
    assert run.error is None
    triggers = {
        name: {key: function.trigger.get(key) for key in ("type", "schedule", "queueName", "route", "methods")}
        for name, function in run.functions.items()
    }
    none: dict[str, object] = dict.fromkeys(("schedule", "queueName", "route", "methods"))
    assert triggers == {
        "poll": none | {"type": "timerTrigger", "schedule": "%POLL_SCHEDULE%"},
        "work": none | {"type": "queueTrigger", "queueName": "work"},
        "job": none | {"type": "httpTrigger", "route": "jobs/{jobId}", "methods": ["GET", "PUT"]},
    }
    assert run.functions["job"].trigger["authLevel"] == "FUNCTION"


def test_timer_gets_status_and_past_due_and_lists_go_out_verbatim(run: WorkerRun) -> None:
    """A timer learns whether it is past due; each string of an Out[List[str]] is one message, arrays too."""
    last = "2026-03-01T12:00:00+00:00"
    assert [result.messages["out"] for result in run.results[:2]] == [
        (f'{{"pastDue": {past_due}, "last": "{last}"}}', "[1,2]") for past_due in ("false", "true")
    ]


def test_queue_function_gets_body_and_metadata(run: WorkerRun) -> None:
    """A queue function sees body, dequeue count and insertion time; array text in Out[str] becomes messages."""
    assert run.results[2].messages["out"] == ("x", "2026-03-01T12:00:00+00:00")


def test_exception_is_the_result_of_the_invocation(run: WorkerRun) -> None:
    """What a function raises comes back as type and text, without outputs."""
    assert run.results[3].error == "ValueError: again"
    assert not run.results[3].messages


def test_http_function_gets_route_query_headers_and_body(run: WorkerRun) -> None:
    """An HTTP function sees what the host sends, and its status, headers and bytes come back."""
    answer = run.results[4].answer
    assert answer is not None
    assert (answer.status, answer.body) == (202, b'["PUT", "a:b", {"x": "1"}, "b", "text"]')
    assert answer.headers == {"etag": "1", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param("typing.List[str]", "list[str]", "invalid non-type annotation", id="list-annotation"),
        pytest.param(
            "def work(", '@app.function_name("poll")\ndef work(', "unique", id="duplicate-name", marks=pytest.mark.slow
        ),
        pytest.param(
            "app = func",
            "other = func.FunctionApp()\napp = func",
            "More than one",
            id="second-app",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import json",
            "import os\nos.environ['PREPWATCH_MISSING']\nimport json",
            "KeyError",
            id="import",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_one_mistake_breaks_indexing_of_the_whole_app(tmp_path: Path, old: str, new: str, error: str) -> None:
    """The worker refuses the whole app for one wrong annotation, double name, second app or failing import."""
    run = run_worker(_app(tmp_path, APP.replace(old, new, 1)))
    assert error in (run.error or "")
    assert not run.functions
