"""A table of one's own per test: in memory, or in Azurite."""

from collections.abc import Callable, Iterator
from threading import Thread
from uuid import uuid4

import pytest

from shared.adapters.table_store import open_table
from shared.ports import Table
from tests.adapters.table_store.scripted import Script
from tests.support.fake_table import FakeTable

OpenTable = Callable[[], Table]


@pytest.fixture
def table_name() -> str:
    """A name that no other test uses."""
    return f"t{uuid4().hex}"


@pytest.fixture(params=["fake", pytest.param("azurite", marks=pytest.mark.azurite)])
def open_again(request: pytest.FixtureRequest, table_name: str) -> OpenTable:
    """Open this test's table: each call gives another store of the same table."""
    if request.param == "fake":
        fake = FakeTable()
        return lambda: fake
    connection_string = request.getfixturevalue("azurite").connection_string
    return lambda: open_table(connection_string, table_name)


@pytest.fixture
def table(open_again: OpenTable) -> Table:
    """This test's table, not yet created."""
    return open_again()


@pytest.fixture
def script() -> Iterator[Script]:
    """A scripted service; set its answers first."""
    with Script() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
