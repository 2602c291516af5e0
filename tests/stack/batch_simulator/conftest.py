"""An account with one job on seven nodes, and the real client library pointed at it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential, TokenCredential

from local.batch_simulator.server import Simulator
from local.batch_simulator.statuses import Cause, Phase, failed, running, succeeded
from local.batch_simulator.world import World

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ACCOUNT, KEY = "myaccount", "bXktZmFrZS1iYXRjaC1rZXk="
CAUSE = Cause(category="usererror", code="FailureExitCode", message="It failed", exit_code=17, stderr="no disk\n")

ClientFactory = Callable[..., BatchClient]


@pytest.fixture
def world() -> World:
    """Job `job-1` in `Pool-A`: nodes 0 to 3 succeeded, 4 and 5 failed, 6 runs its second attempt."""
    world = World(now=NOW)
    world.add_job(
        "job-1", pool="Pool-A", tasks={"active": 3, "running": 4, "completed": 2, "succeeded": 1, "failed": 1}
    )
    for index in range(7):
        start = NOW + timedelta(minutes=index)
        end = start + timedelta(seconds=30)
        if index < 4:
            info = succeeded("job-1", Phase.PREPARATION, start=start, end=end)
        elif index < 6:
            info = failed("job-1", Phase.PREPARATION, CAUSE, start=start, end=end)
        else:
            info = running("job-1", Phase.PREPARATION, start=start, retry_count=1, last_retry=start)
        world.set_status("job-1", "Pool-A", f"node-{index}", preparation=info)
    return world


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    """The account on a free port."""
    with Simulator(world, account=ACCOUNT, key=KEY, token="a-token") as simulator:
        yield simulator


@pytest.fixture
def connect(simulator: Simulator) -> Iterator[ClientFactory]:
    """Makes clients of the account; without arguments one with the right key that never retries."""
    with ExitStack() as stack:

        def make(*, key: str = KEY, credential: TokenCredential | None = None, **options: Any) -> BatchClient:
            client = BatchClient(
                endpoint=simulator.url,
                credential=credential or AzureNamedKeyCredential(ACCOUNT, key),
                **{"retry_total": 0, **options},
            )
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(connect: ClientFactory) -> BatchClient:
    """A client with the right key."""
    return connect()
