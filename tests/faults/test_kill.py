"""The process dies at each point between two effects, and another one goes on."""

import signal

import pytest

from tests.faults.crash_table import may_duplicate
from tests.faults.driver import Run, run_in_process
from tests.faults.stage import LEASE_IS_OVER, Stage
from tests.faults.story import CHAPTERS

each_chapter = pytest.mark.parametrize("chapter", range(len(CHAPTERS)), ids=[chapter.name for chapter in CHAPTERS])


def points_of(stage: Stage, chapter: int) -> list[str]:
    """The points that a chapter passes when nobody dies."""
    points: list[str] = []
    stage.set_up(chapter)
    CHAPTERS[chapter].run(stage.app(lambda point, _operations: points.append(point)))
    return points


@each_chapter
def test_a_killed_process_loses_and_invents_nothing(played: Stage, chapter: int) -> None:
    """Wherever the process dies, each failure is told, once, but for what the crash table allows.

    Behind one effect and before the next is the same place, which bears both names.
    """
    allowed = may_duplicate()
    points = points_of(played, chapter)
    doubled: set[str] = set()
    wrong: list[str] = []
    for number in (1, *range(2, len(points) + 1, 2)):
        gap = points[number - 1 : number + (number > 1)]
        played.set_up(chapter)
        dying = Run(place=played.place, chapter=chapter, now=played.clock.now, dies_at=number)
        assert run_in_process(dying) == -signal.SIGKILL
        played.clock.now += LEASE_IS_OVER
        assert run_in_process(Run(place=played.place, chapter=0, now=played.clock.now)) == 0
        played.drain()

        verdict, missing = played.verdict(), played.missing(chapter)
        if verdict.duplicate:
            doubled.update(gap)
        if missing or not verdict.good_but_for_duplicates:
            wrong.append(f"point {number} ({' = '.join(gap)}): {verdict}, missing {sorted(missing)}")
    assert not wrong, "\n".join(wrong)
    assert doubled == {point for point in points if allowed[point]}


def test_the_crash_table_names_every_point(played: Stage) -> None:
    """The table has a row for each point that the app passes, and no other."""
    passed = {point for chapter in range(len(CHAPTERS)) for point in points_of(played, chapter)}
    assert passed == set(may_duplicate())
