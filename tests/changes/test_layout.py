"""Which chunks a job's nodes come to lie in."""

import pytest
from msgspec.structs import replace

from shared.state import chunks
from shared.state.chunks import decode_chunk
from tests.polling.pipeline import StoredJob, noise
from tests.support.builders import failed, status, succeeded


def test_splits_come_first_and_tell_nothing() -> None:
    """A stored chunk that fills up is split by transactions that change and tell nothing else."""
    job = StoredJob()
    job.show(*(status(succeeded(0), node_id=f"tvm-{number}") for number in range(50)))
    before = job.head
    slices = job.plan([status(failed(10, message=noise(number)), node_id=f"tvm-{number}") for number in range(200)])
    splits = [step for step in slices if step.dropped]

    assert splits
    assert tuple(splits) == slices[: len(splits)]
    for step in splits:
        assert step.events == ()
        assert step.head == replace(before, page_fingerprints=None, chunks=step.head.chunks)
        parts = {key for content in step.chunks.values() for key in decode_chunk(content)}
        assert len(parts) == 50


def test_more_chunks_than_one_transaction_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that needs hundreds of chunks at first sight begins with few, and splits them before anything is told."""
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 8 * 1024)
    job = StoredJob(receivers=20)
    slices = job.plan([status(failed(0, message=noise(number)), node_id=f"tvm-{number}") for number in range(500)])
    first = next(index for index, step in enumerate(slices) if step.events)

    assert len(slices[first].head.chunks) > 200
    for number, step in enumerate(slices):
        assert (step.head.nodes == 0) is (number < first)
        job.write(step)
        job.assert_true()
