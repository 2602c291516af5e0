"""Why tasks fail in the simulated account, in the service's words and with what the node would have logged.

Owns texts only; chance is drawn elsewhere.
"""

from local.batch_simulator.statuses import Cause

USER, SERVER = "usererror", "servererror"
_EXIT_MESSAGE = "The task exited with an exit code representing a failure"
_EXIT_DETAILS = (("Message", "The task process exited with an unexpected exit code"),)


def _exit(code: int, stderr: str) -> Cause:
    return Cause(
        category=USER,
        code="FailureExitCode",
        message=_EXIT_MESSAGE,
        details=_EXIT_DETAILS,
        exit_code=code,
        stderr=stderr,
    )


# Codes and messages: https://learn.microsoft.com/rest/api/batchservice/job-task-scheduling-error-codes.
STUCK_CAUSE = Cause(
    category=USER,
    code="BlobAccessDenied",
    message="Access for one of the specified Azure Blob(s) is denied.",
    details=(
        ("BlobSource", "https://inputs.blob.core.windows.net/reference/genome-38.tar.gz"),
        ("FilePath", "genome-38.tar.gz"),
    ),
)
PREPARATION_CAUSES = (
    Cause(
        category=USER,
        code="BlobNotFound",
        message="One of the specified Azure Blob(s) is not found.",
        details=(
            ("BlobSource", "https://inputs.blob.core.windows.net/tools/aligner-2.4.tar.gz"),
            ("FilePath", "aligner-2.4.tar.gz"),
        ),
    ),
    Cause(
        category=SERVER,
        code="BlobDownloadTimedOut",
        message="Timeout encountered while downloading one of the specified Azure Blob(s).",
        details=(("FilePath", "genome-38.tar.gz"),),
    ),
    Cause(
        category=SERVER,
        code="DiskFull",
        message="There is not enough disk space on the node that was selected to run the task.",
    ),
    Cause(
        category=USER,
        code="CommandProgramNotFound",
        message="The specified command program is not found.",
        details=(("Message", "The system cannot find the file specified."),),
    ),
    _exit(
        1,
        "+ mount -t nfs 10.0.4.7:/export/reference /mnt/reference\n"
        "mount.nfs: Connection timed out\nprepare.sh: line 14: reference data is not available\n",
    ),
    _exit(
        100,
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 2113 (unattended-upgr)\n"
        "E: Unable to acquire the dpkg frontend lock, is another process using it?\n",
    ),
    _exit(
        127,
        "/bin/bash: line 3: azcopy: command not found\n",
    ),
    _exit(
        -9,
        "tar: genome-38.tar: Cannot write: No space left on device\nKilled\n",
    ),
)
RELEASE_CAUSES = (
    _exit(
        1,
        "INFO: Uploading results\nfailed to perform copy command due to error: 403 This request is not authorized "
        "to perform this operation using this permission.\n",
    ),
    _exit(
        32,
        "umount: /mnt/reference: target is busy.\n",
    ),
    Cause(
        category=SERVER,
        code="TaskEnded",
        message="Task was ended by user request.",
        exit_code=-1073741510,
        stderr="release.sh: still uploading 3 of 41 files\n",
    ),
    Cause(
        category=USER,
        code="CommandLaunchFailed",
        message="Failed to launch the specified command line.",
        details=(("Message", "Permission denied"),),
    ),
)
START_TASK_CAUSES = (
    _exit(
        127,
        "start.sh: line 7: nvidia-smi: command not found\n",
    ),
    _exit(
        1,
        "E: Failed to fetch http://archive.ubuntu.com/ubuntu/pool/main/n/nfs-utils.deb  503 Service Unavailable\n",
    ),
    Cause(
        category=USER,
        code="BlobAccessDenied",
        message="Access for one of the specified Azure Blob(s) is denied.",
        details=(("BlobSource", "https://inputs.blob.core.windows.net/setup/start.sh"), ("FilePath", "start.sh")),
    ),
)
