"""What Batch reports of pools, of the nodes in them, and of the tasks that want them, under Batch's own names.

Owns these shapes. Does not own what a node's state means for the jobs that wait (`pools.states`). Only identities
are required: Batch leaves fields out, and adds new ones. Source: the operations *Account - List Pool Node Counts*,
*Pool - Get*, *Compute Node - List* and *Task - List* of api-version 2024-07-01.20.0.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from shared.batch.model import ContainerInfo, FailureInfo, NameValuePair


class NodeCounts(Struct, frozen=True, kw_only=True):
    """How many nodes of a pool are in which state, dedicated and Spot nodes together.

    States are in lower case, as a node spells its own; one that is not named has no node.
    """

    pool_id: str
    by_state: Mapping[str, int]


class ResizeError(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """ResizeError, and AutoScaleRunError, which has the same fields; `code` is an open string in any case."""

    code: str | None = None
    message: str | None = None
    values: tuple[NameValuePair, ...] | None = None


class AutoScaleRun(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """AutoScaleRun: when the formula was last evaluated, and what went wrong, None if nothing did."""

    timestamp: datetime | None = None
    error: ResizeError | None = None


class Pool(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """CloudPool, as far as it tells whether its nodes are coming.

    `resize_errors` are those of the last resize, and there only while the pool is steady: they have no time of their
    own and stay until the next resize, so that by themselves they say nothing about now.
    """

    id: str
    state: str | None = None
    creation_time: datetime | None = None
    allocation_state: str | None = None
    allocation_state_transition_time: datetime | None = None
    vm_size: str | None = None
    current_dedicated_nodes: int | None = None
    current_low_priority_nodes: int | None = None
    target_dedicated_nodes: int | None = None
    target_low_priority_nodes: int | None = None
    enable_auto_scale: bool | None = None
    auto_scale_run: AutoScaleRun | None = None
    resize_errors: tuple[ResizeError, ...] | None = None


class NodeError(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """ComputeNodeError: an error that the node meets now."""

    code: str | None = None
    message: str | None = None
    error_details: tuple[NameValuePair, ...] | None = None


class StartTaskInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """StartTaskInformation: the latest run of the pool's start task on a node."""

    state: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    exit_code: int | None = None
    result: str | None = None
    retry_count: int | None = None
    last_retry_time: datetime | None = None
    failure_info: FailureInfo | None = None
    container_info: ContainerInfo | None = None


class ImageReference(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """ImageReference: a marketplace image by its names, or a custom one by its id."""

    publisher: str | None = None
    offer: str | None = None
    sku: str | None = None
    version: str | None = None
    virtual_machine_image_id: str | None = None
    exact_version: str | None = None
    shared_gallery_image_id: str | None = None
    community_gallery_image_id: str | None = None


class VirtualMachineInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """VirtualMachineInfo: what the node runs."""

    image_reference: ImageReference | None = None
    scale_set_vm_resource_id: str | None = None


class NodeAgentInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """NodeAgentInformation: Batch's own program on the node."""

    version: str | None = None
    last_update_time: datetime | None = None


class RecentTask(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """TaskInformation: a task that ran on the node of late, and how; `execution_info` has a start task's fields."""

    task_url: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    subtask_id: int | None = None
    task_state: str | None = None
    execution_info: StartTaskInfo | None = None


class InboundEndpoint(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """InboundEndpoint: a port of the node that is reached from outside."""

    name: str | None = None
    protocol: str | None = None
    public_ip_address: str | None = field(default=None, name="publicIPAddress")
    public_fqdn: str | None = field(default=None, name="publicFQDN")
    frontend_port: int | None = None
    backend_port: int | None = None


class EndpointConfiguration(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """ComputeNodeEndpointConfiguration."""

    inbound_endpoints: tuple[InboundEndpoint, ...] | None = None


class ComputeNode(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """ComputeNode, without its start task, whose environment may hold secrets.

    `state_transition_time` is since when it is in its state; `allocation_time` tells a node from a later one of its id.
    """

    id: str
    url: str | None = None
    state: str | None = None
    scheduling_state: str | None = None
    state_transition_time: datetime | None = None
    last_boot_time: datetime | None = None
    allocation_time: datetime | None = None
    vm_size: str | None = None
    is_dedicated: bool | None = None
    ip_address: str | None = None
    ipv6_address: str | None = None
    affinity_id: str | None = None
    running_tasks_count: int | None = None
    running_task_slots_count: int | None = None
    total_tasks_run: int | None = None
    total_tasks_succeeded: int | None = None
    recent_tasks: tuple[RecentTask, ...] | None = None
    errors: tuple[NodeError, ...] | None = None
    start_task_info: StartTaskInfo | None = None
    node_agent_info: NodeAgentInfo | None = None
    endpoint_configuration: EndpointConfiguration | None = None
    virtual_machine_info: VirtualMachineInfo | None = None


NODE_SELECT = (
    "id,url,state,schedulingState,stateTransitionTime,lastBootTime,allocationTime,vmSize,isDedicated,ipAddress,"
    "affinityId,runningTasksCount,runningTaskSlotsCount,totalTasksRun,totalTasksSucceeded,recentTasks,errors,"
    "startTaskInfo,nodeAgentInfo,endpointConfiguration,virtualMachineInfo"
)
"""Every property of ComputeNode but its start task, for `$select`; without ipv6Address, which 2024-07-01.20.0 lacks."""


class NodeInfo(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """ComputeNodeInformation: where a task prepares or runs."""

    pool_id: str | None = None
    node_id: str | None = None


class Task(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """CloudTask, as far as it tells whether anything of its job moves; `node_info` is None while it waits."""

    id: str
    state: str | None = None
    state_transition_time: datetime | None = None
    node_info: NodeInfo | None = None
