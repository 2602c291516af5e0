"""What the tests of messages are asked of by turns."""

import pytest

from shared.messages.events import Event
from tests.messages.every_event import EVENTS, event_named


@pytest.fixture(params=EVENTS)
def event(request: pytest.FixtureRequest) -> Event:
    """An event of every type, and of every way to make one."""
    return event_named(request.param)
