"""SharedKey signatures against known answers of the real client library."""

from datetime import UTC, datetime, timedelta

import pytest

from local.batch_simulator.auth import Gate, signature, string_to_sign
from local.batch_simulator.protocol import BatchError, Request
from tests.stack.batch_simulator.conftest import ACCOUNT, KEY

DATE, SENT = "Tue, 29 Jul 2025 21:49:13 GMT", datetime(2025, 7, 29, 21, 49, 13, tzinfo=UTC)
PLAIN = Request(
    method="GET",
    path="/jobs/job-1/jobpreparationandreleasetaskstatus",
    query={"api-version": "2024-07-01.20.0", "maxresults": "1000", "timeout": "30"},
    headers={"ocp-date": DATE, "authorization": f"SharedKey {ACCOUNT}:LiRmUOlr36S8f9eVUAgzCa2eEyTOFChKS/F3TccINJQ="},
    base_url="https://myaccount.westeurope.batch.azure.com",
)
ODD = Request(
    method="GET",
    path="/jobs/sched%3Ajob-1/jobpreparationandreleasetaskstatus",
    query={
        "$skipToken": "tvm-1_1",
        "$filter": "nodeId ne 'x'",
        "api-version": "2024-07-01.20.0",
        "timeOut": "20",
    },
    headers={"ocp-date": DATE, "authorization": f"SharedKey {ACCOUNT}:C9F32+HARoCSiP+x4qKTEXQ8NGD+PHfJ2vgXwRl1dzg="},
    base_url="https://myaccount.westeurope.batch.azure.com",
)
VECTORS = pytest.mark.parametrize("request_", [PLAIN, ODD], ids=["plain", "colon, filter and skip token"])


@VECTORS
def test_known_answers_pass(request_: Request) -> None:
    """Signatures that the real library made with this key are accepted."""
    Gate(account=ACCOUNT, key=KEY).check(request_, SENT + timedelta(minutes=1))


@VECTORS
@pytest.mark.parametrize(
    ("part", "value"),
    [("method", "HEAD"), ("path", "/jobs/job-2"), ("query", {"api-version": "2025-06-01"})],
    ids=["method", "path", "query"],
)
def test_what_is_signed_cannot_change(part: str, value: object, request_: Request) -> None:
    """Another method, path or query makes the signature wrong."""
    changed = {name: getattr(request_, name) for name in ("method", "path", "query", "headers", "base_url")}

    with pytest.raises(BatchError, match="403 AuthenticationFailed"):
        Gate(account=ACCOUNT, key=KEY).check(Request(**changed | {part: value}), SENT)


def test_the_string_to_sign_is_the_documented_one() -> None:
    """Verb, eleven empty headers, ocp-date, resource and the sorted query, each on a line."""
    text = string_to_sign(method=ODD.method, path=ODD.path, query=ODD.query, headers=ODD.headers, account=ACCOUNT)

    assert text == (
        "GET" + 12 * "\n" + f"ocp-date:{DATE}\n/myaccount/jobs/sched%3Ajob-1/jobpreparationandreleasetaskstatus"
        "\n$filter:nodeId ne 'x'\n$skipToken:tvm-1_1\napi-version:2024-07-01.20.0\ntimeOut:20"
    )
    assert signature(KEY, text) == "C9F32+HARoCSiP+x4qKTEXQ8NGD+PHfJ2vgXwRl1dzg="


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Basic abc"}, 401),
        ({"authorization": "Bearer anything"}, 401),
        ({"authorization": "SharedKey other:abc", "ocp-date": DATE}, 403),
        ({"authorization": f"SharedKey {ACCOUNT}:abc"}, 403),
        ({"authorization": f"SharedKey {ACCOUNT}:abc", "ocp-date": "today"}, 403),
    ],
    ids=["none", "unknown scheme", "bearer not configured", "other account", "no date", "no real date"],
)
def test_other_credentials_are_refused(headers: dict[str, str], status: int) -> None:
    """Whoever shows no usable credentials gets 401, whoever shows wrong ones 403."""
    request = Request(method="GET", path="/jobs", query={}, headers=headers, base_url="")

    with pytest.raises(BatchError, match=f"{status} AuthenticationFailed"):
        Gate(account=ACCOUNT, key=KEY).check(request, SENT)
