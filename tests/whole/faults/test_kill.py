"""The process dies at each point between two effects, and another one goes on."""

import ast
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from shared import __path__ as package
from tests.whole.faults.conftest import STORIES, run_of
from trials.faults.crash_table import may_duplicate
from trials.faults.driver import Run
from trials.faults.stage import Stage
from trials.faults.story import Story

Played = Callable[[Story], Stage]


def test_a_killed_process_loses_and_invents_nothing(
    played: Played, in_process: Callable[[Run], int], scene: tuple[Story, int]
) -> None:
    """Wherever the process dies, each failure is told, once, but for what the crash table allows.

    Behind one effect and before the next is the same place, which bears both names.
    """
    story, chapter = scene
    stage, allowed = played(story), may_duplicate()
    points = stage.points[chapter]
    killed: set[str] = set()
    doubled: set[str] = set()
    wrong: list[str] = []
    for number in (1, *range(2, len(points) + 1, 2)):
        gap = [*filter(story.chapters[chapter].is_broken, points[number - 1 : number + (number > 1)])]
        if not gap:
            continue
        stage.set_up(chapter)
        assert in_process(run_of(stage, chapter, dies_at=number)) == -signal.SIGKILL
        stage.recover(chapter, done=False)

        judged = stage.judge(chapter)
        killed.update(gap)
        if judged.duplicate:
            doubled.update(gap)
        if judged.wrong:
            wrong.append(f"point {number} ({' = '.join(gap)}): {judged.wrong}")
    assert killed
    assert not wrong, "\n".join(wrong)
    assert doubled == {point for point in killed if allowed[point]}


def test_the_crash_table_names_every_point(played: Played) -> None:
    """The table has a row for each point that the app passes, and no other."""
    passed = {point for story in STORIES for points in played(story).points for point in points}
    assert passed == set(may_duplicate())


def test_every_writer_has_a_part(played: Played) -> None:
    """Whatever in the app writes to the table does so in one of the stories, so that no write goes without a fault."""
    writing: set[str] = set()
    for story in STORIES:
        writing.update(*(names for point, names in played(story).writers.items() if not point.startswith("send:")))
    files = Path(package[0]).rglob("*.py")
    assert writing == {f"{path.parent.name}/{path.stem}.{name}" for path in files for name in writers_in(path)}


def writers_in(path: Path) -> Iterator[str]:
    """The qualified names of the functions of a module that call a method `transact`, but for tables themselves."""

    def walk(node: ast.AST, within: tuple[str, ...]) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            name = (child.name,) if isinstance(child, ast.ClassDef | ast.FunctionDef) else ()
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr == "transact":
                yield ".".join(within)
            yield from walk(child, (*within, *name))

    return walk(ast.parse(path.read_text(encoding="utf-8")), ())
