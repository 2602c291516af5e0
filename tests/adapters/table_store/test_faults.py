"""What the store says, and what is stored, when the way to the table breaks under a write."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from local.azurite import Azurite
from shared.adapters.table_store import TableStore, open_table
from shared.errors import RowConflictError, StoreUnavailableError
from shared.ports import Insert, Operation, Put, Replace, Row
from tests.support.fake_table import FakeTable, Fault
from trials.soak.fault_proxy import FaultProxy, ProxyFault, fault_proxy

HEAD = "job|a"
PATIENCE = timedelta(seconds=1)


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    """A proxy before Azurite's tables."""
    with fault_proxy(azurite.table) as running:
        yield running


@pytest.fixture
def store(azurite: Azurite, proxy: FaultProxy, table_name: str) -> TableStore:
    """A store behind the proxy, its table created and the head written."""
    connection_string = azurite.connection_string.replace(azurite.table, proxy.url)
    store = open_table(connection_string, table_name, answer_timeout=PATIENCE)
    store.transact("p", [Insert(key=HEAD, columns={"commit": "old"})])
    return store


def head(store: TableStore | FakeTable) -> Row:
    """The head row, which must be there."""
    row = store.get("p", HEAD)
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("fault", "error", "commit"),
    [
        pytest.param(ProxyFault.DROP_BEFORE, StoreUnavailableError, "old", id="dropped before"),
        pytest.param(ProxyFault.DROP_AFTER, StoreUnavailableError, "new", id="dropped after"),
        pytest.param(ProxyFault.HANG_AFTER, StoreUnavailableError, "new", id="silence after"),
        pytest.param(ProxyFault.UNAVAILABLE_AFTER, RowConflictError, "new", id="503 after, sent again"),
    ],
)
def test_an_ambiguous_swap_is_settled_by_reading(
    store: TableStore, proxy: FaultProxy, fault: ProxyFault, error: type[Exception], commit: str
) -> None:
    """Each fault of the network raises what the store promises, and reading tells whether the commit is there."""
    swap = Replace(key=HEAD, columns={"commit": "new"}, etag=head(store).etag)
    proxy.break_write(fault)
    with pytest.raises(error):
        store.transact("p", [swap, Insert(key="event|1", columns={})])
    assert head(store).columns == {"commit": commit}
    assert (store.get("p", "event|1") is not None) == (commit == "new")


@pytest.mark.parametrize("fault", [ProxyFault.DROP_BEFORE, ProxyFault.DROP_AFTER, ProxyFault.HANG_AFTER])
@pytest.mark.parametrize("operation", [Put(key="x", columns={}), Insert(key="x", columns={})], ids=["put", "insert"])
def test_a_write_without_an_answer_is_not_sent_again(
    store: TableStore, proxy: FaultProxy, operation: Operation, fault: ProxyFault
) -> None:
    """A lost answer leaves exactly one write, so a later conflict can't come from a hidden second one."""
    before = proxy.writes
    proxy.break_write(fault)
    with pytest.raises(StoreUnavailableError):
        store.transact("p", [operation])
    assert proxy.writes == before + 1


def test_a_row_that_is_inserted_twice_meets_itself(store: TableStore, proxy: FaultProxy) -> None:
    """A lone insertion that was done and answered with 503 is sent again, and says that the row is there."""
    proxy.break_write(ProxyFault.UNAVAILABLE_AFTER)
    with pytest.raises(RowConflictError) as caught:
        store.transact("p", [Insert(key="x", columns={"n": 1})])
    assert (caught.value.row_key, caught.value.exists) == ("x", True)
    row = store.get("p", "x")
    assert row is not None
    assert row.columns == {"n": 1}


def test_a_table_that_stays_unavailable_is_asked_three_times_whatever_it_says(
    store: TableStore, proxy: FaultProxy
) -> None:
    """Two retries, soon: the minutes that the answers ask to wait for are not waited."""
    before, start = proxy.writes, time.monotonic()
    proxy.break_write(ProxyFault.UNAVAILABLE_AFTER, times=9)
    with pytest.raises(StoreUnavailableError, match="503"):
        store.transact("p", [Put(key="x", columns={"n": 1})])
    assert proxy.writes == before + 3
    assert time.monotonic() - start < 30
    proxy.heal()
    assert store.transact("p", [Put(key="x", columns={"n": 2})]).keys() == {"x"}


def test_the_nth_write_is_the_one_that_breaks(store: TableStore, proxy: FaultProxy) -> None:
    """The proxy counts writes from when it is told, lets the others pass, and never breaks a read."""
    proxy.break_write(ProxyFault.DROP_BEFORE, nth=3)
    store.transact("p", [Put(key="1", columns={})])
    assert head(store).columns == {"commit": "old"}
    store.transact("p", [Put(key="2", columns={})])
    with pytest.raises(StoreUnavailableError):
        store.transact("p", [Put(key="3", columns={})])
    store.transact("p", [Put(key="4", columns={})])
    assert [row.key for row in store.query("p", "0", "9")] == ["1", "2", "4"]


@pytest.mark.parametrize("fault", [ProxyFault.DROP_BEFORE, ProxyFault.DROP_AFTER])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_first_write_survives_a_fault_at_each_of_its_steps(
    azurite: Azurite, proxy: FaultProxy, table_name: str, fault: ProxyFault, nth: int
) -> None:
    """Missing table, creating it, writing: whichever breaks, the same write succeeds afterwards or meets itself."""
    store = open_table(azurite.connection_string.replace(azurite.table, proxy.url), table_name)
    proxy.break_write(fault, nth=nth)
    with pytest.raises(StoreUnavailableError):
        store.transact("p", [Insert(key=HEAD, columns={})])
    if store.get("p", HEAD) is None:
        store.transact("p", [Insert(key=HEAD, columns={})])
    else:
        assert (fault, nth) == (ProxyFault.DROP_AFTER, 3)
    assert head(store).columns == {}


@pytest.mark.parametrize(("fault", "commit"), [(Fault.BEFORE, "old"), (Fault.AFTER, "new")])
def test_the_fake_fails_as_the_network_does(fault: Fault, commit: str) -> None:
    """The fake raises what a lost connection raises, before or after the write, once, for the chosen write."""
    fake = FakeTable()
    fake.transact("p", [Insert(key=HEAD, columns={"commit": "old"})])
    fake.fail_next(fault, when=lambda _, operations: any(operation.key == HEAD for operation in operations))
    fake.transact("p", [Put(key="other", columns={})])
    with pytest.raises(StoreUnavailableError):
        fake.transact("p", [Replace(key=HEAD, columns={"commit": "new"}, etag=head(fake).etag)])
    assert head(fake).columns == {"commit": commit}
    fake.transact("p", [Put(key=HEAD, columns={"commit": "healed"})])
    assert head(fake).columns == {"commit": "healed"}


def test_the_fake_writes_down_what_it_is_asked() -> None:
    """Every transaction that was tried and every read is in the log of the fake, in order."""
    fake, put = FakeTable(), Put(key="x", columns={})
    fake.fail_next(Fault.BEFORE)
    with pytest.raises(StoreUnavailableError):
        fake.transact("p", [put])
    fake.transact("p", [put])
    fake.get("p", "x")
    list(fake.query("p", "a", "z"))
    assert fake.writes == [("p", (put,)), ("p", (put,))]
    assert fake.reads == [("get", "p", "x"), ("query", "p", "a")]
