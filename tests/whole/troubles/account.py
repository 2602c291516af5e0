"""A Batch account of a few jobs, and what it answers while it is in trouble."""

from datetime import timedelta
from typing import Any

from tests.support.fakes import START, FakeClock
from tests.support.hostile_batch import Play, account, failed_node, json_answer, page
from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer
from tests.support.whole_app import WholeApp, whole_app

MINUTE = timedelta(minutes=1)
JOBS = [f"job-{number}" for number in range(6)]


class Trouble:
    """A Batch account of six jobs with one failed node each, and what it answers instead while `reply` is set."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.listing: ScriptedAnswer | None = None
        self.statuses: ScriptedAnswer | None = None
        self.state = "active"
        good = page(failed_node("n-1", now=START))

        def play(asked: Asked) -> ScriptedAnswer:
            return good(asked) if self.statuses is None else self.statuses

        self.plays: dict[str, Play] = dict.fromkeys(JOBS, play)
        self.server: ScriptedServer = account(self.plays, jobs=lambda: self.listing or self._jobs())

    def _jobs(self) -> ScriptedAnswer:
        created = "2026-11-01T11:00:00Z"
        shown = [{"id": name, "state": self.state, "creationTime": created} for name in self.plays]
        return json_answer({"value": shown})

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self.server.log)

    def app(self, **more: Any) -> WholeApp:
        """An app that lists one job after the other."""
        return whole_app(self.server.url, clock=self.clock, POLL_CONCURRENCY="1", **more)

    def poll_after(self, app: WholeApp, wait: timedelta) -> None:
        """Let time pass, then run a cycle."""
        self.clock.advance(wait)
        app.poll()
