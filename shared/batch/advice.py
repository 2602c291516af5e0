"""What to do about a failure, by Batch's failureInfo code: one line for whoever reads the message at night.

Owns the advice, and of which kind it is. Does not own what a cause is (`batch.causes`) or commands
(`messages.commands`). The code is an open string: an unknown one has no advice. Nodes of virtual machine pools can't be
reimaged, and a job's preparation task can't be changed: neither is ever advised. Sources: Batch's documentation, "Job
and task error codes", and what the service was seen to send.
"""

from collections.abc import Mapping
from types import MappingProxyType

ADVICE: Mapping[str, str] = MappingProxyType({
    "ApplicationPackageError": "Check that the application package and version exist and that the account's storage "
    "keys are in step.",
    "BlobAccessDenied": "A job's SAS can't be changed: create the job again with a new one, or give the "
    "pool's identity access.",
    "BlobDownloadMiscError": "Check the storage account's firewall and health; Batch may succeed on its next try.",
    "BlobDownloadTimedOut": "Check network and storage throttling; use fewer or smaller resource files per node.",
    "BlobNotFound": "Check the resource file's URL: the blob was moved, deleted, or never uploaded.",
    "CommandLaunchFailed": "Check the command line's quoting, execute permission and user; then create the job again: "
    "it can't be changed.",
    "CommandProgramNotFound": "Check the program's path; start a shell for its features. Create the job again: its "
    "command can't be changed.",
    "ContainerInvalidImage": "Check image name and tag, and that the registry is reachable from the pool.",
    "ContainerInvalidRegistry": "Check the registry's address and the credentials in the pool's container settings.",
    "ContainerInvalidSettings": "Check the task's container settings against the pool's container configuration.",
    "ContainerMiscError": "Read the container's error on the node; check disk space and the container runtime.",
    "DiskFull": "Free space on the node, use a larger VM size or ephemeral disk, or shorten the retention of tasks.",
    "FailureExitCode": "The program itself failed: read stderr.txt in the task's directory on the node.",
    "JobPreparationTaskFailed": "A task could not run because preparation failed on its node: mend that first.",
    "MaxInternalRetryCountReached": "Batch gave up after retries of its own: remove the node, and let another take "
    "its place.",
    "ResourceContainerAccessDenied": "Give the SAS or identity list and read access to the blob container; keys may "
    "have been rotated.",
    "ResourceContainerListMiscError": "Check the blob container's URL and the storage account's firewall and health.",
    "ResourceDirectoryCreateFailed": "Check the node's disk: it may be full or read-only; remove the node if it is.",
    "ResourceFileCreateFailed": "Check resource file paths for names that the node's file system refuses, and disk "
    "space.",
    "ResourceFileWriteFailed": "Check the node's disk space; remove the node if its disk is faulty.",
    "TaskEnded": "Somebody ended the task, or maxWallClockTime ended it: allow more time if it should have finished.",
    "TaskSchedulingConstraintFailed": "Check that the job's task fits its pool: VM size, slots, packages, containers.",
    "Unknown": "Batch gave no reason: look at the node's state and errors; remove it if it fails every job.",
})  # fmt: skip


def advice(code: str) -> str | None:
    """What to do about failures of this code, whatever its case; None when nothing is known of it."""
    return _BY_LOWER_CASE.get(code.lower())


def is_said_in_stderr(code: str) -> bool:
    """Whether what the task wrote to stderr.txt says more about failures of this code."""
    return code.lower() in _SAID_IN_STDERR


def is_of_the_node(code: str) -> bool:
    """Whether failures of this code are a fault of the node, which another node does not have."""
    return code.lower() in _OF_THE_NODE


_SAID_IN_STDERR = frozenset({"failureexitcode", "unknown", "containermiscerror", "taskended"})
_OF_THE_NODE = frozenset({"maxinternalretrycountreached", "resourcedirectorycreatefailed", "resourcefilewritefailed"})
_BY_LOWER_CASE = {code.lower(): text for code, text in ADVICE.items()}
