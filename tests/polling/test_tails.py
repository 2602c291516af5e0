"""The ends of stderr and stdout: which files are fetched, how much of them, and what is said where there is none."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.batch.model import ExecutionInfo, Phase
from shared.changes.tally import NodeUpdate
from shared.polling.tails import Tails
from shared.pools.node_files import TIME_LIMIT, Allowance, NodeFiles
from shared.state.nodes import Change, NodeRecord, Reason
from tests.support.fakes import START, FakeClock
from tests.support.hostile_batch import account, error_reply, failed_node, page
from tests.support.scripted_http import Asked, ScriptedAnswer
from tests.support.whole_app import WholeApp, codes, whole_app

SECONDS = timedelta(seconds=1)
JOBS = [f"job-{number}" for number in range(6)]


class Files:
    """What the nodes' files hold, by node, or by node and file; a reply stands for itself."""

    def __init__(self, files: dict[str, bytes | ScriptedAnswer]) -> None:
        self.files = files
        self.called: list[str] = []

    def __call__(self, asked: Asked) -> ScriptedAnswer:
        """Play the operations on files."""
        node = asked.target.split("/nodes/")[1].split("/")[0]
        file = asked.target.partition("?")[0].rpartition("%2F")[2]
        missing = error_reply(404, "FileNotFound", "The specified file does not exist.")
        found = self.files.get(f"{node}/{file}", self.files.get(node, missing))
        if isinstance(found, ScriptedAnswer):
            self.called.append(node)
            return found
        if asked.method == "HEAD":
            return ScriptedAnswer(headers={"Content-Length": str(len(found))})
        self.called.append(node)
        first, last = asked.headers["ocp-range"].removeprefix("bytes=").split("-")
        return ScriptedAnswer(status=206, body=found[int(first) : int(last) + 1])


def tails(
    nodes: dict[str, dict[str, Any]], files: Files, max_bytes: int = 64
) -> tuple[WholeApp, dict[str, str | None]]:
    """The tails that were told of these nodes (None: told without)."""
    clock = FakeClock()
    entries = [failed_node(name, now=START, **changes) for name, changes in nodes.items()]
    with account({"job": page(*entries)}, other=files) as batch:
        app = whole_app(batch.url, clock=clock, STDERR_TAIL_BYTES=str(max_bytes))
        report = app.poll()
        # Where the cycle waited for Batch by a clock that costs nothing, its time may be over before all is sent.
        app.app.deliveries.run(next(iter(app.app.pollers)), 60 * SECONDS)
    assert (report.good, report.errors) == (True, 0)
    told = [node for event in app.post.events("preparation.failed") for node in event["data"]["nodes"]]
    return app, {node["nodeId"]: node.get("stderrTail") for node in told}


def cause(code: str) -> dict[str, Any]:
    """A failure of its own cause."""
    return {"failureInfo": {"category": "UserError", "code": code, "message": code}}


def test_the_tail_is_the_end_of_the_file() -> None:
    """At most STDERR_TAIL_BYTES from the end, cleaned; a short file is told whole, an empty one in words."""
    files = Files(
        {
            "long": b"x" * 5000 + b"the end",
            "short": b"one line\n",
            "empty": b"",
            "dirty": b"\x1b[31mpassword=hunter22\xff",
        }
    )
    _, told = tails({name: cause(name) for name in files.files}, files)
    assert told == {
        "long": "x" * 57 + "the end",
        "short": "one line\n",
        "empty": "[stderr.txt is empty]",
        "dirty": "password=[redacted]",
    }


def test_a_tail_that_cannot_be_had_is_said_in_words() -> None:
    """A missing file or node, a refusal and a broken answer become words; every failure is told all the same."""
    files = Files(
        {
            "node": error_reply(404, "NodeNotFound", "The node is gone."),
            "state": error_reply(409, "NodeNotReady", "Not now."),
            "role": error_reply(403, "AuthorizationPermissionMismatch", "No role."),
            "cut": ScriptedAnswer(status=0, hang_up=True),
        }
    )
    names = ("file", *files.files)
    app, told = tails(
        {**{name: cause(name) for name in names}, "rootless": cause("r") | {"taskRootDirectory": None}}, files
    )
    assert told["rootless"] == "[Batch names no directory of the task]"
    gone = "[stderr.txt can't be read: the file or its node does not exist any more]"
    assert (told["file"], told["node"]) == (gone, gone)
    assert told["state"] == "[stderr.txt can't be read: the node is not ready]"
    assert told["role"] == "[stderr.txt can't be read: the app's role does not allow it]"
    assert str(told["cut"]).startswith("[stderr.txt can't be read: ConnectionFailed")
    assert codes(app) == []


def test_both_streams_are_told_and_which_is_which() -> None:
    """Beside the end of stderr.txt stands that of stdout.txt, cleaned alike, each under its own name or in words."""
    files = Files(
        {
            "both/stderr.txt": b"it failed",
            "both/stdout.txt": b"fetching token=hunter22 it began\n",
            "quiet/stdout.txt": b"all is well",
            "quiet/stderr.txt": b"",
            "one/stderr.txt": b"no such file",
        }
    )
    nodes = {name: cause(name) for name in ("both", "quiet", "one")} | {"rootless": cause("r")}
    nodes["rootless"]["taskRootDirectory"] = None
    app, stderr = tails(nodes, files)
    told = [node for event in app.post.events("preparation.failed") for node in event["data"]["nodes"]]
    stdout = {node["nodeId"]: node["stdoutTail"] for node in told}
    assert {name: (stderr[name], stdout[name]) for name in nodes} == {
        "both": ("it failed", "fetching token=[redacted] it began\n"),
        "quiet": ("[stderr.txt is empty]", "all is well"),
        "one": ("no such file", "[stdout.txt can't be read: the file or its node does not exist any more]"),
        "rootless": ("[Batch names no directory of the task]",) * 2,
    }


def test_few_files_are_fetched_one_of_each_cause_first() -> None:
    """Of a mass failure ten files are fetched: one of each cause, then more of those; all nodes are told."""
    nodes = {f"a-{number:03}": cause("Common") for number in range(60)} | {"z-rare": cause("Rare")}
    files = Files(dict.fromkeys(nodes, b"why"))
    _, told = tails(nodes, files)
    assert set(told) == set(nodes)
    assert len(set(files.called)) == 10
    assert len(files.called) == 20
    assert "z-rare" in files.called
    assert sum(tail is not None for tail in told.values()) == 10


def test_no_file_is_fetched_unless_asked_for() -> None:
    """Without STDERR_TAIL_BYTES no file is asked for."""
    files = Files({"n": b"why"})
    _, told = tails({"n": {}}, files, max_bytes=0)
    assert (told, files.called) == ({"n": None}, [])


def test_throttling_ends_the_fetching_of_files_and_nothing_else() -> None:
    """When Batch asks for patience no further file is fetched; the failures are told without."""
    names = [f"n-{number}" for number in range(5)]
    files = Files(dict.fromkeys(names, error_reply(429, "TooManyRequests", **{"Retry-After": "60"})))
    _, told = tails({name: cause(name) for name in names}, files)
    assert set(told) == set(names)
    assert len(files.called) == 1


class SlowFiles:
    """A Batch account whose files take four seconds each."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.deadlines: list[datetime | None] = []

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """Take four seconds, or end with the deadline."""
        self.deadlines.append(deadline)
        self.clock.advance(min(4 * SECONDS, (deadline or datetime.max.replace(tzinfo=UTC)) - self.clock.now))
        return b"why"


def test_all_files_together_take_no_longer_than_their_limit() -> None:
    """A commit waits five seconds for tails at most, however many files are slow."""
    clock = FakeClock()
    slow = SlowFiles(clock)
    files: Any = slow
    updates = [
        NodeUpdate(
            key=name,
            fingerprint=b"",
            before=None,
            after=NodeRecord(node_id=name),
            change=Change(
                phase=Phase.PREPARATION,
                node=NodeRecord(pool_id="p", node_id=name),
                occurrence=ExecutionInfo(exit_code=number, task_root_directory="wd"),
                reason=Reason.NEWLY_FAILED,
            ),
        )
        for number, name in enumerate(JOBS)
    ]
    told = Tails(files=NodeFiles(batch=files, clock=clock, max_bytes=10)).add(updates, Allowance())
    assert clock.now - START == TIME_LIMIT
    assert set(slow.deadlines) == {START + TIME_LIMIT}
    tails_told = [(update.change.stderr_tail, update.change.stdout_tail) for update in told if update.change]
    assert tails_told == [("why", "why"), *[(None, None)] * 5]
