"""What receivers are told."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not worth a dependency
import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.batch.model import ContainerInfo, ExecutionInfo, FailureInfo, NameValuePair, NodeStatus, Phase
from shared.batch.pool_wire import decode_nodes
from shared.batch.texts import clean_status
from shared.changes.node_rules import Watch, decide_node
from shared.messages.events import Event, EventType, account_event, trouble_data, webhook_event
from shared.messages.ids import event_id
from shared.messages.job_events import change_type, closed_event, job_event, nodes_event
from shared.messages.node_entries import HARD_BYTES, node_entry
from shared.messages.pool_events import ToldNode, pool_events
from shared.pools.nodes import NodeEnd, Seen, decide_nodes
from shared.state.chains import Chain
from shared.state.jobs import Change, JobEnd, JobHead, NodeRecord, PhaseRecord, Reason, Trouble
from shared.state.pools import PoolRecord
from tests.polling.pipeline import body_of
from tests.support.builders import (
    ACCOUNT,
    CREATED,
    DISK_FULL,
    EXIT_CODE,
    NOW,
    ORIGIN,
    SITE,
    at,
    failed,
    head,
    running,
    status,
    succeeded,
)

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
TROUBLE = Trouble(code="ServerBusy", message="Busy.", since=NOW, request_id="r", values=(("Reason", "x"),))


def _changes(*seen: NodeStatus) -> tuple[Change, ...]:
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


def _of(phase: Phase, *seen: NodeStatus, job: JobHead | None = None) -> Event:
    return _told(*(change for change in _changes(*seen) if change.phase is phase), job=job)


def _full(text: str) -> ExecutionInfo:
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


_HOSTILE = {
    "quotes": '"' * 100_000,
    "backslashes": "\\" * 100_000,
    "line feeds": "\n\t" * 50_000,
    "emoji": "\U0001f600" * 100_000,
    "controls": "\x00\x1b\u202e" * 30_000,
    "markup": "</script><!here>&" * 9_000,
    "lone surrogates": "\ud800" * 100_000,
}

_JOB_EVENTS: Mapping[EventType, dict[str, object]] = {
    EventType.JOB_STUCK: {},
    EventType.JOB_RESUMED: {},
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
    told = ToldNode(known=known, listed=node)
    if end is not None:
        told = ToldNode(known=replace(known, ended_at=NOW), end=end.value)
    ((event, _),) = pool_events(
        ORIGIN, "pool", [told], jobs=frozenset(), by_state={"idle": 1}, unable=1, max_nodes=25, now=NOW
    )
    return event


EVENTS: Mapping[str, Event] = {
    "node failed": _of_node(),
    "node failed, everything said": _of_node(
        url="https://a.example/n",
        errors=[{"code": "DiskFull", "message": "full", "errorDetails": [{"name": "Message", "value": "full"}]}],
        startTaskInfo={"state": "completed", "exitCode": 1, "result": "failure", "failureInfo": {"code": "X"}},
        recentTasks=[{"jobId": "j", "executionInfo": {"state": "completed"}}],
        virtualMachineInfo={"imageReference": {"offer": "o"}},
    ),
    "node failed, far too much said": _of_node(errors=[{"code": "X", "message": "m" * 4000}] * 50),
    **{f"node {end.value}": _of_node(end) for end in NodeEnd},
    "failed": _of(Phase.PREPARATION, status(failed(0))),
    "failed with an exit code": _of(Phase.PREPARATION, status(failed(0, EXIT_CODE))),
    "failed, nothing said": _of(
        Phase.PREPARATION, NodeStatus(node_id="n", preparation=ExecutionInfo(state="completed", result="failure"))
    ),
    "failed, everything said": _of(Phase.PREPARATION, status(_full("x"))),
    "failed, no incarnation": _of(Phase.PREPARATION, status(failed(0)), job=head(creation_time=None, state=None)),
    "release failed": _of(Phase.RELEASE, status(None, failed(0, DISK_FULL))),
    "slow": _slow(),
    "resolved": _of(Phase.PREPARATION, status(failed(0)), status(running(9)), status(succeeded(9))),
    "resolved, failed we do not know when": _of(
        Phase.PREPARATION, status(replace(failed(0), start_time=None, end_time=None)), status(succeeded(9))
    ),
    **{f"closed: {end.value}": _closed(end) for end in JobEnd},
    **{
        f"resumed: {end.value}": job_event(ORIGIN, head(), EventType.JOB_RESUMED, NOW, NOW, reason=end.value)
        for end in JobEnd
    },
    **{kind.value: job_event(ORIGIN, head(), kind, NOW, NOW, **data) for kind, data in _JOB_EVENTS.items()},
    "account.unreachable": account_event(
        ORIGIN, EventType.ACCOUNT_UNREACHABLE, NOW, NOW, error=trouble_data(replace(TROUBLE, request_id=None))
    ),
    "account.reachable": account_event(ORIGIN, EventType.ACCOUNT_REACHABLE, NOW, NOW),
    **{
        kind.value: webhook_event(SITE, kind, "ops", NOW, NOW, reason="status 500")
        for kind in (EventType.WEBHOOK_FAILING, EventType.WEBHOOK_RECOVERED, EventType.WEBHOOK_ENABLED)
    },
    "webhook.disabled": webhook_event(
        SITE, EventType.WEBHOOK_DISABLED, "ops", NOW, NOW, reason="status 410", byRequest=False
    ),
    "ping": webhook_event(SITE, EventType.PING, "ops", NOW, NOW),
    **{f"hostile: {name}": _of(Phase.PREPARATION, status(_full(text))) for name, text in _HOSTILE.items()},
}


def _schema(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{kind.removeprefix('prepwatch.')}.json").read_text())
    return found


def _validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema(kind), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


# --- schemas ------------------------------------------------------------------------------------------------------


def test_there_is_a_schema_for_each_type() -> None:
    """Every event type has its schema, there is none beside them, and these tests make an event of every type."""
    kinds = {kind.value.removeprefix("prepwatch.") for kind in EventType}

    assert {re.sub(r"\.\d+$", "", path.stem) for path in SCHEMAS.glob("*.json")} == kinds
    assert {event.type for event in EVENTS.values()} == set(EventType)


@pytest.mark.parametrize("kind", EventType)
def test_the_schema_itself(kind: EventType) -> None:
    """A schema is valid 2020-12, has the id that events name, and says what it is about."""
    schema = _schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$id"] == f"urn:prepwatch:schema:{kind.value.removeprefix('prepwatch.')}:1"
    assert schema["title"] == kind.value
    assert schema["description"]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_event_is_valid(event: Event) -> None:
    """Every event is valid under its own schema and no other."""
    body = body_of(event)
    _validator(event.type).validate(body)

    assert body["dataschema"] == _schema(event.type)["$id"]
    assert not [kind for kind in EventType if kind is not event.type and _validator(kind).is_valid(body)]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_field_is_described(event: Event) -> None:
    """An event holds no field that its schema does not name: what is sent is documented."""
    schema = _schema(event.type)

    def undescribed(value: object, under: Mapping[str, Any], path: str) -> list[str]:
        if "$ref" in under:
            under = schema["$defs"][under["$ref"].rsplit("/", 1)[1]]
        if isinstance(value, list):
            return [name for item in value for name in undescribed(item, under["items"], path + "[]")]
        if not isinstance(value, dict):
            return []
        if "additionalProperties" in under:  # names of states, each with its number
            return []
        known = under.get("properties", {})
        unknown = [f"{path}.{name}" for name in value.keys() - known.keys()]
        return unknown + [
            deep
            for name in value.keys() & known.keys()
            for deep in undescribed(value[name], known[name], f"{path}.{name}")
        ]

    assert undescribed(body_of(event), schema, "") == []


def _without(*path: str) -> Callable[[Any], None]:
    def mutate(body: Any) -> None:
        for name in path[:-1]:
            body = body[name]
        del body[path[-1]]

    return mutate


def _with(value: object, *path: str | int) -> Callable[[Any], None]:
    def mutate(body: Any) -> None:
        for name in path[:-1]:
            body = body[name]
        body[path[-1]] = value

    return mutate


@pytest.mark.parametrize(
    ("name", "mutate"),
    [
        *(
            (name, _without(field))
            for name in ("failed", "resolved", "account.reachable", "ping")
            for field in ("id", "source", "type", "time", "dataschema", "recordedtime", "data")
        ),
        ("failed", _with("a.b", "id")),
        ("failed", _with("0.3", "specversion")),
        ("failed", _with("yesterday", "time")),
        ("failed", _with("pools/x", "subject")),
        ("failed", _with([], "data", "nodes")),
        ("failed", _with("release", "data", "phase")),
        ("failed", _with("x", "data", "nodes", 0, "occurrenceId")),
        ("failed", _with("1", "data", "nodes", 0, "exitCode")),
        ("failed", _with(-1, "data", "counts", "nodes")),
        ("failed", _without("data", "counts", "preparation", "open")),
        ("failed", _with(0, "data", "causes", 0, "nodes")),
        ("resolved", _with([], "data", "nodes")),
        ("resolved", _with("boredom", "data", "reason")),
        ("closed: jobEnded", _with([{"nodeId": "x"}], "data", "nodes")),
        ("account.unreachable", _without("data", "error", "code")),
        ("ping", _with("No Name", "data", "webhook")),
    ],
)
def test_a_mutated_event_is_not_valid(name: str, mutate: Callable[[Any], None]) -> None:
    """The schemas refuse what no event of ours is: a missing field, another type, a value out of its range."""
    body = body_of(EVENTS[name])
    mutate(body)

    assert not _validator(EVENTS[name].type).is_valid(body)


# --- CloudEvents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_event_is_a_cloud_event(event: Event) -> None:
    """The CloudEvents SDK reads every event, and what filters and rows go by is what the body says."""
    message = HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=event.body)
    parsed = from_structured_event(message)

    assert parsed.get_id() == event.id
    assert parsed.get_type() == event.type.value
    assert parsed.get_source() == (f"https://{ACCOUNT}" if event.account else "urn:prepwatch:prepwatch-site")
    assert parsed.get_subject() == (f"jobs/{event.job_id}" if event.job_id else body_of(event).get("subject"))
    assert parsed.get_dataschema() == body_of(event)["dataschema"]
    assert parsed.get_extension("recordedtime") == "2026-11-03T12:00:00Z"
    moment = parsed.get_time()
    assert moment is not None
    assert moment.tzinfo is not None
    pools = {node["poolId"] for node in body_of(event)["data"].get("nodes", [])}
    assert event.pools == pools


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_size(event: Event) -> None:
    """No event exceeds 48 KiB, whatever a node has to say."""
    assert len(event.body) <= HARD_BYTES


def test_a_node_of_any_length_fits() -> None:
    """A node whose ids are as long as can be and whose texts are as hostile as can be still makes an event."""
    for text in _HOSTILE.values():
        shown = status(_full(text), node_id='"' * 512, pool_id="\U0001f600" * 512)
        job = head(job_id="j" * 128)

        event = _of(Phase.PREPARATION, shown, job=job)
        assert len(event.body) <= HARD_BYTES
        assert json.loads(event.body)["data"]["nodes"][0]["nodeId"] == '"' * 512


def test_batchs_own_names() -> None:
    """A node's entry has the fields of Batch's execution information under Batch's names and in its forms."""
    entry = body_of(EVENTS["failed, everything said"])["data"]["nodes"][0]

    assert entry["startTime"] == "2026-11-01T12:00:00Z"
    assert (entry["exitCode"], entry["retryCount"], entry["failureInfo"]["code"]) == (-9, 2, "x")
    assert set(entry) == {
        *("occurrenceId", "poolId", "nodeId", "nodeUrl", "startTime", "endTime", "state", "result", "exitCode"),
        *("retryCount", "lastRetryTime", "failureInfo", "containerInfo", "taskRootDirectory", "taskRootDirectoryUrl"),
    }


def test_links() -> None:
    """Events link to the dashboard and the summary of the job, with ids escaped, when our own address is known."""
    links = body_of(job_event(ORIGIN, head(job_id="a&b:c"), EventType.JOB_STUCK, NOW, NOW))["data"]["links"]

    assert links == {
        name: f"https://prepwatch.example.net/api/{name}?account={ACCOUNT}&job=a%26b%3Ac"
        for name in ("dashboard", "summary")
    }
    assert body_of(EVENTS["ping"])["data"]["links"] == {}


# --- ids ----------------------------------------------------------------------------------------------------------

_moments = st.datetimes(datetime(1970, 1, 1), datetime(2286, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_the_form_of_an_id(event: Event) -> None:
    """An id is a sortable number and a fingerprint: no full stop, nothing that a row key refuses."""
    assert re.fullmatch(r"\d{13}-[a-z2-7]{24}", event.id)


@given(_moments, _moments)
def test_newer_events_sort_first(one: datetime, other: datetime) -> None:
    """Ids sort by time, newest first, to the millisecond."""
    if abs(one - other) < timedelta(milliseconds=2):
        return
    assert (event_id(one, "a") < event_id(other, "a")) is (one > other)


@given(st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))))
def test_any_moment_has_an_id(moment: datetime | None) -> None:
    """Moments that no clock of ours shows have ids of the same form."""
    assert re.fullmatch(r"\d{13}-[a-z2-7]{24}", event_id(moment, "a"))


def test_parts_are_kept_apart() -> None:
    """Parts that join to the same text are not the same parts."""
    assert len({event_id(NOW, "ab", "c"), event_id(NOW, "a", "bc"), event_id(NOW, "abc")}) == 3


def test_the_same_decision_has_the_same_id() -> None:
    """An id depends on the occurrences told, not on when, in which order, or with which counts they are told."""
    changes = [*_changes(status(failed(0), node_id="a")), *_changes(status(failed(5), node_id="b"))]
    entries = [node_entry(ORIGIN, head(), change) for change in changes]
    one = nodes_event(ORIGIN, head(), changes, entries, NOW)
    other = nodes_event(ORIGIN, head(nodes=9), changes[::-1], entries[::-1], NOW + timedelta(hours=1))

    assert one.id == other.id
    assert one.id.startswith(event_id(at(6), "x")[:13])
    assert body_of(one)["time"] == "2026-11-01T12:06:00Z"


@pytest.mark.parametrize(
    ("shown", "job"),
    [
        (status(failed(1)), head()),
        (status(failed(0), node_id="other"), head()),
        (status(failed(0), pool_id="other"), head()),
        (status(None, failed(0)), head()),
        (status(failed(0)), head(creation_time=CREATED - timedelta(days=1))),
        (status(failed(0)), head(job_id="other")),
    ],
    ids=["another run", "another node", "another pool", "another phase", "another incarnation", "another job"],
)
def test_another_occurrence_has_another_id(shown: NodeStatus, job: JobHead) -> None:
    """Whatever tells one run of a phase on a node from another changes the occurrence's id."""
    (change,), (other,) = _changes(status(failed(0))), _changes(shown)

    assert node_entry(ORIGIN, head(), change).occurrence_id != node_entry(ORIGIN, job, other).occurrence_id


def test_spelling_is_no_identity() -> None:
    """The case of ids, which Batch ignores, changes no occurrence."""
    (change,), (other,) = (
        _changes(status(failed(0), node_id=node, pool_id=pool)) for node, pool in (("N", "POOL"), ("n", "pool"))
    )

    one, same = node_entry(ORIGIN, head(), change), node_entry(ORIGIN, head(job_id="JOB-1"), other)
    assert one.occurrence_id == same.occurrence_id


def test_an_event_is_never_older_than_its_job() -> None:
    """A run without times, or with absurd ones, is told under the job's creation time."""
    absurd = replace(failed(0), start_time=datetime(1999, 1, 1, tzinfo=UTC), end_time=None)

    assert body_of(_of(Phase.PREPARATION, status(absurd)))["time"] == "2026-11-01T12:00:00Z"


def test_types_of_changes() -> None:
    """A change is told by the type of its phase and reason."""
    first = _changes(status(failed(0), failed(9)))
    second = _changes(status(failed(0)), status(succeeded(9)))

    assert [change_type(change) for change in (*first, *second)] == [
        EventType.PREPARATION_FAILED,
        EventType.RELEASE_FAILED,
        EventType.PREPARATION_RESOLVED,
    ]
