"""A job of one pool whose tasks wait for nodes: it goes as a test says, and what is told of it is heard."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.batch.model import BatchJob, ExecutionInfo, JobExecutionInfo, TaskCounts
from shared.batch.pool_model import ComputeNode
from shared.state.jobs import JobHead
from shared.state.rows import from_row, range_of
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_node, deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock
from tests.whole.scale.batch_values import prepared

MINUTE = timedelta(minutes=1)
JOB = "nightly"
POOL = "pool-1"
Told = list[tuple[str, str | None]]


@dataclass(kw_only=True)
class Story:
    """A job of one pool whose tasks wait, polled once a minute."""

    batch: FakeBatch = field(default_factory=FakeBatch)
    clock: FakeClock = field(default_factory=FakeClock)
    table: FakeTable = field(default_factory=FakeTable)
    apps: list[Deployment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batch.counts[JOB] = TaskCounts(active=6)
        self.with_settings()

    def with_settings(self, **environment: str) -> None:
        """From now on another version of the app's settings is in use."""
        parts = {"batches": {ACCOUNT: self.batch}, "clock": self.clock, "table": self.table}
        self.apps.append(deploy(**parts, **environment))  # type: ignore[arg-type] # parts have their own types

    def minutes(self, number: int) -> None:
        """Let so much time pass."""
        for _ in range(number):
            self.apps[-1].poll()
            self.clock.advance(MINUTE)

    def job(self, *, prepares: bool = True, **fields: Any) -> None:
        """The job as Batch shows it; with all its nodes unless it has no preparation task."""
        about = {"execution_info": JobExecutionInfo(pool_id=POOL), "state_transition_time": self.clock(), **fields}
        known = self.batch.jobs.get(JOB)
        job = known if isinstance(known, BatchJob) else replace(a_job(JOB), creation_time=self.clock())
        self.batch.jobs[JOB] = replace(job, **about)
        if not prepares:
            self.batch.nodes[JOB] = None

    def preparations(self, **ends: int) -> None:
        """Preparations that ended a moment ago, by node, with their exit codes."""
        at = self.clock() - timedelta(seconds=20)
        known = {node.node_id: node for node in self.batch.nodes.get(JOB) or ()}
        known |= {node: prepared(node, at, exit_code=code) for node, code in ends.items()}
        self.batch.nodes[JOB] = tuple(known.values())

    def prepares(self, node: str, *, retry_count: int = 0) -> None:
        """A preparation begins now on a node."""
        run = ExecutionInfo(start_time=self.clock(), state="running", retry_count=retry_count)
        others = [one for one in self.batch.nodes.get(JOB) or () if one.node_id != node]
        self.batch.nodes[JOB] = (*others, a_node(node, pool_id=POOL, preparation=run))

    def pool(self, **states: str) -> None:
        """The pool's nodes by state."""
        nodes = [ComputeNode(id=node, state=state, state_transition_time=NOW) for node, state in states.items()]
        self.batch.pool_nodes[POOL] = nodes
        counts: dict[str, int] = {}
        for state in states.values():
            counts[state] = counts.get(state, 0) + 1
        self.batch.node_counts[POOL] = counts

    def ask(self, method: Callable[[Routes], Callable[..., Any]]) -> None:
        """Somebody calls a route about the job."""
        route = method(self.apps[-1].app.routes)
        assert self.apps[-1].ask(lambda _, request: route(request), jobId=JOB).status < 300

    @property
    def types(self) -> list[str]:
        """The type of all that was told."""
        sent = [json.loads(request.body) for app in self.apps for request in app.sender.sent]
        return [event["type"].removeprefix("prepwatch.") for event in sent]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was told of standstills."""
        sent = [json.loads(request.body) for app in self.apps for request in app.sender.sent]
        return [event for event in sent if event["type"] in {"prepwatch.job.stuck", "prepwatch.job.resumed"}]

    @property
    def told(self) -> Told:
        """What was told of standstills, with its reasons."""
        kinds = {"prepwatch.job.stuck": "stuck", "prepwatch.job.resumed": "resumed"}
        return [(kinds[event["type"]], event["data"].get("reason")) for event in self.events]

    @property
    def head(self) -> JobHead:
        """What is stored of the job."""
        (row,) = self.table.query(ACCOUNT, *range_of("job"))
        return from_row(row, JobHead)


def fails_everywhere(story: Story) -> None:
    """Preparation has failed on each of the pool's nodes."""
    story.job()
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=1)
    story.minutes(6)


def dead_pool(story: Story) -> None:
    """No node of the pool can work, and the job has no preparation task."""
    story.job(prepares=False)
    story.pool(n1="unusable", n2="unusable")
    story.minutes(9)
