"""Indexing: which functions an app has, which are switched off, and what one mistake costs."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from local.functions_host.functions import AppError
from local.functions_host.host import Host, build
from local.functions_host.settings import SettingError
from tests.stack.functions_host.sample import APP, SETTINGS, write_app
from tests.stack.functions_host.virtual import FakeQueues


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Indexing changes sys.path and leaves function_app imported, as in the worker; undo both."""
    monkeypatch.syspath_prepend("")
    yield
    monkeypatch.undo()


def _build(directory: Path, source: str = APP, *, group: str | None = None, **settings: str) -> Host:
    host = build(
        write_app(directory, source),
        {key: value for key, value in (SETTINGS | settings).items() if value},
        port=0,
        state_dir=directory / "state",
        check_keys=False,
        ending=Event(),
        group=group,
        connect=lambda _: FakeQueues(),
    )
    host.server.server_close()
    return host


def _names(host: Host) -> list[str]:
    return [function.name for function in host.index.functions]


def test_every_function_is_bound_to_its_trigger(tmp_path: Path) -> None:
    """The host reads triggers, resolved queue names and routes from the app; a missing route is the function's name."""
    host = _build(tmp_path)
    assert list(host.timers) == ["poll"]
    assert [(name, listener.queue.name) for name, listener in host.listeners.items()] == [("work", "work")]
    assert [route.template for route in host.routes] == ["api/echo/{name}", "api/odd/{what}", "api/plain"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"POLL_SCHEDULE": ""}, "'%POLL_SCHEDULE%' does not resolve to a value.", id="missing-setting"),
        pytest.param({"POLL_SCHEDULE": "soon"}, "1 fields", id="no-schedule"),
    ],
)
def test_a_function_that_cannot_be_indexed_leaves_the_others(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    """A function in error is named with the reason; the others run."""
    host = _build(tmp_path, **settings)
    assert _names(host) == ["echo", "odd", "plain", "work"]
    assert sentence in host.index.errors["poll"]


def test_a_disabled_function_is_neither_triggered_nor_routed(tmp_path: Path) -> None:
    """A function switched off by its setting gets no listener and no route."""
    host = _build(tmp_path, **{"AzureWebJobs.work.Disabled": "true", "AzureWebJobs_echo_Disabled": "1"})
    assert host.index.disabled == ("echo", "work")
    assert _names(host) == ["odd", "plain", "poll"]
    assert not host.listeners


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(("def work(", '@app.function_name("poll")\ndef work('), "unique", id="duplicate-name"),
        pytest.param(("app = func", "other = func.FunctionApp()\napp = func"), "exactly one", id="second-app"),
        pytest.param(("import json", "import nowhere_to_be_found"), "nowhere_to_be_found", id="import"),
    ],
)
def test_a_mistake_of_the_app_leaves_no_function(tmp_path: Path, change: tuple[str, str], error: str) -> None:
    """A double name, a second FunctionApp or a failing import means that there are no functions at all."""
    with pytest.raises(AppError, match=error):
        _build(tmp_path, APP.replace(*change, 1))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(("def poll(timer", "async def poll(timer"), "async", id="async"),
        pytest.param(("def poll(timer", "def poll(clock"), "without a binding", id="wrong-parameter"),
        pytest.param((", out: func.Out[typing.List[str]]", ""), "without a parameter", id="missing-parameter"),
        pytest.param(("context: func.Context", "context: str"), "azure.functions.Context", id="context-type"),
        pytest.param(
            ("@app.timer_trigger", '@app.retry(strategy="fixed_delay", max_retry_count="1")\n@app.timer_trigger'),
            "retry",
            id="retry",
        ),
        pytest.param(
            ('@app.timer_trigger(arg_name="timer", schedule="%POLL_SCHEDULE%")',
             '@app.blob_trigger(arg_name="timer", path="a/b", connection="X")'),
            "blobTrigger",
            id="other-trigger",
        ),
    ],
)  # fmt: skip
def test_what_this_host_cannot_run_is_said(tmp_path: Path, change: tuple[str, str], error: str) -> None:
    """A function beyond this host, or one whose parameters don't fit its bindings, is in error with the reason."""
    host = _build(tmp_path, APP.replace(*change, 1))
    assert error in " ".join(host.index.errors.values())


def test_routes_are_tried_from_a_to_z(tmp_path: Path) -> None:
    """The host sorts functions by name whatever the case, so that of two overlapping routes the first name wins."""
    names = ["beta", "Alpha", "_gamma", "delta2", "Delta10"]
    source = "import azure.functions as func\napp = func.FunctionApp()\n" + "".join(
        f'@app.route(route="{{any}}")\ndef {name}(req: func.HttpRequest) -> str:\n    return "x"\n' for name in names
    )
    assert [route.function for route in _build(tmp_path, source).routes] == [
        "Alpha",
        "beta",
        "Delta10",
        "delta2",
        "_gamma",
    ]


@pytest.mark.parametrize(
    ("group", "started"),
    [
        (None, ["http", "poll", "work"]),
        ("http", ["http"]),
        ("poll", ["http", "poll"]),
        ("work", ["http", "work"]),
    ],
)
def test_an_instance_of_a_group_runs_its_triggers_only(tmp_path: Path, group: str | None, started: list[str]) -> None:
    """As on Flex Consumption: HTTP functions are one group, any other is its own; HTTP answers on every instance."""
    host = _build(tmp_path, group=group)
    assert sorted(host.triggers()) == started


def test_a_group_without_functions_is_refused(tmp_path: Path) -> None:
    """A group that is none is refused with those that there are."""
    with pytest.raises(SettingError, match="'echo', there are: http, poll, work"):
        _build(tmp_path, group="echo")


def test_a_missing_connection_is_an_error_of_that_function(tmp_path: Path) -> None:
    """Without the setting that `connection` names, functions with queues are in error and HTTP goes on."""
    host = _build(tmp_path, AzureWebJobsStorage="")
    assert _names(host) == ["echo", "odd", "plain"]
    assert set(host.index.errors) == {"poll", "work"}


def test_use_monitor_is_off_when_the_schedule_is_dense(tmp_path: Path) -> None:
    """The host keeps the status of a timer unless it fires more than once a minute or use_monitor is off."""

    def kept(name: str, source: str = APP, **settings: str) -> bool:
        directory = tmp_path / name
        directory.mkdir()
        timer: Any = _build(directory, source, **settings).timers["poll"]
        return timer.store is not None

    assert kept("sparse")
    assert not kept("dense", POLL_SCHEDULE="*/30 * * * * *")
    assert not kept("off", APP.replace('"%POLL_SCHEDULE%"', '"%POLL_SCHEDULE%", use_monitor=False'))
