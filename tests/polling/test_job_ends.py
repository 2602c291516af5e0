"""The end of a job: which states close it, what that ends, and when it is gone."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.messages.events import EventType
from shared.moments import time_text
from shared.polling.job_rules import (
    Decision,
    close,
    end_as_gone,
    is_ending,
    is_job_completed,
    note_missing,
    recover,
    take_facts,
    why_over,
)
from shared.state.jobs import Cause, JobEnd, JobHead, PhaseCounts, Tracking
from shared.state.pools import EndedStandstill, Standstill, StandstillEnd
from tests.polling.decided import a_trouble, types_of
from tests.polling.pipeline import body_of
from tests.support.builders import CREATED, NOW, ORIGIN, batch_job, head

CAUSES = (
    Cause(phase=Phase.PREPARATION, code="DiskFull", message="", nodes=3),
    Cause(phase=Phase.RELEASE, code="DiskFull", message="", nodes=1),
)


def _failing(**values: object) -> JobHead:
    """A job with three open failures that were told."""
    given: dict[str, object] = {
        "preparation": PhaseCounts(failed=3, open=3),
        "preparation_failed_ever": 3,
        "causes": CAUSES,
        "generation": 5,
    }
    return head(**(given | values))


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        ("active", False),
        ("disabling", False),
        ("disabled", False),
        ("enabling", False),
        ("terminating", True),
        ("Deleting", True),
        ("completed", True),
        ("COMPLETED", True),
        ("hibernating", False),
        (None, False),
    ],
)
def test_which_states_close(state: str | None, *, ends: bool) -> None:
    """A job that ends or has ended closes its open failures, in one event; other and unknown states do not."""
    decision = take_facts(ORIGIN, _failing(), batch_job(state=state, state_transition_time=NOW), NOW)

    assert (is_ending(state) or is_job_completed(state)) is ends
    assert (decision.head.closed is JobEnd.ENDED) is ends
    assert types_of(decision) == ["preparation.resolved"] * ends
    assert decision.head.preparation.open == (0 if ends else 3)


@pytest.mark.parametrize("end", JobEnd)
def test_closing_says_why_and_how_many(end: JobEnd) -> None:
    """One event carries the reason and the counts and names no nodes; the head forgets the causes of preparation."""
    decision = close(ORIGIN, _failing(stuck=Standstill(since=NOW)), end, NOW, NOW)
    (event,) = decision.events
    data = body_of(event)["data"]

    assert (data["reason"], data["nodes"], data["counts"]["preparation"]["open"]) == (end.value, [], 3)
    assert [cause["phase"] for cause in data["causes"]] == ["preparation"]
    assert decision.head.causes == CAUSES[1:]
    assert (decision.head.stuck, decision.head.closed, decision.head.generation) == (None, end, 6)
    assert decision.head.preparation == PhaseCounts(failed=3)


@pytest.mark.parametrize("end", JobEnd)
def test_closing_ends_a_standstill(end: JobEnd) -> None:
    """Who was told that a job is stuck is told that this is over and why, once, whoever decides it and when."""
    since = NOW - timedelta(hours=1)
    stuck = _failing(stuck=Standstill(since=since, confirmed=True))
    decision, later = (close(ORIGIN, stuck, end, NOW, now) for now in (NOW, NOW + timedelta(minutes=1)))
    data = body_of(decision.events[1])["data"]

    assert types_of(decision) == ["preparation.resolved", "job.resumed"]
    assert (data["reason"], data["since"]) == (end.value, "2026-11-03T11:00:00Z")
    assert [event.id for event in decision.events] == [event.id for event in later.events]
    assert close(ORIGIN, decision.head, JobEnd.GONE, NOW, NOW).events == ()


@pytest.mark.parametrize("end", JobEnd)
@pytest.mark.parametrize("closed", [None, JobEnd.ENDED])
def test_the_end_of_a_standstill_alone_is_news(end: JobEnd, closed: JobEnd | None) -> None:
    """Chat and pager look at a job whose standstill ended with it, and read why, also where no failure was open."""
    of_pool = head(closed=closed, stuck=Standstill(since=CREATED, confirmed=True), generation=5)
    decision = close(ORIGIN, of_pool, end, NOW, NOW)

    assert types_of(decision) == ["job.resumed"]
    assert (decision.head.stuck, decision.head.generation) == (None, 6)
    assert decision.head.stuck_ended == EndedStandstill(at=NOW, why=StandstillEnd(end.value))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("active", None),
        ("Active", None),
        ("disabling", StandstillEnd.JOB_DISABLED),
        ("disabled", StandstillEnd.JOB_DISABLED),
        ("terminating", StandstillEnd.JOB_ENDED),
        ("deleting", StandstillEnd.JOB_ENDED),
        ("completed", StandstillEnd.JOB_ENDED),
    ],
)
def test_why_tasks_are_not_to_run(state: str, why: StandstillEnd | None) -> None:
    """Nobody waits for nodes in vain in a job that somebody disabled, or that ends: which of the two is told."""
    assert why_over(state) is why


@pytest.mark.parametrize("end", JobEnd)
@pytest.mark.parametrize("closed", [None, JobEnd.ENDED])
def test_closing_ends_being_out_of_reach(end: JobEnd, closed: JobEnd | None) -> None:
    """Who was told that a job can't be looked at is told that it need not be any more, and why; of closed jobs too."""
    lost = head(tracking=Tracking.UNREACHABLE, trouble=a_trouble(3, told=True), closed=closed)
    decision = close(ORIGIN, lost, end, NOW, NOW)
    (event,) = decision.events
    data = body_of(event)["data"]

    assert (event.type, data["reason"], data["since"]) == (EventType.JOB_REACHABLE, end.value, "2026-11-01T12:00:00Z")
    assert (decision.head.trouble, decision.head.generation) == (None, lost.generation + 1)
    assert event.id == recover(ORIGIN, lost, NOW).events[0].id
    assert close(ORIGIN, replace(lost, trouble=a_trouble(2)), end, NOW, NOW).events == ()


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(_failing(), True, id="told failures are open"),
        pytest.param(_failing(preparation=PhaseCounts(succeeded=3)), False, id="all were resolved"),
        pytest.param(_failing(preparation_failed_ever=0), False, id="only failures from before first sight"),
        pytest.param(head(preparation=PhaseCounts(running=2, slow=1)), True, id="one was told as slow"),
        pytest.param(head(preparation=PhaseCounts(running=2)), False, id="none was slow"),
        pytest.param(_failing(closed=JobEnd.ENDED, preparation=PhaseCounts(failed=3)), False, id="closed before"),
        pytest.param(head(), False, id="nothing ever failed"),
    ],
)
def test_closing_tells_only_of_what_was_told(before: JobHead, *, told: bool) -> None:
    """The end of failures that nobody heard of, or that were closed before, is not told."""
    decision = close(ORIGIN, before, JobEnd.ENDED, NOW, NOW)

    assert types_of(decision) == ["preparation.resolved"] * told
    assert decision.head.closed is not None
    assert decision.head.preparation.open == 0


@pytest.mark.parametrize(
    ("before", "mended"),
    [
        pytest.param(_failing(preparation=PhaseCounts(succeeded=3)), True, id="all were resolved"),
        pytest.param(_failing(), False, id="failures are open"),
        pytest.param(_failing(preparation=PhaseCounts(failed=3), left=3), False, id="their nodes have left"),
        pytest.param(
            _failing(preparation=PhaseCounts(), stuck=Standstill(since=NOW, confirmed=True)), False, id="stands still"
        ),
    ],
)
@pytest.mark.parametrize("end", [JobEnd.ENDED, JobEnd.GONE, JobEnd.UNTRACKED])
def test_what_was_mended_before_the_end(before: JobHead, end: JobEnd, *, mended: bool) -> None:
    """Whoever is told later reads whether the failures were mended, or are merely over with the job."""
    closed = close(ORIGIN, before, end, NOW, NOW).head
    assert (closed.mended, closed.ended_unmended) == (mended, not mended)


def test_closing_twice_changes_nothing() -> None:
    """Who decides the end again finds nothing to do."""
    once = close(ORIGIN, _failing(), JobEnd.ENDED, NOW, NOW)

    assert close(ORIGIN, once.head, JobEnd.GONE, NOW, NOW) == Decision(head=once.head)


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(_failing(), ["preparation.resolved", "job.gone"], id="with open failures"),
        pytest.param(
            _failing(stuck=Standstill(since=NOW, confirmed=True)),
            ["preparation.resolved", "job.resumed", "job.gone"],
            id="stuck",
        ),
        pytest.param(head(requested=True), ["job.gone"], id="asked for by a person"),
        pytest.param(head(), [], id="nothing failed, nobody asked"),
        pytest.param(head(requested=True, state="completed"), [], id="deleted after it was completed"),
        pytest.param(head(requested=True, state="Completed"), [], id="deleted after it was Completed"),
        pytest.param(
            _failing(state="deleting", closed=JobEnd.ENDED, preparation=PhaseCounts(failed=3)), [], id="closed"
        ),
    ],
)
def test_a_job_that_is_not_found(before: JobHead, told: list[str]) -> None:
    """A job that vanishes is gone; that is told when somebody has to know, and then chat is told as well."""
    unreachable = end_as_gone(ORIGIN, replace(before, trouble=a_trouble(3, told=True)), NOW, NOW)
    assert types_of(unreachable) == ["job.reachable", *told]
    decision = end_as_gone(ORIGIN, replace(before, trouble=a_trouble(1)), NOW, NOW)

    assert types_of(decision) == told
    assert (decision.head.tracking, decision.head.settled_at, decision.head.trouble) == (Tracking.GONE, NOW, None)
    assert decision.head.closed is not None
    assert (decision.head.generation > before.generation) is bool(told)


@pytest.mark.parametrize(("after", "gone"), [(0, False), (119, False), (120, True), (86_400, True)])
def test_a_job_is_gone_when_batch_says_so_twice(after: int, *, gone: bool) -> None:
    """The second JobNotFound counts if it comes two minutes after the first, and the job is gone since the first."""
    once = note_missing(ORIGIN, _failing(), NOW)
    assert (once.head, once.events) == (_failing(missing_since=NOW), ())

    again = note_missing(ORIGIN, once.head, NOW + timedelta(seconds=after))
    assert (again.head.tracking is Tracking.GONE) is gone
    assert types_of(again) == (["preparation.resolved", "job.gone"] if gone else [])
    assert {body_of(event)["time"] for event in again.events} <= {time_text(NOW)}
