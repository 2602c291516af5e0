"""The stage of these tests: built once for a process, set up anew for each fault."""

from collections.abc import Iterator

import pytest

from local.azurite import Azurite
from tests.faults.stage import Stage, stage


@pytest.fixture(scope="package")
def played(azurite: Azurite) -> Iterator[Stage]:
    """A stage on which the story was played once without a fault."""
    with stage(azurite) as running:
        yield running
