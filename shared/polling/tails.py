"""Fetches the end of what a failed task wrote to stderr and stdout, so that the event says why.

Owns of which nodes of a job that is. Does not own reading the files (`pools.node_files`) or the event. A failure is
told with or without its tail: whatever goes wrong there becomes words in its place.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.causes import cause_of
from shared.batch.model import STDERR, STDOUT
from shared.changes.tally import NodeUpdate
from shared.pools.node_files import Allowance, NodeFiles
from shared.state.nodes import Reason


class Tails(Struct, frozen=True, kw_only=True):
    """Adds tails to what is told of a job's nodes."""

    files: NodeFiles

    def add(self, updates: Sequence[NodeUpdate], allowance: Allowance) -> list[NodeUpdate]:
        """The updates, the first few newly failed ones of every cause with their tails, taken off the allowance."""
        if self.files.max_bytes == 0:
            return list(updates)
        chosen = allowance.choose(
            (place, cause_of(update.change.occurrence))
            for place, update in enumerate(updates)
            if update.change is not None and update.change.reason is Reason.NEWLY_FAILED
        )
        began = self.files.clock()
        deadline = began + allowance.time
        with_tails = []
        for place, update in enumerate(updates):
            change = update.change
            if place in chosen and change is not None:
                where = (change.node.pool_id, change.node.node_id, change.occurrence.task_root_directory)
                stderr = self.files.tail(*where, STDERR, deadline, allowance)
                stdout = self.files.tail(*where, STDOUT, deadline, allowance)
                change = replace(change, stderr_tail=stderr, stdout_tail=stdout)
            with_tails.append(replace(update, change=change))
        allowance.time -= self.files.clock() - began
        return with_tails
