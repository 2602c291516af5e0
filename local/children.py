"""Child processes of the local stack: started, heard line by line, ended by their own handle.

Owns the life of one process. Which processes there are, and which are started again, is run.py's.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

# Longer than the 10 s that the Functions host gives to functions that still run.
GRACE = timedelta(seconds=15)


@dataclass(slots=True, kw_only=True)
class Child:
    """One process that can be started again after it ended.

    *on_line* gets each line that it writes, *on_end* its exit code once it has ended unasked; both are
    called from another thread. *environment* None means our own. Its standard input stays open until it
    is told to end, or until we die: whoever reads it knows then that it is alone.
    """

    name: str
    command: Sequence[str]
    on_line: Callable[[str], None]
    on_end: Callable[[Self, int], None]
    environment: Mapping[str, str] | None = None
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _listener: threading.Thread | None = field(default=None, init=False)
    _told_to_end: bool = field(default=False, init=False)

    @property
    def pid(self) -> int | None:
        """The id of the running process; None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, apart from our terminal's Ctrl-C: children end in our order, not at once."""
        self._process = subprocess.Popen(  # noqa: S603 - the stack's own programs
            self.command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None  # noqa: S101 - asked for in start()
        assert process.stdout is not None  # noqa: S101 - asked for in start()
        with process.stdout:
            for line in process.stdout:
                self.on_line(line.rstrip("\n"))
        exit_code = process.wait()
        process.stdin.close()
        if not self._told_to_end:
            self.on_end(self, exit_code)

    def end(self, grace: timedelta = GRACE) -> None:
        """Tell the process to end, wait, and kill it when *grace* is over; nothing if it ended before."""
        self._told_to_end = True
        if self._process is None or self._listener is None:
            return
        if self._process.poll() is None:
            assert self._process.stdin is not None  # noqa: S101 - asked for in start()
            self._process.stdin.close()
            if os.name == "posix":
                self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(grace.total_seconds())
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._listener.join(grace.total_seconds())


def describe_end(exit_code: int) -> str:
    """Say in words how a process ended."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    return f"signal {signal.Signals(-exit_code).name}"
