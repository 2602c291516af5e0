"""`python -m local.run`: the app with all it needs, on this machine; Ctrl-C ends everything.

Owns which parts there are and with which settings they run. State lies under .local/ unless --state says
otherwise: delete that folder to begin anew. How parts are kept running is supervisor.py's.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from local.azurite import AzuriteError, running_azurite
from local.memory import Memory, is_free, recall
from local.supervisor import Part, PartError, StopAskedForError, Supervisor, stopped_by_signals
from local.webhook_receiver.eventgrid import TOPIC_KEY
from local.webhook_receiver.pagerduty import ROUTING_KEY

ACCOUNT = "local"
SIMULATOR_OPTIONS = ("jobs", "nodes", "fail_rate", "seed")


def schedule(interval_seconds: int) -> str:
    """Return the NCRONTAB expression that fires each *interval_seconds*.

    Raises:
        ValueError: no such expression exists; take a divisor of a minute, or of an hour in whole minutes.
    """
    if 0 < interval_seconds < 60 and 60 % interval_seconds == 0:
        return f"*/{interval_seconds} * * * * *"
    minutes, rest = divmod(interval_seconds, 60)
    if rest == 0 and 0 < minutes < 60 and 60 % minutes == 0:
        return f"0 */{minutes} * * * *"
    raise ValueError(f"an interval of {interval_seconds} s divides neither a minute nor, in whole minutes, an hour")


def host_settings(
    memory: Memory, *, given: Mapping[str, str], storage: str, port: int, interval_seconds: int
) -> dict[str, str]:
    """Return the environment of the Functions host: ours over what was *given*, but for accounts and more webhooks.

    Real accounts, when BATCH_ACCOUNT_URLS is given, keep their own key and name; WEBHOOKS takes the place of ours.
    """
    budget_seconds = min(40, max(1, interval_seconds * 2 // 3))
    settings = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PYTHONUNBUFFERED": "1",
        # Core Tools start the first Python that they find.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", "")]),
        "AzureWebJobsStorage": storage,
        "POLL_SCHEDULE": schedule(interval_seconds),
        "POLL_BUDGET_SECONDS": str(budget_seconds),
        "STALE_AFTER_SECONDS": str(max(300, 2 * interval_seconds + budget_seconds)),
        "WEBHOOK_URL": f"http://127.0.0.1:{memory.receiver_port}/",
        "WEBHOOK_SECRET": memory.webhook_secret,
        "WEBHOOKS": given.get("WEBHOOKS") or other_webhooks(memory.receiver_port),
        "LOCAL_ROUTING_KEY": ROUTING_KEY,
        "LOCAL_TOPIC_KEY": TOPIC_KEY,
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "PUBLIC_URL": f"http://localhost:{port}",
        "STDERR_TAIL_BYTES": "2000",
    }
    simulated = {
        "BATCH_ACCOUNT_URLS": f"http://127.0.0.1:{memory.batch_port}",
        "BATCH_ACCOUNT_NAME": ACCOUNT,
        "BATCH_ACCOUNT_KEY": memory.batch_key,
    }
    return {**given, **settings, **({} if given.get("BATCH_ACCOUNT_URLS") else simulated)}


def other_webhooks(port: int) -> str:
    """Return the setting that adds a webhook of each format but the signed one, all of them on this machine."""
    keys = {"pagerduty": "LOCAL_ROUTING_KEY", "eventgrid": "LOCAL_TOPIC_KEY"}
    return json.dumps(
        [
            {"name": name, "format": name, "url": f"http://127.0.0.1:{port}/{name}"}
            | ({"keySetting": keys[name]} if name in keys else {})
            for name in ("teams", "slack", "pagerduty", "eventgrid")
        ]
    )


def listens(port: int) -> bool:
    """Tell whether something takes connections on this port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    """Tell whether the app answers on this port, be it that it is not well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/health")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def module(name: str, *arguments: object) -> list[str]:
    """Return the command that runs a module which ends when we do."""
    return [sys.executable, "-m", "local.leash", "-m", name, *map(str, arguments)]


def parts(memory: Memory, settings: Mapping[str, str], options: argparse.Namespace) -> list[Part]:
    """Return what is to be started after Azurite, in this order."""
    func = shutil.which("func") if settings.get("HOST") == "func" else None
    story = [
        argument
        for name in SIMULATOR_OPTIONS
        if (value := getattr(options, name)) is not None
        for argument in (f"--{name.replace('_', '-')}", value)
    ]
    simulator = Part(
        name="batch",
        command=module(
            "local.batch_simulator",
            *("--port", memory.batch_port, "--account", ACCOUNT, "--key", memory.batch_key),
            *("--truth", options.state / "truth.jsonl", "--start", memory.story_start),
            *story,
        ),
        environment=settings,
        is_ready=partial(listens, memory.batch_port),
        restarts=False,
    )
    receiver = Part(
        name="receiver",
        command=module(
            "local.webhook_receiver",
            *("--port", memory.receiver_port, "--secret", memory.webhook_secret),
            *("--out", options.state / "received.jsonl"),
        ),
        environment=settings,
        is_ready=partial(listens, memory.receiver_port),
        restarts=True,
    )
    host = Part(
        name="host",
        command=[func, "start", "--port", str(options.port)]
        if func
        else module("local.functions_host", "--port", options.port, "--state-dir", options.state / "functions_host"),
        environment=settings,
        is_ready=partial(answers, options.port),
        restarts=True,
    )
    simulated = settings["BATCH_ACCOUNT_URLS"] == f"http://127.0.0.1:{memory.batch_port}"
    return [*([simulator] if simulated else []), receiver, host]


def welcome(settings: Mapping[str, str], port: int, state: Path) -> list[str]:
    """Return what a person needs to know once all is ready."""
    return [
        f"watching   {settings['BATCH_ACCOUNT_URLS']}, polled by {settings['POLL_SCHEDULE']}",
        f"dashboard  http://localhost:{port}/api/dashboard",
        f"summary    http://localhost:{port}/api/summary",
        f"webhooks   recorded in {state / 'received.jsonl'}, chat and pager in received-*.jsonl beside it",
        "Ctrl-C ends all",
    ]


def run(options: argparse.Namespace, tell: Callable[[str, str], None]) -> None:
    """Run the stack until it is told to stop.

    Raises:
        PartError, AzuriteError, ValueError: something did not start or ended; the message says what to mend.
    """
    if not is_free(options.port):
        raise PartError(f"port {options.port} is taken: end what uses it (another `make run`?), or give --port")
    if os.environ.get("HOST") == "func" and not shutil.which("func"):
        raise PartError("HOST=func, but Azure Functions Core Tools (`func`) are not on PATH: leave HOST out")
    (options.state / "azurite").mkdir(parents=True, exist_ok=True)
    memory = recall(options.state / "stack.json", partial(tell, "stack"), datetime.now(UTC))
    supervisor = Supervisor(tell)
    with (
        stopped_by_signals(supervisor),
        running_azurite(state=options.state / "azurite", on_end=partial(supervisor.has_ended, "azurite")) as azurite,
        supervisor,
    ):
        settings = host_settings(
            memory,
            given=os.environ,
            storage=azurite.connection_string,
            port=options.port,
            interval_seconds=options.interval,
        )
        tell("stack", f"Azurite keeps its content in {options.state / 'azurite'}")
        for part in parts(memory, settings, options):
            tell("stack", f"starting {part.name}")
            supervisor.start(part)
        for line in welcome(settings, options.port, options.state):
            tell("stack", line)
        supervisor.watch(None if options.duration is None else timedelta(seconds=options.duration))
        tell("stack", "ending")


def main() -> int:
    """Do what the command line says; 1 when something could not start or ended for good."""
    parser = argparse.ArgumentParser(prog="python -m local.run", description=__doc__)
    parser.add_argument("--port", type=int, default=7071, help="of the Functions host (default 7071)")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="end by itself, counted from being ready")
    parser.add_argument("--interval", type=int, default=5, metavar="SECONDS", help="between two polls (default 5)")
    parser.add_argument("--state", type=Path, default=Path(".local"), help="where everything is kept (default .local)")
    for name in SIMULATOR_OPTIONS:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, help="handed on to local.batch_simulator, which explains it")
    options = parser.parse_args()
    try:
        schedule(options.interval)
    except ValueError as exc:
        parser.error(f"--interval: {exc}")
    try:
        run(options, lambda name, line: print(f"{name:>8} | {line}", flush=True))
    except StopAskedForError:
        return 0
    except (PartError, AzuriteError, ValueError) as exc:
        print(f"{exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
