"""Answers what is known of a job's nodes, or what Batch says of them right now.

Owns reading node records for people. Does not own writing them (`polling.node_updates`).
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.api.job_views import CauseTextView, NodeView, PhaseView
from shared.api.refusals import AmbiguousError, named, not_found, only_account
from shared.batch.causes import cause_of
from shared.batch.exact_times import as_written, written_status
from shared.batch.model import NodeStatus, Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.batch.texts import clean_status
from shared.batch.wire import decode_status, split_entries
from shared.errors import HostileAnswerError
from shared.messages.events import Origin
from shared.patterns import valid_job_id
from shared.ports import BatchService, ListingOptions, ListingPage, Table
from shared.state.chunks import decode_chunk, records_of
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord, PhaseRecord
from shared.state.rows import chunk_key, from_row, job_key, unpack


class NodeFilter(Struct, frozen=True, kw_only=True):
    """Which nodes are wanted; None lets all through. An outcome without a phase may be of either."""

    phase: Phase | None = None
    outcome: Outcome | None = None

    def wants(self, record: NodeRecord) -> bool:
        """Whether a record is wanted."""
        phases = [self.phase] if self.phase else list(Phase)
        runs = [run for run in map(record.record_of, phases) if run is not None]
        return any(self.outcome is None or outcome_of(run.info) is self.outcome for run in runs)


class NodeLister(Struct, frozen=True, kw_only=True):
    """Lists the nodes of jobs of all accounts."""

    table: Table
    origins: Sequence[Origin]
    batch: Mapping[str, BatchService]

    def list_stored(
        self, job_id: str, account: str | None, wanted: NodeFilter
    ) -> tuple[Origin, JobHead, list[NodeView]]:
        """The nodes as of the last cycle, by pool and node.

        Raises:
            NotFoundError: The job is not known.
            AmbiguousError: Several accounts have one of that id and none was named.
            StoreError: The table can't be read.
        """
        origin, head = self._find(job_id, account)
        records = [record for record in self._records(origin, head) if wanted.wants(record)]
        records.sort(key=lambda record: (record.pool_id.lower(), record.node_id.lower()))
        return origin, head, [node_view(record) for record in records]

    def find_node(
        self, job_id: str, node_id: str, account: str | None, pool: str | None
    ) -> tuple[Origin, JobHead, NodeRecord]:
        """One node as of the last cycle.

        Raises:
            NotFoundError: The job or node is not known.
            AmbiguousError: Several have that id; the account or pool must be named.
            StoreError: The table can't be read.
        """
        origin, head = self._find(job_id, account)
        found = [
            record
            for record in self._records(origin, head)
            if record.node_id.lower() == node_id.lower() and (pool is None or record.pool_id.lower() == pool.lower())
        ]
        if not found:
            raise not_found("node", node_id)
        if len(found) > 1:
            pools = sorted(record.pool_id for record in found)
            raise AmbiguousError(f"Several pools of the job have a node {node_id!r}", target="pool", names=pools)
        return origin, head, found[0]

    def list_live(
        self, job_id: str, account: str | None, options: ListingOptions, link: str | None
    ) -> tuple[ListingPage, list[str]]:
        """One page as Batch answers now, with the caller's own options, and why entries of it can't be read.

        Nothing is stored. `link` is the `odata.nextLink` of the page before. Texts are redacted like stored ones. An
        entry that can't be read is left out, as where jobs are watched.

        Raises:
            NotFoundError: The id is impossible, or no account that was named has such a job.
            AmbiguousError: Several accounts have one of that id and none was named.
            BatchError: What Batch says, to be passed on.
        """
        if not valid_job_id(job_id):
            raise not_found("job", job_id)
        page = self.batch[self._account(job_id, account)].list_status_page(job_id, options, link=link)
        value: list[NodeStatus] = []
        unreadable: list[str] = []
        for entry in split_entries(page.value):
            try:
                value.append(written_status(clean_status(decode_status(entry))))
            except HostileAnswerError as error:
                unreadable.append(error.message)
        return replace(page, value=msgspec.json.encode(value)), unreadable

    def _records(self, origin: Origin, head: JobHead) -> Iterator[NodeRecord]:
        if not head.chunks:
            return
        keys = {chunk_key(head.job_id, head.filed_under, prefix) for prefix in head.chunks}
        for row in self.table.query(origin.partition, min(keys), max(keys) + "\0"):
            if row.key in keys:
                yield from records_of(decode_chunk(unpack(row)))

    def _account(self, job_id: str, account: str | None) -> str:
        if len(self.origins) == 1 and account is None:
            return self.origins[0].partition
        return self._find(job_id, account)[0].partition

    def _find(self, job_id: str, account: str | None) -> tuple[Origin, JobHead]:
        found = [
            (origin, from_row(row, JobHead))
            for origin in named(self.origins, account)
            if valid_job_id(job_id) and (row := self.table.get(origin.partition, job_key(job_id))) is not None
        ]
        only_account([origin for origin, _ in found], "job", job_id)
        return found[0]


def node_view(record: NodeRecord) -> NodeView:
    """A record as answers show it."""
    return NodeView(
        pool_id=record.pool_id,
        node_id=record.node_id,
        node_url=record.node_url,
        open=record.open is not None,
        preparation=_phase_view(record.preparation),
        release=_phase_view(record.release),
    )


def _phase_view(run: PhaseRecord | None) -> PhaseView | None:
    if run is None:
        return None
    outcome = outcome_of(run.info)
    cause = None
    if outcome is Outcome.FAILED:
        code, message = cause_of(run.info)
        cause = CauseTextView(code=code, message=message)
    return PhaseView(
        outcome=outcome, reason=run.reason, event_id=run.event_id, cause=cause, execution=as_written(run.info)
    )
