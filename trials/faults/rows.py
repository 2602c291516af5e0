"""The rows of a table, put back as they were."""

from collections.abc import Mapping, Sequence

from shared.ports import Delete, Operation, Put, Row, Table


def restore(table: Table, rows: Mapping[str, Sequence[Row]]) -> None:
    """Write what differs, so that a table holds these rows and no others."""
    for partition, wanted in rows.items():
        stored = {row.key: row.columns for row in table.query(partition, "", "~")}
        writes: list[Operation] = [
            Put(key=row.key, columns=row.columns) for row in wanted if stored.pop(row.key, None) != row.columns
        ]
        writes += [Delete(key=key) for key in stored]
        for start in range(0, len(writes), 100):
            table.transact(partition, writes[start : start + 100])
