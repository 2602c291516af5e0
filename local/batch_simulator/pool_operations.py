"""The operations about pools, their nodes, and the tasks that wait for them: what each answers from the world.

Owns these listings. Does not own routing (`operations`) or fields (`pool_rendering`).
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from local.batch_simulator.filters import COUNT_PROPERTIES, NODE_PROPERTIES, POOL_PROPERTIES, TASK_PROPERTIES
from local.batch_simulator.paging import Listed, one_page
from local.batch_simulator.parameters import Parameters, select
from local.batch_simulator.pool_rendering import (
    NODE_NAMES,
    POOL_NAMES,
    TASK_NAMES,
    counts_json,
    node_json,
    pool_json,
    task_json,
)
from local.batch_simulator.pools import Pool
from local.batch_simulator.protocol import Answer, BatchError, Request
from local.batch_simulator.world import World

_COUNTS = Listed(entity_set="poolnodecounts", properties=COUNT_PROPERTIES, most=10)
_POOLS = Listed(entity_set="pools", properties=POOL_PROPERTIES, names=POOL_NAMES)
_NODES = Listed(entity_set="nodes", properties=NODE_PROPERTIES, names=NODE_NAMES)
_TASKS = Listed(entity_set="tasks", properties=TASK_PROPERTIES, names=TASK_NAMES)


def list_node_counts(world: World, request: Request, parameters: Parameters, _: Mapping[str, str]) -> Answer:
    """Account - List Pool Node Counts: ten pools a page."""
    return one_page(
        request, parameters, _COUNTS, world.pools.all(), key=lambda pool: pool.pool_id.lower(), show=counts_json
    )


def list_pools(world: World, request: Request, parameters: Parameters, _: Mapping[str, str]) -> Answer:
    """Pool - List."""
    return one_page(
        request,
        parameters,
        _POOLS,
        world.pools.all(),
        key=lambda pool: pool.pool_id.lower(),
        show=lambda pool: pool_json(pool, request.base_url),
    )


def get_pool(world: World, request: Request, parameters: Parameters, parts: Mapping[str, str]) -> Answer:
    """Pool - Get."""
    names = parameters.selection(POOL_NAMES)
    body = {"odata.metadata": f"{request.base_url}/$metadata#pools/@Element"}
    body |= select(pool_json(_pool(world, parts), request.base_url), names)
    return Answer(status=HTTPStatus.OK, body=json.dumps(body).encode())


def list_nodes(world: World, request: Request, parameters: Parameters, parts: Mapping[str, str]) -> Answer:
    """Compute Node - List."""
    pool = _pool(world, parts)
    return one_page(
        request,
        parameters,
        _NODES,
        sorted(pool.nodes.values(), key=lambda node: node.node_id),
        key=lambda node: node.node_id,
        show=lambda node: node_json(pool, node, request.base_url),
    )


def get_node(world: World, request: Request, parameters: Parameters, parts: Mapping[str, str]) -> Answer:
    """Compute Node - Get."""
    names = parameters.selection(NODE_NAMES)
    pool = _pool(world, parts)
    node = pool.nodes.get(parts["node"])
    if node is None:
        raise BatchError("NodeNotFound")
    body = {"odata.metadata": f"{request.base_url}/$metadata#nodes/@Element"}
    body |= select(node_json(pool, node, request.base_url), names)
    return Answer(status=HTTPStatus.OK, body=json.dumps(body).encode())


def list_tasks(world: World, request: Request, parameters: Parameters, parts: Mapping[str, str]) -> Answer:
    """Task - List."""
    job = world.job(parts["job"])
    if job is None:
        raise BatchError("JobNotFound")
    return one_page(
        request,
        parameters,
        _TASKS,
        job.shown_tasks(),
        key=lambda task: task.task_id,
        show=lambda task: task_json(task, request.base_url, job.job_id),
    )


def _pool(world: World, parts: Mapping[str, str]) -> Pool:
    pool = world.pools.find(parts["pool"])
    if pool is None:
        raise BatchError("PoolNotFound")
    return pool
