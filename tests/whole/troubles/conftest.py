"""An account that is well at first."""

from collections.abc import Iterator

import pytest

from tests.whole.troubles.account import Trouble


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    """An account that is well at first."""
    made = Trouble()
    with made.server:
        yield made
