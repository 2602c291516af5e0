"""host.json, local.settings.json and app settings as the host reads them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from local.functions_host.settings import (
    QueueOptions,
    SettingError,
    apply_local_settings,
    connection_string,
    is_disabled,
    read_host_json,
    resolve,
    time_span,
)


def _write(directory: Path, name: str, document: object) -> Path:
    directory.joinpath(name).write_text(json.dumps(document), encoding="utf-8")
    return directory


def test_host_json_names_the_queue_options_and_the_route_prefix(tmp_path: Path) -> None:
    """Every option of extensions.queues and extensions.http.routePrefix is taken from host.json."""
    queues = {
        "batchSize": 4,
        "newBatchThreshold": 0,
        "maxDequeueCount": 2,
        "visibilityTimeout": "00:00:30",
        "maxPollingInterval": "00:00:05",
        "messageEncoding": "none",
    }
    extensions = {"queues": queues, "http": {"routePrefix": "/v1/"}}
    options = read_host_json(_write(tmp_path, "host.json", {"version": "2.0", "extensions": extensions}))
    assert options.route_prefix == "v1"
    assert options.queues == QueueOptions(
        batch_size=4,
        new_batch_threshold=0,
        max_dequeue_count=2,
        retry_delay=timedelta(seconds=30),
        max_polling_interval=timedelta(seconds=5),
        base64=False,
    )


def test_host_json_may_say_nothing(tmp_path: Path) -> None:
    """The host's defaults: batches of 16, five tries at once one after the other, prefix api."""
    options = read_host_json(_write(tmp_path, "host.json", {"version": "2.0"}))
    assert (options.route_prefix, options.queues) == ("api", QueueOptions())
    assert options.queues.retry_delay == timedelta(0)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        pytest.param({}, "version", id="no-version"),
        pytest.param([], "object", id="no-object"),
        pytest.param({"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}, "batchSize", id="batch-size"),
        pytest.param(
            {"version": "2.0", "extensions": {"queues": {"visibilityTimeout": 30}}}, "30", id="number-for-time-span"
        ),
        pytest.param(
            {"version": "2.0", "extensions": {"queues": {"visibilityTimeout": "30s"}}}, "30s", id="no-time-span"
        ),
    ],
)
def test_a_wrong_host_json_is_refused(tmp_path: Path, document: object, named: str) -> None:
    """The host does not start with a host.json that it can't understand; the message names the fault."""
    with pytest.raises(SettingError, match=named):
        read_host_json(_write(tmp_path, "host.json", document))


def test_the_environment_wins_over_local_settings(tmp_path: Path) -> None:
    """Values of local.settings.json become settings unless the environment has them, as with Core Tools."""
    environment = {"A": "mine"}
    _write(tmp_path, "local.settings.json", {"IsEncrypted": False, "Values": {"A": "file", "B": 1}})
    assert apply_local_settings(tmp_path, environment) == ("A",)
    assert environment == {"A": "mine", "B": "1"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param('{"Values": {"A": "1"} // why\n}', {"A": "1"}, id="to-the-end-of-the-line"),
        pytest.param('/* why\n so */ {"Values": {"A": "1"}}', {"A": "1"}, id="over-lines"),
        pytest.param('{"Values": {"A": "1", /* "B": "2", */ },}', {"A": "1"}, id="a-comma-too-many"),
        pytest.param(
            '{"Values": {"A": "http://a/*b*/c", "B": "x,}"}}', {"A": "http://a/*b*/c", "B": "x,}"}, id="no-comment"
        ),
        pytest.param(r'{"Values": {"A": "a\"//b", "B": "c\\"} // d"' + "\n}", {"A": 'a"//b', "B": "c\\"}, id="escapes"),
        pytest.param('\ufeff{"Values": {"A": "1"}}', {"A": "1"}, id="with-a-mark-of-its-encoding"),
    ],
)
def test_settings_files_may_have_comments(tmp_path: Path, text: str, values: dict[str, str]) -> None:
    """Comments, and commas before a bracket, are allowed as Core Tools allow them; texts are left alone."""
    (tmp_path / "local.settings.json").write_text(text, encoding="utf-8")
    environment: dict[str, str] = {}
    apply_local_settings(tmp_path, environment)
    assert environment == values


def test_a_fault_is_found_where_it_is_in_spite_of_comments(tmp_path: Path) -> None:
    """What is wrong with a file is told with its line and column."""
    (tmp_path / "local.settings.json").write_text('{ /* one\n two */ "Values": x }', encoding="utf-8")
    with pytest.raises(SettingError, match="line 2 column 19"):
        apply_local_settings(tmp_path, {})


def test_local_settings_may_be_missing_but_not_encrypted(tmp_path: Path) -> None:
    """Without the file the environment is all there is; an encrypted one is refused with the command to mend it."""
    environment: dict[str, str] = {}
    assert apply_local_settings(tmp_path, environment) == ()
    with pytest.raises(SettingError, match="func settings decrypt"):
        apply_local_settings(_write(tmp_path, "local.settings.json", {"IsEncrypted": True}), environment)


def test_percent_names_are_resolved_anywhere_in_a_text() -> None:
    """%NAME% is replaced by the setting, also within a schedule."""
    assert resolve("0 %MINUTE% * * * %DAY%", {"MINUTE": "*/5", "DAY": "1"}) == "0 */5 * * * 1"


@pytest.mark.parametrize("environment", [{}, {"POLL_SCHEDULE": ""}], ids=["missing", "empty"])
def test_a_missing_setting_has_the_hosts_sentence(environment: dict[str, str]) -> None:
    """A %NAME% without setting can't be indexed, and the host says which."""
    with pytest.raises(SettingError, match=r"^'%POLL_SCHEDULE%' does not resolve to a value\.$"):
        resolve("%POLL_SCHEDULE%", environment)


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.poll.Disabled", "true", True),
        ("AzureWebJobs.poll.Disabled", "1", True),
        ("AzureWebJobs_poll_Disabled", "True", True),
        ("AzureWebJobs.poll.Disabled", "false", False),
        ("AzureWebJobs.other.Disabled", "true", False),
    ],
)
def test_a_function_is_disabled_by_its_setting(name: str, value: str, disabled: bool) -> None:  # noqa: FBT001 - a column
    """The settings AzureWebJobs.<name>.Disabled and AzureWebJobs_<name>_Disabled switch a function off."""
    assert is_disabled("poll", {name: value}) is disabled


@pytest.mark.parametrize("name", ["AzureWebJobsStorage", "AzureWebJobsOther", "Plain"])
def test_a_connection_is_found_with_and_without_its_prefix(name: str) -> None:
    """The host looks for AzureWebJobs + connection, then for the connection's own name."""
    assert connection_string(name.removeprefix("AzureWebJobs"), {name: "x"}) == "x"


def test_a_connection_without_setting_is_named() -> None:
    """A binding whose connection is not set can't be indexed."""
    with pytest.raises(SettingError, match="'Storage' does not exist"):
        connection_string("Storage", {})


def test_time_spans_may_have_days_and_fractions() -> None:
    """A .NET TimeSpan is [d.]hh:mm:ss[.f]."""
    assert time_span("1.02:03:04.5") == timedelta(days=1, hours=2, minutes=3, seconds=4.5)
