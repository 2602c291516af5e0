"""What a chapter has come to, as everybody concerned sees it.

Owns what of it is compared with a chapter without a fault. Does not own the comparison (`stage`).
"""

import json
from collections import Counter
from dataclasses import dataclass

from shared.web.http import Request
from shared.web.routes import Routes
from trials.faults.chat import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a chapter has come to when all that was due is delivered.

    `told` are webhook, type and subject of what was taken over, leaving out what depends on how often a webhook failed;
    `taken` how often each message (webhook, id) was; `said` what chat was told of jobs, `last_trouble` what last of the
    account; `asked` what people asked for, as the API shows it.
    """

    told: frozenset[tuple[str, str, str]]
    taken: Counter[tuple[str, str]]
    said: Counter[Said]
    last_trouble: str | None
    asked: tuple[str, ...]


def asked_for(routes: Routes) -> tuple[str, ...]:
    """What people asked for, as the API shows it."""
    jobs = json.loads(routes.list_jobs(Request()).body)["value"]
    webhooks = json.loads(routes.webhooks.list_webhooks(Request()).body)["value"]
    return (
        *(
            f"job {job['jobId']}: {job['tracking']}, requested {job['requested']}"
            for job in jobs
            if job["requested"] or job["tracking"] == "stopped"
        ),
        *(f"mute {mute['name']}" for mute in json.loads(routes.mutes.list_mutes(Request()).body)["value"]),
        *(f"webhook {hook['name']} is disabled" for hook in webhooks if hook["state"] == "disabled"),
    )
