"""What holds when several write to one table at the same time, in memory and in Azurite."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from shared.errors import RowConflictError
from shared.ports import Insert, Put, Replace, Table
from tests.adapters.table_store.conftest import OpenTable
from tests.adapters.table_store.contents import PARTITION, stored


def test_a_claim_has_one_winner(open_again: OpenTable) -> None:
    """Of 16 stores that swap the same row at the same moment exactly one succeeds, in every round."""
    stores = [open_again() for _ in range(16)]
    stores[0].transact(PARTITION, [Insert(key="due", columns={"lease": ""})])
    barrier = Barrier(len(stores))

    def claim(number: int) -> bool:
        row = stored(stores[number], "due")
        barrier.wait()
        try:
            stores[number].transact(PARTITION, [Replace(key="due", columns={"lease": str(number)}, etag=row.etag)])
        except RowConflictError:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        for _ in range(3):
            won = [number for number, win in enumerate(pool.map(claim, range(len(stores)))) if win]
            assert [stored(stores[0], "due").columns["lease"]] == [str(number) for number in won]


def test_a_row_is_created_once(open_again: OpenTable) -> None:
    """Of 8 stores that insert the same row, also the very first of the table, exactly one succeeds."""
    stores = [open_again() for _ in range(8)]
    barrier = Barrier(len(stores))

    def create(store: Table) -> bool:
        barrier.wait()
        try:
            store.transact(PARTITION, [Insert(key="event|1", columns={})])
        except RowConflictError as conflict:
            assert conflict.exists  # noqa: PT017 - the losers' reason belongs to the claim
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sum(pool.map(create, stores)) == 1


def test_counting_by_optimistic_swap_loses_nothing(open_again: OpenTable) -> None:
    """Two stores that each add 20 times to one counter, reading again after a conflict, reach 40."""

    def count_up(store: Table) -> None:
        done = 0
        while done < 20:
            row = stored(store, "counter")
            value = row.columns["n"]
            assert isinstance(value, int)
            try:
                store.transact(PARTITION, [Replace(key="counter", columns={"n": value + 1}, etag=row.etag)])
            except RowConflictError:
                continue
            done += 1

    stores = [open_again(), open_again()]
    stores[0].transact(PARTITION, [Insert(key="counter", columns={"n": 0})])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count_up, stores))
    assert stored(stores[0], "counter").columns == {"n": 40}


def test_half_a_transaction_is_never_seen(open_again: OpenTable) -> None:
    """Whoever reads a range while another store swaps two rows in it sees both old or both new."""
    writer, reader = open_again(), open_again()
    writer.transact(PARTITION, [Put(key=key, columns={"n": 0}) for key in ("head", "node")])
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [
                writer.transact(PARTITION, [Put(key=key, columns={"n": n}) for key in ("head", "node")])
                for n in range(1, 40)
            ]
        )
        while not writing.done():
            head, node = (row.columns["n"] for row in reader.query(PARTITION, "head", "nodf"))
            assert head == node
        writing.result()
