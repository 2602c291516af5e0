"""Fetches the end of what a failed task wrote to stderr and stdout, so that the event says why.

Owns how many are fetched and how long that may take. Does not own reading a file (`ports.BatchService`) or the event.
A failure is told with or without its tail: whatever goes wrong here becomes words in its place.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from shared.batch.causes import cause_of
from shared.changes.tally import NodeUpdate
from shared.errors import BatchError, ThrottledError
from shared.ports import BatchService, Clock
from shared.redaction import TEXT_LIMIT, clean, clean_tail
from shared.state.jobs import Change, Reason

MAX_NODES = 10
"""Nodes of which files are fetched for one job in one cycle; causes come before further nodes of the same cause."""
TIME_LIMIT = timedelta(seconds=5)
"""How long the commits of one job wait for all of them together."""
_READ_BEFORE = 8 * 1024  # bytes: a key that begins before the tail is known by its beginning
_STDERR, _STDOUT = "stderr.txt", "stdout.txt"
# Batch's own words are missing: a file's length is asked for by HEAD, whose answer has no body.
_WORDS = {
    403: "the app's role does not allow it",
    404: "the file or its node does not exist any more",
    409: "the node is not ready",
}


class Allowance(Struct):
    """What may still be fetched for one job in one cycle, and the causes of which something was.

    `is_over` says that Batch wants to be left alone: no further file is asked for.
    """

    nodes: int = MAX_NODES
    time: timedelta = TIME_LIMIT
    causes: set[tuple[str, str]] = field(default_factory=set)
    is_over: bool = False


class Tails(Struct, frozen=True, kw_only=True):
    """Fetches tails of at most `max_bytes` of each file; 0 fetches none."""

    batch: BatchService
    clock: Clock
    max_bytes: int

    def add(self, updates: Sequence[NodeUpdate], allowance: Allowance) -> list[NodeUpdate]:
        """The updates, the first few newly failed ones of every cause with their tails, taken off the allowance."""
        if self.max_bytes == 0:
            return list(updates)
        chosen = set(_one_of_each_cause_first(updates, allowance.causes)[: allowance.nodes])
        allowance.nodes -= len(chosen)
        began = self.clock()
        deadline = began + allowance.time
        with_tails = []
        for number, update in enumerate(updates):
            change = update.change
            if number in chosen and change is not None:
                stderr = self._tail(change, _STDERR, deadline, allowance)
                stdout = self._tail(change, _STDOUT, deadline, allowance)
                change = replace(change, stderr_tail=stderr, stdout_tail=stdout)
            with_tails.append(replace(update, change=change))
        allowance.time -= self.clock() - began
        return with_tails

    def _tail(self, change: Change, file: str, deadline: datetime, allowance: Allowance) -> str | None:
        """The end of a file, or in words why it can't be had; None once there is no time, or no patience, for it."""
        directory = change.occurrence.task_root_directory
        if not directory:
            return "[Batch names no directory of the task]"
        if allowance.is_over or self.clock() >= deadline:
            return None
        node = change.node
        try:
            content = self.batch.read_file_tail(
                node.pool_id,
                node.node_id,
                f"{directory}/{file}",
                max_bytes=self.max_bytes + _READ_BEFORE,
                deadline=deadline,
            )
        except BatchError as error:
            allowance.is_over = isinstance(error, ThrottledError)
            words = _WORDS.get(error.status or 0, f"{error.code}: {error.message}")
            return clean(f"[{file} can't be read: {words}]")
        is_cut = len(content) == self.max_bytes + _READ_BEFORE
        tail = clean_tail(content.decode("utf-8", "replace"), limit=min(self.max_bytes, TEXT_LIMIT), is_cut=is_cut)
        return tail or f"[{file} is empty]"


def _one_of_each_cause_first(updates: Iterable[NodeUpdate], seen: set[tuple[str, str]]) -> list[int]:
    """The places of newly failed updates; `seen` are causes that had their turn, and gets those of these updates."""
    first: list[int] = []
    more: list[int] = []
    for number, update in enumerate(updates):
        change = update.change
        if change is None or change.reason is not Reason.NEWLY_FAILED:
            continue
        cause = cause_of(change.occurrence)
        (more if cause in seen else first).append(number)
        seen.add(cause)
    return first + more
