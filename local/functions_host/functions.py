"""Owns indexing: what functions an app has and what binds them; does not own running or triggering them."""

import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.functions import Context, FunctionRegister
from azure.functions import Function as IndexedFunction

from local.functions_host.settings import SettingError, is_disabled, resolve

_TRIGGERS = {"timerTrigger", "queueTrigger", "httpTrigger"}
_OUTPUTS = {"queue", "http"}
_APP = "function_app"
RETURN = "$return"
HTTP_GROUP = "http"


class AppError(Exception):
    """The app can't be indexed, so that it has no functions at all; mend function_app.py as the message says."""


class FunctionError(Exception):
    """One function can't be indexed; the others are not touched by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One binding as the worker reports it; the values of *properties* have %SETTING% resolved."""

    name: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One indexed function; *call* takes the trigger, the outputs and, if asked for, context by keyword."""

    name: str
    directory: Path
    call: Callable[..., object]
    trigger: Binding
    outputs: tuple[Binding, ...]
    takes_context: bool

    @property
    def group(self) -> str:
        """Which instances of Flex Consumption run it: those of http run all HTTP functions, any other has its own."""
        return HTTP_GROUP if self.trigger.type == "httpTrigger" else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The functions of an app from A to Z, those switched off, and what is wrong with the others."""

    functions: tuple[Function, ...]
    disabled: tuple[str, ...]
    errors: Mapping[str, str]


def index_app(app_dir: Path, environment: Mapping[str, str]) -> Index:
    """Import function_app.py from *app_dir* and index it, once.

    Raises:
        AppError: importing fails, there is not exactly one FunctionApp, or two functions have one name.
    """
    functions, disabled, errors = [], [], {}
    loaded = {str(indexed.get_function_name()): indexed for indexed in _load(app_dir)}
    for name in sorted(loaded, key=str.upper):
        try:
            function = _function(name, loaded[name], app_dir, environment)
        except (FunctionError, SettingError) as exc:
            errors[name] = str(exc)
            continue
        if is_disabled(name, environment):
            disabled.append(name)
        else:
            functions.append(function)
    return Index(functions=tuple(functions), disabled=tuple(disabled), errors=errors)


def _load(app_dir: Path) -> Sequence[IndexedFunction]:
    path = app_dir / f"{_APP}.py"
    spec = importlib.util.spec_from_file_location(_APP, path)
    if not path.exists() or spec is None or spec.loader is None:
        raise AppError(f"{path} is missing: start in the app's directory or pass --app-dir")
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    module = importlib.util.module_from_spec(spec)
    sys.modules[_APP] = module
    try:
        spec.loader.exec_module(module)
        apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
        functions = [function for app in apps for function in app.get_functions()]
    except Exception as exc:
        raise AppError(f"{path}: {type(exc).__name__}: {exc}") from exc
    if len(apps) != 1:
        raise AppError(f"{path} must define exactly one FunctionApp at top level, it defines {len(apps)}")
    return functions


def _function(name: str, indexed: IndexedFunction, app_dir: Path, environment: Mapping[str, str]) -> Function:
    bindings = [_binding(raw, environment) for raw in indexed.get_raw_bindings()]
    triggers = [binding for binding in bindings if binding.type in _TRIGGERS]
    outputs = [binding for binding in bindings if binding.type in _OUTPUTS]
    if len(triggers) != 1 or len(triggers) + len(outputs) != len(bindings):
        types = ", ".join(binding.type for binding in bindings)
        raise FunctionError(f"this host runs timer, queue and HTTP triggers with queue outputs, not: {types}")
    if indexed.get_settings_dict("retry_policy"):
        raise FunctionError("this host has no @app.retry")
    call = indexed.get_user_function()
    if inspect.iscoroutinefunction(call):
        raise FunctionError("it is async; this host runs plain functions only")
    takes_context = _check_parameters(call, {binding.name for binding in bindings} - {RETURN})
    return Function(
        name=name,
        directory=app_dir,
        call=call,
        trigger=triggers[0],
        outputs=tuple(outputs),
        takes_context=takes_context,
    )


def _binding(raw: str, environment: Mapping[str, str]) -> Binding:
    document = json.loads(raw)
    properties = {
        key: resolve(value, environment) if isinstance(value, str) else value for key, value in document.items()
    }
    return Binding(name=document["name"], type=document["type"], properties=properties)


def _check_parameters(call: Callable[..., object], bound: set[str]) -> bool:
    parameters = inspect.signature(call).parameters
    annotation = parameters["context"].annotation if "context" in parameters else Context
    takes_context = "context" in parameters and "context" not in bound
    if takes_context and annotation not in {Context, inspect.Parameter.empty, "func.Context", "Context"}:
        raise FunctionError(f"the context parameter must be of type azure.functions.Context, not {annotation!r}")
    declared = set(parameters) - ({"context"} if takes_context else set())
    if declared - bound:
        raise FunctionError(f"parameters in Python without a binding: {sorted(declared - bound)}")
    if bound - declared:
        raise FunctionError(f"bindings without a parameter in Python: {sorted(bound - declared)}")
    return takes_context
