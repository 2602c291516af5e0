"""Runs an app under azure-functions-runtime, the production worker library; a script for Python >= 3.13.

Usage: driver.py APP_DIR IN.json OUT.json. Owns the messages that pass between host and worker, with plain classes in
place of the protobuf ones, of which the library only uses names and attributes. Does not own what they should be.
One app per process: the library's registry is global.
"""

import asyncio
import base64
import importlib
import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Record(SimpleNamespace):
    """A message that holds what it was made with. Not a mock: the library asks for attributes that must be missing."""


class StatusResult(Record):
    """The verdict in every answer."""

    Failure = 0
    Success = 1
    exception: Any = None


class BindingInfo(Record):
    """A binding; its directions are compared with the integers of azure-functions."""

    undefined = 0
    out = 1
    inout = 2


class TypedData(Record):
    """A value with its kind, the only field that it is made with."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        """The kind, None when empty."""
        return next(iter(self.__dict__), None)


class InputData(Record):
    """The trigger's value."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's name
        """Always typed data, never shared memory."""
        return "data"


PROTOS = SimpleNamespace(
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    TypedData=TypedData,
    **dict.fromkeys(
        (
            "WorkerInitResponse",
            "WorkerMetadata",
            "RpcFunctionMetadata",
            "RpcRetryOptions",
            "FunctionMetadataResponse",
            "FunctionLoadResponse",
            "InvocationResponse",
            "RpcException",
            "ParameterBinding",
            "RpcHttp",
        ),
        Record,
    ),
)


async def drive(app_dir: Path, invocations: list[dict[str, Any]]) -> dict[str, Any]:
    """Index the app in *app_dir*, load every function and make *invocations* in turn."""
    library: Any = importlib.import_module("azure_functions_runtime")
    library.start_threadpool_executor()
    started = await library.worker_init_request(
        _request(worker_init_request=Record(capabilities={}, function_app_directory=str(app_dir)))
    )
    if started.result.status != StatusResult.Success:
        return {"error": started.result.exception.message, "functions": [], "results": []}
    answer = await library.functions_metadata_request(_request(functions_metadata_request=Record()))
    metadata = answer.function_metadata_results or []
    for function in metadata:
        load = Record(function_id=function.function_id)
        await library.function_load_request(_request(function_load_request=load))
    functions = {function.name: function for function in metadata}
    return {
        "error": None,
        "functions": [
            {"name": function.name, "bindings": [json.loads(raw) for raw in function.raw_bindings]}
            for function in metadata
        ],
        "results": [await _invoke(library, functions[each["function"]], each) for each in invocations],
    }


async def _invoke(library: Any, function: Any, invocation: Mapping[str, Any]) -> dict[str, Any]:
    raw = (json.loads(binding) for binding in function.raw_bindings)
    trigger = next(binding["name"] for binding in raw if binding["type"].endswith("Trigger"))
    request = Record(
        invocation_id=str(uuid.uuid4()),
        function_id=function.function_id,
        input_data=[InputData(name=trigger, data=_data(invocation["data"]))],
        trigger_metadata={name: TypedData(**value) for name, value in invocation["metadata"].items()},
        trace_context=Record(trace_parent="", trace_state="", attributes={}),
        retry_context=Record(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await library.invocation_request(_request(invocation_request=request))
    if answer.result.status != StatusResult.Success:
        exception = answer.result.exception
        return {"error": exception.message, "trace": exception.stack_trace, "returned": None, "outputs": {}}
    outputs = {binding.name: _document(binding.data) for binding in answer.output_data}
    returned = None if answer.return_value is None else _document(answer.return_value)
    return {"error": None, "trace": "", "returned": returned, "outputs": outputs}


def _data(document: Mapping[str, Any]) -> TypedData:
    if "http" not in document:
        return TypedData(**document)
    http = dict(document["http"])
    body = base64.b64decode(http.pop("body"))
    return TypedData(http=Record(**http, body=TypedData(bytes=body) if body else TypedData()))


def _document(value: TypedData) -> dict[str, Any]:
    kind, content = next(iter(value.__dict__.items()))
    if kind == "http":
        body = base64.b64encode(content.body.bytes).decode()
        return {"http": {"status": int(content.status_code), "headers": content.headers, "body": body}}
    return {kind: base64.b64encode(content).decode() if kind == "bytes" else content}


def _request(**message: Record) -> Record:
    return Record(request=Record(**message), properties={"host": "127.0.0.1", "protos": PROTOS})


def main() -> None:
    """Read the invocations, drive the app, write what came out."""
    app_dir, source, target = (Path(argument) for argument in sys.argv[1:])
    sys.path[0] = str(app_dir)
    document = asyncio.run(drive(app_dir, json.loads(source.read_text(encoding="utf-8"))))
    target.write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main()
