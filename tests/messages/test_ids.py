"""What makes two events, or two runs on a node, the same."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.model import NodeStatus
from shared.messages.events import Event
from shared.messages.ids import event_id
from shared.messages.job_events import nodes_event
from shared.messages.node_entries import node_entry
from shared.state.jobs import JobHead
from tests.messages.every_event import changes_of
from tests.polling.pipeline import body_of
from tests.support.builders import CREATED, NOW, ORIGIN, at, failed, head, status

_moments = st.datetimes(datetime(1970, 1, 1), datetime(2286, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive


def test_the_form_of_an_id(event: Event) -> None:
    """An id is a sortable number and a fingerprint: no full stop, nothing that a row key refuses."""
    assert re.fullmatch(r"\d{13}-[a-z2-7]{24}", event.id)


@given(_moments, _moments)
def test_newer_events_sort_first(one: datetime, other: datetime) -> None:
    """Ids sort by time, newest first, to the millisecond."""
    if abs(one - other) < timedelta(milliseconds=2):
        return
    assert (event_id(one, "a") < event_id(other, "a")) is (one > other)


@given(st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))))
def test_any_moment_has_an_id(moment: datetime | None) -> None:
    """Moments that no clock of ours shows have ids of the same form."""
    assert re.fullmatch(r"\d{13}-[a-z2-7]{24}", event_id(moment, "a"))


def test_parts_are_kept_apart() -> None:
    """Parts that join to the same text are not the same parts."""
    assert len({event_id(NOW, "ab", "c"), event_id(NOW, "a", "bc"), event_id(NOW, "abc")}) == 3


def test_the_same_decision_has_the_same_id() -> None:
    """An id depends on the occurrences told, not on when, in which order, or with which counts they are told."""
    changes = [*changes_of(status(failed(0), node_id="a")), *changes_of(status(failed(5), node_id="b"))]
    entries = [node_entry(ORIGIN, head(), change) for change in changes]
    one = nodes_event(ORIGIN, head(), changes, entries, NOW)
    other = nodes_event(ORIGIN, head(nodes=9), changes[::-1], entries[::-1], NOW + timedelta(hours=1))

    assert one.id == other.id
    assert one.id.startswith(event_id(at(6), "x")[:13])
    assert body_of(one)["time"] == "2026-11-01T12:06:00Z"


@pytest.mark.parametrize(
    ("shown", "job"),
    [
        (status(failed(1)), head()),
        (status(failed(0), node_id="other"), head()),
        (status(failed(0), pool_id="other"), head()),
        (status(None, failed(0)), head()),
        (status(failed(0)), head(creation_time=CREATED - timedelta(days=1))),
        (status(failed(0)), head(job_id="other")),
    ],
    ids=["another run", "another node", "another pool", "another phase", "another incarnation", "another job"],
)
def test_another_occurrence_has_another_id(shown: NodeStatus, job: JobHead) -> None:
    """Whatever tells one run of a phase on a node from another changes the occurrence's id."""
    (change,), (other,) = changes_of(status(failed(0))), changes_of(shown)

    assert node_entry(ORIGIN, head(), change).occurrence_id != node_entry(ORIGIN, job, other).occurrence_id


def test_spelling_is_no_identity() -> None:
    """The case of ids, which Batch ignores, changes no occurrence."""
    (change,), (other,) = (
        changes_of(status(failed(0), node_id=node, pool_id=pool)) for node, pool in (("N", "POOL"), ("n", "pool"))
    )

    one, same = node_entry(ORIGIN, head(), change), node_entry(ORIGIN, head(job_id="JOB-1"), other)
    assert one.occurrence_id == same.occurrence_id
