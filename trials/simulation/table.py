"""One process's way to the common table: `shared.ports.Table` with delays, lost writes and answers, sudden death."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import StoreUnavailableError
from shared.ports import Delete, Operation, Put, Row
from tests.support.fake_table import FakeTable
from trials.simulation.fault_rates import Chance, WriteFault
from trials.simulation.scheduler import Owner, Scheduler

_MOST_KEPT = 1000


class CommitWatcher(Protocol):
    """Whoever watches what is written: the monitor."""

    def committed(self, partition: str, operations: Sequence[Operation], owner: Owner) -> None:
        """A transaction was done."""

    def disturbed(self, operations: Sequence[Operation], owner: Owner) -> None:
        """A transaction's answer is not what came of it."""


@dataclass(slots=True, kw_only=True)
class PlannedFaults:
    """Faults at the n-th write from now, counted over all processes; `lost` is the row that can't be written at all."""

    planned: dict[int, WriteFault] = field(default_factory=dict)
    writes: int = 0
    lost: str = ""

    def plan(self, after: int, kind: WriteFault) -> None:
        """Let the write after so many others fail."""
        self.planned[self.writes + after] = kind

    def next(self, operations: Sequence[Operation]) -> WriteFault | None:
        """What happens to the write that is made now."""
        self.writes += 1
        if any(operation.key == self.lost for operation in operations):
            return WriteFault.BEFORE
        return self.planned.pop(self.writes - 1, None)


@dataclass(slots=True, kw_only=True)
class SimulatedTable:
    """The table as one process sees it; `can_rewind` says whether a restore now is followed by the same listing."""

    inner: FakeTable
    scheduler: Scheduler
    chance: Chance
    owner: Owner
    watcher: CommitWatcher
    planned: PlannedFaults
    crash: Callable[[str], None]
    tell: Callable[[str], None]
    can_rewind: Callable[[str], bool]

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None when there is none."""
        self._travel(key)
        return self.inner.get(partition, key)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows of a range."""
        self._travel(start)
        yield from self.inner.query(partition, start, end)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all operations or none, and perhaps say so."""
        fault = self.planned.next(operations) or self._drawn()
        names = ", ".join(each.key for each in operations)
        self.scheduler.pause(self.chance.between(0.001, 0.05))
        if fault is not None:
            self.tell(f"write {names}: {fault}")
            self.watcher.disturbed(operations, self.owner)
        if fault is WriteFault.BEFORE:
            raise StoreUnavailableError("no answer, and nothing was written")
        if fault is WriteFault.CRASH_BEFORE:
            self.crash("before a write")
        rewound = self._rows_to_restore(partition, operations) if fault is WriteFault.REWIND else ()
        etags = self.inner.transact(partition, operations)
        self.watcher.committed(partition, operations, self.owner)
        self._after(fault, partition, operations, rewound)
        self.tell(f"wrote {names}")
        self.scheduler.pause(self.chance.between(0.001, 0.05))
        return etags

    def _after(
        self, fault: WriteFault | None, partition: str, operations: Sequence[Operation], rewound: Sequence[Operation]
    ) -> None:
        if fault is WriteFault.CRASH_AFTER:
            self.crash("after a write")
        elif fault is WriteFault.AFTER:
            raise StoreUnavailableError("no answer, but all was written")
        elif fault is WriteFault.OWN_CONFLICT:
            self.inner.transact(partition, operations)
        elif fault is WriteFault.REWIND and rewound:
            self.inner.transact(partition, rewound)

    def _rows_to_restore(self, partition: str, operations: Sequence[Operation]) -> list[Operation]:
        """What puts a job's head and chunks back to what they are now; empty when that would not be the same again."""
        head = next((each.key for each in operations if each.key.startswith("job|")), None)
        if head is None or not self.can_rewind(head.removeprefix("job|")):
            return []
        if not any(each.key.startswith("event|") for each in operations):
            return []
        restore: list[Operation] = []
        for each in operations:
            if each.key.startswith(("job|", "node|")):
                row = self.inner.get(partition, each.key)
                restore.append(Put(key=each.key, columns=row.columns) if row else Delete(key=each.key))
        return restore

    def _drawn(self) -> WriteFault | None:
        rates = self.chance.rates
        return self.chance.pick(rates.write_faults) if self.chance.happens(rates.write) else None

    def _travel(self, what: str) -> None:
        self.scheduler.pause(self.chance.between(0.001, 0.03))
        if len(self.inner.reads) > _MOST_KEPT:
            self.inner.reads.clear()
            self.inner.writes.clear()
        if self.chance.happens(self.chance.rates.read):
            self.tell(f"read {what}: fails")
            raise StoreUnavailableError("no answer")
