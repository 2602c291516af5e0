"""What a chat service was told, as people would count it.

Owns the reading of a message of the format `slack`. Does not own its words (`shared.notices`).
"""

import json
import re
from collections import Counter
from dataclasses import dataclass

_COUNT = re.compile(r"(?P<phase>Preparation|Release): (?P<nodes>\d+) newly failed")


@dataclass(frozen=True, slots=True, order=True)
class Said:
    """Something that was said of a job: that so many nodes failed in a phase, or that all is over (`resolved`)."""

    job: str
    what: str


def read_chat(body: str) -> Counter[Said]:
    """How many failures of each job and phase a message tells, and which jobs it says to be over."""
    said: Counter[Said] = Counter()
    for block in json.loads(body)["blocks"]:
        if block["type"] != "section":
            continue
        title, *facts = block["text"]["text"].split("\n")
        job, _, state = title.partition(": ")
        if state == "resolved":
            said[Said(job, "resolved")] += 1
        for fact in facts:
            if (found := _COUNT.match(fact)) is not None:
                said[Said(job, found["phase"].lower())] += int(found["nodes"])
    return said
