"""What must hold once the outside has been well for a while: all that stands in the listing is known and told.

Owns the comparison of the table, the truth and the receivers' log. Reads the table directly, never through the app.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from local.batch_simulator.filters import parse_time
from local.batch_simulator.jobs import Job, NodeStatus
from local.batch_simulator.statuses import Phase as ListedPhase
from local.batch_simulator.statuses import is_failed
from shared.batch.model import Phase
from shared.batch.outcomes import has_failed, outcome_of
from shared.messages.format_table import format_of
from shared.moments import as_utc
from shared.state.accounts import Cycle
from shared.state.chunks import Cover, decode_chunk, decode_record, node_key
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord, Reason
from shared.state.rows import CYCLE, OWN, chunk_key, event_key, from_row, range_of, unpack
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook
from trials.promises.truth import Incarnation, Occurrence, incarnation_of, occurrence_of
from trials.simulation.batch import ACCOUNT
from trials.simulation.system import System

_SLACK = timedelta(seconds=90)  # between a listing's page and the head stored after it, clocks off included
_SETTLES_WITHIN = timedelta(hours=23)
_STAYS_AWAY = timedelta(minutes=61)


def check_calm(system: System) -> None:
    """Everything that must hold after some undisturbed cycles of a world that stood still.

    Raises:
        BrokenPromiseError: Naming every sentence that does not hold.
    """
    heads = stored_heads(system)
    for head in heads.values():
        _check_counts(system, head)
    for job in system.world.jobs():
        _check_job(system, job, heads.get(job.job_id.lower()))
    _check_deliveries(system)
    _check_account(system)
    _check_troubles(system, heads)
    _check_summary(system, heads)
    system.raise_what_broke()


def check_end(system: System) -> None:
    """What must hold when receivers have been well for as long as deliveries are retried: none waits any more."""
    for partition in (ACCOUNT, OWN):
        for row in system.table.query(partition, *range_of(DeliveryState.DUE.value)):
            system.monitor.blame(f"{row.key} never ends")
    for event in system.monitor.events.values():
        if event.partition != ACCOUNT:
            continue
        for webhook in system.settings.webhooks:
            place = (webhook.name, event.id)
            wanted = is_sent_event(webhook, event.type) and webhook.wants(
                f"prepwatch.{event.type}",
                job_id=event.data.get("jobId"),
                account=ACCOUNT,
                pools=event.pools,
            )
            reached = place in system.monitor.accepted | system.monitor.left_out
            if wanted and not reached and _dead(system, webhook.name, event.id) is None:
                system.monitor.blame(f"{event.type} {event.id} never reached {webhook.name}")
    system.raise_what_broke()


# --- jobs ---


def _check_job(system: System, job: Job, head: JobHead | None) -> None:
    name, incarnation = f"job {job.job_id}", incarnation_of(job)
    listed = system.account.first_listed.get(incarnation)
    if listed is None or not job.has_preparation or job.job_id.lower() in system.account.sick_jobs:
        return
    if head is None or head.creation_time != job.creation_time:
        if not (job.state == "completed" and system.now - job.state_transition_time > _SETTLES_WITHIN):
            system.monitor.blame(f"{name} was listed at {listed} and is not known")
        return
    records = _records(system, head)
    for status in job.statuses.values():
        record = records.get(node_key(status.pool, status.node))
        if record is None:
            system.monitor.blame(f"{name}: node {status.node} is not recorded")
        else:
            _check_node(system, job, head, status, record)


def _check_node(system: System, job: Job, head: JobHead, status: NodeStatus, record: NodeRecord) -> None:
    runs = (
        (ListedPhase.PREPARATION, status.preparation, record.preparation),
        (ListedPhase.RELEASE, status.release, record.release),
    )
    for phase, info, known in runs:
        if info is None:
            continue
        occurrence = occurrence_of(job, status.pool, status.node, phase, info)
        where = f"{phase} of {job.job_id} on {status.node[-12:]}"
        if known is None or known.info.start_time != occurrence.started:
            system.monitor.blame(f"{where}: the run of {occurrence.started} is not recorded")
        elif has_failed(known.info) is not is_failed(info):
            system.monitor.blame(f"{where}: recorded as {outcome_of(known.info)}, listed as {info.get('state')}")
        elif has_failed(known.info):
            _check_told(system, occurrence, known.reason, as_utc(known.info.end_time or known.info.start_time))
    preparation = status.preparation
    if head.closed is None and preparation is not None and preparation.get("result") == "success":
        _check_resolved(system, occurrence_of(job, status.pool, status.node, ListedPhase.PREPARATION, preparation))
        if record.open is not None:
            system.monitor.blame(f"{job.job_id} on {status.node[-12:]} succeeded and is still open")


def _check_told(system: System, occurrence: Occurrence, reason: Reason, ended: datetime) -> None:
    event_id = system.monitor.told.get((f"{occurrence.phase}.failed", occurrence))
    where = f"{occurrence.phase} of {occurrence.incarnation.job} on {occurrence.node[-12:]} of {occurrence.started}"
    if reason is Reason.BEFORE_FIRST_SIGHT:
        news_from = _news_from(system, occurrence.incarnation)
        if ended >= news_from:
            system.monitor.blame(f"{where} ended {ended}, after {news_from}, and was taken for history")
    elif event_id is None:
        system.monitor.blame(f"{where} is recorded as failed and was never told")


def _news_from(system: System, incarnation: Incarnation) -> datetime:
    """From when on a failure is news for certain: what was read before the first listing, less the window."""
    listed = system.account.first_listed[incarnation]
    before = [read for at, read in system.monitor.read_up_to if at <= listed]
    return (before[-1] if before else listed + _SLACK) - system.settings.first_sight


def _check_resolved(system: System, now_succeeded: Occurrence) -> None:
    """Of a node that works again nothing that was told stands unresolved."""
    told = [
        (event.at, event.type)
        for event in system.monitor.events.values()
        for each in event.occurrences
        if each[:4] == now_succeeded[:4] and event.type.startswith("preparation")
    ]
    if told and max(told)[1] == "preparation.failed":
        job, node = now_succeeded.incarnation.job, now_succeeded.node[-12:]
        system.monitor.blame(f"preparation of {job} on {node} succeeded, but nobody was told that it is resolved")


def _check_counts(system: System, head: JobHead) -> None:
    records = _records(system, head)
    name = f"job {head.job_id}"
    if head.chunks and head.nodes != len(records):
        system.monitor.blame(f"{name}: the head counts {head.nodes} nodes, {len(records)} are recorded")
    for phase in Phase if head.chunks else ():
        runs = [run for record in records.values() if (run := record.record_of(phase)) is not None]
        counted = Counter(outcome_of(run.info).value for run in runs)
        is_open = phase is Phase.PREPARATION and head.closed is None
        counted["open"] = sum(record.open is not None for record in records.values()) if is_open else 0
        for record in records.values() if phase is Phase.PREPARATION else ():
            if record.chain is None or record.preparation is None:
                continue
            counted["slow"] += record.chain.slow and is_open
            goes_on = outcome_of(record.preparation.info).value
            counted.update({goes_on: -record.chain.lost, "unknown": record.chain.lost})
        said = msgspec.structs.asdict(head.counts_of(phase))
        if said != {field: counted[field] for field in said}:
            system.monitor.blame(f"{name}: the head counts {said} for {phase}, the records {dict(counted)}")
    if head.creation_time is None:
        return
    incarnation = Incarnation(head.job_id.lower(), head.creation_time)
    for phase, ever in ((Phase.PREPARATION, head.preparation_failed_ever), (Phase.RELEASE, head.release_failed_ever)):
        told = sum(
            kind == f"{phase.value}.failed" and each.incarnation == incarnation for kind, each in system.monitor.told
        )
        if ever != told:
            system.monitor.blame(f"{name}: {ever} {phase} failures are counted, {told} were told")


# --- deliveries, account, summary ---


def _check_deliveries(system: System) -> None:
    """Every event that a webhook wants is due, done or dead there, in exactly one of these states."""
    states: Counter[tuple[str, str]] = Counter()
    for partition in (ACCOUNT, OWN):
        for state in DeliveryState:
            for row in system.table.query(partition, *range_of(state.value)):
                delivery = from_row(row, Delivery)
                states[delivery.webhook, delivery.event_id] += 1
    for (name, event_id), number in states.items():
        if number > 1:
            system.monitor.blame(f"{event_id} lies {number} times for {name}")
    for event in system.monitor.events.values():
        stored = system.table.get(event.partition, event_key(event.id)) is not None
        for webhook in system.settings.webhooks if stored and event.partition == ACCOUNT else ():
            pools = event.pools
            job = event.data.get("jobId")
            wants = is_sent_event(webhook, event.type) and webhook.wants(
                f"prepwatch.{event.type}", job_id=job, account=ACCOUNT, pools=pools
            )
            if wants is not ((webhook.name, event.id) in states):
                system.monitor.blame(f"{event.type} {event.id} is {'not ' if wants else ''}owed to {webhook.name}")


def is_sent_event(webhook: Webhook, kind: str) -> bool:
    """Whether a webhook gets such an event by itself; chat and pager hear how jobs stand instead."""
    return not format_of(webhook).tells_state or kind.partition(".")[0] in {"account", "webhook"}


def _dead(system: System, webhook: str, event_id: str) -> Delivery | None:
    row = system.table.get(ACCOUNT, f"dead|{webhook}|{event_id}")
    return from_row(row, Delivery) if row else None


def _check_account(system: System) -> None:
    row = system.table.get(ACCOUNT, CYCLE)
    cycle = from_row(row, Cycle) if row else None
    if cycle is None or cycle.read_up_to is None or system.now - cycle.read_up_to > timedelta(minutes=3):
        system.monitor.blame("the account is not read although all has been well for a while")
    elif cycle.trouble is not None:
        system.monitor.blame(f"the account is still in trouble: {cycle.trouble.message}")
    standing = [key for key, kind in system.monitor.standing.items() if kind == "account.unreachable"]
    # What comes back again and again is told to be over when it has stayed away for up to an hour.
    well_since = cycle.recurrence.well_since if cycle is not None else None
    if standing and (well_since is None or system.now - well_since > _STAYS_AWAY):
        system.monitor.blame("the account is told to be unreachable, and is not")


def _check_troubles(system: System, heads: Mapping[str, JobHead]) -> None:
    """Whatever was told to be stuck or out of reach is so, or its end was told."""
    _check_ends(system, heads, "job.stuck", "job.resumed", lambda head: head.stuck_since is not None)
    _check_ends(
        system,
        heads,
        "job.unreachable",
        "job.reachable",
        lambda head: head.trouble is not None and head.trouble.event_id is not None,
    )


def _check_ends(
    system: System, heads: Mapping[str, JobHead], trouble: str, end: str, stands: Callable[[JobHead], bool]
) -> None:
    told: dict[tuple[str, str | None], str] = {}
    for event in system.monitor.events.values():
        if event.type in {trouble, end}:
            told[event.data["jobId"], event.data["jobCreationTime"]] = event.type
    for (job, created), kind in told.items():
        head = heads.get(job.lower())
        same = head is not None and created is not None and head.creation_time == parse_time(created)
        if kind == trouble and not (head is not None and same and stands(head)):
            system.monitor.blame(f"{job} was told to be {trouble.removeprefix('job.')}, and nobody was told of the end")


def _check_summary(system: System, heads: Mapping[str, JobHead]) -> None:
    summary = system.ask_summary()
    failing = any(head.preparation.open for head in heads.values())
    status = summary["status"]
    if status == "stale" or (failing and status == "ok"):
        system.monitor.blame(f"the summary says {status}: {summary['reasons']}")


# --- the table as it lies there ---


def stored_heads(system: System) -> dict[str, JobHead]:
    """The heads in the table by job id in lower case."""
    rows = system.table.query(ACCOUNT, *range_of("job"))
    return {head.job_id.lower(): head for head in (from_row(row, JobHead) for row in rows)}


def _records(system: System, head: JobHead) -> dict[str, NodeRecord]:
    cover, found = Cover(head.chunks), {}
    for prefix in head.chunks:
        row = system.table.get(ACCOUNT, chunk_key(head.job_id, head.creation_time, prefix))
        if row is None:
            system.monitor.blame(f"job {head.job_id}: chunk {prefix!r} is missing")
            continue
        for key, entry in decode_chunk(unpack(row)).items():
            if cover.prefix_of(key) != prefix:
                system.monitor.blame(f"job {head.job_id}: node {key} lies in chunk {prefix!r}")
            found[key] = decode_record(entry)
    return found
