"""What a table holds, as tests ask it."""

from shared.ports import Row, Table

PARTITION = "account.westeurope.batch.azure.com:8443"


def stored(table: Table, key: str) -> Row:
    """The row, which must be there."""
    row = table.get(PARTITION, key)
    assert row is not None
    return row
