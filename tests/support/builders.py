"""Small values that tests speak of: runs, statuses, heads, webhooks, answers.

Runs are built in wire form by the simulator's own builders and then read, so that both spell Batch's fields alike.
"""

from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from local.batch_simulator import statuses
from shared.batch.model import BatchJob, ExecutionInfo, FailureInfo, NodeStatus
from shared.changes.node_rules import Watch, decide_node
from shared.changes.tally import NodeUpdate
from shared.messages.events import Origin
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord
from shared.webhook import SendFailure, Webhook, WebhookAnswer

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
CREATED = NOW - timedelta(days=2)
ACCOUNT = "contoso.westeurope.batch.azure.com"
ORIGIN = Origin(
    account=ACCOUNT, url=f"https://{ACCOUNT}", site="prepwatch-site", public_url="https://prepwatch.example.net"
)
SITE = Origin(account=None, url=None, site="prepwatch-site")
BLOB_NOT_FOUND = statuses.Cause(category="usererror", code="BlobNotFound", message="A specified blob is not found.")
EXIT_CODE = statuses.Cause(
    category="usererror", code="FailureExitCode", message="The task exited with an exit code.", exit_code=1
)
DISK_FULL = statuses.Cause(category="servererror", code="DiskFull", message="There is not enough disk space.")


def at(minutes: float) -> datetime:
    """So many minutes after the job was created."""
    return CREATED + timedelta(minutes=minutes)


def running(start: float, *, retries: int = 0) -> ExecutionInfo:
    """A run that goes on."""
    wire = statuses.running("job", statuses.Phase.PREPARATION, start=at(start), retry_count=retries)
    return msgspec.convert(wire, ExecutionInfo)


def succeeded(start: float) -> ExecutionInfo:
    """A run that ended well, a minute after its start."""
    wire = statuses.succeeded("job", statuses.Phase.PREPARATION, start=at(start), end=at(start + 1))
    return msgspec.convert(wire, ExecutionInfo)


def failed(start: float, cause: statuses.Cause = BLOB_NOT_FOUND, *, message: str | None = None) -> ExecutionInfo:
    """A run that ended in failure, a minute after its start; `message` replaces the cause's own."""
    wire = statuses.failed("job", statuses.Phase.PREPARATION, cause, start=at(start), end=at(start + 1))
    info = msgspec.convert(wire, ExecutionInfo)
    if message is None:
        return info
    return replace(info, failure_info=FailureInfo(category="usererror", code=cause.code, message=message))


def status(
    preparation: ExecutionInfo | None = None,
    release: ExecutionInfo | None = None,
    *,
    node_id: str = "tvm-1",
    pool_id: str = "pool",
) -> NodeStatus:
    """What a listing shows of one node."""
    return NodeStatus(
        pool_id=pool_id,
        node_id=node_id,
        node_url=f"https://{ACCOUNT}/pools/{pool_id}/nodes/{node_id}",
        preparation=preparation,
        release=release,
    )


def page(*shown: NodeStatus) -> bytes:
    """The `value` of a listing's page."""
    return msgspec.json.encode(shown)


def record(*seen: NodeStatus, watch: Watch | None = None) -> NodeRecord:
    """What is known of a node after these statuses."""
    known: NodeRecord | None = None
    for shown in seen:
        known, _ = decide_node(known, shown, watch or Watch(announce_from=None))
    assert known is not None
    return known


def update(before: NodeRecord | None, shown: NodeStatus, *, key: str = "pool/tvm-1") -> NodeUpdate:
    """What a status makes of a node that is watched."""
    after, changes = decide_node(before, shown, Watch(announce_from=None))
    return NodeUpdate(key=key, fingerprint=b"d", before=before, after=after, change=changes[0] if changes else None)


def head(**values: object) -> JobHead:
    """The head of an active job."""
    given: dict[str, object] = {
        "job_id": "Job-1",
        "creation_time": CREATED,
        "announce_from": CREATED,
        "first_seen_at": CREATED,
        "state": "active",
    }
    return JobHead(**(given | values))  # type: ignore[arg-type] # tests name fields, JobHead checks none


def batch_job(**values: object) -> BatchJob:
    """What the job listing says of that job."""
    given: dict[str, object] = {"id": "Job-1", "creation_time": CREATED, "state": "active"}
    return BatchJob(**(given | values))  # type: ignore[arg-type] # tests name fields, BatchJob checks none


def webhook(name: str = "ops", webhook_format: str = "cloudevents", **values: object) -> Webhook:
    """A webhook that wants everything."""
    return Webhook(
        name=name,
        format=webhook_format,
        url="https://hooks.example.net/",
        content_type="application/json",
        **values,  # type: ignore[arg-type] # tests name fields, mypy can't match them through a dict
    )


def answer(
    code: int | None = 200,
    *,
    body: bytes = b"",
    failure: SendFailure | None = None,
    retry_after: str | None = None,
) -> WebhookAnswer:
    """What a receiver answered; `code` None when it did not."""
    return WebhookAnswer(
        status=code,
        failure=failure,
        reason="as the sender says",
        retry_after=retry_after,
        body=body,
        duration=timedelta(milliseconds=20),
    )
