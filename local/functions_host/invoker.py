"""Owns running functions in the worker's threads, their log lines and their outputs; does not own triggers."""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from azure.functions.meta import Datum

from local.functions_host import worker
from local.functions_host.functions import Binding, Function
from local.functions_host.queue_output import messages_from_json, messages_from_text

_LOG = logging.getLogger(__name__)
_THREADS = 1000


def thread_count(environment: Mapping[str, str]) -> int:
    """How many functions run at once: PYTHON_THREADPOOL_THREAD_COUNT, which the host sets to 1000 for Python."""
    chosen = environment.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else _THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoker:
    """Runs functions; *send* puts one message body on the queue of an output binding."""

    pool: ThreadPoolExecutor
    send: Callable[[Binding, str], None]

    def run(self, function: Function, *, data: Datum, metadata: Mapping[str, Datum], reason: str) -> Datum | None:
        """Run *function* in this thread, then send its outputs; what it returned.

        Whatever it raised is logged and passes through; its outputs are then not sent.
        """
        invocation_id, began = worker.new_invocation_id(), time.monotonic()
        _LOG.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation_id)
        verdict = "Failed"
        try:
            outcome = worker.invoke(function, invocation_id=invocation_id, data=data, metadata=metadata)
            for binding, value in outcome.outputs:
                for body in _messages(value):
                    self.send(binding, body)
            verdict = "Succeeded"
        except Exception:
            _LOG.exception("System.Private.CoreLib: Exception while executing function: Functions.%s.", function.name)
            raise
        finally:
            duration = round((time.monotonic() - began) * 1000)
            message = "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)"
            _LOG.info(message, function.name, verdict, invocation_id, duration)
        return outcome.returned

    def submit(
        self, function: Function, *, data: Datum, metadata: Mapping[str, Datum], reason: str
    ) -> "Future[Datum | None]":
        """The same in one of the worker's threads."""
        return self.pool.submit(self.run, function, data=data, metadata=metadata, reason=reason)


def _messages(value: Datum) -> tuple[str, ...]:
    if value.type == "json":
        return tuple(messages_from_json(value.value))
    text = value.value.decode() if isinstance(value.value, bytes) else value.value
    return tuple(messages_from_text(text))
