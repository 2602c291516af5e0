"""The fixture `azurite`: one real Azurite in memory per test process; whoever asks for it is marked so."""

from collections.abc import Iterator

import pytest

from local.azurite import SCRIPT, Azurite, running_azurite
from tests.support.needs import need


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for Azurite, so that `test-fast` can leave it out."""
    for item in items:
        if isinstance(item, pytest.Function) and "azurite" in item.fixturenames:
            item.add_marker("azurite")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Start an Azurite for this test process; use table and queue names of your own."""
    need(SCRIPT.exists(), "Azurite is not installed: `python3 dev.py test` installs it")
    with running_azurite() as running:
        yield running
