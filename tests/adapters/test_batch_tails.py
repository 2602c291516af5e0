"""How the tail of a file on a node is read from Batch."""

import re

import pytest

from shared.errors import (
    WrongStateError,
)
from tests.adapters.batch_clients import client_of, json_reply
from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer

CONTENT = b"0123456789"


TAILS = {
    "longer than wanted": (CONTENT, 4, b"6789", "bytes=6-9"),
    "exactly": (CONTENT, 10, CONTENT, "bytes=0-9"),
    "shorter than wanted": (CONTENT, 100, CONTENT, "bytes=0-9"),
    "empty": (b"", 4, b"", None),
    "nothing wanted": (CONTENT, 0, b"", None),
}


@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize(("content", "wanted", "tail", "asked_for"), TAILS.values(), ids=TAILS.keys())
def test_the_tail_of_a_file_is_read(
    status: int, content: bytes, wanted: int, tail: bytes, asked_for: str | None
) -> None:
    """The length is asked for first, then only the end of the file."""

    def respond(asked: Asked) -> ScriptedAnswer:
        if asked.method == "HEAD":
            return ScriptedAnswer(headers={"Content-Length": str(len(content))})
        first, last = re.findall(r"\d+", asked.headers["ocp-range"])
        return ScriptedAnswer(status=status, body=content[int(first) : int(last) + 1])

    with ScriptedServer(respond=respond) as server:
        assert client_of(server.url).read_file_tail("p", "n", "workitems/a b/stderr.txt", max_bytes=wanted) == tail

    assert server.log[0].target.startswith("/pools/p/nodes/n/files/workitems%2Fa%20b%2Fstderr.txt?api-version=")
    assert [asked.headers["ocp-range"] for asked in server.log[1:]] == ([asked_for] if asked_for else [])


def test_a_server_that_ignores_the_range_is_cut() -> None:
    """Of a whole file only the wanted end is given on."""
    with ScriptedServer(ScriptedAnswer(headers={"Content-Length": "10"}, body=CONTENT)) as server:
        assert client_of(server.url).read_file_tail("p", "n", "f", max_bytes=3) == b"789"


def test_the_reason_survives_a_small_range() -> None:
    """A refusal longer than the wanted tail is still read whole."""
    refusal = json_reply({"code": "TaskFilesUnavailable", "message": {"value": "x" * 200}}, 409)
    server = ScriptedServer(ScriptedAnswer(headers={"Content-Length": "10"}), refusal)
    with server, pytest.raises(WrongStateError, match="TaskFilesUnavailable"):
        client_of(server.url).read_file_tail("p", "n", "f", max_bytes=3)
