"""Makes the texts of a status fit to be stored and shown.

Owns which field may keep how much. Does not own how a secret is recognised or a cut is marked (`redaction`). Ids are
left alone: they are keys, and `batch.wire` has refused those that can't be.
"""

from functools import lru_cache
from typing import Final

from msgspec import structs

from shared.batch.model import ContainerInfo, ExecutionInfo, FailureInfo, NameValuePair, NodeStatus
from shared.redaction import TEXT_LIMIT, clean
from shared.secret_names import REDACTED, names_secret

DETAILS_LIMIT: Final = 16
"""Pairs of failureInfo.details that are kept."""
_WORD_LIMIT: Final = 256


def clean_status(status: NodeStatus) -> NodeStatus:
    """The status with every text but the ids stripped of control characters and secrets, and cut.

    Messages, details, the container's error, paths and URLs keep 4 KiB, single words 256 bytes, details 16 pairs.
    """
    node_url = _clean_node_url(status)
    return structs.replace(
        status,
        node_url=node_url,
        preparation=_clean_info(status.preparation, node_url),
        release=_clean_info(status.release, node_url),
    )


def _clean_node_url(status: NodeStatus) -> str | None:
    """As a rule all nodes of an account share what stands before their ids, which are keys: it is cleaned once."""
    ids = f"/pools/{status.pool_id}/nodes/{status.node_id}"
    if status.node_url is None or not status.node_url.endswith(ids) or len(status.node_url) > TEXT_LIMIT:
        return _text(status.node_url)
    return f"{_phrase(status.node_url.removesuffix(ids))}{ids}"


def _clean_info(info: ExecutionInfo | None, node_url: str | None) -> ExecutionInfo | None:
    if info is None:
        return None
    directory, url = _phrase(info.task_root_directory), info.task_root_directory_url
    # As a rule it is made of two texts that were cleaned before; to see so costs a tenth of cleaning it.
    is_made_of_clean = url == f"{node_url}/files/{directory}" and url.isascii() and len(url) <= TEXT_LIMIT
    return structs.replace(
        info,
        state=clean_word(info.state),
        result=clean_word(info.result),
        failure_info=_clean_failure(info.failure_info),
        container_info=_clean_container(info.container_info),
        task_root_directory=directory,
        task_root_directory_url=url if is_made_of_clean else _text(url),
    )


def _clean_failure(failure: FailureInfo | None) -> FailureInfo | None:
    if failure is None:
        return None
    details = failure.details and tuple(map(clean_pair, failure.details[:DETAILS_LIMIT]))
    return FailureInfo(
        category=clean_word(failure.category),
        code=clean_word(failure.code),
        message=_phrase(failure.message),
        details=details,
    )


def clean_pair(pair: NameValuePair) -> NameValuePair:
    """A detail of an error: its value is cleaned, and shown only if the name does not say that it is a secret."""
    name = clean_word(pair.name)
    return NameValuePair(name=name, value=REDACTED if pair.value and _names_secret(name or "") else _phrase(pair.value))


def _clean_container(container: ContainerInfo | None) -> ContainerInfo | None:
    if container is None:
        return None
    return ContainerInfo(
        container_id=clean_word(container.container_id), state=clean_word(container.state), error=_text(container.error)
    )


def _text(text: str | None) -> str | None:
    return None if text is None else clean(text, limit=TEXT_LIMIT)


def _phrase(text: str | None) -> str | None:
    """As `_text`, for what many nodes say alike."""
    return _text(text) if text is None or len(text) > _WORD_LIMIT else _clean_short(text, TEXT_LIMIT)


def clean_word(text: str | None) -> str | None:
    """A code, state or other single word of Batch: cleaned, and cut at 256 bytes; None stays None."""
    if text is None or len(text) > _WORD_LIMIT:
        return None if text is None else clean(text, limit=_WORD_LIMIT)
    return _clean_short(text, _WORD_LIMIT)


_names_secret = lru_cache(maxsize=1024)(names_secret)
"""For words of Batch, of which thousands of nodes say the same few."""


@lru_cache(maxsize=1024)
def _clean_short(text: str, limit: int) -> str:
    return clean(text, limit=limit)
