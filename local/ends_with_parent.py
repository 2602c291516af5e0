"""Runs a module until whoever started it closes its standard input: `python -m local.ends_with_parent -m MODULE ...`.

A pipe closes on every operating system when its owner ends, even by kill -9, so nothing that
runs under this outlives the local stack. The module sees the end as SIGTERM. Which modules run is not decided here.
"""

import os
import runpy
import signal
import sys
import threading
import time
from datetime import timedelta

GRACE = timedelta(seconds=15)


def _end_with_the_owner() -> None:
    # Not through sys.stdin: its lock, held while we wait, makes the end of the interpreter a fatal error.
    while os.read(0, 1024):
        pass
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:  # only a signal to the main thread wakes it from waiting
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    time.sleep(GRACE.total_seconds())
    os._exit(1)


def main() -> None:
    """Run the module named after `-m` with the arguments behind it."""
    match sys.argv[1:]:
        case ["-m", module, *arguments]:
            sys.argv = [module, *arguments]
        case _:
            sys.exit("usage: python -m local.ends_with_parent -m MODULE [ARGUMENT ...]")
    threading.Thread(target=_end_with_the_owner, daemon=True, name="ends-with-parent").start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
