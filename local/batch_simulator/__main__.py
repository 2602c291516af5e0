"""`python -m local.batch_simulator`: a living Batch account on a port of its own.

Prints a line for every failure and nothing else after the first.
"""

import argparse
import json
import re
import signal
import sys
import threading
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from local.arguments import finite_number, port, whole_number
from local.batch_simulator.jobs import Failure
from local.batch_simulator.life.jobs import Life
from local.batch_simulator.life.pace import Pace
from local.batch_simulator.server import Simulator, now_utc
from local.batch_simulator.world import World

_TICK_SECONDS = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        truth = stack.enter_context(options.truth.open("w", encoding="utf-8")) if options.truth else None

        began = now_utc()

        def tell(failure: Failure) -> None:
            ended = datetime.fromisoformat(failure.end_time) if failure.end_time else began
            if ended >= began:
                print(f"{failure.job}: {failure.phase} failed on {_short(failure.node)}: {failure.why}", flush=True)
            if truth is not None:
                print(json.dumps(failure.to_json()), file=truth, flush=True)

        start = options.start or began
        world = World(now=start, on_failure=tell)
        pace = Pace(
            jobs=options.jobs,
            nodes=options.nodes,
            fail_rate=options.fail_rate,
            node_fail_rate=options.node_fail_rate,
            speed=options.speed,
            linger=timedelta(seconds=options.linger),
        )
        Life(world, pace, seed=options.seed, start=start)
        simulator = stack.enter_context(
            Simulator(world, account=options.account, key=options.key, port=options.port, token=options.token)
        )
        print(f"Batch account {options.account} at {simulator.url}, seed {options.seed}", flush=True)
        while not stopped.wait(_TICK_SECONDS):
            world.advance(now_utc())
    return 0


def _short(node: str) -> str:
    """A node's id without the middle of its 64 digits, so that a failure is a line."""
    return re.sub(r"(?<=[0-9a-f]{6})[0-9a-f]{52}(?=[0-9a-f]{6})", "...", node)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.batch_simulator", description=__doc__)
    parser.add_argument("--port", type=port, default=0, help="0 takes a free one (default)")
    parser.add_argument("--account", required=True, help="the account's name")
    parser.add_argument("--key", required=True, help="its key, base64")
    parser.add_argument("--token", help="a bearer token to accept as well")
    add_story(parser)
    parser.add_argument(
        "--start", type=_moment, help="ISO 8601 with zone: when the story began, to take it up again (default now)"
    )
    parser.add_argument("--speed", type=finite_number(0.01), default=1.0, help="2 lets everything take half as long")
    parser.add_argument(
        "--linger",
        type=finite_number(0),
        default=90.0,
        help="seconds that a failure stays listed at least (default 90)",
    )
    parser.add_argument("--truth", type=Path, help="JSON lines: every occurrence that ended as failed")
    return parser


def add_story(parser: argparse._ActionsContainer) -> None:
    """Let a command line, or a group of one, say what happens in the account."""
    parser.add_argument("--jobs", type=whole_number(0, 1000), default=4, help="jobs at a time, 0 for none (default 4)")
    parser.add_argument("--nodes", type=whole_number(1, 10_000), default=20, help="nodes of each pool (default 20)")
    parser.add_argument("--fail-rate", type=finite_number(0, 1), default=0.15, help="0 to 1 (default 0.15)")
    parser.add_argument(
        "--node-fail-rate",
        type=finite_number(0, 1),
        default=0.0,
        help="0 to 1, of start tasks; above 0 nodes also break, heal, come and go (default 0)",
    )
    parser.add_argument("--seed", type=whole_number(0), default=1, help="the same seed, the same story (default 1)")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in ISO 8601") from None
    if moment.tzinfo is None or moment > now_utc():
        raise argparse.ArgumentTypeError(f"{text} has no time zone, or lies ahead")
    return moment


if __name__ == "__main__":
    sys.exit(main())
