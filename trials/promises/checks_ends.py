"""What must hold of troubles once the outside has been well for hours: each that was told has its end told as well.

Owns the pairs of events. Does not own the ends that only nodes have (`checks`, `broken_nodes`), nor what chat and pager
are told of jobs (`checks_told`).
"""

from collections.abc import Mapping

from local.batch_simulator.filters import parse_time
from shared.state.jobs import JobHead
from shared.webhook import Webhook
from trials.promises.checks import is_sent_event, stored_heads
from trials.promises.monitor import Monitor
from trials.promises.seen import OPPOSITES, SeenEvent
from trials.simulation.batch import ACCOUNT
from trials.simulation.fault_rates import ReceiverState
from trials.simulation.system import System

_ENDS = {trouble: end for end, trouble in OPPOSITES.items()}


def check_ends(system: System) -> None:
    """Whoever surely heard of a trouble has heard of its end, and only what goes on has none.

    Raises:
        BrokenPromiseError: Naming every sentence that does not hold.
    """
    monitor, heads = system.monitor, stored_heads(system)
    for event in monitor.events.values():
        if event.type not in _ENDS:
            continue
        end = _end_of(event, monitor)
        if end is None:
            if not _goes_on(event, heads, system):
                monitor.blame(f"{event.type} {event.id} was told, and it is over, and nobody was told of that")
            continue
        for webhook in system.settings.webhooks:
            if (webhook.name, event.id) in monitor.surely_heard and _is_owed(webhook, end, system):
                monitor.blame(f"{webhook.name} was told of {event.type} {event.id}, and not of {end.type}")
    system.raise_what_broke()


def _end_of(trouble: SeenEvent, monitor: Monitor) -> SeenEvent | None:
    """The event that ends a trouble: it is about the same thing, and says since when that was."""
    same = _identity(trouble)
    return next((e for e in monitor.events.values() if e.type == _ENDS[trouble.type] and _identity(e) == same), None)


def _identity(event: SeenEvent) -> tuple[object, ...]:
    return (event.partition, *(event.data.get(name) for name in ("webhook", "jobId", "jobCreationTime", "since")))


def _goes_on(trouble: SeenEvent, heads: Mapping[str, JobHead], system: System) -> bool:
    """Whether what was told is still so: accounts and receivers are all well by now, but for those gone for good."""
    if "webhook" in trouble.data:
        return system.receivers[trouble.data["webhook"]].state is ReceiverState.GONE
    head = heads.get(str(trouble.data.get("jobId", "")).lower())
    created = trouble.data.get("jobCreationTime")
    if head is None or created is None or head.creation_time != parse_time(created):
        return False
    if trouble.type == "job.stuck":
        return head.stuck_since is not None
    return head.trouble is not None and head.trouble.event_id is not None


def _is_owed(webhook: Webhook, end: SeenEvent, system: System) -> bool:
    """Whether a webhook that takes messages wants an end, and has not been told."""
    place, kind = (webhook.name, end.id), f"prepwatch.{end.type}"
    wants = webhook.wants(kind, job_id=end.data.get("jobId"), account=ACCOUNT, pools=end.pools)
    gone = system.receivers[webhook.name].state is ReceiverState.GONE
    dead = system.table.get(end.partition, f"dead|{webhook.name}|{end.id}") is not None
    return is_sent_event(webhook, end.type) and wants and not gone and not dead and place not in system.monitor.accepted
