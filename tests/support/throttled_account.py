"""A Batch account that throttles lightly, on virtual time: every so many status listings it wants a second of peace.

Owns the answers of a transport in memory; the client before it is the real one.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from requests.structures import CaseInsensitiveDict

from shared.adapters.batch_client import BatchClient
from shared.adapters.http_transport import Exchange, HttpTransport
from shared.composition import App
from shared.settings.settings import load_settings
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, from_row
from tests.adapters.batch_clients import RecordingAuth
from tests.support.deployment import build
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock, FakeSender
from tests.support.stack import app_environment

START = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
HOST = "throttled.westeurope.batch.azure.com"
_A_REQUEST = timedelta(milliseconds=50)
_EIGHT_AT_ONCE = 8
_MINUTE = timedelta(minutes=1)


class ThrottledAccount(HttpTransport):
    """Answers each request after 50 ms, of which eight run at once; every `every`th status listing is a 429."""

    def __init__(self, jobs: int, *, every: int) -> None:
        self.clock = FakeClock(START)
        self.every = every
        self.listings = 0
        self.read: Counter[datetime] = Counter()
        self._minute = START
        created = START - timedelta(hours=1)
        listed = [{"id": f"job-{number}", "state": "active", "creationTime": created} for number in range(jobs)]
        self._jobs = msgspec.json.encode({"value": listed})
        self._by_id = {job["id"]: msgspec.json.encode(job) for job in listed}
        node = {"poolId": "pool", "nodeId": "node-1", "jobPreparationTaskExecutionInfo": {"state": "running"}}
        self._statuses = msgspec.json.encode({"value": [node]})
        self.sender = FakeSender()
        self.table = FakeTable()
        self.app = self._compose()

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        deadline: timedelta,
        max_body: int,
    ) -> Exchange:
        """What the account answers."""
        self.clock.now += _A_REQUEST / _EIGHT_AT_ONCE
        if "jobpreparationandreleasetaskstatus" not in url:
            return _answer(200, self._by_id.get(urlsplit(url).path.removeprefix("/jobs/"), self._jobs))
        self.listings += 1
        if self.listings % self.every == 0:
            return _answer(429, b'{"code":"TooManyRequests"}', {"Retry-After": "1"})
        self.read[self._minute] += 1
        return _answer(200, self._statuses)

    def run(self, minutes: int) -> None:
        """Let the timer fire each minute."""
        for _ in range(minutes):
            self.clock.now = self._minute
            self.app.pollers[HOST].run()
            self._minute += _MINUTE

    @property
    def cycle(self) -> Cycle:
        """How the last cycle went."""
        row = self.table.get(HOST, CYCLE)
        assert row is not None
        return from_row(row, Cycle)

    def _compose(self) -> App:
        settings = load_settings(
            app_environment(f"https://{HOST}", "https://hook.example/", "UseDevelopmentStorage=true")
        )
        client = BatchClient(
            f"https://{HOST}", auth=RecordingAuth(), transport=self, clock=self.clock, pause=self.clock.pause
        )
        app, _ = build(
            settings,
            table=self.table,
            batch={HOST: client},
            sender=self.sender,
            clock=self.clock,
            pause=self.clock.pause,
        )
        return app


def _answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Exchange:
    return Exchange(status=status, headers=CaseInsensitiveDict(headers or {}), body=body, truncated=False)
