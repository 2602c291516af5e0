"""Which answers to the writes of a chapter are lost, and how, so that each kind is lost in each way.

Does not own how they are lost (`trials.soak.fault_proxy`).
"""

from collections.abc import Collection, Sequence

from trials.soak.fault_proxy import ProxyFault

LOST_ANSWERS = (ProxyFault.DROP_AFTER, ProxyFault.UNAVAILABLE_AFTER, ProxyFault.HANG_AFTER)
"""The ways in which a write is done and its answer is not heard."""


def answers_to_lose(
    kinds: Sequence[str], chapter: int, chapters: Sequence[Collection[str]]
) -> list[tuple[int, ProxyFault]]:
    """The numbers of a chapter's writes (from 1) whose answers are lost, and how, given the kinds of each chapter.

    Of each kind it is the first of the chapter. The chapters that have a kind take turns with the ways to lose its
    answer, so that a story meets each kind in each way: a kind of one chapter alone is lost there in all three.
    """
    lost: list[tuple[int, ProxyFault]] = []
    for number, kind in enumerate(kinds, start=1):
        having = [other for other, its in enumerate(chapters) if kind in its]
        if chapter in having and kinds.index(kind) == number - 1:
            turns = min(len(having), len(LOST_ANSWERS))
            lost.extend((number, fault) for fault in LOST_ANSWERS[having.index(chapter) % turns :: turns])
    return lost
