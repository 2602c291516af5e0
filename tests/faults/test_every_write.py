"""Each write in turn is broken in each way that a network knows, then all is well again."""

from contextlib import suppress
from datetime import timedelta

import pytest

from local.azurite import Azurite
from shared.errors import StoreError
from tests.faults.crash_table import may_duplicate
from tests.faults.place import PATIENCE
from tests.faults.stage import LEASE_IS_OVER, Stage
from tests.faults.story import CHAPTERS, CLEAN
from tests.support.fault_proxy import FaultProxy, ProxyFault, fault_proxy

SHORT_PATIENCE = timedelta(seconds=0.5)


def writes_of(stage: Stage, chapter: int, proxy: FaultProxy, storage: str) -> list[str]:
    """The kind of each write of a chapter, in order; making the table belongs to the write that misses it."""
    kinds: list[str] = []
    stage.set_up(chapter)
    first = proxy.writes
    waiting: list[str] = []

    def tell(point: str, _operations: object) -> None:
        kind, _, when = point.partition(":")
        if when == "before" and kind != "send":
            waiting.append(kind)
        elif when == "after" and kind != "send":
            kinds.extend([waiting.pop()] * (proxy.writes - first - len(kinds)))

    CHAPTERS[chapter].run(stage.app(tell, storage=storage))
    return kinds


@pytest.mark.parametrize("chapter", range(len(CHAPTERS)), ids=[chapter.name for chapter in CHAPTERS])
@pytest.mark.parametrize("fault", list(ProxyFault))
def test_a_broken_write_loses_and_invents_nothing(
    played: Stage, azurite: Azurite, fault: ProxyFault, chapter: int
) -> None:
    """Whichever write breaks, each failure is told, once, but for what the crash table allows."""
    allowed = may_duplicate()
    wrong: list[str] = []
    points, doubled = set(), set()
    with fault_proxy(azurite.table) as proxy:
        storage = played.place.storage.replace(azurite.table, proxy.url)
        kinds = writes_of(played, chapter, proxy, storage)
        assert kinds
        for number, kind in enumerate(kinds, start=1):
            played.set_up(chapter)
            proxy.break_write(fault, nth=number)
            patience = SHORT_PATIENCE if fault is ProxyFault.HANG_AFTER else PATIENCE
            with suppress(StoreError):
                CHAPTERS[chapter].run(played.app(storage=storage, patience=patience))
            proxy.heal()
            played.clock.now += LEASE_IS_OVER
            CLEAN.run(played.app())
            played.drain()

            point = f"{kind}:{'before' if fault is ProxyFault.DROP_BEFORE else 'after'}"
            points.add(point)
            verdict, missing = played.verdict(), played.missing(chapter)
            if verdict.duplicate:
                doubled.add(point)
            if missing or not verdict.good_but_for_duplicates:
                wrong.append(f"write {number} ({point}): {verdict}, missing {sorted(missing)}")
    assert not wrong, "\n".join(wrong)
    assert doubled == {point for point in points if allowed[point]}
