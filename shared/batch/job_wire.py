"""Reads what Batch answers about jobs into the values of `batch.model`.

Owns the shapes on the wire. Does not own statuses (`batch.wire`), nor what a job's state means (`polling.job_rules`).
"""

import re
from collections.abc import Sequence
from typing import Final, cast

import msgspec
from msgspec import Raw, Struct, field, structs

from shared.batch.exact_times import digits_of
from shared.batch.lenient_json import in_utc, mended, read, read_entry
from shared.batch.model import BatchJob, TaskCounts, UnreadableJob
from shared.batch.texts import clean_word
from shared.batch.wire import NUMBERS, split_entries
from shared.decoding import UNDECODABLE
from shared.errors import HostileAnswerError


class _Counts(Struct, frozen=True):
    active: int | None = None
    running: int | None = None
    completed: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class _TaskCountsAnswer(_Counts, frozen=True):
    """Get Task Counts: nested since 2018, flat before."""

    nested: _Counts | None = field(default=None, name="taskCounts")


class _Texts(Struct, frozen=True, rename="camel"):
    creation_time: str | None = None


# Wider than documented (schedules put a colon in), but nothing that a table key or a path can't hold.
_JOB_ID: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f/\\#?]{1,128}")
_JOBS: Final = msgspec.json.Decoder(list[BatchJob])
_JOB: Final = msgspec.json.Decoder(BatchJob)
_TEXTS: Final = msgspec.json.Decoder(_Texts)
_ALL_TEXTS: Final = msgspec.json.Decoder(list[_Texts])
_COUNTS: Final = msgspec.json.Decoder(_TaskCountsAnswer)


def decode_jobs(value: Raw | bytes) -> Sequence[BatchJob]:
    """The jobs of a page's `value`; one that can't be read becomes an `UnreadableJob`.

    Raises:
        HostileAnswerError: Not a JSON array.
    """
    try:
        jobs = tuple(_checked(job) for job in _JOBS.decode(value))
    except (*UNDECODABLE, HostileAnswerError):
        return tuple(map(_job_or_unreadable, split_entries(bytes(value), "a list of jobs")))
    return tuple(map(_with_digits, jobs, _ALL_TEXTS.decode(value)))


def _job_or_unreadable(entry: Raw) -> BatchJob:
    try:
        return decode_job(entry)
    except HostileAnswerError as error:
        return UnreadableJob(id=_id_of(entry), why=error.message)


def _id_of(entry: Raw) -> str:
    try:
        found = mended(bytes(entry))
    except (ValueError, RecursionError):
        return ""
    job_id = cast("dict[str, object]", found).get("id") if isinstance(found, dict) else None
    return job_id if isinstance(job_id, str) and _JOB_ID.fullmatch(job_id) else ""


def decode_job(body: bytes | Raw) -> BatchJob:
    """One job.

    Raises:
        HostileAnswerError: A field has another type, or the id is missing or can't be one.
    """
    job = _checked(read_entry(_JOB, body, "a job"))
    try:
        return _with_digits(job, _TEXTS.decode(body))
    except UNDECODABLE:  # its time had to be mended
        return job


def decode_task_counts(body: bytes) -> TaskCounts:
    """The job's tasks by state, in the nested form or the flat one of older versions; a missing count is 0.

    Raises:
        HostileAnswerError: A field has another type or is out of range, or neither form is there.
    """
    answer = read(_COUNTS.decode, body, "task counts")
    counts = answer.nested or answer
    if counts.active is None and counts.running is None:
        raise HostileAnswerError("InvalidAnswer", "Batch's answer is not task counts: neither `active` nor `running`")
    numbers = (counts.active, counts.running, counts.completed, counts.succeeded, counts.failed)
    if any(number is not None and not 0 <= number <= NUMBERS[-1] for number in numbers):
        raise HostileAnswerError("InvalidAnswer", "Batch's answer is not task counts: a number is out of range")
    return TaskCounts(
        active=counts.active or 0,
        running=counts.running or 0,
        completed=counts.completed or 0,
        succeeded=counts.succeeded or 0,
        failed=counts.failed or 0,
    )


def _with_digits(job: BatchJob, texts: _Texts) -> BatchJob:
    digits = digits_of(texts.creation_time) if job.creation_time is not None else ""
    return structs.replace(job, creation_digits=digits) if digits != job.creation_digits else job


def _checked(job: BatchJob) -> BatchJob:
    if not _JOB_ID.fullmatch(job.id):
        raise HostileAnswerError("InvalidAnswer", "A job has no usable id - at `$.id`")
    execution = job.execution_info
    return structs.replace(
        job,
        state=clean_word(job.state),
        creation_time=in_utc(job.creation_time),
        state_transition_time=in_utc(job.state_transition_time),
        execution_info=execution
        and structs.replace(
            execution,
            pool_id=clean_word(execution.pool_id),
            end_time=in_utc(execution.end_time),
            terminate_reason=clean_word(execution.terminate_reason),
        ),
    )
