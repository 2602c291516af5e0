"""What the rules of a job start from, and what they have decided."""

from shared.polling.job_rules import Decision
from shared.state.jobs import Trouble
from tests.support.builders import CREATED


def a_trouble(times: int, *, told: bool = False) -> Trouble:
    """An error that has stood for so many cycles."""
    return Trouble(code="X", message="x", since=CREATED, times=times, event_id="told" if told else None)


def types_of(decision: Decision) -> list[str]:
    """The types of the events that are told."""
    return [event.type.value.removeprefix("prepwatch.") for event in decision.events]
