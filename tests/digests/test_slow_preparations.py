"""Chat hears of preparations that take too long on some nodes, a pager never does."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.digests.chat_plan import decide_chat
from shared.digests.chat_rules import KnownToWebhook, NewsKind, SlowRuns, news_of
from shared.digests.incidents.rules import decide_pages
from shared.digests.jobs.notices import jobs_notice
from shared.digests.untold import read_untold
from shared.ledger.job_transaction import Slice
from shared.messages.notices import Notice
from shared.state.jobs import JobEnd, JobHead, PhaseCounts
from shared.state.pools import Standstill, StandstillReason
from shared.state.telling import Told
from tests.digests.told_world import World
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, head, occasion, webhook

MINUTE = timedelta(minutes=1)


def slow(number: int, *, opened: int = 0, turned_at: datetime | None = NOW) -> JobHead:
    """A job whose preparation takes too long on so many nodes, and has failed on others."""
    counts = PhaseCounts(running=number, slow=number, failed=opened, open=opened)
    job = replace(head(), nodes=60, preparation=counts, preparation_failed_ever=opened, closed=None)
    return replace(job, slow_turned_at=turned_at, first_seen_at=NOW - timedelta(days=1))


def known(job: JobHead, told: int = 0, *, at: datetime = NOW, waits: bool = True) -> KnownToWebhook:
    """What somebody knows of the job who was told that preparation takes too long on so many of its nodes."""
    knows = Told(job_id=job.job_id, slow=told, at=NOW - timedelta(hours=1))
    return KnownToWebhook(told=knows, head=job, wanted=1, wanted_at=at, waits=waits)


@pytest.mark.parametrize(
    ("told", "job", "kinds"),
    [
        pytest.param(0, slow(2), (NewsKind.SLOW,), id="new"),
        pytest.param(2, slow(2), (), id="known"),
        pytest.param(2, slow(1), (), id="fewer"),
        pytest.param(2, slow(3), (NewsKind.SLOW,), id="more"),
        pytest.param(0, slow(2, opened=1), (NewsKind.FAILED, NewsKind.SLOW), id="others failed"),
        pytest.param(2, slow(0), (NewsKind.IN_TIME,), id="none any more"),
        pytest.param(2, slow(0, opened=2), (NewsKind.FAILED,), id="failed since"),
        pytest.param(2, replace(slow(0), closed=JobEnd.ENDED), (), id="over with its job"),
        pytest.param(2, replace(slow(0), first_seen_at=NOW), (), id="another job by now"),
        pytest.param(2, replace(slow(1), first_seen_at=NOW), (NewsKind.SLOW,), id="slow in another job by now"),
        pytest.param(0, slow(0), (), id="never"),
    ],
)
def test_what_is_news(told: int, job: JobHead, kinds: tuple[NewsKind, ...]) -> None:
    """Each node more is news, and that none is left; that it failed, or the job ended, is said by that itself."""
    found = news_of(webhook("slack"), ACCOUNT, known(job, told), NOW)
    assert (found.kinds if found else ()) == kinds


def test_who_was_told_up_to_here_knows() -> None:
    """An older version said it in every message about the job, and kept no number: it is no news after an upgrade."""
    assert news_of(webhook("slack"), ACCOUNT, known(slow(2), waits=False), NOW) is None


def _first_told(job: JobHead, changed_every: timedelta) -> int | None:
    """After how many minutes chat is told of a job in which something else changes so often."""
    for minute in range(1, 60):
        now = NOW + minute * MINUTE
        changed_at = NOW + ((now - NOW) // changed_every) * changed_every
        if decide_chat(occasion("teams", now), [known(job, at=changed_at)]).messages:
            return minute
    return None


@pytest.mark.parametrize(
    ("job", "changed_every", "minutes"),
    [
        pytest.param(slow(2), timedelta(hours=2), 10, id="nothing else changes"),
        pytest.param(slow(2), MINUTE, 10, id="the job changes every minute"),
        pytest.param(replace(slow(2, turned_at=None), slow_at=NOW), MINUTE, 10, id="recorded by an older version"),
        pytest.param(slow(2, opened=1), timedelta(hours=2), 1, id="others fail"),
    ],
)
def test_it_waits_for_what_may_come_of_it(job: JobHead, changed_every: timedelta, minutes: int) -> None:
    """A standstill that follows within ten minutes is told instead, and no other change puts it off any further."""
    assert _first_told(job, changed_every) == minutes


def test_a_standstill_says_it() -> None:
    """Whoever hears that the job stands still does not hear besides that preparation takes too long."""
    stuck = Standstill(since=NOW, pool_id="pool", reason=StandstillReason.PREPARATION_SLOW, confirmed=True)
    plan = decide_chat(occasion("teams", NOW + MINUTE), [known(replace(slow(60), stuck=stuck))])
    assert [item.kinds for item in plan.messages[0]] == [(NewsKind.STUCK,)]


def test_a_pager_is_not_called() -> None:
    """Nobody is woken up for it."""
    asked = occasion("pagerduty", NOW + 60 * MINUTE, probe=True)
    assert decide_pages(asked, [known(slow(2))], {}).pages == ()


def test_nothing_is_owed_while_it_waits() -> None:
    """It is told once after ten minutes, and so is its end; until then nothing is late, whatever else changes."""
    world = World("teams")
    hook = world.webhooks[0]

    def change(number: int) -> None:
        row, stored = world.job()
        turns = stored is None or bool(stored.preparation.slow) != bool(number)
        turned_at = world.now if turns or stored is None else stored.slow_turned_at
        after = replace(slow(number, turned_at=turned_at), generation=stored.generation + 1 if stored else 1)
        world.ledger.commit_job(row, stored, Slice(head=after), world.now)

    told = []
    for minute in range(60):
        change(2 if minute < 30 else 0)
        world.tick()
        untold = read_untold(world.table, world.origin, hook, (), world.now)
        assert untold.late == 0
        told += [(minute, request.text) for request in world.sender.sent]
        world.sender.sent.clear()
    assert [minute for minute, _ in told] == [9, 39]  # a minute's tick comes after its change
    assert "takes too long on 2 of 60 nodes" in told[0][1]
    assert "o preparation takes too long any more" in told[1][1]


@pytest.mark.parametrize(("opened", "said"), [(0, []), (1, ["1 of 60 nodes takes none of the job's tasks"])])
def test_what_is_said_once_none_is_slow(opened: int, said: list[str]) -> None:
    """How they may have ended, and on how many nodes preparation has failed: that is why it is not all well."""
    knows = Told(job_id="nightly", slow=2, at=NOW - timedelta(hours=1), counted_from=NOW - timedelta(days=1))
    job = slow(0, opened=opened)
    knows = replace(knows, preparation=opened, counted_from=job.first_seen_at)
    news = news_of(webhook("slack"), ACCOUNT, KnownToWebhook(told=knows, head=job, wanted=1, wanted_at=NOW), NOW)
    assert news is not None
    (section,) = jobs_notice(ACCOUNT, [news], LINKS).sections
    assert section.facts[0] == ("Ended", "each has succeeded or failed, or its node has left")
    assert [text for name, text in section.facts if name == "Preparation"] == said


def _said(job: JobHead, runs: SlowRuns | None) -> Notice:
    news = news_of(webhook("slack"), ACCOUNT, known(job), NOW)
    assert news is not None
    return jobs_notice(ACCOUNT, [replace(news, nodes=(("pool", "tvm-1"),), slow=runs)], LINKS)


def test_what_is_said() -> None:
    """For how long, on how many nodes, how others fared, and what shows more; with nothing looked up, less."""
    runs = SlowRuns(first=NOW - 65 * MINUTE, last=NOW - 50 * MINUTE, retried=4, retries=12)
    job = replace(slow(9), longest=25 * MINUTE)
    notice = _said(job, runs)
    assert notice.heading == "Preparation takes over 50 minutes on 9 of 60 nodes: nightly, acc/pool"
    (section,) = notice.sections
    facts = dict(section.facts)
    retried = "retried on 4 of them, up to 12 times"
    assert facts["Why"] == f"not known while it runs; the slowest success took 25 minutes; {retried}"
    assert (facts["Since"], facts["Nodes"]) == ("20:55 UTC (1 hour 5 minutes)", "tvm-1 and 8 more")
    assert section.commands[0].endswith("jobpreparation/stderr.txt --destination ./stderr.txt")
    one = dict(_said(slow(1), SlowRuns(first=NOW - 65 * MINUTE, last=NOW, retried=1, retries=1)).sections[0].facts)
    assert one["Why"] == "not known while it runs; retried once"
    assert _said(slow(9), None).heading.startswith("Preparation takes too long on 9 of 60 nodes")


def test_what_failed_before_is_not_forgotten() -> None:
    """Whoever knows that it failed on others reads beside what is slow now that those still take no tasks."""
    job = slow(2, opened=3)
    told = Told(job_id=job.job_id, at=NOW, preparation=3, open=3, standing=True, counted_from=job.first_seen_at)
    news = news_of(webhook("slack"), ACCOUNT, replace(known(job), told=told), NOW)
    assert news is not None
    assert news.kinds == (NewsKind.SLOW,)
    (section,) = jobs_notice(ACCOUNT, [news], LINKS).sections
    assert dict(section.facts)["Preparation"] == "3 of 60 nodes take none of the job's tasks"
