"""Owns host.json, local.settings.json and app settings; does not own what functions do with them."""

import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_TIME_SPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2}):(?P<seconds>\d{2}(?:\.\d+)?)")
_PERCENT = re.compile(r"%([^%]+)%")
# Texts first: what looks like a comment, or a comma too many, within one is none.
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA_AT_THE_END = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


class SettingError(ValueError):
    """A setting or a settings file is wrong; the message names it and says how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """extensions.queues of host.json, with the host's defaults.

    *retry_delay* is `visibilityTimeout`: how long a message stays invisible after a failed try. None as
    *new_batch_threshold* means half of *batch_size*, as on one core.
    """

    batch_size: int = 16
    new_batch_threshold: int | None = None
    max_dequeue_count: int = 5
    retry_delay: timedelta = timedelta(0)
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True

    @property
    def threshold(self) -> int:
        """The next batch is fetched once no more messages than this are being worked on."""
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What host.json says to this host."""

    route_prefix: str = "api"
    queues: QueueOptions = QueueOptions()


def read_host_json(app_dir: Path) -> HostOptions:
    """The options in *app_dir*/host.json.

    Raises:
        SettingError: there is none, it is not JSON or a value is out of range; correct the file.
    """
    document = _read_json(app_dir / "host.json")
    if document.get("version") != "2.0":
        raise SettingError('host.json: "version" must be "2.0"')
    extensions = document.get("extensions", {})
    queues, defaults = extensions.get("queues", {}), QueueOptions()
    options = QueueOptions(
        batch_size=queues.get("batchSize", defaults.batch_size),
        new_batch_threshold=queues.get("newBatchThreshold"),
        max_dequeue_count=queues.get("maxDequeueCount", defaults.max_dequeue_count),
        retry_delay=time_span(str(queues.get("visibilityTimeout", "00:00:00"))),
        max_polling_interval=time_span(str(queues.get("maxPollingInterval", "00:01:00"))),
        base64=queues.get("messageEncoding", "base64") == "base64",
    )
    if not 1 <= options.batch_size <= 32:
        raise SettingError("host.json: extensions.queues.batchSize must be 1 to 32")
    return HostOptions(route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"), queues=options)


def apply_local_settings(app_dir: Path, environment: MutableMapping[str, str]) -> tuple[str, ...]:
    """Put Values of *app_dir*/local.settings.json into *environment*; the names that it already had are returned.

    What the environment has wins, as with Core Tools. Without the file nothing happens.

    Raises:
        SettingError: the file is encrypted or not JSON; decrypt it with `func settings decrypt`, or correct it.
    """
    path = app_dir / "local.settings.json"
    if not path.exists():
        return ()
    document = _read_json(path)
    if document.get("IsEncrypted"):
        raise SettingError("local.settings.json is encrypted: run `func settings decrypt`")
    values = document.get("Values", {})
    skipped = tuple(name for name in values if name in environment)
    environment.update({name: str(value) for name, value in values.items() if name not in environment})
    return skipped


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """*text* with every %NAME% replaced by that setting.

    Raises:
        SettingError: with the host's sentence, when a setting is missing or empty; set it.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if not found:
            raise SettingError(f"'%{match[1]}%' does not resolve to a value.")
        return found

    return _PERCENT.sub(value, text)


def connection_string(name: str, environment: Mapping[str, str]) -> str:
    """The connection string that a binding's `connection` names; like the host it also looks for AzureWebJobs + name.

    Raises:
        SettingError: neither is set; set it. Identity-based connections are beyond this host.
    """
    for candidate in (f"AzureWebJobs{name}", name):
        if environment.get(candidate):
            return environment[candidate]
    raise SettingError(
        f"Storage account connection string '{name}' does not exist. Make sure that it is a defined App Setting."
    )


def is_disabled(function_name: str, environment: Mapping[str, str]) -> bool:
    """Whether AzureWebJobs.<name>.Disabled, or with underscores where dots can't be had, is true or 1."""
    names = (f"AzureWebJobs.{function_name}.Disabled", f"AzureWebJobs_{function_name}_Disabled")
    return any(environment.get(name, "").lower() in {"true", "1"} for name in names)


def time_span(text: str) -> timedelta:
    """The duration that a .NET TimeSpan such as 00:00:30 or 1.00:00:00 spells.

    Raises:
        SettingError: it is none; write [d.]hh:mm:ss.
    """
    match = _TIME_SPAN.fullmatch(text)
    if match is None:
        raise SettingError(f"{text!r} is no time span, write [d.]hh:mm:ss")
    return timedelta(**{unit: float(number) for unit, number in match.groupdict("0").items()})


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_plain_json(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError as exc:
        raise SettingError(f"{path} is missing: start in the app's directory or pass --app-dir") from exc
    except json.JSONDecodeError as exc:
        raise SettingError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise SettingError(f"{path} must hold a JSON object")
    return document


def _plain_json(text: str) -> str:
    """*text* without comments and commas too many, which the host and Core Tools allow, each line where it was."""

    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith('"') else re.sub(r"[^\n]", " ", match[0])

    return _COMMA_AT_THE_END.sub(blank, _COMMENT.sub(blank, text))
