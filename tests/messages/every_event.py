"""An event of every type, and of every way to make one."""

from collections.abc import Callable, Mapping
from functools import cache, partial

import msgspec
from msgspec.structs import replace

from shared.batch.model import ContainerInfo, ExecutionInfo, FailureInfo, NameValuePair, NodeStatus, Phase
from shared.batch.pool_wire import decode_nodes
from shared.batch.texts import clean_status
from shared.changes.node_rules import Watch, decide_node
from shared.messages.events import Event, EventType, account_event, trouble_data, webhook_event
from shared.messages.job_events import closed_event, job_event, nodes_event, resumed_event
from shared.messages.node_entries import node_entry
from shared.messages.pool_events import pool_events
from shared.pools.nodes import Seen, decide_nodes
from shared.state.chains import Chain
from shared.state.jobs import JobEnd, JobHead, Trouble
from shared.state.nodes import Change, NodeRecord, PhaseRecord, Reason
from shared.state.pools import NodeChange, NodeEnd, PoolRecord, StandstillEnd
from tests.support.builders import DISK_FULL, EXIT_CODE, NOW, ORIGIN, SITE, at, failed, head, running, status, succeeded

TROUBLE = Trouble(code="ServerBusy", message="Busy.", since=NOW, request_id="r", values=(("Reason", "x"),))


def changes_of(*seen: NodeStatus) -> tuple[Change, ...]:
    """What the last of these statuses of a node changes."""
    known = None
    changes: tuple[Change, ...] = ()
    for shown in seen:
        known, changes = decide_node(known, clean_status(shown), Watch(announce_from=None))
    return changes


def _told(*changes: Change, job: JobHead | None = None) -> Event:
    """The event that tells changes of one type."""
    job = job or head()
    entries = [node_entry(ORIGIN, job, change) for change in changes]
    return nodes_event(ORIGIN, job, changes, entries, NOW)


def event_of(phase: Phase, *seen: NodeStatus, job: JobHead | None = None) -> Event:
    """The event of what the last of these statuses changes in a phase."""
    return _told(*(change for change in changes_of(*seen) if change.phase is phase), job=job)


def full(text: str) -> ExecutionInfo:
    """A failed run whose every text is this one."""
    pair = NameValuePair(name=text, value=text)
    return replace(
        failed(0),
        result=text,
        exit_code=-9,
        retry_count=2,
        last_retry_time=at(0),
        failure_info=FailureInfo(category=text, code=text, message=text, details=(pair,) * 100),
        container_info=ContainerInfo(container_id=text, state=text, error=text),
        task_root_directory=text,
        task_root_directory_url=text,
    )


HOSTILE = {
    "quotes": '"' * 100_000,
    "backslashes": "\\" * 100_000,
    "line feeds": "\n\t" * 50_000,
    "emoji": "\U0001f600" * 100_000,
    "controls": "\x00\x1b\u202e" * 30_000,
    "markup": "</script><!here>&" * 9_000,
    "lone surrogates": "\ud800" * 100_000,
}
WAITS: Mapping[str, object] = {"eventsWaiting": 6, "jobsWaiting": 2, "givenUp": 1}
_JOB_EVENTS: Mapping[EventType, dict[str, object]] = {
    EventType.JOB_STUCK: {},
    EventType.JOB_UNREACHABLE: {"error": trouble_data(TROUBLE)},
    EventType.JOB_REACHABLE: {},
    EventType.JOB_GONE: {},
}


def _slow() -> Event:
    node = NodeRecord(pool_id="pool", node_id="tvm-1", preparation=PhaseRecord(info=running(0)))
    chain = Chain(since=NOW, slow=True)
    change = Change(phase=Phase.PREPARATION, reason=Reason.SLOW, node=node, occurrence=running(0), chain=chain, at=NOW)
    return nodes_event(ORIGIN, head(), [change], [node_entry(ORIGIN, head(), change)], NOW)


def _closed(end: JobEnd) -> Event:
    failing = head(preparation_failed_ever=1)
    return closed_event(ORIGIN, failing, end, NOW, NOW)


def _of_node(end: NodeEnd | None = None, **said: object) -> Event:
    """What is told of a node of a pool of which Batch says this, or of its end."""
    listed = {"id": "n", "state": "starttaskfailed", "stateTransitionTime": "2026-11-03T11:00:00Z", **said}
    (node,) = decode_nodes(msgspec.json.encode([listed]))
    record = PoolRecord(pool_id="pool", announce_from=at(-10_000_000))
    known = decide_nodes("account", record, Seen(nodes=[node]), NOW)[0].nodes["n"]
    told = NodeChange(known=known, listed=node)
    if end is not None:
        told = NodeChange(known=replace(known, ended_at=NOW), end=end)
    ((event, _),) = pool_events(
        ORIGIN, "pool", [told], jobs=frozenset(), by_state={"idle": 1}, unable=1, max_nodes=25, now=NOW
    )
    return event


EVENTS: Mapping[str, Callable[[], Event]] = {
    "node failed": _of_node,
    "node failed, everything said": partial(
        _of_node,
        url="https://a.example/n",
        errors=[{"code": "DiskFull", "message": "full", "errorDetails": [{"name": "Message", "value": "full"}]}],
        startTaskInfo={"state": "completed", "exitCode": 1, "result": "failure", "failureInfo": {"code": "X"}},
        recentTasks=[{"jobId": "j", "executionInfo": {"state": "completed"}}],
        virtualMachineInfo={"imageReference": {"offer": "o"}},
    ),
    "node failed, far too much said": partial(_of_node, errors=[{"code": "X", "message": "m" * 4000}] * 50),
    **{f"node {end.value}": partial(_of_node, end) for end in NodeEnd},
    "failed": partial(event_of, Phase.PREPARATION, status(failed(0))),
    "failed with an exit code": partial(event_of, Phase.PREPARATION, status(failed(0, EXIT_CODE))),
    "failed, nothing said": partial(
        event_of,
        Phase.PREPARATION,
        NodeStatus(node_id="n", preparation=ExecutionInfo(state="completed", result="failure")),
    ),
    "failed, everything said": partial(event_of, Phase.PREPARATION, status(full("x"))),
    "failed, no incarnation": partial(
        event_of, Phase.PREPARATION, status(failed(0)), job=head(creation_time=None, state=None)
    ),
    "release failed": partial(event_of, Phase.RELEASE, status(None, failed(0, DISK_FULL))),
    "slow": _slow,
    "resolved": partial(event_of, Phase.PREPARATION, status(failed(0)), status(running(9)), status(succeeded(9))),
    "resolved, failed we do not know when": partial(
        event_of, Phase.PREPARATION, status(replace(failed(0), start_time=None, end_time=None)), status(succeeded(9))
    ),
    **{f"closed: {end.value}": partial(_closed, end) for end in JobEnd},
    **{
        f"resumed: {end.value if end else 'it moves'}": partial(resumed_event, ORIGIN, head(), NOW, end, NOW)
        for end in (None, *StandstillEnd)
    },
    **{kind.value: partial(job_event, ORIGIN, head(), kind, NOW, NOW, **data) for kind, data in _JOB_EVENTS.items()},
    "account.unreachable": partial(
        account_event,
        ORIGIN,
        EventType.ACCOUNT_UNREACHABLE,
        NOW,
        NOW,
        error=trouble_data(replace(TROUBLE, request_id=None)),
    ),
    "account.reachable": partial(account_event, ORIGIN, EventType.ACCOUNT_REACHABLE, NOW, NOW),
    **{
        kind.value: partial(webhook_event, SITE, kind, "ops", NOW, NOW, reason="status 500", **WAITS)
        for kind in (EventType.WEBHOOK_FAILING, EventType.WEBHOOK_RECOVERED, EventType.WEBHOOK_ENABLED)
    },
    "webhook.failing, with a status": partial(
        webhook_event, SITE, EventType.WEBHOOK_FAILING, "ops", NOW, NOW, reason="status 500", status=500
    ),
    "webhook.disabled": partial(
        webhook_event, SITE, EventType.WEBHOOK_DISABLED, "ops", NOW, NOW, reason="status 410", byRequest=False
    ),
    "ping": partial(webhook_event, SITE, EventType.PING, "ops", NOW, NOW),
    **{f"hostile: {name}": partial(event_of, Phase.PREPARATION, status(full(text))) for name, text in HOSTILE.items()},
}
"""What makes each: some take a while, and most tests need but one."""


@cache
def event_named(name: str) -> Event:
    """One of them."""
    return EVENTS[name]()
