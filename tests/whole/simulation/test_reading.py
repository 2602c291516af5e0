"""The onlooker of the simulation takes a message for what a person would take it for."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.messages.notices import ListEntry, Notice, Section, Severity
from shared.messages.slack import render_slack
from shared.messages.teams import render_teams
from trials.promises.bodies import read_message
from trials.promises.reading import KnownCauses, KnownPools, Part, Reading

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BROKEN = "The start task failed on 4 of 5 nodes of a/gpu"


@pytest.mark.parametrize(
    ("heading", "parts", "knows"),
    [
        pytest.param(BROKEN, [], True, id="the heading names it"),
        pytest.param("1 job has ended: a; batch can't use all 5 nodes of a/gpu", [], True, id="after jobs"),
        pytest.param("3 of 5 nodes of a/gpu can't work", [], True, id="for several reasons"),
        pytest.param("1 job has ended: a; 2 pools with nodes that can't work", [], True, id="counted"),
        pytest.param("j of a/cpu stands still: no node of the pool can work; the…", [], True, id="cut"),
        pytest.param("3 jobs", [Part(title=f"Pool: {BROKEN}", facts=(("More", BROKEN),))], True, id="in a line"),
        pytest.param("The start task failed on 4 of 5 nodes of a/cpu", [], False, id="another pool"),
        pytest.param("One node of a/gpu fails the preparation of 3 jobs: exit code 1", [], False, id="a sick node"),
        pytest.param("Preparation failed on 4 of 5 nodes (DiskFull): j, a/gpu", [], False, id="a job there"),
        pytest.param("Nodes of a/gpu work again after 5 minutes", [], False, id="over"),
    ],
)
def test_a_pool_is_known_by_what_names_it(heading: str, parts: list[Part], knows: bool) -> None:  # noqa: FBT001 - a table
    """That nodes of a pool can't work is known from a heading that names or counts it, as from a part or a line."""
    known = KnownPools()
    known.hear(Reading(headline=heading, parts=tuple(parts)), NOW)
    assert known.has("gpu", NOW - MINUTE) is knows


@pytest.mark.parametrize(
    ("title", "knows"),
    [
        ("Begun anew, and nothing fails in it: j, a/gpu", True),
        ("j of a/gpu stands still: no node of the pool can work", True),
        ("Nodes of a/gpu work again after 5 minutes", False),
        ("1 of 3 nodes of a/gpu works again, 2 have left", False),
        ("The nodes that could not work have left a/gpu", False),
        ("Pool a/gpu is not watched any more", False),
        ("No active job uses a/gpu any more", False),
    ],
)
def test_a_pool_is_forgotten_with_its_own_end(title: str, knows: bool) -> None:  # noqa: FBT001 - a table
    """Who knows of a pool does so until its nodes are said to work, or not to be needed, whatever its jobs do."""
    known = KnownPools()
    for part in (Part(title=BROKEN), Part(title=title)):
        known.hear(Reading(headline=part.title, parts=(part,)), NOW)
    assert known.has("gpu", NOW - MINUTE) is knows


@pytest.mark.parametrize(
    ("facts", "fails"),
    [
        ((), False),
        ((("Preparation", "2 of 5 nodes take none of the job's tasks"),), True),
        ((("More", "preparation takes over 2 hours on 1 of 5 nodes"),), None),
    ],
    ids=["whole", "held up all the same", "a line"],
)
def test_a_line_about_slow_preparations_leaves_open_whether_the_job_fails(
    facts: tuple[tuple[str, str], ...],
    fails: bool | None,  # noqa: FBT001 - a table
) -> None:
    """A line that names what takes too long has no room for what has failed: nobody takes that for mended."""
    assert Part(title="j: preparation takes over 2 hours on 1 of 5 nodes", facts=facts).fails is fails


@pytest.mark.parametrize(
    ("title", "facts", "unseen"),
    [
        ("Can't be read: j, a/gpu", (("Not seen", "since 02:29 UTC"),), True),
        ("j: can't be read", (("More", "can't be read"),), True),
        ("j: can be read again", (("More", "can be read again"),), False),
        ("Need not be read any more: j, a/gpu", (("Why", "the job is gone"),), False),
        ("Ended, preparation had failed on 1 of 5 nodes: j, a/gpu", (("Why", "the job has ended"),), False),
        ("j: ended while it stood still", (("More", "ended while it stood still"),), None),
    ],
)
def test_a_line_about_an_end_leaves_open_whether_the_job_is_seen(
    title: str, facts: tuple[tuple[str, str], ...], *, unseen: bool | None
) -> None:
    """Of a job that could not be read and has ended in a line, people may still hear that it can be or need not be."""
    assert Part(title=title, facts=facts).out_of_sight is unseen


@pytest.mark.parametrize(
    ("left_out", "stands"),
    [((), True), ((Part(title="2 not named here; the dashboard has them all"),), False)],
    ids=["all are named", "some are counted"],
)
def test_a_pool_may_have_ended_among_what_there_was_no_room_for(left_out: tuple[Part, ...], *, stands: bool) -> None:
    """After a message that leaves some out, that nodes of a pool known before can't work may be news once more."""
    known = KnownPools()
    for parts in ((Part(title=BROKEN),), (Part(title="j: preparation failed on 1 of 3 nodes"), *left_out)):
        known.hear(Reading(headline="3 jobs", parts=parts), NOW)
    assert (known.has("gpu", NOW - MINUTE), "a/gpu" in known.stand) == (True, stands)


@pytest.mark.parametrize(
    ("heard_of", "pools", "is_news"),
    [
        pytest.param("pool cpu", {"cpu"}, False, id="its pool"),
        pytest.param("pool gpu", {"cpu"}, True, id="another pool"),
        pytest.param("", {"cpu"}, False, id="also unsaid, and it has one"),
        pytest.param("pool cpu", {"cpu", "gpu"}, True, id="created again in another pool"),
    ],
)
def test_a_cause_is_known_in_the_pool_of_its_job(heard_of: str, pools: set[str], *, is_news: bool) -> None:
    """Where there is no room to say in which pool a job is, its causes are known if they were told of that pool."""
    known = KnownCauses(pools={"j": pools})
    why = ("Why preparation failed", "DiskFull on 1 node: no space")
    where = [("Job", f"j, active, {heard_of}, account a")] if heard_of else []
    known.hear(Part(title="j: preparation failed", facts=(why, *where)), NOW)
    assert known.may_be_news(Part(title="j: preparation failed", facts=(why,)), NOW + MINUTE) is is_news


RELEASED = "Release failed once before the job began anew; preparation is over: j, a/gpu"
WORKS = Section(title="Preparation works again in 2 jobs of a/gpu after 40 minutes")
ALSO = Section(title="Also", entries=(ListEntry(text=WORKS.title),))
ENDED = Section(title="k: ended, it had stood still", facts=(("Why", "the job has ended"),))
USED = ("Pool", "2 nodes work; 20 jobs use the pool, none stands still")


@pytest.mark.parametrize("webhook_format", ["slack", "teams"])
@pytest.mark.parametrize(
    ("first", "others", "left_out", "parts"),
    [
        pytest.param(
            Section(title=RELEASED, facts=(("Why", "anew"),)), [ENDED], 0, [RELEASED, ENDED.title], id="clauses"
        ),
        pytest.param(Section(title=BROKEN, facts=(USED,)), [ENDED], 0, [BROKEN, ENDED.title], id="a pool"),
        pytest.param(
            Section(title=BROKEN, facts=(USED,)), [WORKS], 2, [BROKEN, "2 not named here"], id="no job is named"
        ),
        pytest.param(
            Section(title=BROKEN, facts=(USED,)), [ALSO], 2, [BROKEN, "2 not named here"], id="nor in a line beside"
        ),
    ],
)
def test_what_a_message_begins_with_has_its_title_in_the_heading(
    webhook_format: str, first: Section, others: list[Section], left_out: int, parts: list[str]
) -> None:
    """The first part has the whole title that the heading begins with; one that counts jobs is about none of them."""
    heading = "; ".join(section.title for section in (first, *others))
    notice = Notice(heading=heading, severity=Severity.ERROR, sections=(first, *others), left_out=left_out)
    body = render_slack(notice) if webhook_format == "slack" else render_teams(notice)
    titles = [
        part.title.removeprefix("🔴 ").partition("; the dashboard")[0]
        for part in read_message(webhook_format, body).parts
    ]
    assert titles == parts
