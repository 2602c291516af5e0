"""What failures mean and what to do about them, by Batch's code: for whoever reads the message at night.

Owns the words, and where one sees more. Does not own what a cause is (`batch.causes`) or commands
(`messages.commands`, `messages.remedies`). Codes are open strings: an unknown one has no advice. Nodes of virtual
machine pools can't be reimaged, and a job's preparation task can't be changed: neither is ever advised. Sources:
Batch's documentation, "Job and task error codes" and "Pool and node errors", and what the service was seen to send.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct


class WhereToLook(StrEnum):
    """Where one sees more of a failure; each is a command (`messages.remedies`)."""

    STDERR = "stderr"
    NODE = "node"
    FILES = "files"
    COMMAND_LINE = "commandLine"
    CONTAINER = "container"
    PACKAGES = "packages"
    LIMITS = "limits"


class Advice(Struct, frozen=True):
    """What a code means, what to do, and where to look."""

    means: str
    do: str
    see: WhereToLook


ADVICE: Mapping[str, Advice] = MappingProxyType({
    "ApplicationPackageError": Advice(
        "An application package could not be installed on the node.",
        "Check that the application package and version exist and that the account's storage keys are in step.",
        WhereToLook.PACKAGES,
    ),
    "BlobAccessDenied": Advice(
        "The storage account refused a file: the SAS has expired, or the identity has no access.",
        "A job's SAS can't be changed: create the job again with a new one, or give the pool's identity access.",
        WhereToLook.FILES,
    ),
    "BlobDownloadMiscError": Advice(
        "A file could not be downloaded, and the storage account did not say why.",
        "Check the storage account's firewall and health; Batch may succeed on its next try.",
        WhereToLook.FILES,
    ),
    "BlobDownloadTimedOut": Advice(
        "A file's download took too long.",
        "Check network and storage throttling; use fewer or smaller resource files per node.",
        WhereToLook.FILES,
    ),
    "BlobNotFound": Advice(
        "A file that is to be downloaded is not there.",
        "Check the resource file's URL: the blob was moved, deleted, or never uploaded. Put it back.",
        WhereToLook.FILES,
    ),
    "CommandLaunchFailed": Advice(
        "The command could not be started.",
        "Check the command line's quoting, execute permission and user; create the job again: it can't be changed.",
        WhereToLook.COMMAND_LINE,
    ),
    "CommandProgramNotFound": Advice(
        "The program of the command line is not on the node.",
        "Check the program's path; start a shell for its features. Create the job again: its command can't be changed.",
        WhereToLook.COMMAND_LINE,
    ),
    "ContainerInvalidImage": Advice(
        "The container image does not exist, or can't be pulled from the pool's network.",
        "Check image name and tag, and that the registry is reachable from the pool.",
        WhereToLook.CONTAINER,
    ),
    "ContainerInvalidRegistry": Advice(
        "The container registry refuses the pool, or can't be reached.",
        "Check the registry's address and the credentials in the pool's container settings.",
        WhereToLook.CONTAINER,
    ),
    "ContainerInvalidSettings": Advice(
        "The task asks for a container that the pool is not set up for.",
        "Check the task's container settings against the pool's container configuration.",
        WhereToLook.CONTAINER,
    ),
    "ContainerMiscError": Advice(
        "The container could not be made or started.",
        "Read the container's error on the node; check disk space and the container runtime.",
        WhereToLook.STDERR,
    ),
    "DiskFull": Advice(
        "The node's disk is full.",
        "Free space on the node, use a larger VM size or ephemeral disk, or shorten the retention of tasks.",
        WhereToLook.NODE,
    ),
    "FailureExitCode": Advice(
        "The program ran and ended with an exit code that is not 0.",
        "The program itself failed: read stderr.txt in the task's directory on the node.",
        WhereToLook.STDERR,
    ),
    "JobPreparationTaskFailed": Advice(
        "A task could not run because preparation failed on its node.",
        "Mend the preparation first; the tasks go on by themselves then.",
        WhereToLook.STDERR,
    ),
    "MaxInternalRetryCountReached": Advice(
        "Batch tried again by itself and gave up.",
        "Remove the node, and let another take its place.",
        WhereToLook.NODE,
    ),
    "ResourceContainerAccessDenied": Advice(
        "The blob container that the files lie in refuses to be listed.",
        "Give the SAS or identity list and read access to the blob container; keys may have been rotated.",
        WhereToLook.FILES,
    ),
    "ResourceContainerListMiscError": Advice(
        "The blob container that the files lie in could not be listed.",
        "Check the blob container's URL and the storage account's firewall and health.",
        WhereToLook.FILES,
    ),
    "ResourceDirectoryCreateFailed": Advice(
        "A directory could not be made on the node.",
        "Check the node's disk: it may be full or read-only; remove the node if it is.",
        WhereToLook.NODE,
    ),
    "ResourceFileCreateFailed": Advice(
        "A file could not be made on the node.",
        "Check resource file paths for names that the node's file system refuses, and disk space.",
        WhereToLook.FILES,
    ),
    "ResourceFileWriteFailed": Advice(
        "A file could not be written on the node.",
        "Check the node's disk space; remove the node if its disk is faulty.",
        WhereToLook.NODE,
    ),
    "TaskEnded": Advice(
        "The task was ended before it was done.",
        "Somebody ended the task, or maxWallClockTime ended it: allow more time if it should have finished.",
        WhereToLook.LIMITS,
    ),
    "TaskSchedulingConstraintFailed": Advice(
        "Batch can't run the task on a node of this pool.",
        "Check that the job's task fits its pool: VM size, slots, packages, containers.",
        WhereToLook.LIMITS,
    ),
    "Unknown": Advice(
        "Batch gave no reason.",
        "Look at the node's state and errors; remove it if it fails every job.",
        WhereToLook.NODE,
    ),
})  # fmt: skip


def advice(code: str) -> str | None:
    """What to do about failures of this code, whatever its case; None when nothing is known of it."""
    found = _BY_LOWER_CASE.get(code.lower())
    return found.do if found else None


def where_to_look(code: str) -> WhereToLook | None:
    """Where one sees more of failures of this code; None when nothing is known of it."""
    found = _BY_LOWER_CASE.get(code.lower())
    return found.see if found else None


def is_of_the_node(code: str) -> bool:
    """Whether failures of this code are a fault of the node, which another node does not have."""
    return code.lower() in _OF_THE_NODE


_OF_THE_NODE = frozenset({"maxinternalretrycountreached", "resourcedirectorycreatefailed", "resourcefilewritefailed"})
_BY_LOWER_CASE = {code.lower(): found for code, found in ADVICE.items()}
