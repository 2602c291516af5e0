"""Queue triggers: base64, retries, poison, concurrency; the rules of QueueListener and QueueProcessor."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from local.functions_host.queue_listener import (
    Backoff,
    Completion,
    ListenerError,
    QueueListener,
    completion,
    poison_queue_name,
)
from local.functions_host.queue_port import (
    Message,
    QueueRefusedError,
    QueueUnavailableError,
    QueueUnreachableError,
)
from local.functions_host.settings import QueueOptions
from tests.stack.functions_host.virtual import FakeQueue, VirtualClock

SECOND = timedelta(seconds=1)
OPTIONS = QueueOptions(
    batch_size=4, new_batch_threshold=0, max_dequeue_count=3, retry_delay=30 * SECOND, max_polling_interval=5 * SECOND
)


@dataclass(slots=True)
class Rig:
    """A listener on fakes; work waits in *held* until it is released, *process* decides its outcome."""

    options: QueueOptions = OPTIONS
    name: str = "work"
    process: Callable[[Message, str], None] = lambda _message, _body: None
    clock: VirtualClock = field(default_factory=VirtualClock)
    held: list[Callable[[], None]] = field(default_factory=list)
    bodies: list[tuple[int, str]] = field(default_factory=list)
    queue: FakeQueue = field(init=False)
    poison: FakeQueue | None = field(init=False)
    listener: QueueListener = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FakeQueue(self.name, self.clock, created=True)
        poison = poison_queue_name(self.name)
        self.poison = None if poison is None else FakeQueue(poison, self.clock)
        self.listener = QueueListener(
            queue=self.queue,
            poison=self.poison,
            options=self.options,
            backoff=Backoff(maximum=self.options.max_polling_interval, chance=lambda: 0.5),
            clock=self.clock,
            submit=self.held.append,
            process=self._process,
        )

    def put(self, *bodies: str) -> None:
        """Put *bodies* on the queue as the output binding does."""
        for body in bodies:
            self.queue.put(base64.b64encode(body.encode()).decode())

    def release(self) -> None:
        """Let everything that is held run to its end."""
        while self.held:
            self.held.pop(0)()

    def work_through(self, duration: timedelta) -> None:
        """Poll each second for *duration*, running everything at once."""
        for _ in range(round(duration / SECOND)):
            self.listener.poll()
            self.release()
            self.clock.time += SECOND

    def _process(self, message: Message, body: str) -> None:
        self.bodies.append((message.dequeue_count, body))
        self.process(message, body)


def fail(_message: Message, _body: str) -> None:
    """Fail every try."""
    raise ValueError


def test_a_message_is_decoded_processed_and_deleted() -> None:
    """Bodies are base64 on the wire, the worker gets text; success deletes the message."""
    rig = Rig()
    rig.put("ä")
    rig.work_through(SECOND)
    assert rig.bodies == [(1, "ä")]
    assert not rig.queue.messages


def test_message_encoding_none_hands_over_the_text_as_it_is() -> None:
    """Bodies are left alone when messageEncoding is none."""
    rig = Rig(options=QueueOptions(base64=False))
    rig.queue.put("plain text")
    rig.work_through(SECOND)
    assert rig.bodies == [(1, "plain text")]


def test_text_that_is_not_base64_ends_in_the_poison_queue_uninvoked() -> None:
    """What azure-storage-queue sends without an encode policy never reaches the function."""
    rig = Rig()
    rig.queue.put("plain text")
    rig.work_through(SECOND)
    assert not rig.bodies
    assert rig.poison is not None
    assert [message.text for message in rig.poison.messages] == ["plain text"]


def test_a_failing_message_is_tried_again_after_the_retry_delay_then_poisoned() -> None:
    """Tries are visibilityTimeout of host.json apart; after maxDequeueCount of them the body moves to poison."""
    rig = Rig(process=fail)
    rig.put("x")
    rig.work_through(29 * SECOND)
    assert [count for count, _ in rig.bodies] == [1]
    rig.work_through(61 * SECOND)
    assert [count for count, _ in rig.bodies] == [1, 2, 3]
    assert not rig.queue.messages
    assert rig.poison is not None
    assert [message.text for message in rig.poison.messages] == [base64.b64encode(b"x").decode()]
    assert rig.poison.messages[0].dequeue_count == 0


def test_a_message_dequeued_too_often_is_poisoned_uninvoked() -> None:
    """A message that killed the host maxDequeueCount times is not tried once more."""
    rig = Rig()
    rig.put("x")
    for _ in range(3):
        rig.queue.receive(count=1, visibility=SECOND)
        rig.clock.time += SECOND
    rig.work_through(SECOND)
    assert not rig.bodies
    assert rig.poison is not None
    assert len(rig.poison.messages) == 1


def test_a_failed_message_of_a_poison_queue_stays_invisible_for_ten_minutes() -> None:
    """A poison queue has no poison queue, its failing messages come back when their visibility ends."""
    rig = Rig(name="work-poison", process=fail)
    rig.put("x")
    rig.work_through(599 * SECOND)
    assert len(rig.bodies) == 1
    rig.work_through(2 * SECOND)
    assert [count for count, _ in rig.bodies] == [1, 2]


def test_messages_are_received_for_ten_minutes_whatever_host_json_says() -> None:
    """Receiving asks for batchSize messages and ten minutes; visibilityTimeout is only for retries."""
    rig = Rig()
    rig.listener.poll()
    assert rig.queue.asked == [(4, timedelta(minutes=10))]


@pytest.mark.parametrize(
    ("threshold", "finished", "started"),
    [
        pytest.param(0, 0, 4, id="a-batch-only"),
        pytest.param(0, 3, 4, id="no-fetch-while-one-runs"),
        pytest.param(0, 4, 8, id="next-batch-after-all-ended"),
        pytest.param(2, 1, 4, id="above-the-threshold"),
        pytest.param(2, 2, 8, id="at-the-threshold"),
        pytest.param(4, 0, 8, id="batch-and-threshold-at-once"),
    ],
)
def test_the_next_batch_is_fetched_at_the_threshold(threshold: int, finished: int, started: int) -> None:
    """At most batchSize + newBatchThreshold messages run at once; the next batch waits for in-flight <= threshold."""
    rig = Rig(options=QueueOptions(batch_size=4, new_batch_threshold=threshold))
    rig.put(*"abcdefghijkl")
    rig.listener.poll()
    for _ in range(finished):
        rig.held.pop(0)()
    rig.listener.poll()
    assert len(rig.held) + finished == started


def test_the_default_threshold_is_half_a_batch() -> None:
    """Without newBatchThreshold it is half of batchSize on one core: 24 messages at once."""
    assert (QueueOptions().batch_size, QueueOptions().threshold) == (16, 8)


def test_a_long_run_keeps_its_message() -> None:
    """Visibility is renewed after five minutes, so a run of eleven is not repeated, and the new receipt deletes it."""
    rig = Rig()
    rig.put("x")
    rig.listener.poll()
    for _ in range(11):
        rig.clock.time += timedelta(minutes=1)
        rig.listener.poll()
    assert not rig.queue.receive(count=1, visibility=SECOND), "another host would run it too"
    rig.release()
    assert rig.bodies == [(1, "x")]
    assert not rig.queue.messages


def test_a_message_taken_over_by_another_host_is_left_alone() -> None:
    """A pop receipt that does not fit any more is ignored when the message is completed."""
    rig = Rig()
    rig.put("x")
    rig.listener.poll()
    rig.clock.time += timedelta(minutes=10)
    rig.queue.receive(count=1, visibility=timedelta(minutes=10))
    rig.release()
    assert [message.dequeue_count for message in rig.queue.messages] == [2]


def test_the_listener_waits_for_a_queue_that_does_not_exist() -> None:
    """A missing trigger queue is no error; the listener looks again until somebody creates it."""
    rig = Rig()
    rig.queue.created = False
    assert rig.listener.poll() > timedelta(0)
    rig.queue.create()
    rig.put("x")
    rig.work_through(SECOND)
    assert rig.bodies == [(1, "x")]


@pytest.mark.parametrize(
    ("error", "away", "ends"),
    [
        pytest.param(QueueRefusedError("403"), 0, True, id="refused-at-once"),
        pytest.param(QueueUnreachableError("no answer"), 18, False, id="out-of-reach-for-a-while"),
        pytest.param(QueueUnreachableError("no answer"), 27, True, id="out-of-reach-for-too-long"),
        pytest.param(QueueUnavailableError("503"), 600, False, id="failing"),
    ],
)
def test_a_queue_that_refuses_ends_the_host(error: QueueUnavailableError, away: int, ends: bool) -> None:  # noqa: FBT001 - a column
    """A listener survives a failing service and 18 s without an answer, but not a refusal, and not 26 s of silence."""
    rig = Rig()
    rig.put("x")
    rig.queue.error = error
    if ends:
        with pytest.raises(ListenerError, match=r"the queue 'work' .*\((403|no answer)\)"):
            rig.work_through((away + 1) * SECOND)
        return
    rig.work_through(away * SECOND)
    rig.queue.error = None
    rig.work_through(SECOND)
    assert rig.bodies == [(1, "x")]


def test_silence_is_counted_from_the_last_answer() -> None:
    """A queue that answers in between, be it with an error of the service, is not out of reach for long."""
    rig = Rig()
    for error in (QueueUnreachableError("no answer"), QueueUnavailableError("503"), None) * 2:
        rig.queue.error = error
        rig.work_through(20 * SECOND)


def test_polling_backs_off_to_the_maximum_and_starts_again_after_messages() -> None:
    """Empty fetches pause ever longer, from 100 ms up to maxPollingInterval; a message starts it again."""
    backoff = Backoff(maximum=timedelta(seconds=1), chance=lambda: 0.5)
    assert [backoff.next(found=found).total_seconds() for found in (True, False, False, False, False, True)] == [
        0.1,
        0.2,
        0.4,
        0.8,
        1.0,
        0.1,
    ]


def test_while_messages_come_there_is_no_pause() -> None:
    """After a batch the next fetch follows at once."""
    rig = Rig()
    rig.put("x")
    assert rig.listener.poll() == timedelta(0)


@pytest.mark.parametrize(
    ("succeeded", "count", "has_poison", "outcome"),
    [
        pytest.param(True, 9, True, Completion.DELETE, id="success-wins"),
        pytest.param(False, 4, True, Completion.RETRY, id="tries-left"),
        pytest.param(False, 5, True, Completion.POISON, id="last-try"),
        pytest.param(False, 5, False, Completion.LEAVE, id="poison-queue"),
    ],
)
def test_completion(succeeded: bool, count: int, has_poison: bool, outcome: Completion) -> None:  # noqa: FBT001 - columns
    """The host deletes, retries, poisons or leaves a message by outcome and dequeue count."""
    assert completion(succeeded=succeeded, dequeue_count=count, max_dequeue_count=5, has_poison=has_poison) is outcome
