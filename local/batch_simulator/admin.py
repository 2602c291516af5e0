"""The hand on the world from outside: routes under /_sim/ for a person, and for tests in other processes.

Owns these routes and bodies. They ask for no credentials; the server listens on loopback only.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from local.batch_simulator.faults import Fault, Faults, RequestLog
from local.batch_simulator.jobs import Task
from local.batch_simulator.protocol import Answer, Request
from local.batch_simulator.world import World

PREFIX = "/_sim/"


class StatusOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One entry of a job's listing; `files` are texts by path."""

    pool_id: str | None = None
    node_id: str
    preparation: dict[str, Any] | None = None
    release: dict[str, Any] | None = None
    files: dict[str, str] = {}


class TaskOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A task of a job, on a node of the job's pool or on none."""

    id: str
    state: str = "running"
    node_id: str | None = None


class JobOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A job to add, to change, or (`deleted`) to remove; another `creation_time` makes another incarnation."""

    id: str
    deleted: bool = False
    creation_time: datetime | None = None
    pool_id: str = "pool-1"
    has_preparation: bool = True
    has_release: bool = True
    wait_for_success: bool = True
    state: str | None = None
    tasks: dict[str, int] | None = None
    listed_tasks: list[TaskOrder] | None = None
    statuses: list[StatusOrder] = []


class NodeOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A node to put into a pool, to change, or (`deleted`) to take out."""

    id: str
    deleted: bool = False
    state: str = "idle"
    is_dedicated: bool = True
    scheduling_state: str = "enabled"
    errors: list[dict[str, Any]] = []
    start_task_info: dict[str, Any] | None = None
    running_tasks_count: int = 0
    files: dict[str, str] = {}


class PoolOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A pool to add, to change, or (`deleted`) to remove with its nodes."""

    id: str
    deleted: bool = False
    target_dedicated_nodes: int | None = None
    target_low_priority_nodes: int | None = None
    allocation_state: str = "steady"
    resize_errors: list[dict[str, Any]] = []
    auto_scale_formula: str | None = None
    auto_scale_run: dict[str, Any] | None = None
    nodes: list[NodeOrder] = []


class InjectOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A fault for the next `times` matching requests (null: for all)."""

    match: str
    status: int | None = None
    code: str | None = None
    message: str | None = None
    retry_after: str | int | None = None
    delay_seconds: float = 0.0
    body: str | None = None
    cut: bool = False
    times: int | None = 1


def administer(world: World, faults: Faults, log: RequestLog, request: Request) -> Answer:
    """Answer a request under /_sim/; what can't be read is a 400 that says why."""
    try:
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "truth":
                with world.held():
                    return _json({"value": [failure.to_json() for failure in world.failures]})
            case "GET", "requests":
                return _json({"value": [entry.to_json() for entry in log.all()]})
            case "DELETE", "requests":
                log.clear()
            case "POST", "inject":
                _inject(faults, msgspec.json.decode(request.body, type=InjectOrder))
            case "DELETE", "inject":
                faults.clear()
            case "POST", "jobs":
                with world.held():
                    _change_job(world, msgspec.json.decode(request.body, type=JobOrder))
            case "POST", "pools":
                with world.held():
                    _change_pool(world, msgspec.json.decode(request.body, type=PoolOrder))
            case _:
                routes = "GET truth, GET and DELETE requests, POST and DELETE inject, POST jobs, POST pools"
                return _json({"error": f"Under {PREFIX} there are {routes}."}, HTTPStatus.NOT_FOUND)
    except (msgspec.DecodeError, re.error) as exc:
        return _json({"error": str(exc)}, HTTPStatus.BAD_REQUEST)
    return _json({"done": True})


def _inject(faults: Faults, order: InjectOrder) -> None:
    fault = Fault(
        status=order.status,
        code=order.code,
        message=order.message,
        retry_after=None if order.retry_after is None else str(order.retry_after),
        delay_seconds=order.delay_seconds,
        body=order.body,
        cut=order.cut,
    )
    faults.inject(order.match, fault, times=order.times)


def _change_job(world: World, order: JobOrder) -> None:
    if order.deleted:
        world.delete_job(order.id)
        return
    job = world.job(order.id)
    if job is None or order.creation_time not in {None, job.creation_time}:
        world.add_job(
            order.id,
            creation_time=order.creation_time,
            pool=order.pool_id,
            has_preparation=order.has_preparation,
            has_release=order.has_release,
            wait_for_success=order.wait_for_success,
        )
    if order.state is not None:
        world.set_job_state(order.id, order.state)
    if order.tasks is not None:
        world.set_tasks(order.id, **order.tasks)
    if order.listed_tasks is not None:
        world.list_tasks(order.id, *(_task(task, order.pool_id, world.now) for task in order.listed_tasks))
    for status in order.statuses:
        pool = status.pool_id or order.pool_id
        world.set_status(order.id, pool, status.node_id, preparation=status.preparation, release=status.release)
        for path, text in status.files.items():
            world.set_file(pool, status.node_id, path, text)


def _task(order: TaskOrder, pool: str, now: datetime) -> Task:
    place = None if order.node_id is None else pool
    return Task(task_id=order.id, state=order.state, created=now, since=now, pool=place, node=order.node_id)


def _change_pool(world: World, order: PoolOrder) -> None:
    if order.deleted:
        world.pools.delete(order.id)
        return
    world.pools.resize(
        order.id,
        at=world.now,
        dedicated=order.target_dedicated_nodes,
        low_priority=order.target_low_priority_nodes,
        allocation_state=order.allocation_state,
        errors=tuple(order.resize_errors),
    )
    pool = world.pools.put(order.id, at=world.now)
    pool.formula, pool.autoscale_run = order.auto_scale_formula, order.auto_scale_run
    for node in order.nodes:
        if node.deleted:
            world.remove_node(order.id, node.id)
            continue
        world.pools.set_node(
            order.id,
            node.id,
            at=world.now,
            state=node.state,
            dedicated=node.is_dedicated,
            scheduling=node.scheduling_state,
            errors=tuple(node.errors),
            start_task_info=node.start_task_info,
            running_tasks=node.running_tasks_count,
        )
        for path, text in node.files.items():
            world.set_file(order.id, node.id, path, text)


def _json(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status=status, body=json.dumps(body).encode(), content_type="application/json")
