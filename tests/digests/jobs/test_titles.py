"""Title, facts, nodes and sign of a message agree, and are true however the job fares when it is told."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.chat_rules import KnownToWebhook, News, NewsKind, news_of
from shared.digests.jobs.headings import heading_of
from shared.digests.jobs.notices import jobs_notice
from shared.digests.jobs.titles import title_of
from shared.messages.format_table import render_notice
from shared.messages.notices import Notice, PageDetails, Severity
from shared.state.jobs import Carried, Cause, JobEnd, JobHead, PhaseCounts, Tracking
from shared.state.pools import Standstill, StandstillCause, StandstillReason
from shared.state.telling import Told
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, webhook

LATER = NOW + timedelta(hours=1)
KNOWS = Told(job_id="nightly", counted_from=NOW, preparation=6, standing=True, at=NOW)
CAUSES = tuple(
    Cause(phase=phase, code="DiskFull", message="", nodes=2, example=("pool", f"{phase.value}-1")) for phase in Phase
)
RELEASE = {"release": PhaseCounts(failed=3), "release_failed_ever": 3}


def _head(failed: int = 0, opened: int = 0, ever: int = 0, **fields: object) -> JobHead:
    given: dict[str, object] = {
        "nodes": 20,
        "first_seen_at": NOW,
        "preparation": PhaseCounts(failed=failed, open=opened),
        "preparation_failed_ever": ever,
        "causes": CAUSES if opened else CAUSES[1:],
        **fields,
    }
    return JobHead(job_id="nightly", state="active", pool_id="pool", generation=9, **given)  # type: ignore[arg-type]  # as given


def _news(head: JobHead, told: Told | None = None, kind: str = "slack") -> News:
    known = KnownToWebhook(told=told or Told(job_id="nightly"), head=head, wanted=9, wanted_at=NOW)
    news = news_of(webhook(kind), ACCOUNT, known, LATER)
    assert news is not None
    return news


def _notice(news: News) -> Notice:
    return jobs_notice(ACCOUNT, [news], LINKS)


def _over(end: JobEnd, **fields: object) -> JobHead:
    return _head(6, 0, 6, closed=end, **fields)


@pytest.mark.parametrize(
    ("head", "told", "title", "severity", "facts"),
    [
        pytest.param(
            _head(6, 6, 6),
            None,
            "preparation failed on 6 of 20 nodes",
            Severity.ERROR,
            {
                "Preparation": "6 newly failed; 6 of 20 nodes take none of the job's tasks",
                "Nodes": "preparation-1 and 5 more",
            },
            id="open",
        ),
        pytest.param(
            _head(6, 6, 60),
            None,
            "preparation failed on 6 of 20 nodes",
            Severity.ERROR,
            {"Preparation": "60 newly failed; 6 of 20 nodes take none of the job's tasks"},
            id="more runs than nodes",
        ),
        pytest.param(
            _head(0, 0, 60),
            None,
            "preparation failed 60 times, mended since",
            Severity.INFO,
            {"Preparation": "60 newly failed; every node takes the job's tasks"},
            id="more runs than nodes, all mended",
        ),
        pytest.param(
            _head(0, 0, 1),
            None,
            "preparation failed on 1 of 20 nodes, mended since",
            Severity.INFO,
            {"Preparation": "1 newly failed; every node takes the job's tasks"},
            id="one, mended",
        ),
        pytest.param(
            _over(JobEnd.ENDED, **RELEASE),
            None,
            "ended, preparation had failed on 6 of 20 nodes; release failed on 3 of 20 nodes",
            Severity.WARNING,
            {
                "Preparation": "6 newly failed; it had failed on 6 of 20 nodes in the end",
                "Release": "3 newly failed, 3 of 20 nodes in all",
                "Nodes": "release-1 and 2 more",
            },
            id="ended, nothing told before",
        ),
        pytest.param(
            _over(JobEnd.ENDED, **RELEASE),
            KNOWS,
            "release failed on 3 of 20 nodes; preparation is over with the job",
            Severity.WARNING,
            {"Why": "the job has ended", "Why release failed": "DiskFull on 2 nodes", "Nodes": "release-1 and 2 more"},
            id="ended, release untold",
        ),
        pytest.param(
            _over(JobEnd.ENDED),
            replace(KNOWS, preparation=2),
            "ended, preparation had failed on 6 of 20 nodes",
            Severity.WARNING,
            {"Preparation": "4 newly failed; it had failed on 6 of 20 nodes in the end"},
            id="ended, some untold",
        ),
        pytest.param(
            _over(JobEnd.ENDED),
            KNOWS,
            "ended, preparation had failed on 6 of 20 nodes",
            Severity.INFO,
            {"Why": "the job has ended"},
            id="ended, all told",
        ),
        pytest.param(
            _head(0, 0, 6, closed=JobEnd.ENDED),
            KNOWS,
            "ended, preparation had failed before",
            Severity.INFO,
            {"Why": "the job has ended"},
            id="ended as nodes were tried again",
        ),
        pytest.param(
            _over(JobEnd.GONE), KNOWS, "gone, preparation had failed on 6 of 20 nodes", Severity.INFO, {}, id="gone"
        ),
        pytest.param(
            _over(JobEnd.UNTRACKED),
            KNOWS,
            "not watched any more, preparation had failed on 6 of 20 nodes",
            Severity.INFO,
            {},
            id="not watched",
        ),
        pytest.param(
            _head(0, 0, 6),
            replace(KNOWS, since=NOW - timedelta(hours=1)),
            "preparation works again after 1 hour",
            Severity.GOOD,
            {"Why": "preparation has succeeded on every node that had failed"},
            id="mended",
        ),
        pytest.param(
            _head(0, 0, 6), KNOWS, "preparation works again", Severity.GOOD, {}, id="mended, since nobody knows"
        ),
        pytest.param(
            _head(0, 0, 6, closed=JobEnd.ENDED, mended=True),
            replace(KNOWS, since=NOW - timedelta(hours=1)),
            "preparation works again after 1 hour, and the job has ended",
            Severity.GOOD,
            {"Why": "preparation had succeeded before, and the job has ended"},
            id="mended, then ended",
        ),
        pytest.param(
            _head(first_seen_at=LATER, carried=Carried(since=NOW, preparation=6)),
            KNOWS,
            "begun anew, and nothing fails in it",
            Severity.INFO,
            {"Why": "the job was created or tracked again, and no node has failed since"},
            id="replaced",
        ),
        pytest.param(
            _head(first_seen_at=LATER, carried=Carried(since=NOW, preparation=9, release=2)),
            None,
            "preparation failed 9 times, over since the job began anew; "
            "release failed 2 times before the job began anew",
            Severity.WARNING,
            {"Release": "2 newly failed, before the job began anew"},
            id="replaced, nothing told before",
        ),
        pytest.param(
            _head(1, 1, 1, nodes=1, stuck=Standstill(since=NOW, confirmed=True)),
            None,
            "stands still, preparation failed on its only node",
            Severity.CRITICAL,
            {},
            id="stuck with one node",
        ),
        pytest.param(
            _head(20, 20, 20, stuck=Standstill(since=NOW, confirmed=True)),
            None,
            "stands still, preparation failed on all 20 nodes",
            Severity.CRITICAL,
            {},
            id="stuck",
        ),
    ],
)
def test_title_and_facts(
    head: JobHead, told: Told | None, title: str, severity: Severity, facts: dict[str, str]
) -> None:
    """What is open, mended, ended, gone or replaced is called so, by nodes that there are, and is as bad as it is."""
    news = _news(head, told)
    notice = _notice(news)
    (section,) = notice.sections
    said = dict(section.facts)
    assert (title_of(news), notice.severity) == (f"nightly: {title}", severity)
    assert {name: said.get(name) for name in facts} == facts
    assert ("Nodes" in said) == ("Nodes" in facts or head.preparation.open > 0)


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.GOOD], ids=str)
def test_an_incident_ends_by_decision(severity: Severity) -> None:
    """A pager resolves what is over, whatever the words are like, and nothing else."""
    page = PageDetails(key="k", account="a", about="a", kind="job.stuck")
    notice = Notice(heading="x", severity=severity, page=page)
    for over in (True, False):
        request = render_notice(webhook("pagerduty"), notice.paging(over=over))
        assert json.loads(request.body)["event_action"] == ("resolve" if over else "trigger")


def test_heading_over_several_jobs() -> None:
    """Jobs that are mended, merely over, or ended with untold failures are counted apart."""
    several = [
        _news(_head(0, 0, 6), KNOWS),
        _news(_over(JobEnd.ENDED), KNOWS),
        _news(_over(JobEnd.ENDED, **RELEASE), KNOWS),
    ]
    assert {item.kind for item in several} == {NewsKind.RESOLVED}
    heading = "Release failed on 3 of 20 nodes; preparation is over with the job: nightly, a/pool"
    assert heading_of("a", several) == f"{heading}; 1 job works again, 1 job has ended"


CODE = "AccountCoreQuotaReached"
STILL = Standstill(
    since=NOW,
    confirmed=True,
    reason=StandstillReason.RESIZE_FAILED,
    pool_id="pool",
    cause=StandstillCause(code=CODE, message="no more cores"),
    tasks=88,
)


@pytest.mark.parametrize(
    ("heads", "heading"),
    [
        pytest.param([_head(6, 6, 6)], "Preparation failed on 6 of 20 nodes (DiskFull): nightly, a/pool", id="one"),
        pytest.param(
            [_head(6, 6, 6), _head(9, 9, 9)],
            "Preparation failed in 2 jobs of a/pool, on up to 9 of 20 nodes: DiskFull",
            id="one cause",
        ),
        pytest.param(
            [_head(stuck=STILL)],
            "nightly of a/pool stands still: the pool asks for nodes and gets none",
            id="stands still",
        ),
        pytest.param(
            [_head(stuck=STILL), _head(stuck=STILL)],
            "2 jobs of a/pool stand still: the pool asks for nodes and gets none, 176 tasks wait",
            id="stand still alike",
        ),
        pytest.param(
            [_head(6, 6, 6), replace(_head(6, 6, 6), pool_id="other")],
            "Preparation failed in 2 jobs of 2 pools of a, on up to 6 of 20 nodes: DiskFull",
            id="in two pools",
        ),
    ],
)
def test_headings(heads: list[JobHead], heading: str) -> None:
    """A heading begins with what has happened; of several jobs it says what they have in common, and why."""
    assert heading_of("a.westeurope.batch.azure.com", [_news(head) for head in heads]) == heading


def test_jobs_that_are_over_are_not_in_sight_again() -> None:
    """Of jobs that could not be read, one that can be again and one that need not be are counted apart."""
    lost = Told(unreachable_since=NOW, at=NOW)
    found, gone = _news(_head(), lost), _news(_head(tracking=Tracking.GONE), lost)
    assert (found.kind, gone.kind) == (NewsKind.REACHABLE, NewsKind.REACHABLE)
    assert heading_of("a", [found, gone]) == "Can be read again: nightly, a/pool; 1 job has ended"
    assert (_notice(found).severity, _notice(gone).severity) == (Severity.GOOD, Severity.INFO)


def test_nodes_of_a_service_are_told_short() -> None:
    """At most five nodes are named, without the middle of Batch's long ids and without the pool that the job is in."""
    ids = [f"tvmps_{number:064x}_d" for number in range(20)]
    nodes = tuple(("pool", name) for name in ids)
    many = dict(_notice(replace(_news(_head(20, 20, 20)), nodes=nodes)).sections[0].facts)["Nodes"]
    assert many.startswith("tvmps_00000000…00000000_d, tvmps_00000000…00000001_d, ")
    assert many.endswith("tvmps_00000000…00000004_d and 15 more")
    few = dict(_notice(replace(_news(_head(1, 1, 1)), nodes=(("other", ids[7]),))).sections[0].facts)["Nodes"]
    assert few == f"other/{ids[7]}"
