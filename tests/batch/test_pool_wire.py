"""What Batch answers about pools, read entry by entry."""

from datetime import UTC, datetime

import msgspec
import pytest

from shared.batch.pool_wire import decode_node_counts, decode_nodes, decode_pool, decode_tasks
from shared.errors import HostileAnswerError


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"dedicated": {"idle": 2, "total": 2}}, {"idle": 2}),
        ({"dedicated": {"idle": 1}, "lowPriority": {"idle": 2, "preempted": 1}}, {"idle": 3, "preempted": 1}),
        ({"dedicated": {"upgradingOS": 1}, "lowPriority": {"upgradingos": 2}}, {"upgradingos": 3}),
        ({"dedicated": {"hibernating": 4}}, {"hibernating": 4}),
        ({"dedicated": {"idle": None, "starting": 0, "total": "4"}}, {}),
        ({"lowPriority": None}, {}),
        ({}, {}),
    ],
    ids=[
        "total left out",
        "both kinds",
        "two spellings",
        "unknown state",
        "no numbers",
        "null",
        "nothing",
    ],
)
def test_node_counts_are_added_up(entry: dict[str, object], expected: dict[str, int]) -> None:
    """Counts of both kinds are added under lower-case states; what is missing is none."""
    (counts,) = decode_node_counts(msgspec.json.encode([{"poolId": "Cpu", **entry}]))

    assert (counts.pool_id, counts.by_state) == ("Cpu", expected)


@pytest.mark.parametrize("odd", ["3", -1, True, 2**40, 1.5, [3]], ids=repr)
def test_a_pool_with_a_count_that_is_none_is_unknown(odd: object) -> None:
    """Where a count can't be read nobody knows how many nodes work: the pool is left out, its neighbours are not."""
    entries = [
        {"poolId": "Odd", "dedicated": {"idle": odd, "unusable": 1}},
        {"poolId": "Cpu", "dedicated": {"idle": 1}},
    ]
    assert [counts.pool_id for counts in decode_node_counts(msgspec.json.encode(entries))] == ["Cpu"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"id": ""},
        {"id": 7},
        {"id": "x" * 600},
        {"id": "a\nb"},
        "node",
        None,
    ],
    ids=repr,
)
def test_an_odd_entry_costs_only_itself(odd: object) -> None:
    """A node that can't be read is left out, and its neighbours are read."""
    nodes = decode_nodes(msgspec.json.encode([{"id": "before"}, odd, {"id": "after", "unheardOf": 1}]))

    assert [node.id for node in nodes] == ["before", "after"]


@pytest.mark.parametrize(
    ("odd", "read"),
    [
        ({"state": 5}, {"state": None}),
        ({"stateTransitionTime": "yesterday"}, {}),
        ({"lastBootTime": ""}, {}),
        ({"allocationTime": "Sun, 01 Nov 2026 10:00:00 GMT"}, {"allocationTime": "2026-11-01T10:00:00Z"}),
        ({"errors": {}}, {}),
        ({"errors": [None, {"code": 5, "message": "full"}]}, {"errors": [{"message": "full"}]}),
        ({"startTaskInfo": {"exitCode": "127", "retryCount": 1}}, {"startTaskInfo": {"retryCount": 1}}),
        (
            {"startTaskInfo": {"exitCode": 2**63, "failureInfo": {"code": "X"}}},
            {"startTaskInfo": {"failureInfo": {"code": "X"}}},
        ),
        ({"totalTasksRun": -(2**40), "runningTasksCount": "0"}, {}),
        ({"isDedicated": "true"}, {}),
        ({"recentTasks": [{"subtaskId": "x", "jobId": "j"}]}, {"recentTasks": [{"jobId": "j"}]}),
        (
            {"nodeAgentInfo": "1.2", "virtualMachineInfo": {"imageReference": {"offer": 5}}},
            {"virtualMachineInfo": {"imageReference": {}}},
        ),
        ({"lastBootTime": "0001-01-01T00:00:00+14:00", "ipAddress": 7}, {}),
    ],
    ids=repr,
)
def test_an_odd_field_costs_only_itself(odd: dict[str, object], read: dict[str, object]) -> None:
    """A node of which something can't be read is read without that, so that one that can't work is never hidden."""
    node, expected = (
        decode_nodes(msgspec.json.encode([{"id": "n", "state": "starttaskfailed", "vmSize": "small", **fields}]))
        for fields in (odd, read)
    )
    assert node == expected


@pytest.mark.parametrize("none", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
def test_a_time_that_is_none_is_none(none: str) -> None:
    """What .NET writes for no time is none, as in jobs, and costs nothing else."""
    (node,) = decode_nodes(msgspec.json.encode([{"id": "n", "stateTransitionTime": none}]))

    assert (node.id, node.state_transition_time) == ("n", None)


def test_a_text_that_does_not_decode_is_mended() -> None:
    """Half a surrogate pair, or bytes that are no UTF-8, cost a character and not the list, nor even their entry."""
    value = rb'[{"id":"a","state":"id\ud83dle"},{"id":"b","state":"' + b"id\xffle" + b'"},{"id":"c","state":"idle"}]'
    assert [(node.id, node.state) for node in decode_nodes(value)] == [
        ("a", "id\ufffdle"),
        ("b", "id\ufffdle"),
        ("c", "idle"),
    ]


def test_texts_are_cleaned_and_times_are_utc() -> None:
    """No secret and no control character of an error stays, and every time is in UTC."""
    (node,) = decode_nodes(
        msgspec.json.encode(
            [
                {
                    "id": "n",
                    "state": "unus\x07able",
                    "stateTransitionTime": "2026-11-01T13:00:00+01:00",
                    "errors": [{"message": "https://a.blob.core.windows.net/x?sv=1&sig=c2VjcmV0c2VjcmV0"}],
                }
            ]
        )
    )

    assert node.state == "unusable"
    assert node.state_transition_time == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert node.errors is not None
    assert "c2VjcmV0" not in (node.errors[0].message or "")


@pytest.mark.parametrize("value", [b"{}", b"[", b"null", b'"x"'], ids=["object", "cut", "null", "text"])
def test_what_is_no_list_is_refused(value: bytes) -> None:
    """A page whose entries are no array says so and quotes nothing."""
    with pytest.raises(HostileAnswerError, match="is not a list of tasks"):
        decode_tasks(value)


@pytest.mark.parametrize(
    ("odd", "read"),
    [
        ({"vmSize": 5}, {}),
        ({"state": ["active"]}, {}),
        ({"creationTime": "yesterday"}, {}),
        ({"allocationStateTransitionTime": 7}, {}),
        ({"enableAutoScale": "yes"}, {}),
        (
            {"resizeErrors": [{"code": "AllocationFailed", "message": 5}]},
            {"resizeErrors": [{"code": "AllocationFailed"}]},
        ),
        ({"resizeErrors": [7, {"values": "x"}]}, {"resizeErrors": [{}]}),
        ({"autoScaleRun": {"timestamp": 5, "error": {"code": 1}}}, {"autoScaleRun": {"error": {}}}),
    ],
    ids=repr,
)
def test_an_odd_field_of_a_pool_costs_only_itself(odd: dict[str, object], read: dict[str, object]) -> None:
    """A pool of which something is odd is read without that: why it has no nodes is told all the same."""
    known = {"id": "p", "allocationState": "steady", "targetDedicatedNodes": 4, "currentDedicatedNodes": 0}
    pool, expected = (decode_pool(msgspec.json.encode({**known, **fields})) for fields in (odd, read))
    assert pool == expected


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"id":""}', b'{"id":"p","targetDedicatedNodes":"many"}', b'{"id":"p","allocationState":5}']
)
def test_what_is_no_pool_is_refused(body: bytes) -> None:
    """A single pool without a usable id, or with a number that is none, is an error."""
    with pytest.raises(HostileAnswerError):
        decode_pool(body)
