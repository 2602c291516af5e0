"""A job of more chunks than a transaction has rows."""

from datetime import UTC, datetime

from shared.changes.layout import plan_layout
from shared.changes.slicing import Capacity, plan_slices
from shared.ports import MAX_ROWS
from shared.state.chunks import decode_chunk, first_prefixes
from shared.state.jobs import JobHead

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)


def test_a_head_names_only_chunks_that_are_written() -> None:
    """At the first sight of 100,000 nodes every slice fits a transaction, and no head names a row that is not there."""
    known = JobHead(job_id="job-1")
    head = JobHead(job_id="job-1", chunks=first_prefixes(100_000))
    layout = plan_layout(known, head, {prefix: {} for prefix in head.chunks}, ())
    capacity = Capacity(rows_of=lambda _event: 1, spare_rows=0, now=NOW)

    slices = plan_slices(layout, (), (b"page",), (), capacity)

    written: dict[str, bytes] = {}
    for step in slices:
        written |= step.chunks
        assert 1 + len(step.chunks) <= MAX_ROWS
        assert set(step.head.chunks) <= set(written)
    assert set(written) == set(head.chunks)
    assert {content for prefix in written for content in decode_chunk(written[prefix])} == set()
    assert slices[-1].head.page_fingerprints == (b"page",)
