"""HTTP as the use cases' translators speak it: requests and answers.

Owns their form, ETags, and compression. Does not own what is read from a request (`web.reading`), the answers to errors
(`web.errors`), any route's meaning (`web.routes`) or the platform's types (`function_app`).
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

WORTH_COMPRESSING = 8192
"""Bytes. Nothing between the app and its callers compresses, and a summary of 100 jobs is 37 kB."""

_GZIP = 31  # a deflate window of the usual size, in gzip's frame


class Request(Struct, frozen=True, kw_only=True):
    """A request as the platform hands it over: header names in lower case, `url` the absolute URL asked for."""

    url: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    route: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Answer(Struct, frozen=True, kw_only=True):
    """An answer with header names in lower case; `nudges` are the accounts whose deliveries are looked after soon."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    nudges: Sequence[str] = ()


def json_answer(body: Struct, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(
        status=status,
        headers={"content-type": "application/json", "cache-control": "no-store", **(headers or {})},
        body=msgspec.json.encode(body),
    )


def tagged_answer(request: Request, body: Struct, identity: Struct | None = None) -> Answer:
    """A JSON answer with the ETag of `identity` (None: of all that it says); 304 when the caller has it already."""
    answer = json_answer(body)
    return tagged(request, answer, answer.body if identity is None else msgspec.json.encode(identity))


def tagged(request: Request, answer: Answer, identity: bytes) -> Answer:
    """The answer with the ETag of `identity`; 304 without a body when the caller has it already."""
    etag = f'"{hashlib.sha256(identity).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return Answer(status=304, headers=headers)
    return replace(answer, headers={**answer.headers, **headers})


def compressed(answer: Answer, accepted: str) -> Answer:
    """The answer, compressed if it is long and the caller's Accept-Encoding takes gzip.

    The ETag becomes a weak one then, because the bytes are others than without; If-None-Match compares weakly.
    """
    if len(answer.body) <= WORTH_COMPRESSING:
        return answer
    headers = {**answer.headers, "vary": "Accept-Encoding"}
    if not _takes_gzip(accepted):
        return replace(answer, headers=headers)
    headers["content-encoding"] = "gzip"
    if "etag" in headers:
        headers["etag"] = f"W/{headers['etag'].removeprefix('W/')}"
    return replace(answer, headers=headers, body=zlib.compress(answer.body, wbits=_GZIP))


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding names gzip, or anything, without refusing it by a weight of 0 (RFC 9110, 12.5.3)."""
    weights = {}
    for entry in accepted.lower().split(","):
        coding, _, parameter = entry.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "").removeprefix("q=")
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight.strip("0.") != "" or weight == ""
