"""Answers recorded by `python3 dev.py smoke`, scrubbed, are read without complaint."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.batch_errors import error_from_answer
from shared.batch.job_wire import decode_job, decode_jobs, decode_task_counts
from shared.batch.pool_wire import decode_node_counts, decode_nodes, decode_pool, decode_tasks
from shared.batch.wire import decode_page, decode_status, split_entries
from shared.errors import HostileAnswerError

FOLDER = Path(__file__).parent / "recorded"
FILES = sorted(FOLDER.glob("*/*.json"))
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def read(operation: str, body: bytes) -> Any:
    """The answer of an operation, by the decoder that the client uses."""
    match operation:
        case "Job_List":
            return decode_jobs(decode_page(body).value)
        case "Job_ListPreparationAndReleaseTaskStatus":
            return [decode_status(entry) for entry in split_entries(bytes(decode_page(body).value))]
        case "Job_Get":
            return decode_job(body)
        case "Job_GetTaskCounts":
            return decode_task_counts(body)
        case "Account_ListPoolNodeCounts":
            return decode_node_counts(bytes(decode_page(body).value))
        case "Pool_Get":
            return decode_pool(body)
        case "ComputeNode_List":
            return decode_nodes(bytes(decode_page(body).value))
        case "Task_List":
            return decode_tasks(bytes(decode_page(body).value))
    return None


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_recorded_answer_is_read(file: Path) -> None:
    """Successes decode and errors become the errors that say what to do, whoever's account they came from."""
    recorded = json.loads(file.read_text(encoding="utf-8"))
    body = json.dumps(recorded["body"]).encode() if recorded["body"] is not None else b""
    if recorded["status"] >= 400:
        error = error_from_answer(recorded["status"], recorded["headers"], body, now=NOW)
        assert not isinstance(error, HostileAnswerError)
        assert error.status == recorded["status"]
        assert error.code == (recorded["body"] or {"code": f"Http{recorded['status']}"})["code"]
    else:
        value = read(recorded["operation"], body)
        if isinstance(value, list | tuple):
            assert len(value) == len(recorded["body"]["value"])
        assert recorded["headers"]["request-id"]


def test_each_recording_has_the_listings() -> None:
    """A recording without jobs and statuses would prove nothing."""
    folders = {file.parent for file in FILES}
    assert "simulator" in {folder.name for folder in folders}
    for folder in folders:
        names = {file.stem for file in folder.glob("*.json")}
        assert {"Job_List-200", "Job_ListPreparationAndReleaseTaskStatus-200"} <= names
