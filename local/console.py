"""What a person sees of the local stack: one line for each thing that happened, and the address within sight.

Owns which lines are shown, and how. Who says them, and when, is the parts' and the supervisor's.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Any

_HOST = "host"
_LOGGED = re.compile(r"\[[^]]*\] (?P<text>.*)")
_LINE_OF_THE_APP = re.compile(r"(?P<name>[a-z][a-z_-]*) (?P<fields>\{.*\})")
_WHOM_IT_IS_ABOUT = ("account", "job", "webhook", "event")
# Other at each telling of the same.
_VARYING = {"seconds", "readUpTo", "tries", "durationMs", "requestId"}
# Done a moment later by whoever was first: nothing that a person has to know.
_OF_NO_CONCERN = {"claim-lost", "digest-postponed"}
_LINES_OUT_OF_SIGHT = 25
_LONGEST = 300


def show(name: str, line: str) -> None:
    """Put a line of a part on the screen."""
    # In one piece, and at once: several threads show lines, to whoever reads them as they come.
    print(f"{name:>8} | {line}\n", end="", flush=True)


class Console:
    """Shows what the parts say; without *verbose*, of the host only what is news.

    *receivers* are the webhooks whose receiver is a part itself, and says what it has got.
    """

    def __init__(
        self, *, verbose: bool, receivers: Collection[str] = (), show: Callable[[str, str], None] = show
    ) -> None:
        """Let *show* get a part's name and what it says."""
        self._show = show
        self._verbose = verbose
        self._receivers = receivers
        self._lock = Lock()  # each part is heard on a thread of its own
        self._last: dict[tuple[str, ...], str] = {}
        self._in_sight: str | None = None
        self._since = 0

    def tell(self, name: str, line: str) -> None:
        """Take a line of the part called *name*."""
        with self._lock:
            shown = line if self._verbose or name != _HOST else self._news(line)
            if shown.strip():
                self._put(name, shown if self._verbose or len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ...")
            if self._in_sight is not None and self._since >= _LINES_OUT_OF_SIGHT:
                self._put("stack", self._in_sight)

    def keep_in_sight(self, line: str) -> None:
        """Show *line* now, and again whenever it has moved out of sight."""
        with self._lock:
            self._in_sight = line
            self._put("stack", line)

    def _put(self, name: str, line: str) -> None:
        self._since = 0 if line == self._in_sight else self._since + 1
        self._show(name, line)

    def _news(self, line: str) -> str:
        """What a line of the host tells anew; nothing when that was shown before, or is shown by its receiver."""
        logged = _LOGGED.fullmatch(line)
        if logged is None:
            return line
        key: tuple[str, ...] = ()
        told = logged["text"]
        if said := _LINE_OF_THE_APP.fullmatch(told):
            fields = json.loads(said["fields"])
            is_shown_there = fields.get("verdict") == "delivered" and fields.get("webhook") in self._receivers
            if is_shown_there or said["name"] in _OF_NO_CONCERN:
                return ""
            key = (said["name"], *(str(fields.get(name)) for name in _WHOM_IT_IS_ABOUT))
            told = _in_words(said["name"], fields)
        if self._last.get(key) == told:
            return ""
        self._last[key] = told
        return told


def _in_words(name: str, fields: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in fields.items() if key not in _VARYING}
    if name != "cycle":
        return f"{name}: " + ", ".join(f"{key} {value}" for key, value in rest.items())
    told = f"polled {rest['account']}: {rest['jobs']} jobs"
    if rest["notLookedAt"]:
        told += f", {rest['notLookedAt']} not looked at"
    if rest["errors"]:
        told += f", {rest['errors']} with errors"
    return told + ("" if rest["good"] else f", not good: {rest.get('error', 'its jobs could not be listed')}")
