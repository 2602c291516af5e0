"""Keeps a state folder for one stack at a time; what lies in it is memory.py's and the parts'."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class OccupiedError(Exception):
    """Another stack runs on this folder; end it, or take another folder."""


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Have *folder*, made if missing, for ourselves while the block runs; however we end, it is free then.

    Raises:
        OccupiedError: another process has it; the message says which, and what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stack.lock").open("a+", encoding="utf-8") as file:
        if not _locks(file.fileno()):
            file.seek(0)
            raise OccupiedError(
                f"another stack (process {file.read().strip() or 'unknown'}) runs on the state folder {folder}: "
                "end it, or give --state another folder and --port another port"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locks(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            # Far behind what is written, so that others can read it.
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
