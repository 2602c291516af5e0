"""The values that Batch reports, under Batch's own names.

Owns the shapes of jobs, nodes and executions. Does not own what they mean (`batch.outcomes`) or where they are kept
(`state.jobs`, `state.nodes`). Every type is a frozen msgspec struct whose encoded names are the wire names of the
operation *Job - List Preparation And Release Task Status*, so that a listing, a stored row and an answer of ours spell
a field the same way. Only identities are ever required: Batch leaves fields out, and adds new ones.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

STDERR, STDOUT = "stderr.txt", "stdout.txt"
"""The files on a node to which Batch writes what a task prints, in the task's directory."""


class Phase(StrEnum):
    """Which of a job's two special tasks is meant."""

    PREPARATION = "preparation"
    RELEASE = "release"


class Outcome(StrEnum):
    """What a phase has come to on one node; `unknown` is any state or result that this version does not know."""

    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ContainerInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """TaskContainerExecutionInformation."""

    container_id: str | None = None
    state: str | None = None
    error: str | None = None


class NameValuePair(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """NameValuePair."""

    name: str | None = None
    value: str | None = None


class FailureInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """TaskFailureInformation; `code` is an open string."""

    category: str | None = None
    code: str | None = None
    message: str | None = None
    details: tuple[NameValuePair, ...] | None = None


class ExecutionInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """JobPreparationTaskExecutionInformation, and JobReleaseTaskExecutionInformation, which lacks the retries.

    `start_time` is when the task last started on the node and so tells one run from the next. `digits` are those of the
    fractions of the three times as Batch wrote them, each empty where six say it all, None where they do for all three.
    """

    start_time: datetime | None = None
    end_time: datetime | None = None
    state: str | None = None
    result: str | None = None
    exit_code: int | None = None
    retry_count: int | None = None
    last_retry_time: datetime | None = None
    failure_info: FailureInfo | None = None
    container_info: ContainerInfo | None = None
    task_root_directory: str | None = None
    task_root_directory_url: str | None = None
    digits: tuple[str, str, str] | None = field(default=None, name="-digits")


class NodeStatus(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """JobPreparationAndReleaseTaskExecutionInformation: both phases of a job on one node."""

    pool_id: str | None = None
    node_id: str | None = None
    node_url: str | None = None
    preparation: ExecutionInfo | None = field(default=None, name="jobPreparationTaskExecutionInfo")
    release: ExecutionInfo | None = field(default=None, name="jobReleaseTaskExecutionInfo")


class JobPreparationTask(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What matters here of a job's preparation task; a `wait_for_success` that is not given means true."""

    wait_for_success: bool | None = None


class JobManagerTask(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What matters here of a job's manager: the task of this id holds its node as long as the job goes on."""

    id: str | None = None


class JobExecutionInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """JobExecutionInformation, as far as it tells where and why a job ran and ended."""

    pool_id: str | None = None
    end_time: datetime | None = None
    terminate_reason: str | None = None


class BatchJob(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """CloudJob, as far as `$select` asked for it; `creation_time` tells an incarnation from the next.

    `creation_digits` are those of its second's fraction as Batch wrote them, `""` where the time says all of them.
    """

    id: str
    state: str | None = None
    creation_time: datetime | None = None
    state_transition_time: datetime | None = None
    execution_info: JobExecutionInfo | None = None
    job_preparation_task: JobPreparationTask | None = None
    job_manager_task: JobManagerTask | None = None
    creation_digits: str = ""


UNREADABLE = "UnreadableEntries"
"""The code of the error that says that some of a listing can't be read, while all else of it is."""


class UnreadableJob(BatchJob, frozen=True, kw_only=True):
    """An entry of a job listing of which only the id can be read, `""` if not even that; `why` names what can't."""

    why: str


class TaskCounts(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """TaskCounts of Get Task Counts: tasks by state."""

    active: int = 0
    running: int = 0
    completed: int = 0
    succeeded: int = 0
    failed: int = 0
