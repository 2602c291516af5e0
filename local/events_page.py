"""The parts of docs/events.md that are made from the code: `python -m local.events_page` writes them anew.

Owns the examples. Does not own the prose around them. A part stands behind the line `<!-- made: NAME -->`.
"""

import json
import re
import sys
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, FailureInfo, NodeStatus, Phase
from shared.batch.pool_model import ComputeNode, ImageReference, StartTaskInfo, VirtualMachineInfo
from shared.changes.node_rules import Watch, decide_node
from shared.delivery.answer_rules import SCHEDULE
from shared.messages.events import Event, EventType, account_event, trouble_data, webhook_event
from shared.messages.format import Message
from shared.messages.format_table import render
from shared.messages.job_events import closed_event, job_event, nodes_event, resumed_event, standstill_data
from shared.messages.node_entries import node_entry
from shared.messages.pool_events import pool_events
from shared.messages.signing import decode_secret
from shared.pools.nodes import Seen, decide_nodes
from shared.state.chains import Chain
from shared.state.jobs import JobEnd, JobHead, PhaseCounts, Trouble
from shared.state.nodes import Change, NodeRecord, PhaseRecord, Reason
from shared.state.pools import NodeChange, NodeEnd, PoolRecord, Standstill, StandstillCause, StandstillReason
from shared.webhook import EVENT_TYPE_PREFIX
from tests.support.builders import (
    BLOB_NOT_FOUND,
    CREATED,
    DISK_FULL,
    NOW,
    ORIGIN,
    SITE,
    at,
    failed,
    head,
    running,
    status,
    succeeded,
    webhook,
)

PAGE = Path(__file__).parents[1] / "docs" / "events.md"
SECRET = "whsec_" + "ZG9jcy1leGFtcGxlLW9ubHktbm90LWEtc2VjcmV0ISE="
_PART = re.compile(r"(?<=<!-- made: )(?P<name>[a-z.]+) -->\n(?P<text>```.*?```|\|.*?\n)(?=\n|$)", re.DOTALL)


def examples() -> dict[EventType, Event]:
    """One event of each type, made by the code that makes the real ones."""
    ran = _in_full(failed(1, BLOB_NOT_FOUND))
    job = head(
        nodes=3,
        preparation=PhaseCounts(succeeded=2, failed=1, open=1),
        preparation_failed_ever=1,
        pool_id="pool",
    )
    well = replace(job, preparation=PhaseCounts(succeeded=3), preparation_failed_ever=1)
    ended = replace(job, preparation=PhaseCounts(succeeded=3), release=PhaseCounts(succeeded=2, failed=1))
    stuck = replace(job, preparation=PhaseCounts(failed=3, open=3), preparation_failed_ever=3)
    standstill = Standstill(
        since=NOW,
        confirmed=True,
        reason=StandstillReason.START_TASK_FAILED,
        pool_id="pool",
        cause=StandstillCause(code="BlobNotFound", message="One of the specified Azure Blob(s) is not found."),
        tasks=190,
        by_state={"starttaskfailed": 12},
    )
    trouble = Trouble(
        code="InternalError",
        message="The server encountered an internal error. Please retry the request.",
        since=NOW,
        request_id="4f3a1b4e-3f0e-4c0a-9a4b-6b7f2c1d5e60",
        values=(("Reason", "Busy"),),
    )
    denied = replace(
        trouble, code="AuthenticationFailed", message="Server failed to authenticate the request.", values=()
    )
    seen, again = status(ran), status(succeeded(40))
    told = {
        EventType.PREPARATION_FAILED: _of(job, Phase.PREPARATION, seen),
        EventType.PREPARATION_SLOW: _slow(replace(job, preparation=PhaseCounts(running=1, succeeded=2, slow=1))),
        EventType.PREPARATION_RESOLVED: _of(well, Phase.PREPARATION, seen, again),
        EventType.RELEASE_FAILED: _of(ended, Phase.RELEASE, status(succeeded(1), _in_full(failed(90, DISK_FULL)))),
        EventType.NODE_FAILED: _of_pool(),
        EventType.NODE_RECOVERED: _of_pool(end=NodeEnd.RECOVERED),
        EventType.JOB_STUCK: job_event(
            ORIGIN,
            stuck,
            EventType.JOB_STUCK,
            NOW,
            NOW + timedelta(minutes=5),
            **standstill_data(stuck, standstill),
        ),
        EventType.JOB_RESUMED: resumed_event(ORIGIN, well, NOW, None, NOW + timedelta(hours=1)),
        EventType.JOB_UNREACHABLE: job_event(
            ORIGIN, job, EventType.JOB_UNREACHABLE, NOW, NOW + timedelta(minutes=2), error=trouble_data(trouble)
        ),
        EventType.JOB_REACHABLE: job_event(ORIGIN, job, EventType.JOB_REACHABLE, NOW, NOW + timedelta(minutes=9)),
        EventType.JOB_GONE: job_event(ORIGIN, replace(job, preparation=PhaseCounts()), EventType.JOB_GONE, NOW, NOW),
        EventType.ACCOUNT_UNREACHABLE: account_event(
            ORIGIN, EventType.ACCOUNT_UNREACHABLE, NOW, NOW, error=trouble_data(denied)
        ),
        EventType.ACCOUNT_REACHABLE: account_event(
            ORIGIN, EventType.ACCOUNT_REACHABLE, NOW, NOW + timedelta(minutes=20)
        ),
    }
    reasons = {
        EventType.WEBHOOK_FAILING: "status 502",
        EventType.WEBHOOK_RECOVERED: "it takes messages",
        EventType.WEBHOOK_DISABLED: "status 410: the receiver is gone for good",
        EventType.WEBHOOK_ENABLED: "enabled by request",
    }
    site = replace(SITE, public_url=ORIGIN.public_url)
    for kind, reason in reasons.items():
        said: dict[str, object] = {"byRequest": False} if kind is EventType.WEBHOOK_DISABLED else {}
        if kind is EventType.WEBHOOK_FAILING:
            said["status"] = 502
        waits = {"eventsWaiting": 6, "givenUp": 0}
        told[kind] = webhook_event(site, kind, "oncall", NOW, NOW, reason=reason, **said, **waits)
    told[EventType.PING] = webhook_event(site, EventType.PING, "oncall", NOW, NOW)
    return told


def closed_example() -> Event:
    """`preparation.resolved` of a job that ended with open failures."""
    job = head(nodes=3, preparation=PhaseCounts(succeeded=2, failed=1, open=1), state="terminating")
    return closed_event(ORIGIN, job, JobEnd.ENDED, NOW, NOW)


def parts() -> dict[str, str]:
    """Every part of the page by name."""
    made = {kind.removeprefix(EVENT_TYPE_PREFIX): _json(event.body) for kind, event in examples().items()}
    made["closed"] = _json(closed_example().body)
    made["headers"] = _request(examples()[EventType.PREPARATION_FAILED])
    made["schedule"] = "| " + " | ".join(_words(wait) for wait in SCHEDULE) + " |\n"
    return made


def parts_of(page: str) -> dict[str, str]:
    """The parts as they stand in a page."""
    return {found["name"]: found["text"] for found in _PART.finditer(page)}


def written_anew(page: str) -> str:
    """The page with all its parts made anew."""
    made = parts()
    return _PART.sub(lambda found: f"{found['name']} -->\n{made[found['name']]}", page)


def _of_pool(end: NodeEnd | None = None) -> Event:
    """What is told of a node whose start task has failed, or of its end."""
    began = NOW - timedelta(minutes=1)
    node = ComputeNode(
        id="tvm-1695681911_2-20261103t115000z",
        url=f"{ORIGIN.url}/pools/pool/nodes/tvm-1695681911_2-20261103t115000z",
        state="starttaskfailed",
        scheduling_state="enabled",
        state_transition_time=began,
        allocation_time=NOW - timedelta(minutes=10),
        vm_size="standard_d2s_v3",
        is_dedicated=True,
        start_task_info=StartTaskInfo(
            state="completed",
            start_time=began - timedelta(seconds=50),
            end_time=began,
            exit_code=1,
            retry_count=0,
            result="failure",
            failure_info=FailureInfo(category="userError", code="FailureExitCode", message="The task exited with 1"),
        ),
        virtual_machine_info=VirtualMachineInfo(image_reference=ImageReference(offer="ubuntu-hpc", sku="2204")),
    )
    record = PoolRecord(pool_id="pool", announce_from=began)
    record, changes = decide_nodes(ORIGIN.partition, record, Seen(nodes=[node]), NOW)
    (known,) = [change.known for change in changes]
    told = NodeChange(
        known=known,
        listed=node,
        stderr_tail="mount error(13): Permission denied\n",
        stdout_tail="mounting //contoso/tools\n",
    )
    if end is not None:
        told = NodeChange(known=replace(known, ended_at=NOW + timedelta(minutes=20)), end=end)
    ((event, _),) = pool_events(
        ORIGIN,
        "pool",
        [told],
        jobs=frozenset(),
        by_state={"idle": 2, "starttaskfailed": 1} if end is None else {"idle": 3},
        unable=1 if end is None else 0,
        max_nodes=25,
        now=NOW if end is None else NOW + timedelta(minutes=20),
    )
    return event


def _of(job: JobHead, phase: Phase, *shown: NodeStatus) -> Event:
    known: NodeRecord | None = None
    changes: tuple[Change, ...] = ()
    for one in shown:
        known, changes = decide_node(known, one, Watch(announce_from=None))
    told = [change for change in changes if change.phase is phase]
    return nodes_event(ORIGIN, job, told, [node_entry(ORIGIN, job, change) for change in told], at(100))


def _slow(job: JobHead) -> Event:
    run = _in_full(running(1))
    chain = Chain(since=run.start_time, slow=True)
    node = NodeRecord(pool_id="pool", node_id="tvm-1", node_url=status(run).node_url, preparation=PhaseRecord(info=run))
    change = Change(phase=Phase.PREPARATION, reason=Reason.SLOW, node=node, occurrence=run, chain=chain, at=at(61))
    return nodes_event(ORIGIN, job, [change], [node_entry(ORIGIN, job, change)], at(61))


def _in_full(run: ExecutionInfo) -> ExecutionInfo:
    return replace(
        run,
        task_root_directory="workitems/Job-1/job-1/jobpreparation",
        task_root_directory_url=f"{ORIGIN.url}/pools/pool/nodes/tvm-1/files/workitems/Job-1/job-1/jobpreparation",
    )


def _json(body: bytes) -> str:
    return f"```json\n{json.dumps(json.loads(body), indent=2)}\n```"


def _request(event: Event) -> str:
    secrets = (decode_secret(SECRET),)
    receiver = replace(webhook(secrets=secrets), content_type="application/cloudevents+json")
    request = render(receiver, Message(id=event.id, body=event.body), CREATED + timedelta(minutes=3))
    lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "```http\n" + "\n".join(lines) + f"\n\n{event.body.decode()}\n```"


def _words(wait: timedelta) -> str:
    if not wait:
        return "at once"
    minutes = wait // timedelta(minutes=1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"


def main() -> int:
    """Write the page."""
    PAGE.write_text(written_anew(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
