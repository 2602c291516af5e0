"""What to do about a failure, by Batch's failureInfo code: one line for whoever reads the message at night.

Owns the advice. Does not own what a cause is (`batch.causes`). The code is an open string: an unknown one has no
advice. Sources: Batch's documentation, "Job and task error codes", and what the service was seen to send.
"""

from collections.abc import Mapping
from types import MappingProxyType

ADVICE: Mapping[str, str] = MappingProxyType({
    "ApplicationPackageError": "Check that the application package and version exist and that the account's storage "
    "keys are in step.",
    "BlobAccessDenied": "Give the SAS or the pool's identity read access to the resource file; SAS tokens expire.",
    "BlobDownloadMiscError": "Check the storage account's firewall and health; Batch may succeed on its next try.",
    "BlobDownloadTimedOut": "Check network and storage throttling; use fewer or smaller resource files per node.",
    "BlobNotFound": "Check the resource file's URL: the blob was moved, deleted, or never uploaded.",
    "CommandLaunchFailed": "Check the command line's quoting, the file's execute permission and the user identity.",
    "CommandProgramNotFound": "Check the program's path, and start a shell (/bin/sh -c, cmd /c) for its features.",
    "ContainerInvalidImage": "Check image name and tag, and that the registry is reachable from the pool.",
    "ContainerInvalidRegistry": "Check the registry's address and the credentials in the pool's container settings.",
    "ContainerInvalidSettings": "Check the task's container settings against the pool's container configuration.",
    "ContainerMiscError": "Read the container's error on the node; check disk space and the container runtime.",
    "DiskFull": "Free space on the node, use a larger VM size or ephemeral disk, or shorten the retention of tasks.",
    "FailureExitCode": "The program itself failed: read stderr.txt in the task's directory on the node.",
    "JobPreparationTaskFailed": "A task could not run because preparation failed on its node: mend that first.",
    "MaxInternalRetryCountReached": "Batch gave up after retries of its own: reboot or reimage the node.",
    "ResourceContainerAccessDenied": "Give the SAS or identity list and read access to the blob container; keys may "
    "have been rotated.",
    "ResourceContainerListMiscError": "Check the blob container's URL and the storage account's firewall and health.",
    "ResourceDirectoryCreateFailed": "Check the node's disk: it may be full or read-only; reboot or reimage the node.",
    "ResourceFileCreateFailed": "Check resource file paths for names that the node's file system refuses, and disk "
    "space.",
    "ResourceFileWriteFailed": "Check the node's disk space; reboot or reimage the node if its disk is faulty.",
    "TaskEnded": "Somebody ended the task, or maxWallClockTime ended it: allow more time if it should have finished.",
    "TaskSchedulingConstraintFailed": "Check that the job's task fits its pool: VM size, slots, packages, containers.",
    "Unknown": "Batch gave no reason: look at the node's state and errors, then reboot or reimage it.",
})  # fmt: skip


def advice(code: str) -> str | None:
    """What to do about failures of this code, whatever its case; None when nothing is known of it."""
    return _BY_LOWER_CASE.get(code.lower())


_BY_LOWER_CASE = {code.lower(): text for code, text in ADVICE.items()}
