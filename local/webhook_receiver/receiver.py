"""What is done with every request, whichever service it is for: judged, recorded, told, answered.

Owns the record. Does not own judging (the services) or sockets (`server`).
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TextIO

from local.webhook_receiver.service import Request, Service, Verdict


@dataclass(slots=True, kw_only=True)
class Answers:
    """Which requests are answered as a failing receiver would, however good they are.

    *status* is that answer; None means never. *every* counts requests from 1: with 3 it is each third one.
    """

    status: int | None = None
    every: int = 1
    _count: int = field(default=0, init=False)

    def to(self, verdict: Verdict) -> Verdict:
        """Return the verdict as the next request is answered."""
        self._count += 1
        if self.status is not None and self._count % self.every == 0:
            return replace(verdict, status=self.status, answer="", headers={})
        return verdict


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Lets *service* judge a request, appends a JSON line about it to *record*, and tells it in a line.

    One that is *quiet* tells only what it refuses.
    """

    format: str
    service: Service
    record: TextIO
    answers: Answers
    clock: Callable[[], datetime]
    tell: Callable[[str], None]
    quiet: bool = False
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> Verdict:
        """Return what is to be answered; by then the request is recorded."""
        with self._one_at_a_time:
            now = self.clock()
            verdict = self.service.receive(Request(path=path, headers=headers, body=body, at=now))
            verdict = self.answers.to(verdict)
            line = {
                "receivedAt": now.isoformat().replace("+00:00", "Z"),
                "format": self.format,
                "path": path,
                "headers": headers,
                "body": body.decode(errors="replace"),
                "verified": verdict.accepted,
                "reason": verdict.reason,
                "status": verdict.status,
                "shows": verdict.shows,
                **verdict.facts,
            }
            self.record.write(json.dumps(line) + "\n")
            self.record.flush()
        if not (self.quiet and verdict.accepted):
            self.tell(in_a_line(self.format, verdict))
        return verdict


def remember(service: Service, record: Path) -> None:
    """Let a service judge once more all that its record holds, so that it goes on where it ended."""
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True) if record.exists() else []
    # Whoever was killed while writing left half a line.
    for line in (json.loads(line) for line in lines if line.endswith("\n")):
        body, at = line["body"].encode(), datetime.fromisoformat(line["receivedAt"])
        service.receive(Request(path=line["path"], headers=line["headers"], body=body, at=at))


def in_a_line(name: str, verdict: Verdict) -> str:
    """Say what came, what it was taken for, and the answer."""
    shown = verdict.shows[0] if verdict.shows else "nothing to show"
    judged = "" if verdict.accepted else f", REFUSED: {verdict.reason}"
    return f"{name}: {shown}{judged} -> {verdict.status}"
