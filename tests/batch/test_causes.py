"""Why tasks fail, said once for all nodes that fail alike."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.causes import EXIT_CODE, MAX_MESSAGE_CHARACTERS, UNKNOWN_CODE, cause_of, normalise
from shared.batch.model import ContainerInfo, ExecutionInfo, FailureInfo, NameValuePair, Phase
from shared.changes.cause_table import MAX_CAUSES, MAX_POOLS, NO_NODE, CauseKey, CauseTable, causes_of
from tests.support.builders import DISK_FULL, at, failed, record, running, status


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "Blob is gone.\nRequestId:e3792009-07e2-4545-bea1-b1df9f116af8\nTime:2022-03-01T11:37:02.8079717Z",
            "Blob is gone.\nRequestId:11111111-07e2-4545-bea1-b1df9f116af8\nTime:2023-04-05T01:00:00Z",
            id="request id and time of Batch's own messages",
        ),
        pytest.param("At 2026-11-03 12:00:00 it broke", "At 2026-11-03T13:01:02.5+01:00 it broke", id="times"),
        pytest.param(
            "node tvm-2167304207_1-20140905t174658z is full",
            "node tvm-2167304207_22-20260101t000000z is full",
            id="node ids with the time of the pool's resizing",
        ),
        pytest.param("tvmps_0a1b2c_d broke", "tvmps_ffffff_d broke", id="node ids of newer pools"),
        pytest.param(
            "disk 0a1b2c3d-07e2-4545-bea1-b1df9f116af8 missing",
            "disk ffffffff-07e2-4545-bea1-b1df9f116af8 missing",
            id="GUIDs",
        ),
        pytest.param("digest 0123456789abcdef0 differs", "digest abcdef01234567890 differs", id="long hexadecimals"),
        pytest.param("pid 123456 died", "pid 98765 died", id="long numbers"),
        pytest.param(
            "GET https://a.blob/x?sv=1&sig=abc failed", "GET https://a.blob/x?sv=2&sig=def failed", id="queries of URLs"
        ),
        pytest.param("license server lic01:27000 refused", "license server lic01:27001 refused", id="ports of hosts"),
        pytest.param("could not bind port 8080", "could not bind port 22", id="ports by name"),
        pytest.param("connect to 10.0.4.7 timed out", "connect to 192.168.12.101 timed out", id="addresses"),
        pytest.param("connect to 10.0.4.7:2049 failed", "connect to 10.0.4.9:111 failed", id="addresses with ports"),
        pytest.param("connect to [fe80::1]:80 failed", "connect to [2001:db8::7]:443 failed", id="newer addresses"),
        pytest.param(
            "no such file: /mnt/batch/tasks/workitems/left/job-1/jobpreparation/wd/a.sh",
            "no such file: /mnt/batch/tasks/workitems/right/job-1/jobpreparation/wd/b.sh",
            id="paths below the task's directory",
        ),
        pytest.param(
            r"can't open 'D:\batch\tasks\workitems\left\job-1\x.cfg'",
            r"can't open 'D:\batch\tasks\workitems\right\job-1\y.cfg'",
            id="the same on Windows",
        ),
        pytest.param("too  much\n space", "too much space", id="white space"),
    ],
)
def test_groups_what_differs_only_by_place_and_time(one: str, other: str) -> None:
    """Messages that differ only in ids, times and numbers are one cause."""
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 1", "exit code 2"),
        ("cannot reach https://a.blob/x", "cannot reach https://a.blob/y"),
        ("no such file: /etc/hosts", "no such file: /etc/passwd"),
        ("needs tool 2.4.1", "needs tool 2.5.0"),
        ("lic01:27000 refused", "lic02:27000 refused"),
        ("DEADBEEFDEADBEEFD is a word", "DECADEFACADEBEADE is a word"),
    ],
)
def test_keeps_apart_what_differs_in_kind(one: str, other: str) -> None:
    """Short numbers, paths and words tell causes apart."""
    assert normalise(one) != normalise(other)


@given(st.text(max_size=5000))
def test_is_bounded_and_steady(message: str) -> None:
    """Whatever the message, the normalised one is bounded, on one line, and the same every time."""
    normal = normalise(message)

    assert len(normal) <= MAX_MESSAGE_CHARACTERS
    assert "\n" not in normal
    assert normalise(message) == normal


@pytest.mark.parametrize(
    "hostile",
    ["0" * 4096, "a1" * 2048, " RequestId:" * 400, "tvm-" * 1024, "https://" + "?" * 4000, "\n" * 4096, "-" * 4096],
    ids=lambda text: text[:10].strip() or "blank",
)
def test_takes_hostile_texts(hostile: str) -> None:
    """No text of Batch's length keeps the patterns busy: the causes of a thousand nodes take less than seconds."""
    started = time.process_time()
    for _ in range(100):
        assert len(normalise(hostile)) <= MAX_MESSAGE_CHARACTERS

    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("info", "cause"),
    [
        pytest.param(failed(0, DISK_FULL), ("DiskFull", "There is not enough disk space."), id="Batch's words"),
        pytest.param(
            ExecutionInfo(state="completed", exit_code=-9),
            (EXIT_CODE, "The task exited with exit code -9."),
            id="only an exit code",
        ),
        pytest.param(
            ExecutionInfo(exit_code=3, failure_info=FailureInfo(code=EXIT_CODE, message="The task process exited")),
            (EXIT_CODE, "The task exited with exit code 3."),
            id="the exit code says more than Batch's message",
        ),
        pytest.param(
            ExecutionInfo(failure_info=FailureInfo(code=EXIT_CODE, message="It exited")),
            (EXIT_CODE, "It exited"),
            id="that code without an exit code",
        ),
        pytest.param(ExecutionInfo(failure_info=FailureInfo()), (UNKNOWN_CODE, ""), id="empty failure information"),
        pytest.param(ExecutionInfo(result="failure"), (UNKNOWN_CODE, ""), id="only a result"),
        pytest.param(
            ExecutionInfo(exit_code=0, failure_info=FailureInfo(message="upload")),
            (UNKNOWN_CODE, "upload"),
            id="no code",
        ),
    ],
)
def test_cause_of_a_run(info: ExecutionInfo, cause: tuple[str, str]) -> None:
    """A cause is Batch's code and message, and ours where Batch gives only an exit code."""
    assert cause_of(info) == cause


@pytest.mark.parametrize(
    ("message", "details", "said"),
    [
        pytest.param(
            "The specified blob does not exist.",
            (("FilePath", "tools.tar.gz"), ("BlobSource", "https://a.blob.core.windows.net/x/tools.tar.gz?sig=s")),
            "The specified blob does not exist: a.blob.core.windows.net/x/tools.tar.gz",
            id="a URL, without its signature, before the file's name",
        ),
        pytest.param(
            "One or more container images specified are invalid",
            (("ImageName", "contoso.azurecr.io/render:4.2"),),
            "One or more container images specified are invalid: contoso.azurecr.io/render:4.2",
            id="an image",
        ),
        pytest.param("Timed out.", (("FilePath", "genome.gz"),), "Timed out: genome.gz", id="a file"),
        pytest.param("", (("FilePath", "genome.gz"),), "genome.gz", id="nothing but the detail"),
        pytest.param("genome.gz is lost.", (("FilePath", "genome.gz"),), "genome.gz is lost.", id="said already"),
        pytest.param("Not found.", (("Message", "No such program"),), "Not found: No such program", id="a reason"),
        pytest.param("Not found.", (("Retries", "3"), (None, "x")), "Not found.", id="nothing that names the thing"),
        pytest.param(
            "m" * 300,
            (("BlobUrl", f"https://a.blob.core.windows.net/{'d' * 200}/tools.tar.gz"),),
            f"{'m' * 78}: a.blob.core.windows.net/{'d' * 16}…{'d' * 66}/tools.tar.gz",
            id="long ones keep the file at their end",
        ),
    ],
)
def test_a_cause_names_the_thing(message: str, details: tuple[tuple[str | None, str], ...], said: str) -> None:
    """A cause says which image, file or URL, as far as Batch does, and never the query of a URL."""
    pairs = tuple(NameValuePair(name=name, value=value) for name, value in details)
    info = ExecutionInfo(failure_info=FailureInfo(code="Code", message=message, details=pairs))

    assert cause_of(info) == ("Code", said)
    assert len(said) <= MAX_MESSAGE_CHARACTERS


def test_a_container_says_what_was_wrong() -> None:
    """Where Batch adds nothing, the container's own error names the thing."""
    info = ExecutionInfo(
        failure_info=FailureInfo(code="ContainerInvalidImage", message="The image is invalid."),
        container_info=ContainerInfo(error="manifest for contoso.azurecr.io/render:4.2 not found"),
    )

    assert cause_of(info)[1] == "The image is invalid: manifest for contoso.azurecr.io/render:4.2 not found"


def test_a_node_counts_towards_its_open_failure_and_its_failed_release() -> None:
    """A node that failed and now runs again still counts towards the cause of its open failure."""
    known = record(status(failed(0, DISK_FULL)), status(running(5), failed(6)))

    assert [(phase, code, moment) for (phase, code, _), moment in causes_of(known)] == [
        (Phase.PREPARATION, "DiskFull", at(1)),
        (Phase.RELEASE, "BlobNotFound", at(7)),
    ]


def _key(code: str) -> CauseKey:
    return Phase.PREPARATION, code, ""


def test_joins_nodes_of_a_cause() -> None:
    """A cause knows its nodes' number, first and last time, and the first few of their pools."""
    table = CauseTable(())
    for number in range(8):
        table.add(_key("A"), f"p{number}", f"n{number}", at(10 - number))

    (cause,) = table.causes()
    assert (cause.nodes, cause.first_seen, cause.last_seen) == (8, at(3), at(10))
    assert cause.pools == tuple(f"p{number}" for number in range(MAX_POOLS))
    assert cause.example == ("p0", "n0")


def test_a_cause_that_comes_and_goes_leaves_nothing() -> None:
    """A cause that a node takes up and leaves between two commits is not counted."""
    table = CauseTable(())
    table.add(_key("A"), "pool", "n", at(0))
    table.remove(_key("A"), "pool", "n1")
    assert table.causes() == ()

    table.add(_key("A"), "pool", "other", at(0))
    (cause,) = table.causes()
    assert (cause.nodes, cause.example) == (1, ("pool", "other"))


def test_what_happened_later_is_merged() -> None:
    """Nodes that leave a cause are taken off what stood before, and of one that was not counted no debt is kept."""
    table, later = CauseTable(), CauseTable()
    for node in ("n1", "n2"):
        table.add(_key("A"), "pool", node, at(5))
    later.remove(_key("A"), "pool", "n1")
    later.remove(_key("A"), "pool", "n2")
    later.add(_key("A"), "other", "n3", at(2))
    later.remove(_key("B"), "pool", "n1")
    later.add(_key("C"), "pool", "n1", None)
    table.merge(later)
    table.add(_key("B"), "pool", "n1", at(0))

    found = {cause.code: cause for cause in table.causes()}
    assert {code: cause.nodes for code, cause in found.items()} == {"A": 1, "B": 1, "C": 1}
    assert (found["A"].example, found["A"].pools) == (("other", "n3"), ("pool", "other"))
    assert (found["A"].first_seen, found["A"].last_seen) == (at(2), at(5))


def test_is_bounded_by_the_most_frequent() -> None:
    """Of too many causes the rarest are dropped, and removing one of those changes nothing."""
    table = CauseTable(())
    for number in range(MAX_CAUSES + 5):
        for _ in range(number + 1):
            table.add(_key(f"C{number:02}"), "pool", "n", at(0))
    kept = table.causes()
    again = CauseTable(kept)
    again.remove(_key("C00"), "pool", "n")

    assert len(kept) == MAX_CAUSES
    assert kept[0].code == f"C{MAX_CAUSES + 4}"
    assert "C00" not in {cause.code for cause in kept}
    assert again.causes() == kept


def test_the_example_is_a_node_that_has_the_cause() -> None:
    """Of a node that was mended nobody is told; the next that fails so is the example again."""
    stands = CauseTable()
    for node in ("n1", "n2"):
        stands.add(_key("A"), "pool", node, at(5))
    mended, again = CauseTable(stands.causes()), CauseTable()
    mended.remove(_key("A"), "pool", "n1")
    (cause,) = mended.causes()
    assert (cause.nodes, cause.example) == (1, NO_NODE)
    later = CauseTable()
    later.remove(_key("A"), "pool", "n1")
    stands.merge(later)
    assert stands.causes() == (cause,)
    again.add(_key("A"), "pool", "n3", at(6))
    stands.merge(again)
    assert stands.causes()[0].example == ("pool", "n3")
