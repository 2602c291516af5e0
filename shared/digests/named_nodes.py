"""Names the nodes that a message is about, from the node records of its jobs.

Owns how many jobs and chunks are looked into for that. Does not own what is said of nodes (`digests.jobs.notices`,
`digests.incidents.notices`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.batch.outcomes import ended_at, has_failed
from shared.changes.cause_table import causes_of
from shared.changes.slow_preparations import chain_of, is_slow
from shared.digests.chat_rules import News, NewsKind, SlowRuns
from shared.digests.job_troubles import Concern, ConcernKind
from shared.digests.jobs.notices import SHOWN_NODES
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.moments import as_utc
from shared.ports import Rows
from shared.state.chunks import decode_chunk, records_of
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord
from shared.state.rows import chunk_key, unpack

PAGED_NODES = 100
"""So many node ids stand in a pager's details."""
_JOBS_WITH_NODES = 5
_CHUNKS_READ = 8  # of each such job; after that the examples of the causes have to do


class NodeNames(Struct, frozen=True, kw_only=True):
    """Reads which nodes of an account's jobs failed, the newest failures first; pool and node id of each."""

    table: Rows
    account: str

    def named(self, message: Sequence[News]) -> list[News]:
        """The news with the nodes that they are about, as far as these are looked for."""
        return [self._with_nodes(item) if number < _JOBS_WITH_NODES else item for number, item in enumerate(message)]

    def of_concerns(self, concerns: Sequence[tuple[JobHead, Concern]]) -> list[tuple[str, str]]:
        """The nodes that the concerns of several jobs are about, at most PAGED_NODES, each once."""
        found = [concern.example for _, concern in concerns if concern.example != ("", "")]
        for head, concern in concerns[:_JOBS_WITH_NODES]:
            if concern.kind is not ConcernKind.NODE:
                found += self._nodes(head, partial(_is_part, concern=concern), _phase_of(concern), PAGED_NODES)
        return list(dict.fromkeys(found))[:PAGED_NODES]

    def _with_nodes(self, news: News) -> News:
        phase = news.phase
        if news.head is not None and news.kind is NewsKind.SLOW:
            return self._with_slow_nodes(news, news.head)
        if news.head is None or phase is None or not news.names_causes:
            return news
        return replace(news, nodes=tuple(self._nodes(news.head, partial(_concerned, phase=phase), phase, SHOWN_NODES)))

    def _with_slow_nodes(self, news: News, head: JobHead) -> News:
        found = sorted(self._found(head, is_slow), key=lambda record: (_begun_at(record), record.node_id))
        nodes = tuple((record.pool_id, record.node_id) for record in found[:SHOWN_NODES])
        return replace(news, nodes=nodes, slow=_runs_of(found) if len(found) == head.preparation.slow else None)

    def _nodes(
        self, head: JobHead, is_meant: Callable[[NodeRecord], bool], phase: Phase, limit: int
    ) -> list[tuple[str, str]]:
        found = self._found(head, is_meant)
        by_name = sorted(found, key=lambda record: (record.pool_id, record.node_id))
        newest = sorted(by_name, key=lambda record: _failed_at(record, phase), reverse=True)
        return [(record.pool_id, record.node_id) for record in newest[:limit]]

    def _found(self, head: JobHead, is_meant: Callable[[NodeRecord], bool]) -> list[NodeRecord]:
        try:
            return [record for record in self._records(head) if is_meant(record)]
        except UnreadableRowError as error:
            write_line("nodes-unreadable", account=self.account, job=head.job_id, error=str(error))
            return []

    def _records(self, head: JobHead) -> Iterable[NodeRecord]:
        for prefix in head.chunks[:_CHUNKS_READ]:
            row = self.table.get(self.account, chunk_key(head.job_id, head.filed_under, prefix))
            if row is not None:
                yield from records_of(decode_chunk(unpack(row)))


def _phase_of(concern: Concern) -> Phase:
    return Phase.RELEASE if concern.kind is ConcernKind.RELEASE else Phase.PREPARATION


def _is_part(record: NodeRecord, concern: Concern) -> bool:
    """Whether a node is one of those that a concern of its job is about."""
    # All that failed keep the job from going on, whatever for; what keeps its pool from it is no failure of the job.
    if (still := concern.standstill) is not None:
        return not still.why.is_of_pool and _concerned(record, Phase.PREPARATION)
    has = {key for key, _ in causes_of(record)}
    return any((cause.phase, cause.code, cause.message) in has for cause in concern.causes)


def _concerned(record: NodeRecord, phase: Phase) -> bool:
    if phase is Phase.PREPARATION:
        return record.open is not None
    return record.release is not None and has_failed(record.release.info)


def _failed_at(record: NodeRecord, phase: Phase) -> datetime:
    if phase is Phase.PREPARATION:
        return as_utc(record.open.since if record.open else None)
    info = record.release.info if record.release else None
    return as_utc(ended_at(info) if info else None)


def _begun_at(record: NodeRecord) -> datetime:
    chain = chain_of(record)
    return as_utc(chain.since if chain is not None else None)


def _runs_of(slow: Sequence[NodeRecord]) -> SlowRuns:
    """How long the preparations on these nodes take, and how often they were tried."""
    chains = [chain_of(record) for record in slow]
    begun = [chain.since for chain in chains if chain is not None and chain.since is not None]
    tries = [record.preparation.info.retry_count or 0 for record in slow if record.preparation is not None]
    all_known = len(begun) == len(slow)
    return SlowRuns(
        first=min(begun, default=None),
        last=max(begun, default=None) if all_known else None,
        retried=sum(number > 0 for number in tries),
        retries=max(tries, default=0),
    )
