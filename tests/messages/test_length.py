"""However many jobs fail, and however differently, a message fits a phone and says how many it leaves out."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.digests.jobs.notices import jobs_notice
from shared.digests.pools.notices import with_pools
from shared.digests.pools.rules import PoolNews, PoolNewsKind, PoolState
from shared.messages.events import Origin
from shared.messages.format_table import render_notice
from shared.messages.length import ALSO, MAX_LINES, fitted, lines_of
from shared.messages.notices import Notice, Section, Severity
from shared.state.jobs import JobEnd, PhaseCounts, Tracking, Trouble
from shared.state.pools import PoolRecord, Standstill, StandstillReason
from shared.state.telling import Told
from tests.digests.pools.troubled_world import unable
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, head, news, webhook

ORIGIN = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s", public_url="https://p.example")
TROUBLE = Trouble(code="JobBusy", message="The job can't be read now: " + "why " * 40, since=NOW, event_id="e")


def _notice(jobs: int) -> tuple[str, ...]:
    told = [news(replace(head(f"job-{number}", failed=9), pool_id=f"pool-{number}")) for number in range(jobs)]
    notice = fitted(jobs_notice(ACCOUNT, told, LINKS))
    assert lines_of(notice) <= MAX_LINES
    assert sum(section.named for section in notice.sections) + notice.left_out == jobs
    return tuple(section.title for section in notice.sections)


def test_the_worst_is_told_in_full() -> None:
    """Of jobs with nothing in common the first is told with why, the next in a line each, and the rest is counted."""
    assert _notice(1)[0].startswith("Preparation failed on")
    assert _notice(3) == ("job-0: preparation failed on 9 of 5000 nodes", ALSO)
    assert _notice(30) == ("job-0: preparation failed on 9 of 5000 nodes", ALSO)


def test_the_first_keeps_what_to_do() -> None:
    """Of two jobs that fail for a reason each, the first says why and what to do; the other is a line for that."""
    made = [replace(head(f"weekly-simulation-{number}", failed=9), pool_id=f"pool-{number}") for number in range(2)]
    notice = fitted(jobs_notice(ACCOUNT, [news(replace(job, causes=job.causes[:1])) for job in made], LINKS))
    first, other = notice.sections
    assert {"Why preparation failed", "Since", "What to do"} <= {name for name, _ in first.facts}
    (line,) = other.entries
    assert line.text.startswith("preparation failed on 9 of 5000, 9 newly failed, ")


def test_what_to_do_outlasts_a_second_cause() -> None:
    """Where not all of why and what to do has room, one cause and one thing to do stay, and that there is more."""
    exits = [
        replace(
            head().causes[0], code="FailureExitCode", message=f"The task exited with exit code {code}.", nodes=nodes
        )
        for code, nodes in ((3, 3), (4, 1))
    ]
    still = Standstill(
        since=NOW, confirmed=True, pool_id="pool-1", reason=StandstillReason.PREPARATION_FAILED, tasks=13
    )
    first = replace(head("alpha", failed=4), nodes=4, causes=tuple(exits), pool_id="pool-1", stuck=still)
    other = replace(head("beta", failed=2), nodes=2, causes=tuple(exits[1:]), pool_id="pool-1")
    notice = fitted(jobs_notice(ACCOUNT, [news(first), news(other)], LINKS))
    assert lines_of(notice) <= MAX_LINES
    names = [name for name, _ in notice.sections[0].facts]
    assert (names.count("Why preparation failed"), names.count("What to do"), names[-1]) == (1, 1, "More")


def test_a_second_thing_to_do_goes_before_a_second_cause() -> None:
    """However much there is to say: first what else to do is left out, then what else it is, then what to do."""
    left = set()
    for words in range(1, 400, 3):
        why = (("Cause", "why " * words), ("Cause", "because " * words))
        facts = (*why, ("What to do", "mend " * words), ("What to do", "or replace " * words))
        notice = fitted(Notice(heading="A pool", severity=Severity.ERROR, sections=(Section(title="B", facts=facts),)))
        names = [name for name, _ in notice.sections[0].facts]
        left.add((names.count("Cause"), names.count("What to do")))
    assert left == {(2, 2), (2, 1), (1, 1), (1, 0)}


def test_what_stands_still_beside_a_pool_keeps_what_to_do() -> None:
    """The heading is the title of what it begins with: what it says need not stand there again, and leaves its room."""
    still = Standstill(
        since=NOW, confirmed=True, pool_id="pool-1", reason=StandstillReason.PREPARATION_FAILED, tasks=10
    )
    cause = replace(head().causes[0], code="DiskFull", message="There is not enough disk space on the node.", nodes=3)
    jobs = [
        replace(head(name, failed=3), nodes=3, causes=(cause,), pool_id="pool-1", stuck=still)
        for name in ("alpha", "beta")
    ]
    nodes = {f"n{number}": unable(f"n{number}", NOW) for number in range(6)}
    record = PoolRecord(pool_id="pool-3", announce_from=NOW - timedelta(days=1), nodes=nodes)
    pool = PoolState(pool_id="pool-3", record=record, by_state={"idle": 14, "starttaskfailed": 6})
    trouble = PoolNews(kind=PoolNewsKind.TROUBLE, pool=pool, told=None, since=NOW, wanted_at=NOW)
    told = [news(job, told=Told(job_id=job.job_id, counted_from=NOW, preparation=3, at=NOW)) for job in jobs]
    notice = fitted(with_pools(jobs_notice(ACCOUNT, told, LINKS), ORIGIN, [trouble], NOW))
    assert lines_of(notice) <= MAX_LINES
    assert notice.says(notice.sections[0])
    assert [text for name, text in notice.sections[0].facts if name == "What to do"]
    for chat in ("slack", "teams"):
        said = render_notice(webhook(chat), notice).body.decode()
        assert said.count("2 jobs of acc/pool-1 stand still") == 2 + (chat == "teams")  # once where it is not shown


@pytest.mark.parametrize(
    ("state", "told"),
    [
        pytest.param({"vanished": True, "tracking": Tracking.GONE, "closed": JobEnd.GONE}, {}, id="vanished"),
        pytest.param({"trouble": TROUBLE}, {}, id="unreachable"),
        pytest.param({}, {"unreachable_since": NOW}, id="reachable again"),
        pytest.param({"preparation": PhaseCounts(running=4, slow=4)}, {}, id="too slow"),
        pytest.param({}, {"slow": 3, "at": NOW + timedelta(hours=1)}, id="in time again"),
        pytest.param({"preparation": PhaseCounts(open=9)}, {"stuck_since": NOW, "standing": True}, id="moves again"),
        pytest.param({}, {"standing": True}, id="mended"),
        pytest.param({"closed": JobEnd.ENDED}, {"standing": True}, id="ended"),
    ],
)
@pytest.mark.parametrize("jobs", [1, 3, 8, 30])
def test_whatever_happens_to_many_jobs(state: dict[str, object], told: dict[str, object], jobs: int) -> None:
    """The first is told in full, others in a line each, and the message says how many it leaves out."""
    made = []
    for number in range(jobs):
        job = replace(head(f"weekly-simulation-{number:03}", failed=0), causes=(), pool_id=f"pool-{number}", **state)
        known: dict[str, object] = {"job_id": job.job_id, "counted_from": NOW, **told}
        made.append(news(job, told=Told(**known)))  # type: ignore[arg-type]  # as given
    notice = fitted(jobs_notice(ACCOUNT, made, LINKS))
    assert lines_of(notice) <= MAX_LINES
    assert sum(section.named for section in notice.sections) + notice.left_out == jobs


@pytest.mark.parametrize("pools", [1, 4, 30])
def test_many_pools(pools: int) -> None:
    """So it is with pools whose nodes have left."""
    states = [PoolState(pool_id=f"pool-of-a-team-{number}", record=None) for number in range(pools)]
    left = [PoolNews(kind=PoolNewsKind.LEFT, pool=one, told=None, since=NOW, wanted_at=NOW) for one in states]
    notice = fitted(with_pools(None, ORIGIN, left, NOW + timedelta(hours=1)))
    assert lines_of(notice) <= MAX_LINES
    assert sum(section.named for section in notice.sections) + notice.left_out == pools
