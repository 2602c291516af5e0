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
from shared.messages.formats import format_of
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
from trials.simulation.plant import Plant

_SLACK = timedelta(seconds=90)  # between a listing's page and the head stored after it, clocks off included
_SETTLES_WITHIN = timedelta(hours=23)
_STAYS_AWAY = timedelta(minutes=61)


def check_calm(plant: Plant) -> None:
    """Everything that must hold after some undisturbed cycles of a world that stood still.

    Raises:
        BrokenPromiseError: Naming every sentence that does not hold.
    """
    heads = stored_heads(plant)
    for head in heads.values():
        _check_counts(plant, head)
    for job in plant.world.jobs():
        _check_job(plant, job, heads.get(job.job_id.lower()))
    _check_deliveries(plant)
    _check_account(plant)
    _check_troubles(plant, heads)
    _check_summary(plant, heads)
    plant.raise_what_broke()


def check_end(plant: Plant) -> None:
    """What must hold when receivers have been well for as long as deliveries are retried: none waits any more."""
    for partition in (ACCOUNT, OWN):
        for row in plant.table.query(partition, *range_of(DeliveryState.DUE.value)):
            plant.witness.blame(f"{row.key} never ends")
    for event in plant.witness.events.values():
        if event.partition != ACCOUNT:
            continue
        for webhook in plant.settings.webhooks:
            place = (webhook.name, event.id)
            wanted = is_sent_event(webhook, event.type) and webhook.wants(
                f"prepwatch.{event.type}",
                job_id=event.data.get("jobId"),
                account=ACCOUNT,
                pools=event.pools,
            )
            reached = place in plant.witness.accepted | plant.witness.left_out
            if wanted and not reached and _dead(plant, webhook.name, event.id) is None:
                plant.witness.blame(f"{event.type} {event.id} never reached {webhook.name}")
    plant.raise_what_broke()


# --- jobs ---


def _check_job(plant: Plant, job: Job, head: JobHead | None) -> None:
    name, incarnation = f"job {job.job_id}", incarnation_of(job)
    listed = plant.account.first_listed.get(incarnation)
    if listed is None or not job.has_preparation or job.job_id.lower() in plant.account.sick_jobs:
        return
    if head is None or head.creation_time != job.creation_time:
        if not (job.state == "completed" and plant.now - job.state_transition_time > _SETTLES_WITHIN):
            plant.witness.blame(f"{name} was listed at {listed} and is not known")
        return
    records = _records(plant, head)
    for status in job.statuses.values():
        record = records.get(node_key(status.pool, status.node))
        if record is None:
            plant.witness.blame(f"{name}: node {status.node} is not recorded")
        else:
            _check_node(plant, job, head, status, record)


def _check_node(plant: Plant, job: Job, head: JobHead, status: NodeStatus, record: NodeRecord) -> None:
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
            plant.witness.blame(f"{where}: the run of {occurrence.started} is not recorded")
        elif has_failed(known.info) is not is_failed(info):
            plant.witness.blame(f"{where}: recorded as {outcome_of(known.info)}, listed as {info.get('state')}")
        elif has_failed(known.info):
            _check_told(plant, occurrence, known.reason, as_utc(known.info.end_time or known.info.start_time))
    preparation = status.preparation
    if head.closed is None and preparation is not None and preparation.get("result") == "success":
        _check_resolved(plant, occurrence_of(job, status.pool, status.node, ListedPhase.PREPARATION, preparation))
        if record.open is not None:
            plant.witness.blame(f"{job.job_id} on {status.node[-12:]} succeeded and is still open")


def _check_told(plant: Plant, occurrence: Occurrence, reason: Reason, ended: datetime) -> None:
    event_id = plant.witness.told.get((f"{occurrence.phase}.failed", occurrence))
    where = f"{occurrence.phase} of {occurrence.incarnation.job} on {occurrence.node[-12:]} of {occurrence.started}"
    if reason is Reason.BEFORE_FIRST_SIGHT:
        news_from = _news_from(plant, occurrence.incarnation)
        if ended >= news_from:
            plant.witness.blame(f"{where} ended {ended}, after {news_from}, and was taken for history")
    elif event_id is None:
        plant.witness.blame(f"{where} is recorded as failed and was never told")


def _news_from(plant: Plant, incarnation: Incarnation) -> datetime:
    """From when on a failure is news for certain: what was read before the first listing, less the window."""
    listed = plant.account.first_listed[incarnation]
    before = [read for at, read in plant.witness.read_up_to if at <= listed]
    return (before[-1] if before else listed + _SLACK) - plant.settings.first_sight


def _check_resolved(plant: Plant, now_succeeded: Occurrence) -> None:
    """Of a node that works again nothing that was told stands unresolved."""
    told = [
        (event.at, event.type)
        for event in plant.witness.events.values()
        for each in event.occurrences
        if each[:4] == now_succeeded[:4] and event.type.startswith("preparation")
    ]
    if told and max(told)[1] == "preparation.failed":
        job, node = now_succeeded.incarnation.job, now_succeeded.node[-12:]
        plant.witness.blame(f"preparation of {job} on {node} succeeded, but nobody was told that it is resolved")


def _check_counts(plant: Plant, head: JobHead) -> None:
    records = _records(plant, head)
    name = f"job {head.job_id}"
    if head.chunks and head.nodes != len(records):
        plant.witness.blame(f"{name}: the head counts {head.nodes} nodes, {len(records)} are recorded")
    for phase in Phase if head.chunks else ():
        runs = [run for record in records.values() if (run := record.record_of(phase)) is not None]
        counted = Counter(outcome_of(run.info).value for run in runs)
        is_open = phase is Phase.PREPARATION and head.closed is None
        counted["open"] = sum(record.open is not None for record in records.values()) if is_open else 0
        for chain in [record.chain for record in records.values() if record.chain and phase is Phase.PREPARATION]:
            counted["slow"] += chain.slow and is_open
            counted.update({"running": -chain.lost, "unknown": chain.lost})
        said = msgspec.structs.asdict(head.counts_of(phase))
        if said != {field: counted[field] for field in said}:
            plant.witness.blame(f"{name}: the head counts {said} for {phase}, the records {dict(counted)}")
    if head.creation_time is None:
        return
    incarnation = Incarnation(head.job_id.lower(), head.creation_time)
    for phase, ever in ((Phase.PREPARATION, head.preparation_failed_ever), (Phase.RELEASE, head.release_failed_ever)):
        told = sum(
            kind == f"{phase.value}.failed" and each.incarnation == incarnation for kind, each in plant.witness.told
        )
        if ever != told:
            plant.witness.blame(f"{name}: {ever} {phase} failures are counted, {told} were told")


# --- deliveries, account, summary ---


def _check_deliveries(plant: Plant) -> None:
    """Every event that a webhook wants is due, done or dead there, in exactly one of these states."""
    states: Counter[tuple[str, str]] = Counter()
    for partition in (ACCOUNT, OWN):
        for state in DeliveryState:
            for row in plant.table.query(partition, *range_of(state.value)):
                delivery = from_row(row, Delivery)
                states[delivery.webhook, delivery.event_id] += 1
    for (name, event_id), number in states.items():
        if number > 1:
            plant.witness.blame(f"{event_id} lies {number} times for {name}")
    for event in plant.witness.events.values():
        stored = plant.table.get(event.partition, event_key(event.id)) is not None
        for webhook in plant.settings.webhooks if stored and event.partition == ACCOUNT else ():
            pools = event.pools
            job = event.data.get("jobId")
            wants = is_sent_event(webhook, event.type) and webhook.wants(
                f"prepwatch.{event.type}", job_id=job, account=ACCOUNT, pools=pools
            )
            if wants is not ((webhook.name, event.id) in states):
                plant.witness.blame(f"{event.type} {event.id} is {'not ' if wants else ''}owed to {webhook.name}")


def is_sent_event(webhook: Webhook, kind: str) -> bool:
    """Whether a webhook gets such an event by itself; chat and pager hear how jobs stand instead."""
    return not format_of(webhook).tells_state or kind.partition(".")[0] in {"account", "webhook"}


def _dead(plant: Plant, webhook: str, event_id: str) -> Delivery | None:
    row = plant.table.get(ACCOUNT, f"dead|{webhook}|{event_id}")
    return from_row(row, Delivery) if row else None


def _check_account(plant: Plant) -> None:
    row = plant.table.get(ACCOUNT, CYCLE)
    cycle = from_row(row, Cycle) if row else None
    if cycle is None or cycle.read_up_to is None or plant.now - cycle.read_up_to > timedelta(minutes=3):
        plant.witness.blame("the account is not read although all has been well for a while")
    elif cycle.trouble is not None:
        plant.witness.blame(f"the account is still in trouble: {cycle.trouble.message}")
    standing = [key for key, kind in plant.witness.standing.items() if kind == "account.unreachable"]
    # What comes back again and again is told to be over when it has stayed away for up to an hour.
    well_since = cycle.recurrence.well_since if cycle is not None else None
    if standing and (well_since is None or plant.now - well_since > _STAYS_AWAY):
        plant.witness.blame("the account is told to be unreachable, and is not")


def _check_troubles(plant: Plant, heads: Mapping[str, JobHead]) -> None:
    """Whatever was told to be stuck or out of reach is so, or its end was told."""
    _check_ends(plant, heads, "job.stuck", "job.resumed", lambda head: head.stuck_since is not None)
    _check_ends(
        plant,
        heads,
        "job.unreachable",
        "job.reachable",
        lambda head: head.trouble is not None and head.trouble.event_id is not None,
    )


def _check_ends(
    plant: Plant, heads: Mapping[str, JobHead], trouble: str, end: str, stands: Callable[[JobHead], bool]
) -> None:
    told: dict[tuple[str, str | None], str] = {}
    for event in plant.witness.events.values():
        if event.type in {trouble, end}:
            told[event.data["jobId"], event.data["jobCreationTime"]] = event.type
    for (job, created), kind in told.items():
        head = heads.get(job.lower())
        same = head is not None and created is not None and head.creation_time == parse_time(created)
        if kind == trouble and not (head is not None and same and stands(head)):
            plant.witness.blame(f"{job} was told to be {trouble.removeprefix('job.')}, and nobody was told of the end")


def _check_summary(plant: Plant, heads: Mapping[str, JobHead]) -> None:
    summary = plant.ask_summary()
    failing = any(head.preparation.open for head in heads.values())
    status = summary["status"]
    if status == "stale" or (failing and status == "ok"):
        plant.witness.blame(f"the summary says {status}: {summary['reasons']}")


# --- the table as it lies there ---


def stored_heads(plant: Plant) -> dict[str, JobHead]:
    """The heads in the table by job id in lower case."""
    rows = plant.table.query(ACCOUNT, *range_of("job"))
    return {head.job_id.lower(): head for head in (from_row(row, JobHead) for row in rows)}


def _records(plant: Plant, head: JobHead) -> dict[str, NodeRecord]:
    cover, found = Cover(head.chunks), {}
    for prefix in head.chunks:
        row = plant.table.get(ACCOUNT, chunk_key(head.job_id, head.creation_time, prefix))
        if row is None:
            plant.witness.blame(f"job {head.job_id}: chunk {prefix!r} is missing")
            continue
        for key, entry in decode_chunk(unpack(row)).items():
            if cover.prefix_of(key) != prefix:
                plant.witness.blame(f"job {head.job_id}: node {key} lies in chunk {prefix!r}")
            found[key] = decode_record(entry)
    return found
