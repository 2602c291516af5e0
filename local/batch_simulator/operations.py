"""The REST operations: which URL is which operation, and what each answers from the world.

Owns routing, paging and links. Neither authenticates nor opens sockets.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import quote, unquote

from local.batch_simulator.filters import JOB_PROPERTIES, STATUS_PROPERTIES
from local.batch_simulator.jobs import Job, NodeStatus
from local.batch_simulator.paging import link_behind
from local.batch_simulator.parameters import Parameters, select
from local.batch_simulator.pool_operations import (
    get_node,
    get_pool,
    list_node_counts,
    list_nodes,
    list_pools,
    list_tasks,
)
from local.batch_simulator.protocol import Answer, BatchError, Request, format_http_date
from local.batch_simulator.rendering import (
    JOB_NAMES,
    STATUS_NAMES,
    etag,
    job_json,
    job_shown,
    list_body,
    status_bytes,
    status_json,
    task_counts_json,
)
from local.batch_simulator.world import World

Handler: TypeAlias = Callable[[World, Request, Parameters, Mapping[str, str]], Answer]
_LISTING = frozenset({"$filter", "$select", "maxresults", "$skiptoken"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation under the name that the specification gives it."""

    name: str
    methods: Collection[str]
    path: re.Pattern[str]
    parameters: Collection[str]
    handle: Handler


def find_operation(request: Request) -> tuple[Operation, Mapping[str, str]]:
    """The operation that a request means, with the decoded parts of its path.

    Raises:
        BatchError: ResourceNotFound for an unknown path, UnsupportedHttpVerb for another method.
    """
    for operation in OPERATIONS:
        match = operation.path.fullmatch(request.path)
        if match is None:
            continue
        if request.method not in operation.methods:
            allowed = ", ".join(sorted(operation.methods))
            raise BatchError("UnsupportedHttpVerb", {"Method": request.method}, headers={"Allow": allowed})
        return operation, {name: unquote(text) for name, text in match.groupdict().items()}
    raise BatchError("ResourceNotFound")


def perform(world: World, request: Request) -> Answer:
    """Answer a request from the world.

    Raises:
        BatchError: the service would refuse it.
    """
    operation, parts = find_operation(request)
    parameters = Parameters(request, operation.parameters)
    with world.held():
        return operation.handle(world, request, parameters, parts)


def _list_jobs(world: World, request: Request, parameters: Parameters, _: Mapping[str, str]) -> Answer:
    _check_expand(parameters)
    predicate, names = parameters.predicate(JOB_PROPERTIES), parameters.selection(JOB_NAMES)
    size, token = parameters.page_size(), (parameters.text("$skiptoken") or "").lower()
    page: list[bytes] = []
    last = next_link = None
    for job in world.jobs():
        if token and job.job_id.lower() <= token:
            continue
        body, encoded = job_shown(job, request.base_url)
        if predicate is not None and not predicate(body):
            continue
        if len(page) == size and last is not None:
            next_link = link_behind(request, parameters, "/jobs", last)
            break
        page.append(encoded if names is None else json.dumps(select(body, names)).encode())
        last = job.job_id
    return Answer(status=HTTPStatus.OK, body=list_body("jobs", request.base_url, page, next_link))


def _get_job(world: World, request: Request, parameters: Parameters, parts: Mapping[str, str]) -> Answer:
    _check_expand(parameters)
    names = parameters.selection(JOB_NAMES)
    job = _job(world, parts)
    body = {"odata.metadata": f"{request.base_url}/$metadata#jobs/@Element"}
    body |= select(job_json(job, request.base_url), names)
    return Answer(status=HTTPStatus.OK, body=json.dumps(body).encode(), headers=_version_headers(job))


def _get_task_counts(world: World, _: Request, __: Parameters, parts: Mapping[str, str]) -> Answer:
    return Answer(status=HTTPStatus.OK, body=json.dumps(task_counts_json(_job(world, parts))).encode())


def _list_statuses(world: World, request: Request, parameters: Parameters, parts: Mapping[str, str]) -> Answer:
    predicate, names = parameters.predicate(STATUS_PROPERTIES), parameters.selection(STATUS_NAMES)
    size, token = parameters.page_size(), parameters.text("$skiptoken")
    job = _job(world, parts)
    if not job.has_preparation:
        raise BatchError("JobPreparationTaskNotSpecified")
    page: list[NodeStatus] = []
    next_link = None
    for key in job.after(token):
        status = job.statuses[key]
        if predicate is not None and not predicate(status_json(status, request.base_url)):
            continue
        if len(page) == size:
            # Not the path of the request: the service links to ...status where the operation is ...taskstatus.
            path = f"/jobs/{quote(job.job_id, safe='')}/jobpreparationandreleasestatus"
            next_link = link_behind(request, parameters, path, _skip_token(page[-1], status))
            break
        page.append(status)
    if names is None:
        entries = [status_bytes(status, request.base_url) for status in page]
    else:
        entries = [json.dumps(select(status_json(s, request.base_url), names)).encode() for s in page]
    body = list_body("jobpreparationandreleasestatuslist", request.base_url, entries, next_link)
    return Answer(status=HTTPStatus.OK, body=body, headers=_version_headers(job))


def _get_file(world: World, request: Request, _: Parameters, parts: Mapping[str, str]) -> Answer:
    files = world.files(parts["pool"], parts["node"])
    if files is None:
        raise BatchError("NodeNotFound")
    content = files.get(parts["file"])
    if content is None:
        raise BatchError("FileNotFound")
    # 200 also for a part: the clients generated from the specification take nothing else.
    part = _part(content, request.headers.get("ocp-range"))
    changed = format_http_date(world.now)
    return Answer(
        status=HTTPStatus.OK,
        body=b"" if request.method == "HEAD" else part,
        content_length=len(part),
        content_type="application/octet-stream",
        headers={
            "Last-Modified": changed,
            "ocp-creation-time": changed,
            "ocp-batch-file-isdirectory": "False",
            "ocp-batch-file-url": quote(f"{request.base_url}{unquote(request.path)}", safe=":/"),
            "ocp-batch-file-mode": "0o100644",
        },
    )


def _part(content: bytes, wanted: str | None) -> bytes:
    if wanted is None:
        return content
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted.strip())
    if match is None:
        raise BatchError("InvalidHeaderValue", {"HeaderName": "ocp-range", "HeaderValue": wanted})
    start, end = int(match[1]), int(match[2] or len(content))
    if start >= len(content) or end < start:
        raise BatchError("InvalidRange", {"HeaderName": "ocp-range", "HeaderValue": wanted})
    return content[start : end + 1]


def _job(world: World, parts: Mapping[str, str]) -> Job:
    job = world.job(parts["job"])
    if job is None:
        raise BatchError("JobNotFound")
    return job


def _version_headers(job: Job) -> Mapping[str, str]:
    return {"ETag": etag(job), "Last-Modified": format_http_date(job.last_modified)}


def _check_expand(parameters: Parameters) -> None:
    expand = parameters.text("$expand")
    if expand not in {None, "stats"}:
        raise BatchError(
            "InvalidQueryParameterValue",
            {"QueryParameterName": "$expand", "QueryParameterValue": str(expand), "Reason": "Only stats expands."},
        )


def _skip_token(last: NodeStatus, following: NodeStatus) -> str:
    return f"{last.node}|{last.pool.lower()}" if following.node == last.node else last.node


_JOB = r"/jobs/(?P<job>[^/]+)"
_POOL = r"/pools/(?P<pool>[^/]+)"
_READ = frozenset({"GET"})
OPERATIONS = (
    Operation(
        name="Job_ListPreparationAndReleaseTaskStatus",
        methods=_READ,
        path=re.compile(rf"{_JOB}/jobpreparationandrelease(?:task)?status", re.IGNORECASE),
        parameters=_LISTING,
        handle=_list_statuses,
    ),
    Operation(
        name="Job_List",
        methods=_READ,
        path=re.compile(r"/jobs/?", re.IGNORECASE),
        parameters=_LISTING | {"$expand"},
        handle=_list_jobs,
    ),
    Operation(
        name="Job_Get",
        methods=_READ,
        path=re.compile(_JOB, re.IGNORECASE),
        parameters=frozenset({"$select", "$expand"}),
        handle=_get_job,
    ),
    Operation(
        name="Job_GetTaskCounts",
        methods=_READ,
        path=re.compile(rf"{_JOB}/taskcounts", re.IGNORECASE),
        parameters=frozenset(),
        handle=_get_task_counts,
    ),
    Operation(
        name="File_GetFromComputeNode",
        methods=frozenset({"GET", "HEAD"}),
        path=re.compile(rf"{_POOL}/nodes/(?P<node>[^/]+)/files/(?P<file>.+)", re.IGNORECASE),
        parameters=frozenset(),
        handle=_get_file,
    ),
    Operation(
        name="Account_ListPoolNodeCounts",
        methods=_READ,
        path=re.compile("/nodecounts", re.IGNORECASE),
        parameters=frozenset({"$filter", "maxresults", "$skiptoken"}),
        handle=list_node_counts,
    ),
    Operation(
        name="Pool_List",
        methods=_READ,
        path=re.compile(r"/pools/?", re.IGNORECASE),
        parameters=_LISTING | {"$expand"},
        handle=list_pools,
    ),
    Operation(
        name="Pool_Get",
        methods=_READ,
        path=re.compile(_POOL, re.IGNORECASE),
        parameters=frozenset({"$select", "$expand"}),
        handle=get_pool,
    ),
    Operation(
        name="ComputeNode_List",
        methods=_READ,
        path=re.compile(rf"{_POOL}/nodes/?", re.IGNORECASE),
        parameters=_LISTING,
        handle=list_nodes,
    ),
    Operation(
        name="ComputeNode_Get",
        methods=_READ,
        path=re.compile(rf"{_POOL}/nodes/(?P<node>[^/]+)", re.IGNORECASE),
        parameters=frozenset({"$select"}),
        handle=get_node,
    ),
    Operation(
        name="Task_List",
        methods=_READ,
        path=re.compile(rf"{_JOB}/tasks", re.IGNORECASE),
        parameters=_LISTING | {"$expand"},
        handle=list_tasks,
    ),
)
