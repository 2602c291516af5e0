"""`python -m local.run`: the app with all it needs, on this machine; Ctrl-C ends everything.

Owns which parts there are and with which settings they run. State lies under .local/ unless --state says
otherwise: delete that folder to begin anew. How parts are kept running is supervisor.py's.
"""

import argparse
import http.client
import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from local.arguments import HOST_PORT, finite_number, port, whole_number
from local.azurite import AzuriteError, running_azurite
from local.batch_simulator.__main__ import add_story
from local.console import Console, show
from local.memory import Memory, free_port, is_free, recall
from local.stack_settings import (
    ACCOUNT,
    DEFAULT_INTERVAL_SECONDS,
    host_settings,
    problems,
    schedule,
    webhooks_here_and_elsewhere,
)
from local.state_folder import OccupiedError, occupied
from local.supervisor import Part, PartError, StopAskedForError, Supervisor, stopped_by_signals

APP = Path(__file__).resolve().parents[1]
STORY = ("jobs", "nodes", "fail_rate", "node_fail_rate", "seed")


class WrongSettingsError(Exception):
    """The app could not run with these settings; the message has a line for each that is wrong."""


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
    return [sys.executable, "-m", "local.ends_with_parent", "-m", name, *map(str, arguments)]


def parts(memory: Memory, settings: Mapping[str, str], options: argparse.Namespace) -> list[Part]:
    """Return what is to be started after Azurite, in this order."""
    func = shutil.which("func") if settings.get("HOST") == "func" else None
    story = [argument for name in STORY for argument in (f"--{name.replace('_', '-')}", getattr(options, name))]
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
        else module(
            "local.functions_host",
            *("--port", options.port, "--state-dir", options.state / "functions_host"),
            *([] if options.verbose else ["--quiet"]),
        ),
        environment=settings,
        is_ready=partial(answers, options.port),
        restarts=True,
    )
    simulated = settings["BATCH_ACCOUNT_URLS"] == f"http://127.0.0.1:{memory.batch_port}"
    return [*([simulator] if simulated else []), receiver, host]


def welcome(settings: Mapping[str, str], state: Path, receiver_port: int) -> list[str]:
    """Return what a person needs to know once all is ready, beside the address."""
    here, elsewhere = webhooks_here_and_elsewhere(settings, receiver_port)
    lines = [f"watching   {settings['BATCH_ACCOUNT_URLS']}, polled by {settings['POLL_SCHEDULE']}"]
    if jobs := settings.get("TRACKED_JOBS"):
        lines.append(f"jobs       only those that TRACKED_JOBS lets through: {jobs}")
    if here:
        lines.append(f"webhooks   recorded in {state / 'received.jsonl'} and received-*.jsonl: {', '.join(here)}")
    if elsewhere:
        lines.append(f"webhooks   sent to your own receivers: {', '.join(elsewhere)}")
    return lines


def address(port: int) -> str:
    """Return where to look, and how to end."""
    return f"dashboard  http://localhost:{port}/api/dashboard (Ctrl-C ends all)"


def run(options: argparse.Namespace) -> None:
    """Run the stack until it is told to stop.

    Raises:
        WrongSettingsError, OccupiedError, PartError, AzuriteError, ValueError: something could not start, or ended;
            the message says what to mend.
    """
    if os.environ.get("HOST") == "func" and not shutil.which("func"):
        raise PartError("HOST=func, but Azure Functions Core Tools (`func`) are not on PATH: leave HOST out")
    with occupied(options.state):
        if not is_free(options.port):
            raise PartError(
                f"port {options.port} is taken by another program: end it, or take another port, for example "
                f'`make run ARGS="--port {free_port()}"`'
            )
        memory = recall(options.state / "stack.json", partial(show, "stack"), datetime.now(UTC))
        settings = partial(
            host_settings, memory, given=os.environ, port=options.port, interval_seconds=options.interval
        )
        expected = settings(storage="UseDevelopmentStorage=true")
        if wrong := problems(expected, APP):
            raise WrongSettingsError("\n".join(wrong))
        here, _ = webhooks_here_and_elsewhere(expected, memory.receiver_port)
        console = Console(verbose=options.verbose, receivers=here)
        _run(options, memory, settings, console)


def _run(
    options: argparse.Namespace, memory: Memory, settings: Callable[..., Mapping[str, str]], console: Console
) -> None:
    supervisor = Supervisor(console.tell)
    azurite_state = options.state / "azurite"
    azurite_state.mkdir(exist_ok=True)
    with (
        stopped_by_signals(supervisor),
        running_azurite(state=azurite_state, on_end=partial(supervisor.has_ended, "azurite")) as azurite,
        supervisor,
    ):
        console.tell("stack", f"Azurite keeps its content in {azurite_state}")
        environment = settings(storage=azurite.connection_string)
        for part in parts(memory, environment, options):
            console.tell("stack", f"starting {part.name}")
            supervisor.start(part)
        for line in welcome(environment, options.state, memory.receiver_port):
            console.tell("stack", line)
        console.keep_in_sight(address(options.port))
        supervisor.watch(None if options.duration is None else timedelta(seconds=options.duration))
        console.tell("stack", "ending")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 1 when something could not start or ended for good."""
    parser = argparse.ArgumentParser(
        prog="python -m local.run",
        description="Runs the app with all it needs on this machine; Ctrl-C ends everything. It watches a simulated "
        "account, or those that BATCH_ACCOUNT_URLS names, with every other setting that is set. What is stored lies in "
        "the state folder: delete that to start over.",
    )
    parser.add_argument(
        "--port", type=port, default=HOST_PORT, help=f"where the app answers, 0 for a free one (default {HOST_PORT})"
    )
    parser.add_argument(
        "--duration", type=finite_number(0), metavar="SECONDS", help="end after so long, counted from being ready"
    )
    parser.add_argument(
        "--interval",
        type=whole_number(1, 3600),
        metavar="SECONDS",
        help=f"between two polls (default {DEFAULT_INTERVAL_SECONDS}, or POLL_SCHEDULE where it is set)",
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), help="where everything is kept (default .local)")
    parser.add_argument("--verbose", action="store_true", help="show every line of the Functions host")
    add_story(parser.add_argument_group("the simulated account"))
    options = parser.parse_args(arguments)
    options.port = options.port or free_port()
    options.verbose = options.verbose or os.environ.get("HOST") == "func"  # whose lines nothing here knows
    try:
        schedule(options.interval or DEFAULT_INTERVAL_SECONDS)
    except ValueError as exc:
        parser.error(f"--interval: {exc}")
    try:
        run(options)
    except (StopAskedForError, KeyboardInterrupt):
        return 0
    except (WrongSettingsError, OccupiedError, PartError, AzuriteError, ValueError) as exc:
        print(f"{exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
