"""How a listing becomes one page: what is selected, where it begins, and the link to what is behind it.

Owns paging by a key that grows along the listing. Does not own what an operation lists.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from local.batch_simulator.filters import Property
from local.batch_simulator.parameters import MAX_RESULTS, Parameters, select
from local.batch_simulator.protocol import Answer, Request
from local.batch_simulator.rendering import list_body

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a listing may be asked: the set's name, the properties it filters by, the names it selects (None: none)."""

    entity_set: str
    properties: Mapping[str, Property]
    names: frozenset[str] | None = None
    most: int = MAX_RESULTS


def one_page(
    request: Request,
    parameters: Parameters,
    listed: Listed,
    entries: Iterable[_T],
    *,
    key: Callable[[_T], str],
    show: Callable[[_T], dict[str, Any]],
) -> Answer:
    """The page that a request asks for of `entries`, which come in the order of their keys."""
    predicate = parameters.predicate(listed.properties)
    names = None if listed.names is None else parameters.selection(listed.names)
    size, token = parameters.page_size(listed.most), parameters.text("$skiptoken")
    page: list[bytes] = []
    last = ""
    next_link = None
    for entry in entries:
        if token is not None and key(entry) <= token:
            continue
        body = show(entry)
        if predicate is not None and not predicate(body):
            continue
        if len(page) == size:
            next_link = link_behind(request, parameters, request.path, last)
            break
        page.append(json.dumps(select(body, names)).encode())
        last = key(entry)
    return Answer(status=HTTPStatus.OK, body=list_body(listed.entity_set, request.base_url, page, next_link))


def link_behind(request: Request, parameters: Parameters, path: str, token: str) -> str:
    """The absolute URL of the page behind `token`; filter, selection and size stay."""
    query = [("$skipToken", token), ("api-version", parameters.version)]
    query += [(name, text) for name in ("$filter", "$select", "maxresults") if (text := parameters.text(name))]
    return f"{request.base_url}{path}?" + "&".join(f"{name}={quote(text, safe='')}" for name, text in query)
