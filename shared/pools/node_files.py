"""Reads the end of what tasks wrote to files on the nodes of pools.

Owns how many nodes are asked for files, how long that may take, and what is said in place of a file that can't be had.
Does not own reading one (`ports.BatchService`) or the events. A failure is told with or without its tail.
"""

from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field

from shared.errors import BatchError, ThrottledError
from shared.ports import BatchService, Clock
from shared.redaction import TEXT_LIMIT, clean, clean_tail

MAX_NODES = 10
"""Nodes of which files are fetched for one job or pool in one cycle; causes come before further nodes of the same."""
TIME_LIMIT = timedelta(seconds=5)
"""How long the commits of one job or pool wait for all of them together."""
START_TASK_DIRECTORY = "startup"
"""Where a node's start task runs, as Batch lists its files."""
_READ_BEFORE = 8 * 1024  # bytes: a key that begins before the tail is known by its beginning
# Batch's own words are missing: a file's length is asked for by HEAD, whose answer has no body.
_WORDS = {
    403: "the app's role does not allow it",
    404: "the file or its node does not exist any more",
    409: "the node is not ready",
}


class Allowance(Struct):
    """What may still be fetched for one job or pool in one cycle, and the causes of which something was.

    `is_over` says that Batch wants to be left alone: no further file is asked for.
    """

    nodes: int = MAX_NODES
    time: timedelta = TIME_LIMIT
    causes: set[Hashable] = field(default_factory=set)
    is_over: bool = False

    def choose(self, causes: Iterable[tuple[int, Hashable]]) -> set[int]:
        """The places, of places with their causes, that are fetched; they are taken off what is left.

        Each cause has its turn before further nodes of one that had it.
        """
        first: list[int] = []
        more: list[int] = []
        for place, cause in causes:
            (more if cause in self.causes else first).append(place)
            self.causes.add(cause)
        chosen = set((first + more)[: self.nodes])
        self.nodes -= len(chosen)
        return chosen


class NodeFiles(Struct, frozen=True, kw_only=True):
    """Fetches tails of at most `max_bytes` of each file; 0 fetches none."""

    batch: BatchService
    clock: Clock
    max_bytes: int

    def tail(
        self, pool_id: str, node_id: str, directory: str | None, file: str, deadline: datetime, allowance: Allowance
    ) -> str | None:
        """The end of a file, or in words why it can't be had; None once there is no time, or no patience, for it.

        `directory` is that of the task on the node, None when Batch names none.
        """
        if not directory:
            return "[Batch names no directory of the task]"
        if allowance.is_over or self.clock() >= deadline:
            return None
        try:
            content = self.batch.read_file_tail(
                pool_id, node_id, f"{directory}/{file}", max_bytes=self.max_bytes + _READ_BEFORE, deadline=deadline
            )
        except BatchError as error:
            allowance.is_over = isinstance(error, ThrottledError)
            words = _WORDS.get(error.status or 0, f"{error.code}: {error.message}")
            return clean(f"[{file} can't be read: {words}]")
        is_cut = len(content) == self.max_bytes + _READ_BEFORE
        tail = clean_tail(content.decode("utf-8", "replace"), limit=min(self.max_bytes, TEXT_LIMIT), is_cut=is_cut)
        why = "is not shown: what it ends with may be the rest of a secret" if is_cut else "is empty"
        return tail or f"[{file} {why}]"
