"""The command `python -m local.functions_host`; owns arguments, what is printed, and signals."""

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

from local.arguments import HOST_PORT, port
from local.functions_host.functions import AppError
from local.functions_host.host import Host, build
from local.functions_host.settings import SettingError, apply_local_settings
from local.functions_host.worker import OfInvocation

READY = "Host ready"
_GRACE = timedelta(seconds=10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host until SIGINT or SIGTERM, or until it can't go on, which the real host calls a clean end as well.

    0 after a clean end, 1 when it can't start or functions did not end.
    """
    options = _parser().parse_args(arguments)
    app_dir = options.app_dir.resolve()
    state_dir = options.state_dir or app_dir / ".local" / "functions_host"
    _configure_logging(quiet=options.quiet)
    ending = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    try:
        skipped = apply_local_settings(app_dir, os.environ)
        for name in () if options.quiet else skipped:
            print(f"Skipping '{name}' from local settings as it's already defined in current environment variables.")
        host = build(
            app_dir,
            os.environ,
            port=options.port,
            state_dir=state_dir,
            check_keys=options.keys,
            ending=ending,
            group=options.group,
        )
    except (SettingError, AppError, OSError) as exc:
        print(f"The host can't start: {exc}", file=sys.stderr)
        return 1
    _print_errors(host)
    if not options.quiet:
        _print_functions(host)
    host.start()
    if not options.quiet:
        # In one piece: functions are running and write too, and whoever started us reads this line.
        sys.stdout.write(f"{READY}: http://localhost:{host.port}\n")
        sys.stdout.flush()
    ending.wait()
    if not options.quiet:
        print("Stopping host...", flush=True)
    if host.stop(_GRACE):
        return 0
    print(f"Functions still ran after {_GRACE.total_seconds():.0f} s and are cut off.", file=sys.stderr, flush=True)
    os._exit(1)  # a running thread would keep the process alive; the real host kills its worker likewise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description="Stands in for `func start`.")
    parser.add_argument(
        "--port", type=port, default=HOST_PORT, help=f"port on loopback, 0 for a free one (default {HOST_PORT})"
    )
    parser.add_argument("--app-dir", type=Path, default=Path(), help="where host.json and function_app.py lie")
    parser.add_argument("--state-dir", type=Path, help="timer status and keys (default APP_DIR/.local/functions_host)")
    parser.add_argument("--keys", action="store_true", help="check function keys, kept in keys.json of the state dir")
    parser.add_argument(
        "--quiet", action="store_true", help="of the host itself, say only what is wrong, in a line each"
    )
    parser.add_argument("--group", help="run as an instance of Flex Consumption: http, or a function's name")
    return parser


def _configure_logging(*, quiet: bool) -> None:
    # The worker sends only the message text to the host, so extra={} is not to be seen here either.
    kind = _OneLine if quiet else logging.Formatter
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(kind("[%(asctime)s] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(OfInvocation())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
    if quiet:
        logging.getLogger("local").setLevel(logging.WARNING)


class _OneLine(logging.Formatter):
    """Says a line for each record, with the exception in a few words instead of its traceback."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class names it so
        """The exception's type and text."""
        return "".join(traceback.format_exception_only(ei[1]))

    def format(self, record: logging.LogRecord) -> str:
        """The whole in one line."""
        return " ".join(super().format(record).split())


def _print_functions(host: Host) -> None:
    routes = {route.function: route for route in host.routes}
    print("\nFunctions:\n")
    for function in host.index.functions:
        route = routes.get(function.name)
        if route is None:
            print(f"\t{function.name}: {function.trigger.type}\n")
        else:
            methods = ",".join(sorted(route.methods)) if route.methods else "ALL"
            print(f"\t{function.name}: [{methods}] http://localhost:{host.port}/{route.template}\n")
    for name in host.index.disabled:
        print(f"\tFunction {name} is disabled.\n")


def _print_errors(host: Host) -> None:
    for name, reason in host.index.errors.items():
        print(f"The '{name}' function is in error: {reason}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
