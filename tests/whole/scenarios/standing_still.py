"""Which stories are of a job that can't move, or that seems so: from when on, why, and how each format hears of it.

Owns the table, and the reading of a standstill's beginning out of what was sent.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from trials.simulation.receivers import Receipt

MINUTE = timedelta(minutes=1)
TOLD_WITHIN = 12 * MINUTE
"""Ten minutes and two polls."""
FORMATS: Mapping[str, str] = {
    "ops": "cloudevents",
    "topic": "eventgrid",
    "slack": "slack",
    "teams": "teams",
    "pager": "pagerduty",
}
"""One of the stories' people for each format."""
STANDSTILLS: Mapping[str, Sequence[tuple[timedelta, str]]] = {
    # Once what hangs has passed its limit: an hour, or ten retries.
    "preparation_hangs_everywhere": [(60 * MINUTE, "preparationSlow")],
    "all_but_one_failed": [(60 * MINUTE, "preparationSlow")],
    "endless_retries": [(10 * MINUTE, "preparationSlow")],
    "start_tasks_failed": [(0 * MINUTE, "startTaskFailed")],
    "start_tasks_failed_after_a_good_week": [(3 * MINUTE, "startTaskFailed")],
    "core_quota_reached": [(0 * MINUTE, "resizeFailed")],
    "nodes_unusable_for_a_while": [(2 * MINUTE, "nodesUnable")],
    "each_node_fails_and_is_removed": [(0 * MINUTE, "preparationFailed")],
    "good_node_is_taken_away": [(62 * MINUTE, "preparationFailed")],
    "dead_pool_without_preparation": [(0 * MINUTE, "nodesUnable")],
    "standstill_whose_tasks_are_deleted": [(0 * MINUTE, "preparationFailed")],
    "standstill_whose_nodes_work_for_others": [(0 * MINUTE, "preparationFailed")],
    "tasks_come_to_a_job_that_stood_still": [(0 * MINUTE, "preparationFailed"), (188 * MINUTE, "preparationFailed")],
    # How Batch works.
    "old_resize_error_of_a_parked_pool": [],
    "autoscale_from_none": [],
    "pool_works_for_a_job_of_higher_priority": [],
    "dependencies_that_never_end": [],
    "pool_deallocated_for_the_night": [],
    "spot_nodes_evicted_all_night": [],
    "first_of_many_nodes_fails": [],
    "warm_and_cold_nodes": [],
    "preparation_hangs_on_some_nodes": [],
    "spot_nodes_preempted_while_preparing": [],
}
"""From which times of a story on its job can't move, each with the reason by name; none where nobody is to hear any."""
_WORDS: Mapping[str, str] = {
    "startTaskFailed": "the start task failed on the pool's nodes",
    "nodesUnable": "no node of the pool can work",
    "resizeFailed": "the pool asks for nodes and gets none",
    "preparationFailed": r"preparation failed on (all \d+ nodes|the only node|every node)",
    "preparationSlow": "preparation failed or takes too long on every node",
}
"""What chat says of each reason."""
_PAGE = re.compile(r"standstill\|[^|]+\|(\w+)")


def heard(receipts: Sequence[Receipt]) -> dict[str, list[tuple[datetime, str]]]:
    """By format, when somebody was told of a standstill that he did not know of, and for which reason."""
    found: dict[str, list[tuple[datetime, str]]] = {}
    for webhook, name in FORMATS.items():
        mine = [receipt for receipt in receipts if receipt.message.webhook == webhook and receipt.accepted]
        found[name] = [(receipt.at, why) for receipt, why in _READERS.get(name, _in_events)(mine)]
    return found


def in_time(since: datetime, reason: str, told: tuple[datetime, str]) -> bool:
    """Whether it was told for this reason, and soon enough after that moment."""
    at, why = told
    return why == reason and since <= at <= since + TOLD_WITHIN


def _in_events(receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, str]]:
    for receipt in receipts:
        body = json.loads(receipt.message.body)
        for event in body if isinstance(body, list) else [body]:
            if event["type"] == "prepwatch.job.stuck":
                yield receipt, event["data"]["reason"]


def _on_pages(receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, str]]:
    """A page is brought up to date under its key, which names the reason."""
    known: set[str] = set()
    for receipt in receipts:
        page = receipt.message.reading
        found = _PAGE.search(page.incident) if page is not None else None
        if page is None or found is None:
            continue
        if not page.ends and page.incident not in known:
            yield receipt, found[1]
        (known.discard if page.ends else known.add)(page.incident)


def _in_chat(receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, str]]:
    """What stands still is named in each message about its job."""
    known: set[str] = set()
    for receipt in receipts:
        for part in receipt.message.reading.parts if receipt.message.reading is not None else ():
            if part.stuck and part.job not in known:
                yield receipt, next((why for why, words in _WORDS.items() if re.search(words, part.title)), part.title)
            (known.add if part.stuck else known.discard)(part.job)


_READERS = {"pagerduty": _on_pages, "slack": _in_chat, "teams": _in_chat}
