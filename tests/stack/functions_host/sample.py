"""A small function app for the host, written where a test wants it."""

import json
from pathlib import Path

APP = """
import json
import time
import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.timer_trigger(arg_name="timer", schedule="%POLL_SCHEDULE%")
@app.queue_output(arg_name="out", queue_name="%WORK%", connection="AzureWebJobsStorage")
def poll(timer: func.TimerRequest, out: func.Out[typing.List[str]]) -> None:
    out.set([json.dumps({"pastDue": timer.past_due}), "[1,2]"])


@app.queue_trigger(arg_name="message", queue_name="%WORK%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="out", queue_name="done", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage, out: func.Out[str], context: func.Context) -> None:
    text = message.get_body().decode()
    out.set(json.dumps([text, str(message.dequeue_count), context.function_name]))
    if text == "fail":
        raise ValueError(text)


@app.route(route="echo/{name}", methods=["GET", "POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "name": req.route_params["name"],
        "query": dict(req.params),
        "headers": dict(req.headers),
        "body": req.get_body().decode(),
    }
    headers = {"X-Seen": "yes", "Set-Cookie": "a=b; Path=/"}
    return func.HttpResponse(json.dumps(seen), status_code=202, headers=headers, mimetype="application/json")


@app.route(methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def plain(req: func.HttpRequest) -> str:
    return "text"


@app.route(route="odd/{what}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def odd(req: func.HttpRequest) -> func.HttpResponse:
    what = req.route_params["what"]
    if what == "raises":
        raise TimeoutError("its own")
    if what == "sleeps":
        time.sleep(1)
    if what == "bytes":
        return func.HttpResponse(bytes([0, 255]), mimetype="x/y")
    return func.HttpResponse(status_code=204) if what == "empty" else 7
"""
HOST = {"version": "2.0", "extensions": {"queues": {"visibilityTimeout": "00:00:01", "maxDequeueCount": 2}}}
SETTINGS = {"POLL_SCHEDULE": "0 0 0 1 1 *", "WORK": "work", "AzureWebJobsStorage": "memory"}


def write_app(directory: Path, source: str = APP) -> Path:
    """Write function_app.py and host.json into *directory*."""
    directory.joinpath("function_app.py").write_text(source, encoding="utf-8")
    directory.joinpath("host.json").write_text(json.dumps(HOST), encoding="utf-8")
    return directory
