"""The plain ways to read the same things: `requests` with `json.loads`, and the SDKs of Batch and Table storage.

Owns what Prepwatch is compared with. Nothing here belongs to the product.
"""

import json
from collections.abc import Sequence

import requests
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import TableClient

from benchmarks.pages import job_id
from benchmarks.stage import ACCOUNT, KEY, Stage

_VERSION = "api-version=2024-07-01.20.0"


def read_with_json(stage: Stage, session: requests.Session, jobs: Sequence[int]) -> int:
    """List the jobs, then the statuses of these, and decode all; the number of entries."""
    entries = _read_pages(session, f"{stage.batch}/jobs?{_VERSION}") if len(jobs) > 1 else 0
    for number in jobs:
        entries += _read_pages(session, _statuses(stage, number))
    return entries


def read_with_sdk(stage: Stage, number: int) -> int:
    """Let the azure-batch SDK list a job's statuses; the number of entries."""
    with BatchClient(stage.batch, AzureNamedKeyCredential(ACCOUNT, KEY)) as client:
        return sum(1 for _ in client.list_job_preparation_and_release_task_status(job_id(number)))


def query_heads(stage: Stage, table: str, partition: str) -> int:
    """Let the azure-data-tables SDK query the rows that a summary is made of; their number."""
    with TableClient.from_connection_string(stage.storage, table) as client:
        condition = f"PartitionKey eq '{partition}' and RowKey ge 'job|' and RowKey lt 'job}}'"
        return sum(1 for _ in client.query_entities(condition))


def _statuses(stage: Stage, number: int) -> str:
    return f"{stage.batch}/jobs/{job_id(number)}/jobpreparationandreleasetaskstatus?{_VERSION}"


def _read_pages(session: requests.Session, url: str | None) -> int:
    entries = 0
    while url is not None:
        page = json.loads(session.get(url, timeout=60).content)
        entries += len(page["value"])
        url = page.get("odata.nextLink")
    return entries
