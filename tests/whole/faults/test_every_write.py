"""Each kind of write is broken in each way that a network knows, then all is well again."""

from collections.abc import Callable
from datetime import timedelta

from local.azurite import Azurite
from trials.faults.answers import answers_to_lose
from trials.faults.crash_table import may_duplicate
from trials.faults.stage import Stage
from trials.faults.story import Story
from trials.soak.fault_proxy import FaultProxy, ProxyFault, fault_proxy
from trials.soak.place import PATIENCE

SHORT_PATIENCE = timedelta(seconds=0.5)


def writes_of(stage: Stage, chapter: int, proxy: FaultProxy, storage: str) -> list[str]:
    """The kind of each write of a chapter, in order; making the table belongs to the write that misses it."""
    if chapter in stage.writes:
        return stage.writes[chapter]
    kinds = stage.writes[chapter] = []
    stage.set_up(chapter)
    first = proxy.writes
    waiting: list[str] = []

    def tell(point: str, _operations: object) -> None:
        kind, _, when = point.partition(":")
        if when == "before" and kind != "send":
            waiting.append(kind)
        elif when == "after" and kind != "send":
            kinds.extend([waiting.pop()] * (proxy.writes - first - len(kinds)))

    assert stage.act(chapter, tell, storage=storage)
    return kinds


def test_a_broken_write_loses_and_invents_nothing(
    played: Callable[[Story], Stage], azurite: Azurite, scene: tuple[Story, int]
) -> None:
    """Whichever write breaks, each failure is told, once, but for what the crash table allows.

    A write that never arrives may be any of a chapter. Of each kind one answer is lost, the first: in one way in this
    chapter, in each way in some chapter of its story. The kills beside this come behind all of them.
    """
    story, chapter = scene
    stage, allowed = played(story), may_duplicate()
    wrong: list[str] = []
    points, doubled = set(), set()
    with fault_proxy(azurite.table) as proxy:
        storage = stage.place.storage.replace(azurite.table, proxy.url)
        kinds = writes_of(stage, chapter, proxy, storage)
        faults = [(number, ProxyFault.DROP_BEFORE) for number in range(1, len(kinds) + 1)]
        faults += answers_to_lose(kinds, chapter, stage.kinds)
        for number, fault in faults:
            kind = kinds[number - 1]
            if not story.chapters[chapter].is_broken(kind):
                continue
            stage.set_up(chapter)
            proxy.break_write(fault, nth=number)
            patience = SHORT_PATIENCE if fault is ProxyFault.HANG_AFTER else PATIENCE
            done = stage.act(chapter, storage=storage, patience=patience)
            proxy.heal()
            stage.recover(chapter, done=done)

            point = f"{kind}:{'before' if fault is ProxyFault.DROP_BEFORE else 'after'}"
            points.add(point)
            judged = stage.judge(chapter)
            if judged.duplicate:
                doubled.add(point)
            if judged.wrong:
                wrong.append(f"write {number} ({point}, {fault}): {judged.wrong}")
    assert points
    assert not wrong, "\n".join(wrong)
    assert doubled == {point for point in points if allowed[point]}
