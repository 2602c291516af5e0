"""Writes down every exchange that the real client has with a Batch account.

Owns nothing but the copy. The exchanges are those of `shared.adapters.http_transport`, unchanged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from shared.adapters.http_transport import Exchange, HttpTransport

_OPERATIONS = (
    ("Job_List", re.compile(r"/jobs/?")),
    ("Job_ListPreparationAndReleaseTaskStatus", re.compile(r"/jobs/[^/]+/jobpreparationandrelease(task)?status")),
    ("Job_GetTaskCounts", re.compile(r"/jobs/[^/]+/taskcounts")),
    ("Job_Get", re.compile(r"/jobs/[^/]+")),
    ("Task_List", re.compile(r"/jobs/[^/]+/tasks")),
    ("Account_ListPoolNodeCounts", re.compile(r"/nodecounts")),
    ("Pool_Get", re.compile(r"/pools/[^/]+")),
    ("ComputeNode_List", re.compile(r"/pools/[^/]+/nodes")),
    ("File_GetFromComputeNode", re.compile(r"/pools/[^/]+/nodes/[^/]+/files/.+")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request and its answer; of the request no header is kept."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def operation(self) -> str:
        """The operation's name in the API; HEAD has a name of its own there."""
        path = urlsplit(self.url).path.lower()
        name = next((name for name, pattern in _OPERATIONS if pattern.fullmatch(path)), "Unknown")
        return "File_GetPropertiesFromComputeNode" if self.method == "HEAD" else name


class RecordingTransport(HttpTransport):
    """A transport that keeps what went over it in `exchanges`."""

    def __init__(self, *, allow_http: bool) -> None:
        super().__init__(allow_http=allow_http)
        self.exchanges: list[Recorded] = []

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        deadline: timedelta,
        max_body: int,
    ) -> Exchange:
        """Make the exchange and keep it."""
        answer = super().exchange(method, url, headers, body, deadline=deadline, max_body=max_body)
        known = {name.lower(): value for name, value in answer.headers.items()}
        recorded = Recorded(method=method, url=url, status=answer.status, headers=known, body=answer.body)
        self.exchanges.append(recorded)
        return answer
