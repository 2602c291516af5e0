"""The account key's signature, against what is known and against the SDK."""

import base64
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

import pytest
from azure.batch._patch import BatchSharedKeyAuthPolicy
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest

from shared.adapters.shared_key import authorization, string_to_sign

ACCOUNT: Final = "myaccount"
KEY: Final = "bXktZmFrZS1iYXRjaC1rZXk="
OCP_DATE: Final = format_datetime(datetime(2025, 7, 29, 21, 49, 13, tzinfo=UTC), usegmt=True)
ORIGIN: Final = "https://myaccount.westeurope.batch.azure.com"

TAIL: Final = "&api-version=2024-07-01.20.0&timeOut=20"
SIGNED_TAIL: Final = "\napi-version:2024-07-01.20.0\ntimeOut:20"
LISTING: Final = "jobpreparationandreleasetaskstatus"
VECTORS = {
    "plain": (
        "/jobs/job-1/jobpreparationandreleasetaskstatus?api-version=2024-07-01.20.0&maxresults=1000&timeout=30",
        "/myaccount/jobs/job-1/jobpreparationandreleasetaskstatus\napi-version:2024-07-01.20.0\nmaxresults:1000\ntimeout:30",
        "LiRmUOlr36S8f9eVUAgzCa2eEyTOFChKS/F3TccINJQ=",
    ),
    "colon, filter and skip token": (
        f"/jobs/sched%3Ajob-1/{LISTING}?%24skipToken=tvm-1_1&%24filter=nodeId%20ne%20%27x%27{TAIL}",
        f"/myaccount/jobs/sched%3Ajob-1/{LISTING}\n$filter:nodeId ne 'x'\n$skipToken:tvm-1_1{SIGNED_TAIL}",
        "C9F32+HARoCSiP+x4qKTEXQ8NGD+PHfJ2vgXwRl1dzg=",
    ),
}


@pytest.mark.parametrize(("target", "tail", "signature"), VECTORS.values(), ids=VECTORS.keys())
def test_known_answers(target: str, tail: str, signature: str) -> None:
    """Requests whose signature is known are signed so, line by line."""
    headers = {"ocp-date": OCP_DATE}

    text = string_to_sign("GET", ORIGIN + target, headers, account=ACCOUNT)
    header = authorization("GET", ORIGIN + target, headers, account=ACCOUNT, key=base64.b64decode(KEY))

    assert text == "GET" + "\n" * 12 + f"ocp-date:{OCP_DATE}\n{tail}"
    assert header == f"SharedKey myaccount:{signature}"


TARGETS = {
    "colon in the job id": "/jobs/sched%3Ajob-1/jobpreparationandreleasetaskstatus?api-version=2024-07-01.20.0",
    "filter": "/jobs?%24filter=state%20eq%20%27active%27%20or%20id%20eq%20%27a%2Bb%26c%27&api-version=2025-06-01",
    "literal dollar": "/jobs?$skipToken=tvm-1_1&$select=id,state&api-version=2025-06-01&timeOut=5",
    "plus and blank": "/jobs?$skipToken=a+b%20c&api-version=2025-06-01&maxresults=",
    "repeated name": "/jobs?x=2&x=1&api-version=2025-06-01",
    "names in either case": "/jobs?b=1&B=2&a=3&A=4",
    "non-ASCII": "/jobs/%C3%A4?%24filter=id%20eq%20%27%C3%A4%27",
    "no query": "/jobs/job-1",
}
HEADERS = {
    "date only": {},
    "range": {"ocp-range": "bytes=0-99"},
    "standard headers": {"If-Match": "0x1", "Range": "bytes=0-1", "Content-Type": "text/plain"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_signs_as_the_sdk(method: str, target: str, headers: dict[str, str]) -> None:
    """Whatever is asked, the azure-batch SDK signs the same request the same way."""
    sent = {"ocp-date": OCP_DATE, **headers}
    request = HttpRequest(method, ORIGIN + target, headers=sent)
    policy = BatchSharedKeyAuthPolicy(AzureNamedKeyCredential(ACCOUNT, KEY))
    policy.on_request(PipelineRequest(request, PipelineContext(None)))

    ours = authorization(method, ORIGIN + target, sent, account=ACCOUNT, key=base64.b64decode(KEY))

    assert ours == request.headers["Authorization"]
