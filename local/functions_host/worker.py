"""Owns one invocation as the Python worker does it: decoding, calling, encoding; does not own the outputs' fate.

Values are decoded and encoded by the converters of azure-functions, which the production worker uses too.
"""

import logging
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import azure.functions
from azure.functions import Context, Out
from azure.functions.meta import Datum

from local.functions_host.functions import RETURN, Binding, Function

_LOCAL = threading.local()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a successful invocation gave: *returned* for $return (None without), and what each output was set to."""

    returned: Datum | None
    outputs: tuple[tuple[Binding, Datum], ...]


class _Output(Out[Any]):
    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trace:
    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retry:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context(Context):
    invocation_id: str
    function_name: str
    function_directory: str
    thread_local_storage: Any = _LOCAL
    trace_context: Any = _Trace()
    retry_context: Any = _Retry()


class OfInvocation(logging.Filter):
    """Lets pass what the host itself logs, and of an app what it logs on the thread of an invocation.

    The host drops everything else, for it can't tell whose it is. A thread of the app's own is let in by setting
    `context.thread_local_storage.invocation_id`, as Microsoft documents it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record*, logged by this thread, arrives."""
        return record.name.startswith("local.") or getattr(_LOCAL, "invocation_id", None) is not None


def new_invocation_id() -> str:
    """A fresh invocation id."""
    return str(uuid.uuid4())


def invoke(function: Function, *, invocation_id: str, data: Datum, metadata: Mapping[str, Datum]) -> Outcome:
    """Call *function* in this thread with *data* as its trigger.

    Whatever it raises passes through. RuntimeError: it returned a value without a $return binding.
    TypeError: a value has a type that its binding can't carry.
    """
    trigger = function.trigger
    decoded = _converter(trigger.type).decode(data, trigger_metadata=metadata)
    outputs = {binding.name: _Output() for binding in function.outputs if binding.name != RETURN}
    arguments: dict[str, Any] = {trigger.name: decoded, **outputs}
    if function.takes_context:
        directory = str(function.directory)
        arguments["context"] = _Context(
            invocation_id=invocation_id, function_name=function.name, function_directory=directory
        )
    _LOCAL.invocation_id = invocation_id
    try:
        value = function.call(**arguments)
    finally:
        _LOCAL.invocation_id = None
    returning = next((binding for binding in function.outputs if binding.name == RETURN), None)
    if value is not None and returning is None:
        raise RuntimeError(f"function {function.name!r} without a $return binding returned a non-None value")
    set_outputs = tuple(
        (binding, _encode(binding, outputs[binding.name].get()))
        for binding in function.outputs
        if binding.name != RETURN and outputs[binding.name].get() is not None
    )
    if returning is None:
        return Outcome(returned=None, outputs=set_outputs)
    returned = _encode(returning, value)
    if returning.type == "queue":
        return Outcome(returned=None, outputs=(*set_outputs, (returning, returned)))
    return Outcome(returned=returned, outputs=set_outputs)


def _encode(binding: Binding, value: Any) -> Datum:
    try:
        encoded: Datum = _converter(binding.type).encode(value, expected_type=None)
    except NotImplementedError as exc:
        raise TypeError(f"the binding {binding.name!r} ({binding.type}) can't carry a {type(value).__name__}") from exc
    return encoded


def _converter(binding_type: str) -> Any:
    registry: Any = azure.functions.get_binding_registry  # untyped in azure-functions
    return registry().get(binding_type)
