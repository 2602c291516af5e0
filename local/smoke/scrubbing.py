"""Takes everything out of a recorded answer that says whose it is: names, ids, URLs, texts, secrets.

Owns what may stay. Nothing is looked for: whatever is not known to be harmless is replaced, within one recording the
same by the same. Field names, numbers, truth values, times and the API's own words stay.
"""

import json
import re
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from local.smoke.recording import Recorded

MOST_ENTRIES: Final = 20
"""Entries of a listing that are kept; more of them show nothing new."""
_HOST: Final = "account.region.batch.azure.com"
_REQUEST_ID: Final = "00000000-0000-0000-0000-000000000000"
_URL: Final = re.compile(r"https?://[^/\s]+(/\S*)?")
_WORD: Final = re.compile(r"[A-Za-z]{1,64}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_PSEUDONYM: Final = re.compile(r"(job|task|pool|node|part|container|field)-\d+")
_SHORTEST: Final = 6
_FIELD: Final = re.compile(r"(odata\.)?[A-Za-z]{1,64}")
# Fields whose values are words of the API.
_ENUMERATIONS: Final = frozenset({
    "state", "allocationState", "result", "category", "code", "onAllTasksComplete", "onTaskFailure",
})  # fmt: skip
_IDS: Final = {"id": "job", "poolId": "pool", "nodeId": "node", "containerId": "container"}
_ID_OF: Final = {"Pool_Get": "pool", "ComputeNode_List": "node", "Task_List": "task"}
"""What an `id` in the answer of an operation is of, where it is not a job's."""
_PATH_WORDS: Final = frozenset({
    "jobs", "pools", "nodes", "nodecounts", "files", "tasks", "workitems", "job-1", "jobpreparation", "jobrelease",
    "taskcounts", "stderr.txt", "stdout.txt", "wd", "jobpreparationandreleasetaskstatus",
    "jobpreparationandreleasestatus", "",
})  # fmt: skip
_IDS_BEHIND: Final = {"jobs": "job", "pools": "pool", "nodes": "node", "workitems": "job"}
_KEPT_HEADERS: Final = frozenset({"content-type", "content-length", "retry-after", "dataserviceversion"})
_TIME_HEADERS: Final = frozenset({"last-modified", "ocp-creation-time", "date"})
_KEPT_PARAMETERS: Final = frozenset({"api-version", "maxresults", "timeout", "timeOut", "$select"})


class Scrubber:
    """Scrubs the answers of one account, giving each name one pseudonym."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._id_of = "job"

    def scrub(self, recorded: Recorded) -> dict[str, Any]:
        """The fixture of an exchange; the content of a file is never kept."""
        self._id_of = _ID_OF.get(recorded.operation, "job")
        body: Any = None
        if recorded.body and recorded.operation != "File_GetFromComputeNode":
            body = self._value(_parse(recorded.body), "")
        elif recorded.body:
            body = _parse(recorded.body) if recorded.status >= 400 else None
            body = self._value(body, "") if body is not None else f"{len(recorded.body)} bytes"
        return {
            "operation": recorded.operation,
            "method": recorded.method,
            "target": self._address(recorded.url).removeprefix(f"https://{_HOST}"),
            "status": recorded.status,
            "headers": {name: self._header(name, text) for name, text in sorted(recorded.headers.items())},
            "body": body,
        }

    def _value(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {
                key if _FIELD.fullmatch(key) else self._name("field", key): self._value(part, key)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [self._value(part, name) for part in value[:MOST_ENTRIES]]
        return self._text(value, name) if isinstance(value, str) else value

    def _text(self, text: str, name: str) -> str:
        if _TIME.fullmatch(text) or (name in _ENUMERATIONS and _WORD.fullmatch(text)):
            return text
        if name in _IDS:
            return self._name(self._id_of if name == "id" else _IDS[name], text)
        if _URL.fullmatch(text):
            return self._address(text)
        if name == "taskRootDirectory":
            return self._path(text)
        return f"text of {len(text)} characters"

    def _name(self, kind: str, text: str) -> str:
        key = (kind, text.lower())
        if key not in self._names:
            self._names[key] = f"{kind}-{sum(known == kind for known, _ in self._names) + 1}"
        return self._names[key]

    def _address(self, url: str) -> str:
        parts = urlsplit(url)
        query = "&".join(f"{name}={text if name in _KEPT_PARAMETERS else 'x'}" for name, text in parse_qsl(parts.query))
        fragment = f"#{parts.fragment}" if _WORD.fullmatch(parts.fragment) else ""
        return f"https://{_HOST}{self._path(parts.path)}{'?' if query else ''}{query}{fragment}"

    def _path(self, path: str) -> str:
        before, kept = "", []
        # A file's path goes out as one segment, its slashes escaped.
        for plain in unquote(path).split("/"):
            if before in _IDS_BEHIND and plain:
                kept.append(self._name(_IDS_BEHIND[before], plain))
            elif plain.lower() in _PATH_WORDS or plain == "$metadata":
                kept.append(plain)
            else:
                kept.append(self._name("part", plain))
            before = plain.lower() if before not in _IDS_BEHIND else ""
        return "/".join(kept)

    def _header(self, name: str, text: str) -> str:
        if name in {"request-id", "client-request-id"}:
            return _REQUEST_ID
        if name == "etag":
            return '"0x0"'
        return text if name in _KEPT_HEADERS | _TIME_HEADERS else "x"


def names_in(recorded: Recorded) -> set[str]:
    """Every id and host that an exchange names, to look for in what is about to be written."""
    found = {urlsplit(recorded.url).netloc}
    parts = unquote(urlsplit(recorded.url).path).split("/")
    found |= {name for word, name in pairwise(parts) if word.lower() in _IDS_BEHIND}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                walk(part, key)
        elif isinstance(value, list):
            for part in value:
                walk(part, name)
        elif isinstance(value, str) and name in _IDS:
            found.add(value)

    if recorded.operation != "File_GetFromComputeNode":
        walk(_parse(recorded.body), "")
    return {name for name in found if name.lower() not in _PATH_WORDS and not _PSEUDONYM.fullmatch(name)}


def is_named_in(name: str, text: str) -> bool:
    """Whether a text holds a name as a whole word; one of a few letters is in any text, so it counts for none."""
    return len(name) >= _SHORTEST and bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE))


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
