"""The stages of these tests: each built once for a process, set up anew for each fault."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from local.azurite import Azurite
from trials.faults.driver import Run, run_in_process
from trials.faults.people import PEOPLE
from trials.faults.pools import POOLS, STANDSTILL
from trials.faults.stage import Stage, stage
from trials.faults.story import CYCLES, TROUBLE, Story

STORIES = (CYCLES, PEOPLE, TROUBLE, POOLS, STANDSTILL)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a `scene` with each chapter of each story in which something is broken."""
    if "scene" in metafunc.fixturenames:
        scenes = [
            pytest.param((story, number), id=f"{story.name}-{chapter.name}")
            for story in STORIES
            for number, chapter in enumerate(story.chapters)
            if chapter.breaks is None or chapter.breaks
        ]
        metafunc.parametrize("scene", scenes)


@pytest.fixture(scope="package")
def played(azurite: Azurite) -> Iterator[Callable[[Story], Stage]]:
    """Gives the stage of a story that was played once without a fault."""
    stages: dict[str, Stage] = {}
    with ExitStack() as stack:

        def stage_of(story: Story) -> Stage:
            if story.name not in stages:
                stages[story.name] = stack.enter_context(stage(story, azurite))
            return stages[story.name]

        yield stage_of


def run_of(stage: Stage, chapter: int, *, dies_at: int | None = None) -> Run:
    """What a process needs to act in that chapter of a stage that is set up."""
    return Run(place=stage.place, story=stage.story.name, chapter=chapter, now=stage.clock.now, dies_at=dies_at)


@pytest.fixture(scope="package")
def in_process(played: Callable[[Story], Stage]) -> Iterator[Callable[[Run], int]]:
    """Does a run in a process of its own and gives its exit code."""
    stage = played(CYCLES)
    stage.set_up(0)
    with run_in_process(run_of(stage, 0)) as do:
        yield do
