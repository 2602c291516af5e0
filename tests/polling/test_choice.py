"""Which jobs a cycle lists and looks at, and in which order."""

from datetime import datetime, timedelta

import pytest

from local.batch_simulator.filters import JOB_PROPERTIES, parse_filter
from shared.batch.model import BatchJob
from shared.patterns import IdPatterns
from shared.polling.cycle_rules import Choice, KnownJob, choose_jobs
from shared.polling.job_listing import JOB_SELECT, listing_filter, listing_start
from shared.state.accounts import Cycle
from shared.state.jobs import JobHead, Tracking
from shared.state.pools import Standstill
from tests.support.builders import CREATED, NOW, batch_job, head

EVERY_JOB = IdPatterns()
MINUTE = timedelta(minutes=1)


def _known(*heads: JobHead) -> dict[str, KnownJob]:
    return {one.job_id.lower(): KnownJob(head=one, row=None) for one in heads}


def _names(choice: Choice) -> list[str]:
    return [due.job_id for due in choice.due]


def _cycle(**values: object) -> Cycle:
    given_values: dict[str, object] = {"started_at": NOW, "finished_at": NOW}
    return Cycle(**(given_values | values))  # type: ignore[arg-type] # tests name fields, Cycle checks none


@pytest.mark.parametrize(
    ("cycle", "start"),
    [
        pytest.param(None, NOW - timedelta(hours=1), id="the first cycle ever: as far back as failures are news"),
        pytest.param(_cycle(), NOW - timedelta(hours=1), id="no complete listing yet"),
        pytest.param(_cycle(listed_from=CREATED), CREATED, id="since the last complete listing, however long ago"),
    ],
)
def test_from_when_on_completed_jobs_are_listed(cycle: Cycle | None, start: datetime) -> None:
    """Completed jobs are listed from where the last complete listing ended."""
    assert listing_start(cycle, timedelta(hours=1), NOW) == start


@pytest.mark.parametrize(
    ("state", "changed", "shown"),
    [
        ("active", -99, True),
        ("disabling", -99, True),
        ("disabled", -99, True),
        ("enabling", -99, True),
        ("terminating", -99, True),
        ("deleting", -99, True),
        ("completed", -99, False),
        ("completed", 0, True),
        ("completed", 1, True),
        ("hibernating", 1, True),
    ],
)
def test_the_filter_leaves_out_what_completed_before(state: str, changed: int, *, shown: bool) -> None:
    """Every job that lives is listed, completed ones from the start on, by a filter that Batch would take."""
    wire = {
        "id": "j",
        "state": state,
        "stateTransitionTime": (NOW + changed * MINUTE).isoformat().replace("+00:00", "Z"),
    }
    assert parse_filter(listing_filter(NOW), JOB_PROPERTIES)(wire) is shown
    assert JOB_SELECT.split(",")[0] == "id"


@pytest.mark.parametrize(
    ("known", "job", "due"),
    [
        pytest.param(None, batch_job(), True, id="never seen"),
        pytest.param(head(), batch_job(), True, id="watched"),
        pytest.param(head(job_id="JOB-1"), batch_job(id="job-1"), True, id="spelt otherwise"),
        pytest.param(head(tracking=Tracking.SETTLED), batch_job(state="completed"), False, id="settled"),
        pytest.param(head(tracking=Tracking.SETTLED), batch_job(state="Completed"), False, id="settled, other casing"),
        pytest.param(head(tracking=Tracking.SETTLED), batch_job(state="active"), True, id="settled, active again"),
        pytest.param(
            head(tracking=Tracking.SETTLED), batch_job(state="completed", creation_time=NOW), True, id="created again"
        ),
        pytest.param(head(tracking=Tracking.NO_PREPARATION_TASK), batch_job(), False, id="nothing to watch"),
        pytest.param(
            head(tracking=Tracking.NO_PREPARATION_TASK), batch_job(creation_time=NOW), True, id="may have one now"
        ),
        pytest.param(head(tracking=Tracking.GONE), batch_job(), True, id="was gone, is there"),
        pytest.param(head(tracking=Tracking.UNREACHABLE), batch_job(), True, id="unreachable"),
        pytest.param(head(tracking=Tracking.STOPPED), batch_job(), False, id="stopped by a person"),
        pytest.param(
            head(tracking=Tracking.STOPPED, requested=True), batch_job(creation_time=NOW), False, id="stopped for good"
        ),
    ],
)
def test_a_listed_job(known: JobHead | None, job: BatchJob, *, due: bool) -> None:
    """A job of the listing is looked at unless there can be nothing new, or somebody said no."""
    choice = choose_jobs(_known(known) if known else {}, [job], EVERY_JOB, None)

    assert _names(choice) == [job.id] * due
    assert choice.untracked == ()
    if due and known:
        assert choice.due[0].known is not None


@pytest.mark.parametrize(
    ("tracking", "asked"),
    [
        (Tracking.WATCHING, True),
        (Tracking.UNREACHABLE, True),
        (Tracking.SETTLED, False),
        (Tracking.NO_PREPARATION_TASK, False),
        (Tracking.GONE, False),
        (Tracking.STOPPED, False),
    ],
)
def test_a_job_that_the_listing_leaves_out(tracking: Tracking, *, asked: bool) -> None:
    """A head that is not settled is asked for singly: only Batch's own answer makes a job gone."""
    choice = choose_jobs(_known(head(tracking=tracking)), [], EVERY_JOB, None)

    assert [(due.job_id, due.job) for due in choice.due] == [("Job-1", None)] * asked


@pytest.mark.parametrize(
    ("requested", "patterns", "tracked"),
    [
        (False, "*", True),
        (False, "job-*", True),
        (False, "other", False),
        (False, "*,!job-1", False),
        (True, "other", True),
        (True, "*,!job-1", True),
    ],
)
@pytest.mark.parametrize("listed", [False, True], ids=["left out", "listed"])
def test_what_the_settings_name(patterns: str, *, requested: bool, tracked: bool, listed: bool) -> None:
    """A watched job that the settings no longer name is closed, listed or not, unless a person asked for it."""
    known = _known(head(requested=requested))
    choice = choose_jobs(known, [batch_job()] if listed else [], IdPatterns.parse(patterns), None)

    assert bool(choice.due) is tracked
    assert choice.untracked == (() if tracked else tuple(known.values()))


@pytest.mark.parametrize("confirmed", [True, False])
def test_who_stands_still_is_not_let_go_in_silence(*, confirmed: bool) -> None:
    """A job without a preparation task is not listed; its standstill ends with the settings that no longer name it."""
    stuck = Standstill(since=NOW, confirmed=confirmed)
    known = _known(head(tracking=Tracking.NO_PREPARATION_TASK, stuck=stuck))

    assert bool(choose_jobs(known, [], IdPatterns.parse("other"), None).untracked) is confirmed
    assert choose_jobs(known, [], EVERY_JOB, None).untracked == ()


def test_order() -> None:
    """Ending jobs come first, then those that wait, longest first, then the rest in the listing's order."""
    known = _known(*(head(job_id=name) for name in ("calm", "long", "short", "ending", "gone")))
    listed = [batch_job(id=name) for name in ("new", "calm", "short", "LONG")]
    listed.append(batch_job(id="ending", state="Terminating"))
    known["gone"] = KnownJob(head=head(job_id="gone", state="deleting"), row=None)
    waiting = {"long": NOW - 9 * MINUTE, "short": NOW - 2 * MINUTE}

    choice = choose_jobs(known, listed, EVERY_JOB, _cycle(waiting=waiting))
    assert _names(choice) == ["ending", "gone", "LONG", "short", "new", "calm"]
