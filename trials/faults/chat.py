"""What a chat service was told, as people would count it.

Owns what of a message counts. Does not own how it is read (`trials.promises.reading`).
"""

from collections import Counter
from dataclasses import dataclass

from trials.promises.bodies import read_message
from trials.promises.reading import PHASES


@dataclass(frozen=True, slots=True, order=True)
class Said:
    """Something that was said of a job: that so many nodes failed in a phase, or that all is over (`resolved`).

    `standing` is that it goes on. Of a `pool` it is what its heading says, in place of the job.
    """

    job: str
    what: str


def read_chat(body: str) -> Counter[Said]:
    """How many failures of each job and phase a message tells, which jobs it says to be over, and what of pools."""
    said: Counter[Said] = Counter()
    reading = read_message("slack", body.encode())
    for part in reading.parts if reading.about_jobs else ():
        said.update({Said(part.job, phase): part.newly_failed(phase) for phase in PHASES})
        said[Said(part.job, "resolved")] += part.resolved
        said[Said(part.job, "pool")] += part.of_a_pool
        said[Said(part.job, "standing")] += reading.daily
    return +said


def last_trouble(messages: list[str]) -> str | None:
    """What chat was told last of how the account as a whole stands: the type of that event, None for nothing."""
    types = (read_message("slack", message.encode()).event_type or "" for message in messages)
    return next((kind for kind in reversed(list(types)) if kind.startswith("account.")), None)
