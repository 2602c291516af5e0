"""What goes wrong on demand, and what was asked: injected faults and the log of requests.

Owns both lists. Does not sleep nor answer itself.
"""

import re
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.batch_simulator.protocol import format_time

_LOG_LENGTH = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens instead of, or before, the answer.

    `status` None lets the request through after the delay. `body` replaces the service's error body. `cut`
    performs the request, then closes the connection without a word.
    """

    status: int | None = None
    code: str | None = None
    message: str | None = None
    retry_after: str | None = None
    delay_seconds: float = 0.0
    body: str | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request to the account and how it was answered; status 0 means the connection was cut."""

    method: str
    path: str
    query: str
    operation: str
    status: int
    when: datetime

    def to_json(self) -> dict[str, Any]:
        """The record for a person or another process."""
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "operation": self.operation,
            "status": self.status,
            "when": format_time(self.when),
        }


@dataclass(slots=True)
class _Injected:
    match: str
    fault: Fault
    left: int | None


class Faults:
    """Injected faults, the first that matches is taken; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._injected: list[_Injected] = []

    def inject(self, match: str, fault: Fault, *, times: int | None = 1) -> None:
        """Let `fault` happen to the next `times` requests that match (None: to all).

        `match` is the name of an operation or a regular expression found in the path.

        Raises:
            re.error: `match` is no regular expression.
        """
        re.compile(match)
        with self._lock:
            self._injected.append(_Injected(match, fault, times))

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._injected.clear()

    def take(self, operation: str, path: str) -> Fault | None:
        """The fault that this request meets; None when it goes well."""
        with self._lock:
            for injected in self._injected:
                if injected.match != operation and not re.search(injected.match, path):
                    continue
                if injected.left is not None:
                    injected.left -= 1
                    if injected.left <= 0:
                        self._injected.remove(injected)
                return injected.fault
        return None


class RequestLog:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=_LOG_LENGTH)

    def add(self, request: LoggedRequest) -> None:
        """Append one."""
        self._requests.append(request)

    def all(self) -> list[LoggedRequest]:
        """A copy of what was asked so far."""
        return list(self._requests)

    def clear(self) -> None:
        """Forget what was asked."""
        self._requests.clear()
