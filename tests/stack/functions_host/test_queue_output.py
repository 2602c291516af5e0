"""Queue output bindings: what the host makes of text and of lists."""

from collections.abc import Sequence

import pytest

from local.functions_host.queue_output import messages_from_json, messages_from_text


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param("plain", ("plain",), id="text-verbatim"),
        pytest.param("[1,2,3]", ("1", "2", "3"), id="an-array-is-split"),
        pytest.param('["a","b"]', ("a", "b"), id="strings-of-an-array-lose-their-quotes"),
        pytest.param("[]", (), id="an-empty-array-sends-nothing"),
        pytest.param('{"a":{"b":1}}', ('{\n  "a": {\n    "b": 1\n  }\n}',), id="an-object-is-indented"),
        pytest.param(
            '{"t":"2026-03-01T12:00:05.000Z"}', ('{\n  "t": "2026-03-01T12:00:05Z"\n}',), id="dates-are-rewritten"
        ),
        pytest.param("{not json}", ("{not json}",), id="what-does-not-parse-is-verbatim"),
        pytest.param("12", ("12",), id="a-bare-value-is-text"),
        pytest.param('{"a":"ä"}', ('{\n  "a": "ä"\n}',), id="non-ascii-stays"),
    ],
)
def test_text_that_looks_like_json_is_parsed_and_written_again(text: str, messages: Sequence[str]) -> None:
    """A `func.Out[str]` is not sent as it is: arrays become messages, objects are indented."""
    assert messages_from_text(text) == messages


def test_strings_of_a_list_go_verbatim() -> None:
    """A `func.Out[List[str]]` sends each string as one message, even if it looks like JSON."""
    assert messages_from_json('["{\\"a\\":1}", "[1,2]", "x"]') == ('{"a":1}', "[1,2]", "x")


def test_queue_messages_of_a_list_go_as_objects() -> None:
    """A list of QueueMessage sends {"id","body"} documents, not the bodies."""
    assert messages_from_json('[{"id": null, "body": "x"}]') == ('{\n  "id": null,\n  "body": "x"\n}',)
