"""How large a write is told to be, against what is really sent."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from azure.core.pipeline import PipelineRequest
from azure.core.rest import HttpRequest
from azure.data.tables import TableClient

from local.azurite import KEY
from shared.adapters.table_limits import (
    MAX_ROW_BYTES,
    MAX_TRANSACTION_BYTES,
    check_row,
    check_transaction,
    size_of,
    stored_bytes,
)
from shared.adapters.table_store import TableStore
from shared.errors import StoreError, StoreUnavailableError, TransactionTooLargeError
from shared.ports import Column, Delete, Insert, Merge, Operation, Put, Replace

PARTITION = "a-rather-long-account-name.southeastasia.batch.azure.com:8443"
CHANCE = random.Random(7)
ETAG = "W/\"datetime'2026-11-22T23%3A25%3A20.2117329Z'\""


class CaughtError(Exception):
    """Ends a request that has been measured."""


def sent_bytes(operations: Sequence[Operation]) -> int:
    """How long the body of a transaction is; nothing leaves the process."""
    seen: list[int] = []

    def measure(request: PipelineRequest[HttpRequest]) -> None:
        request.http_request.prepare_multipart_body()
        seen.append(len(request.http_request.body))
        raise CaughtError

    client = TableClient.from_connection_string(
        f"DefaultEndpointsProtocol=https;AccountName={'x' * 24};AccountKey={KEY};EndpointSuffix=core.usgovcloudapi.net",
        "T" * 63,
        raw_request_hook=measure,
    )
    with pytest.raises(StoreUnavailableError):
        TableStore(client).transact(PARTITION, operations)
    return seen[0]


@pytest.mark.parametrize(
    ("operations", "at_most_times"),
    [
        pytest.param([Delete(key=f"{n}") for n in range(100)], 3, id="bare deletes"),
        pytest.param([Replace(key=f"{n}", columns={}, etag=ETAG) for n in range(100)], 3, id="empty rows"),
        pytest.param([Delete(key=f"{n}" + "日" * 509, etag=ETAG) for n in range(100)], 1.3, id="long foreign keys"),
        pytest.param([Insert(key=f"{n}" + "'" * 509, columns={}) for n in range(100)], 1.5, id="keys of quotes"),
        pytest.param(
            [Put(key=f"{n}", columns={"body": CHANCE.randbytes(20_000)}) for n in range(100)], 1.1, id="binary columns"
        ),
        pytest.param([Merge(key=f"{n}", columns={"text": '日\x00"\\😀/' * 500}) for n in range(50)], 1.1, id="texts"),
        pytest.param(
            [
                Put(
                    key=f"{n}",
                    columns={f"int{i}": -(2**63) for i in range(80)}
                    | {f"time{i}": datetime(2026, 1, 1, 1, 1, 1, 123456, tzinfo=UTC) for i in range(80)}
                    | {f"Läuft{i}": False for i in range(80)},
                )
                for n in range(50)
            ],
            2,
            id="small columns",
        ),
    ],
)
def test_size_is_an_upper_bound_of_what_is_sent(operations: list[Operation], at_most_times: float) -> None:
    """The sum of the sizes is never below the body that is sent, and not far above it."""
    told, sent = sum(map(size_of, operations)), sent_bytes(operations)
    assert sent <= told <= at_most_times * sent


def test_the_longest_foreign_partition_key_stays_within_the_reserve() -> None:
    """Even where a partition key that `size_of` does not know is the worst possible, 4 MiB are not reached."""
    operations = [Put(key=f"{n}", columns={"b": bytes(23_000)}) for n in range(98)]
    assert MAX_TRANSACTION_BYTES * 0.98 < sum(map(size_of, operations)) < MAX_TRANSACTION_BYTES
    worst_partition = "日" * 512
    per_part = len(worst_partition) * (9 + 6)  # percent-encoded in the URL, escaped in the body
    assert sum(map(size_of, operations)) + 100 * per_part < 4 * 1024 * 1024


def test_the_sum_decides() -> None:
    """A transaction is taken just below the limit and refused at it."""
    operations = [Put(key=f"{n}", columns={"b": bytes(60_000)}) for n in range(38)]
    last: dict[str, Column] = {"a": "x" * 25_000, "b": "x" * 25_000, "t": ""}
    rest = MAX_TRANSACTION_BYTES - sum(map(size_of, operations)) - size_of(Put(key="r", columns=last))
    check_transaction(PARTITION, [*operations, Put(key="r", columns=last | {"t": "x" * (rest - 1)})])
    with pytest.raises(TransactionTooLargeError, match=str(MAX_TRANSACTION_BYTES)):
        check_transaction(PARTITION, [*operations, Put(key="r", columns=last | {"t": "x" * rest})])


def test_a_row_is_counted_as_the_service_counts_it() -> None:
    """4 bytes, keys and names in UTF-16, 8 a column, and each value by its type."""
    columns: dict[str, Column] = {
        "text": "日本😀",
        "small": 1,
        "large": 2**40,
        "yes": True,
        "bytes": b"123",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    names = 2 * len("textsmalllargeyesbytesat")
    values = (4 + 8) + 4 + 8 + 1 + (4 + 3) + 8
    assert stored_bytes("ä", "kk", columns) == 4 + 2 * 3 + 8 * 6 + names + values


def test_a_row_may_be_exactly_as_large_as_the_limit() -> None:
    """1 MiB fits, one byte more does not: Azurite would take it, the service would not."""
    columns = {f"c{n:02}": bytes(65_536) for n in range(15)}
    rest = MAX_ROW_BYTES - stored_bytes(PARTITION, "r", {**columns, "rest": b""})
    check_row(PARTITION, "r", {**columns, "rest": bytes(rest)})
    with pytest.raises(TransactionTooLargeError, match="1048577 bytes"):
        check_row(PARTITION, "r", {**columns, "rest": bytes(rest + 1)})


def test_what_breaks_a_limit_is_an_error_of_the_store() -> None:
    """Whoever catches what the table can raise catches the limits, too."""
    with pytest.raises(StoreError, match="encode them"):
        check_transaction(PARTITION, [Delete(key="a/b")])
