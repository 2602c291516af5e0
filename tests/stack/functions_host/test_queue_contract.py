"""One contract for storage queues: the fake that the other tests trust, and Azurite through the SDK."""

import re
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.azurite import Azurite
from local.functions_host.azure_queues import AzureQueues
from local.functions_host.queue_port import (
    MessageGoneError,
    Queue,
    QueueMissingError,
    QueueRefusedError,
    QueueUnavailableError,
    QueueUnreachableError,
    append,
)
from tests.stack.functions_host.virtual import FakeQueues

LONG = timedelta(minutes=10)


@pytest.fixture(params=["fake", pytest.param("azurite", marks=pytest.mark.azurite)])
def queue(request: pytest.FixtureRequest) -> Queue:
    """A queue of its own that does not exist yet."""
    name = f"q-{uuid.uuid4()}"
    if request.param == "fake":
        return FakeQueues().queue(name)
    connection: str = request.getfixturevalue("azurite").connection_string
    return AzureQueues.connect(connection).queue(name)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda queue: queue.put("x"), id="put"),
        pytest.param(lambda queue: queue.receive(count=1, visibility=LONG), id="receive"),
    ],
)
def test_a_queue_that_does_not_exist_is_told_apart(queue: Queue, use: Callable[[Queue], object]) -> None:
    """Using a missing queue says so, whatever the use."""
    with pytest.raises(QueueMissingError):
        use(queue)


def test_the_output_creates_its_queue(queue: Queue) -> None:
    """Appending creates a missing queue; creating it again changes nothing."""
    append(queue, "x")
    queue.create()
    assert [message.text for message in queue.receive(count=32, visibility=LONG)] == ["x"]


def test_a_received_message_is_invisible_until_its_time_is_over(queue: Queue) -> None:
    """Receiving hides a message and counts; with visibility 0 it is back at once, counted again."""
    append(queue, "x")
    (first,) = queue.receive(count=1, visibility=LONG)
    assert not queue.receive(count=1, visibility=LONG)
    queue.update(first, visibility=timedelta(0))
    (second,) = queue.receive(count=1, visibility=LONG)
    assert (first.dequeue_count, second.dequeue_count) == (1, 2)
    assert (first.id, first.text, first.inserted) == (second.id, second.text, second.inserted)


def test_a_message_tells_its_times(queue: Queue) -> None:
    """A message expires in seven days and is visible again when its visibility is over."""
    append(queue, "x")
    (message,) = queue.receive(count=1, visibility=LONG)
    assert message.expires - message.inserted == timedelta(days=7)
    assert LONG <= message.next_visible - message.inserted < LONG + timedelta(minutes=1)


def test_an_old_pop_receipt_neither_deletes_nor_updates(queue: Queue) -> None:
    """After an update only the new pop receipt is good; after a delete none is."""
    append(queue, "x")
    (message,) = queue.receive(count=1, visibility=LONG)
    renewed = queue.update(message, visibility=LONG)
    with pytest.raises(MessageGoneError):
        queue.delete(message)
    with pytest.raises(MessageGoneError):
        queue.update(message, visibility=LONG)
    queue.delete(renewed)
    with pytest.raises(MessageGoneError):
        queue.delete(renewed)


def test_no_more_messages_come_than_asked_for(queue: Queue) -> None:
    """A batch is as large as asked for."""
    for text in "abc":
        append(queue, text)
    assert len(queue.receive(count=2, visibility=LONG)) == 2


def test_a_service_that_does_not_answer_is_told_apart() -> None:
    """A refused connection is no missing queue; it comes at once, without the SDK's own retries."""
    with pytest.raises(QueueUnreachableError):
        _queue_at("http://127.0.0.1:9").put("x")


@pytest.mark.azurite
def test_a_wrong_key_is_a_refusal(azurite: Azurite) -> None:
    """A service that does not let us in is told apart from one that fails."""
    endpoint = re.search(r"QueueEndpoint=([^;]*)/devstoreaccount1", azurite.connection_string)
    assert endpoint is not None
    with pytest.raises(QueueRefusedError, match="403"):
        _queue_at(endpoint[1]).receive(count=1, visibility=LONG)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, QueueRefusedError), (403, QueueRefusedError), (500, QueueUnavailableError), (503, QueueUnavailableError)],
)
def test_a_failing_service_is_told_apart_from_a_refusal(status: int, error: type[Exception]) -> None:
    """Only statuses of 500 and above are a service that may get well by itself."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(QueueUnavailableError) as raised:
            _queue_at(f"http://127.0.0.1:{server.server_port}").receive(count=1, visibility=LONG)
    assert raised.type is error


def _queue_at(service: str) -> Queue:
    account = f"{service}/devstoreaccount1"
    return AzureQueues.connect(f"AccountName=devstoreaccount1;AccountKey=a2V5;QueueEndpoint={account};").queue("work")


def test_the_development_storage_shorthand_is_understood() -> None:
    """UseDevelopmentStorage=true means Azurite's well-known account on its default port."""
    assert AzureQueues.connect("UseDevelopmentStorage=true").client.url.startswith("http://127.0.0.1:10001/devstore")
