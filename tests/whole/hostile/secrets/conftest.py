"""Whatever these tests log is searched as well."""

import logging
from collections.abc import Iterator

import pytest

from tests.whole.hostile.secrets.canaries import nothing_in


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Everything is logged; in the end no record, formatted with its traceback, may hold a canary."""
    caplog.set_level(logging.DEBUG)
    assert not logging.getLogger("prepwatch").disabled
    yield
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s")
    for record in caplog.get_records("call"):
        nothing_in(formatter.format(record))
