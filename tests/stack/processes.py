"""Looks at processes by their id, as the tests of what starts and ends them do."""

import time
from datetime import timedelta
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Tell whether a process has the id; one that ended but was not yet awaited does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int, limit: timedelta = timedelta(seconds=20)) -> bool:
    """Wait until no process has the id; False when one still has after *limit*."""
    deadline = time.monotonic() + limit.total_seconds()
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def has_proc() -> bool:
    """Tell whether this system shows its processes under /proc, which is_alive() needs."""
    return Path("/proc/self").exists()
