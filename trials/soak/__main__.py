"""`python -m trials.soak`: two pollers and two deliverers under faults for minutes, judged afterwards.

Exits with 1 when anything was lost, invented, told twice or held twice.
"""

import argparse
import secrets
import sys
from pathlib import Path

from local.arguments import finite_number, whole_number
from local.azurite import running_azurite
from trials.soak.run import soak

FOLDER = Path(".local/soak")
_MOST_LINES = 10


def main() -> int:
    """Do what the command line says; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m trials.soak",
        description="Runs two polling and two delivering processes under faults, kills them now and then, and judges "
        "afterwards whether anything was lost, invented, told twice or held twice. Its logs lie in .local/soak.",
    )
    parser.add_argument("--minutes", type=finite_number(0.1), default=5, help="under faults (default 5)")
    parser.add_argument("--seed", type=whole_number(0), help="draws the same faults again (default: another each time)")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("claims.jsonl", "polls.jsonl"):
        (FOLDER / name).unlink(missing_ok=True)
    print(f"{options.minutes:g} minutes under faults, seed {seed}; logs in {FOLDER}", flush=True)
    with running_azurite() as azurite:
        outcome = soak(azurite, options.minutes * 60, seed, FOLDER)
    for name, lines in outcome.verdict.all():
        for line in lines[:_MOST_LINES]:
            print(f"{name.replace('_', ' ')}: {line}")
    for key in outcome.still_due:
        print(f"still due: {key}")
    print(outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("soak: stopped, nothing was judged")
