"""Runs seeds: `python -m trials.simulation --seed N` replays one with its trace, `--seeds A:B` runs many."""

import argparse
import logging
import sys
import time

from trials.promises.monitor import BrokenPromiseError
from trials.simulation.seeded_run import Profile, run


class _Lines(logging.Handler):
    """The app's own log as lines of the trace."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        print(f"{'':19}{record.getMessage()}")


def main() -> int:
    """Do what the command line says; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m trials.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed, with its trace")
    parser.add_argument("--seeds", default="0:20", help="first and end of the seeds to run quietly (0:20)")
    parser.add_argument("--hours", type=float, default=6, help="virtual hours of a run (6)")
    options = parser.parse_args()
    profile = Profile(hours=options.hours)
    if options.seed is not None:
        logger = logging.getLogger("prepwatch")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Lines())
        try:
            run(options.seed, profile, print)
        except BrokenPromiseError as broken:
            print(f"seed {options.seed}: {broken}")
            raise
        return 0
    first, end = map(int, options.seeds.split(":"))
    failed = 0
    for seed in range(first, end):
        began = time.monotonic()
        try:
            run(seed, profile)
        except BrokenPromiseError as broken:
            failed += 1
            print(f"seed {seed}: {str(broken)[:400]} {broken.__cause__ or ''}", flush=True)
        else:
            print(f"seed {seed}: all promises kept ({time.monotonic() - began:.1f} s)", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
