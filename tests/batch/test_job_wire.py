"""What Batch answers about jobs, read into values."""

from datetime import UTC, datetime

import msgspec
import pytest

from shared.batch.job_wire import decode_job, decode_jobs, decode_task_counts
from shared.batch.model import BatchJob, JobExecutionInfo, JobPreparationTask, TaskCounts, UnreadableJob
from shared.errors import HostileAnswerError


def test_jobs_are_read() -> None:
    """Identity, state, times, where and why a job ended, and whether its preparation must succeed."""
    value = msgspec.Raw(
        b'[{"id":"Sched:job-1","state":"completed","creationTime":"2026-01-02T03:04:05.1234567",'
        b'"stateTransitionTime":"2026-01-02T05:04:05+02:00","url":"https://x","priority":0,'
        b'"executionInfo":{"poolId":"p","startTime":"2026-01-02T03:04:05Z","endTime":"2026-01-02T03:04:06Z",'
        b'"terminateReason":"done sig=canary\\u0007"},'
        b'"jobPreparationTask":{"id":"jobpreparation","waitForSuccess":false}},{"id":"b"}]'
    )

    assert decode_jobs(value) == (
        BatchJob(
            id="Sched:job-1",
            state="completed",
            creation_time=datetime(2026, 1, 2, 3, 4, 5, 123457, tzinfo=UTC),
            creation_digits="1234567",
            state_transition_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            execution_info=JobExecutionInfo(
                pool_id="p",
                end_time=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
                terminate_reason="done sig=[redacted]",
            ),
            job_preparation_task=JobPreparationTask(wait_for_success=False),
        ),
        BatchJob(id="b"),
    )
    assert decode_job(b'{"id":"b","jobPreparationTask":{}}').job_preparation_task == JobPreparationTask()


@pytest.mark.parametrize("job", [b"{}", b'{"id":""}', b'{"id":"a/b"}', b'{"id":"a\\u0000"}', b'{"id":5}', b"[]", b""])
def test_a_job_without_a_usable_id_is_hostile(job: bytes) -> None:
    """A job id becomes a key and a path, so it has to be one."""
    with pytest.raises(HostileAnswerError):
        decode_job(job)


COUNTS = {
    "nested": b'{"taskCounts":{"active":1,"running":2,"completed":7,"succeeded":4,"failed":3},"taskSlotCounts":{}}',
    "flat": b'{"active":1,"running":2,"completed":7,"succeeded":4,"failed":3,"validationStatus":"validated"}',
}


@pytest.mark.parametrize("body", COUNTS.values(), ids=COUNTS.keys())
def test_task_counts_are_read_in_both_forms(body: bytes) -> None:
    """The nested form of today and the flat one of older versions mean the same."""
    assert decode_task_counts(body) == TaskCounts(active=1, running=2, completed=7, succeeded=4, failed=3)


@pytest.mark.parametrize(
    "body",
    [
        b'{"active":1000000000000000000000000}',
        b"{}",
        b'{"taskCounts":{}}',
        b'{"taskCounts":5}',
        b'{"active":-5,"running":3}',
        b'{"taskCounts":{"active":"1"}}',
        b"[]",
    ],
)
def test_counts_of_another_shape_are_hostile(body: bytes) -> None:
    """No counts are never taken for zero tasks."""
    with pytest.raises(HostileAnswerError):
        decode_task_counts(body)


ODD_JOBS = {
    "a state that is none": (b'{"id":"odd","state":[]}', "odd"),
    "a time that is none": (b'{"id":"odd","creationTime":"yesterday"}', "odd"),
    "a text in the place of an object": (b'{"id":"odd","executionInfo":"x"}', "odd"),
    "no object": (b"7", ""),
    "no id": (b'{"state":"active"}', ""),
    "an id of another type": (b'{"id":{"a":1}}', ""),
    "an id that can be none": (b'{"id":"a/b"}', ""),
    "no JSON": (b"nul", ""),
    "too deep": (b'{"id":"odd","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", ""),
}


@pytest.mark.parametrize(("entry", "job_id"), ODD_JOBS.values(), ids=ODD_JOBS.keys())
def test_an_odd_job_leaves_the_others_of_its_page(entry: bytes, job_id: str) -> None:
    """A job that can't be read stands there with the reason, and with its id if that can be; the others are read."""
    first, odd, last = decode_jobs(b'[{"id":"a"},%b,{"id":"b"}]' % entry)

    assert (first, last) == (BatchJob(id="a"), BatchJob(id="b"))
    assert isinstance(odd, UnreadableJob)
    assert odd.id == job_id
    assert odd.why.startswith(("Batch's answer is not a job: ", "A job has no usable id"))


def test_texts_and_times_of_a_job_are_mended() -> None:
    """Half a surrogate pair costs a character, and a time in another spelling is that time."""
    (job,) = decode_jobs(
        rb'[{"id":"a","state":"act\ud83dive","creationTime":"Fri, 02 Jan 2026 03:04:05 GMT","stateTransitionTime":""}]'
    )

    assert job == BatchJob(id="a", state="act\ufffdive", creation_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
