"""Fixtures that every test may ask for, how hard Hypothesis looks, and that no defect or lost line goes unnoticed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import settings

from tests.support.defects import Defects
from tests.support.foreign_lines import ForeignLines

pytest_plugins = ["tests.support.azurite"]

# Every run tries the same cases, so that a red test is red again; `--hypothesis-profile=thorough` looks for new ones.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=60)
settings.register_profile("quick", settings.get_profile("repeatable"), max_examples=20)  # of `make test-fast`
settings.register_profile("thorough", deadline=timedelta(seconds=5), max_examples=3_000)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_defect_is_swallowed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test when the app met a defect and went on, as it should: a fake that protests is heard all the same."""
    with Defects() as defects:
        yield
    if request.node.get_closest_marker("defects") is None:
        assert not defects.lines, "\n".join(defects.lines)


@pytest.fixture(autouse=True)
def no_line_is_lost() -> Iterator[None]:
    """Fail the test when something logs on a thread of the app's own: the Functions host drops such lines."""
    with ForeignLines() as foreign:
        yield
    assert not foreign.lines, "\n".join(foreign.lines)
