"""What a node's new status means, given what is known of it: what is told, and what is open."""

import pytest
from msgspec.structs import replace

from shared.batch.model import FailureInfo, Outcome
from shared.changes.node_rules import Watch, decide_node
from tests.changes.node_cases import ALL, PREPARATION_FAILED, PREPARATION_RESOLVED, RELEASE_FAILED, Case
from tests.changes.run_order_cases import RUN_ORDER
from tests.support.builders import DISK_FULL, at, failed, running, status, succeeded

CLOSED = Watch(announce_from=None, open=False)

CASES = (
    # --- first sight
    Case(id="first seen running", shown=status(running(0)), outcome=Outcome.RUNNING),
    Case(id="first seen retrying: not failed yet", shown=status(running(0, retries=3)), outcome=Outcome.RETRYING),
    Case(id="first seen succeeded", shown=status(succeeded(0)), outcome=Outcome.SUCCEEDED),
    Case(id="first seen failed", shown=status(failed(0)), told=[PREPARATION_FAILED], open=True, outcome=Outcome.FAILED),
    Case(id="first seen with neither phase", shown=status()),
    Case(
        id="first seen failed in both phases",
        shown=status(failed(0), failed(9)),
        told=[PREPARATION_FAILED, RELEASE_FAILED],
        open=True,
    ),
    Case(
        id="failed during an outage, after the last good cycle: told",
        shown=status(failed(100)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="ended exactly at announceFrom: told",
        shown=status(failed(49)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="failed before announceFrom: recorded and open, in silence",
        shown=status(failed(0)),
        watch=Watch(announce_from=at(50)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="without an end the start decides: before announceFrom",
        shown=status(replace(failed(0), end_time=None)),
        watch=Watch(announce_from=at(50)),
        open=True,
    ),
    Case(
        id="preparation is history, release is news",
        shown=status(failed(0), failed(60)),
        watch=Watch(announce_from=at(50)),
        told=[RELEASE_FAILED],
        open=True,
    ),
    Case(
        id="history resolves in silence",
        seen=[status(failed(0))],
        shown=status(succeeded(60)),
        watch=Watch(announce_from=at(50)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="a node of history that fails again is told",
        seen=[status(failed(0))],
        shown=status(failed(60)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="the same failure of history seen again stays silent",
        seen=[status(failed(0))],
        shown=status(replace(failed(0), exit_code=7)),
        watch=Watch(announce_from=at(50)),
        open=True,
    ),
    Case(
        id="a known node's failure is told, however early it ended",
        seen=[status(running(0))],
        shown=status(failed(0)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="a known node's release failure is told, however early it ended",
        seen=[status(succeeded(0))],
        shown=status(succeeded(0), failed(10)),
        watch=Watch(announce_from=at(50)),
        told=[RELEASE_FAILED],
    ),
    # --- one run
    Case(
        id="running, then failed",
        seen=[status(running(0))],
        shown=status(failed(0)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="retrying, then failed",
        seen=[status(running(0, retries=1))],
        shown=status(failed(0)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="every retry has its startTime: the last one's failure is the failure",
        seen=[status(running(0)), status(running(3, retries=1)), status(running(6, retries=2))],
        shown=status(failed(6)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="running, then succeeded", seen=[status(running(0))], shown=status(succeeded(0)), outcome=Outcome.SUCCEEDED
    ),
    Case(id="seen failed once more", seen=[status(failed(0))], shown=status(failed(0)), open=True),
    Case(
        id="the same failure with more said of it",
        seen=[status(replace(failed(0), failure_info=None))],
        shown=status(failed(0)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="first succeeded, then failure information in the same run",
        seen=[status(succeeded(0))],
        shown=status(replace(succeeded(0), failure_info=FailureInfo(code="FileUpload"))),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    # --- open and resolved
    Case(
        id="failed, then another run succeeded",
        seen=[status(failed(0))],
        shown=status(succeeded(10)),
        told=[PREPARATION_RESOLVED],
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="failed, running again after a reimage: still open",
        seen=[status(failed(0))],
        shown=status(running(10)),
        open=True,
        outcome=Outcome.RUNNING,
    ),
    Case(
        id="failed, seen running, then succeeded: resolved",
        seen=[status(failed(0)), status(running(10))],
        shown=status(succeeded(10)),
        told=[PREPARATION_RESOLVED],
    ),
    Case(
        id="failed, seen running, failed again: told again",
        seen=[status(failed(0)), status(running(10))],
        shown=status(failed(10)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="failed again without being seen in between",
        seen=[status(failed(0))],
        shown=status(failed(10)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="resolved, seen once more with another detail: nothing",
        seen=[status(failed(0)), status(succeeded(10))],
        shown=status(replace(succeeded(10), task_root_directory_url="https://elsewhere/")),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="resolved, then failed after a reboot",
        seen=[status(failed(0)), status(succeeded(10))],
        shown=status(failed(20)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="resolved, then failure information in the same run",
        seen=[status(failed(0)), status(succeeded(10))],
        shown=status(replace(succeeded(10), failure_info=FailureInfo(code="FileUpload"))),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="succeeded, run again after a reboot, failed",
        seen=[status(succeeded(0)), status(running(10))],
        shown=status(failed(10)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="failed, then a run of unknown result: still open",
        seen=[status(failed(0))],
        shown=status(replace(succeeded(10), result="skipped")),
        open=True,
        outcome=Outcome.UNKNOWN,
    ),
    Case(
        id="resolved and release failed at once",
        seen=[status(failed(0))],
        shown=status(succeeded(10), failed(20)),
        told=[PREPARATION_RESOLVED, RELEASE_FAILED],
    ),
    # --- release
    Case(
        id="release failed", seen=[status(succeeded(0))], shown=status(succeeded(0), failed(9)), told=[RELEASE_FAILED]
    ),
    Case(
        id="release failed, is no open failure",
        seen=[status(succeeded(0), failed(9))],
        shown=status(succeeded(0), succeeded(20)),
    ),
    Case(
        id="release failed twice",
        seen=[status(succeeded(0), failed(9))],
        shown=status(succeeded(0), failed(20)),
        told=[RELEASE_FAILED],
    ),
    # --- the job is over
    Case(id="fails after the end: told, not open", shown=status(failed(0)), watch=CLOSED, told=[PREPARATION_FAILED]),
    Case(
        id="succeeds after the end: nothing to resolve",
        seen=[status(failed(0))],
        shown=status(succeeded(9)),
        watch=CLOSED,
    ),
    Case(
        id="release fails after the end",
        seen=[status(failed(0))],
        shown=status(failed(0), failed(9)),
        watch=CLOSED,
        told=[RELEASE_FAILED],
    ),
)


@pytest.mark.parametrize("case", CASES + RUN_ORDER, ids=lambda case: case.id)
def test_decision(case: Case) -> None:
    """A status tells, opens and resolves exactly what the table says."""
    assert case.as_decided() == case


@pytest.mark.parametrize("case", CASES + RUN_ORDER, ids=lambda case: case.id)
def test_the_same_again_is_no_news(case: Case) -> None:
    """Whatever was decided, the same status once more changes nothing and tells nothing."""
    known, _ = case.decide()

    assert decide_node(known, case.shown, case.watch) == (known, ())


def test_a_resolution_names_the_failure_that_it_ends() -> None:
    """A resolution carries since when and why the node was failing, and the run that ended it."""
    known, _ = decide_node(None, status(failed(0, DISK_FULL)), ALL)
    known, _ = decide_node(known, status(running(10)), ALL)
    known, (change,) = decide_node(known, status(succeeded(10)), ALL)

    assert change.opened is not None
    assert (change.opened.since, change.opened.code) == (at(1), "DiskFull")
    assert change.occurrence == succeeded(10)
    assert change.node == known


def test_the_telling_event_stays_with_the_run() -> None:
    """The id of the event that told a failure outlasts later words about the same run, and only those."""
    known, _ = decide_node(None, status(replace(failed(0), failure_info=None)), ALL)
    assert known.preparation is not None
    known = replace(known, preparation=replace(known.preparation, event_id="told"))

    again, _ = decide_node(known, status(failed(0)), ALL)
    later, _ = decide_node(again, status(failed(5)), ALL)

    assert again.preparation is not None
    assert later.preparation is not None
    assert (again.preparation.event_id, again.preparation.info) == ("told", failed(0))
    assert later.preparation.event_id is None
