"""Tells a story on the whole app and writes down what each receiver got.

Owns the people of the stories and the words of a transcript: events in a line, chat messages and pages with their first
lines. A new receiver is a line in PEOPLE.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from trials.promises.reading import Reading
from trials.simulation.batch import ACCOUNT
from trials.simulation.fault_rates import FaultRates
from trials.simulation.process import Process
from trials.simulation.receivers import Receipt, Receiver
from trials.simulation.system import START, System

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PEOPLE: Mapping[str, Mapping[str, object]] = {
    "ops": {},
    "night-team": {"jobs": ["nightly*"]},
    "on-call": {"events": ["job.*", "account.*", "webhook.*"]},
    "slack": {"format": "slack"},
    "teams": {"format": "teams", "jobs": ["nightly*"]},
    "pager": {"format": "pagerduty"},
}
"""Who is told, as webhooks: the name, and what of a plain webhook of its format is different."""

_MOST_NODES_NAMED = 4
_MOST_PARTS, _MOST_FACTS, _MOST_CHARACTERS = 3, 3, 100
_INDENT = " " * 30


class Story:
    """A system of one process whose timer fires each minute; polls begin with the first `wait`."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.said: list[tuple[timedelta, str]] = []

    def say(self, sentence: str) -> None:
        """Put what happens now into the transcript."""
        self.said.append((self._time(), sentence))

    def wait(self, duration: timedelta, every: timedelta = MINUTE) -> None:
        """Let time pass, the timer firing *every* so often."""
        end = self.system.now + duration
        while self.system.now < end:
            self.system.poll(self._process())
            self.system.run_for(min(every, end - self.system.now))

    def without_prepwatch(self, duration: timedelta) -> None:
        """Let time pass while Prepwatch does not run."""
        self.system.run_for(duration)

    def status(self) -> None:
        """Ask for the summary, and write down its status and reasons."""
        summary = self.system.ask_summary()
        reasons = summary["reasons"]
        why = "; ".join(map(str, reasons)) if isinstance(reasons, Sequence) else ""
        self.say(f"the summary says {summary['status']}" + (f": {why}" if why else ""))

    def rates(self, rates: FaultRates) -> None:
        """Change how the outside behaves."""
        self.system.chance.rates = rates

    def mute(self, globs: Sequence[str], until: datetime) -> None:
        """Somebody mutes jobs from now on."""
        self.system.put_mute(self._process(), "quiet", globs, self.system.now, until)

    def receiver(self, name: str) -> Receiver:
        """One of the people's receivers."""
        return self.system.receivers[name]

    def transcript(self) -> str:
        """What was said and received, by time."""
        lines = [(at, f"-- {sentence}") for at, sentence in self.said]
        lines.extend((receipt.at - START, words_of(receipt)) for receipt in self.system.monitor.receipts)
        lines.sort(key=lambda line: line[0])
        return "".join(f"{_clock(at)}  {words}\n" for at, words in lines)

    def _time(self) -> timedelta:
        return self.system.now - START

    def _process(self) -> Process:
        return self.system.processes[0]


def nodes(number: int) -> list[str]:
    """The names of so many nodes."""
    return [f"n{index:02d}" for index in range(1, number + 1)]


def words_of(receipt: Receipt) -> str:
    """One request in words."""
    message = receipt.message
    words = _cloudevent(json.loads(message.body)) if message.reading is None else _message(message.reading)
    first, *rest = words
    answer = "" if receipt.accepted else f"  [{receipt.status or 'no answer'}]"
    return "\n".join([f"{message.webhook:<11} {first}{answer}", *(f"{_INDENT}{line}" for line in rest)])


def _message(reading: Reading) -> list[str]:
    """What catches the eye: the headline and the first lines."""
    if reading.ends:
        return [f"incident {_short(reading.incident)} is over"]
    lines = [f"incident {_short(reading.incident)}: {reading.headline}" if reading.incident else reading.headline]
    for part in reading.parts[:_MOST_PARTS]:
        if len(reading.parts) > 1:
            lines.append(part.title)
        facts = [f"{name}: {value}" for name, value in part.facts[:_MOST_FACTS]]
        lines.extend(f"| {fact if len(fact) <= _MOST_CHARACTERS else fact[:_MOST_CHARACTERS] + '…'}" for fact in facts)
    more = len(reading.parts) - _MOST_PARTS
    return [*lines, f"... {more} more"] if more > 0 else lines


def _short(incident: str) -> str:
    """The incident's key without what all have in common."""
    return incident.removeprefix("prepwatch:").replace(f"{ACCOUNT}:", "")


def _cloudevent(body: Mapping[str, Any]) -> list[str]:
    data, kind = body["data"], str(body["type"]).removeprefix("prepwatch.")
    about = data.get("webhook") or data.get("jobId") or data.get("poolId") or data.get("account")
    said = [f"{kind}  {about}"]
    nodes = data.get("nodes") or []
    if nodes:
        named = ", ".join(node["nodeId"] for node in nodes[:_MOST_NODES_NAMED])
        more = f" and {len(nodes) - _MOST_NODES_NAMED} more" if len(nodes) > _MOST_NODES_NAMED else ""
        known = data["counts"]["nodes"]  # of a pool by state
        said.append(f"{len(nodes)} of {known if isinstance(known, int) else sum(known.values())} nodes: {named}{more}")
    causes = ", ".join(f"{cause['code']} on {cause['nodes']}" for cause in data.get("causes", ()))
    reason = data.get("reason") or (data.get("error") or {}).get("code")
    said.extend(part for part in (causes, reason) if part)
    return ["; ".join(said)]


def _clock(at: timedelta) -> str:
    days, seconds = divmod(int(at.total_seconds()), 86_400)
    return f"day {days + 1} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
