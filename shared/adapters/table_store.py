"""The table over azure-data-tables: the only module that knows that SDK.

Owns the exchange, the translation of errors, and how long one exchange may take. Does not own how rows and
transactions are spelled (`adapters.table_wire`), what rows mean, nor the limits of the table
(`adapters.table_limits`). Signing, retries and connections are the SDK's. No exception of the SDK leaves this module.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.core.rest import HttpRequest
from azure.data.tables import TableClient
from msgspec import Struct

from shared.adapters.table_limits import check_transaction
from shared.adapters.table_wire import (
    Refusal,
    content_type,
    decode_answer,
    decode_refusal,
    decode_row,
    decode_rows,
    encode_transaction,
    range_path,
    row_path,
)
from shared.errors import RowConflictError, StoreError, StoreUnavailableError, TransactionTooLargeError
from shared.ports import Delete, Operation, Row
from shared.redaction import one_line

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import HttpResponse

_EXISTS = "EntityAlreadyExists"
_CHANGED = frozenset({"UpdateConditionNotSatisfied", "ConditionNotMet"})
_GONE = frozenset({"ResourceNotFound", "EntityNotFound"})
_NO_TABLE = "TableNotFound"
_DONE = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED})
_TOO_LARGE = frozenset({"RequestBodyTooLarge", "EntityTooLarge", "PropertyValueTooLarge", "TooManyProperties"})
_KEPT_MESSAGE_BYTES = 256
_OPERATION_INDEX = re.compile(r"(\d{1,3}):")


class TableStore(Struct, frozen=True):
    """One table, as `shared.ports.Table` describes it; may be shared by threads.

    The table is created by the first write that misses it; until then reading finds nothing.

    A write whose answer is lost is not sent again. A write that is answered with 500, 503 or 504 is sent again, at
    most twice; should the first one have been done all the same, the second raises RowConflictError for this very
    write. So after a conflict, too, what is stored is only known by reading it.
    """

    client: TableClient

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None when there is none."""
        with _translated_errors():
            answer = self._ask("GET", row_path(self.client.table_name, partition, key))
            if not isinstance(answer, Refusal):
                return decode_row(answer.body)
        if answer.code in _GONE or answer.code == _NO_TABLE:
            return None
        raise _refused(answer)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows with start <= key < end, in key order, read page by page as they are taken."""
        asked = range_path(self.client.table_name, partition, start, end)
        more: str | None = ""
        while more is not None:
            rows, more = self._page(asked + more)
            yield from rows

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all operations or none; the new ETag of each written row by key.

        Raises:
            RowConflictError: Some row was not as expected and nothing was written, unless an earlier sending of this
                write was: read.
            TransactionTooLargeError: Not sent, or refused for its size; slice it.
            StoreUnavailableError: It may or may not have been done; read.
            StoreError: The service refuses it for another reason; sending it again will not help.
            ValueError: A column that no table can hold.
        """
        check_transaction(partition, operations)
        pending = list(operations)
        while pending:
            try:
                return self._send(partition, pending)
            except RowConflictError as conflict:
                kept = pending if conflict.exists else self._without_missing_deletes(partition, pending)
                if len(kept) == len(pending):
                    raise
                pending = kept
        return {}

    def _send(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        with _translated_errors(operations):
            answer = self._exchange(partition, operations)
            if isinstance(answer, Refusal) and answer.code == _NO_TABLE:
                self._create_table()
                answer = self._exchange(partition, operations)
        if isinstance(answer, Refusal):
            raise _refused(answer, operations)
        return answer

    def _page(self, path: str) -> tuple[list[Row], str | None]:
        """The rows of one page, and what asks for the next, None on the last."""
        with _translated_errors():
            answer = self._ask("GET", path)
            if not isinstance(answer, Refusal):
                return decode_rows(answer.body), _next_page(answer.headers)
        if answer.code == _NO_TABLE:
            return [], None
        raise _refused(answer)

    def _exchange(self, partition: str, operations: Sequence[Operation]) -> dict[str, str] | Refusal:
        endpoint, boundary = self._endpoint, str(uuid4())
        body = encode_transaction(
            endpoint, self.client.table_name, self.client.api_version, partition, operations, boundary
        )
        answer = self._ask("POST", "$batch", content_type(boundary), body)
        if isinstance(answer, Refusal):
            return answer
        return decode_answer(answer.headers.get("Content-Type", ""), answer.body, operations)

    @property
    def _endpoint(self) -> str:
        return self.client.url.partition("?")[0]

    def _ask(
        self, method: str, path: str, media_type: str | None = None, content: bytes | None = None
    ) -> "_Answer | Refusal":
        """Send a request through the SDK's own pipeline."""
        request = HttpRequest(
            method,
            f"{self._endpoint}/{path}",
            headers={
                "x-ms-version": self.client.api_version,
                "DataServiceVersion": "3.0",
                "MaxDataServiceVersion": "3.0;NetFx",
                "Accept": "application/json" if content else "application/json;odata=minimalmetadata",
                **({"Content-Type": media_type} if media_type else {}),
            },
            content=content,
        )
        pipeline = self.client._client  # noqa: SLF001 - the SDK's own calls cost ten times as much; nothing public sends
        response = pipeline.send_request(request, stream=True)  # otherwise the SDK decodes it, for nobody
        body = _read(response)
        if response.status_code not in _DONE:
            return decode_refusal(response.status_code, response.headers.get("x-ms-error-code"), body)
        return _Answer(headers=response.headers, body=body)

    def _create_table(self) -> None:
        try:
            self.client.create_table()
        except ResourceExistsError as error:
            if _code(error) != "TableAlreadyExists":
                raise

    def _without_missing_deletes(self, partition: str, operations: Sequence[Operation]) -> list[Operation]:
        """The service fails a whole transaction for a missing row; a Delete without ETag wants just that."""
        return [
            operation
            for operation in operations
            if not (
                isinstance(operation, Delete) and operation.etag is None and self.get(partition, operation.key) is None
            )
        ]


class _Answer(Struct, frozen=True):
    headers: Mapping[str, str]
    body: bytes


def open_table(
    storage: str | tuple[str, TokenCredential],
    table_name: str,
    *,
    answer_timeout: timedelta = timedelta(seconds=10),
) -> TableStore:
    """Make the store of a table without calling it yet.

    *storage* is a connection string, or the table endpoint with the credential to use. *answer_timeout* bounds the
    silence of the service in one exchange; with retries a call ends within about three times that.

    Raises:
        ValueError: The connection string or the endpoint makes no sense.
    """
    options: dict[str, Any] = {
        "retry_total": 2,
        "retry_backoff_factor": 0.2,
        "retry_backoff_max": 1,
        "timeout": 2 * answer_timeout.total_seconds(),
        "connection_timeout": min(5.0, answer_timeout.total_seconds()),
        "read_timeout": answer_timeout.total_seconds(),
        "raw_response_hook": _finish_answer,
        # Otherwise each request looks through all variables and a .netrc for a proxy, a password and authorities; no
        # other call of ours heeds them, and looking takes an eighth of a request.
        "use_env_settings": False,
    }
    if isinstance(storage, str):
        return TableStore(TableClient.from_connection_string(storage, table_name, **options))
    endpoint, credential = storage
    return TableStore(TableClient(endpoint, table_name, credential=credential, **options))


def _read(response: "HttpResponse") -> bytes:
    """The body of an answer; its connection is kept, or closed when the body breaks off."""
    try:
        return response.read()
    finally:
        response.close()


def _finish_answer(response: "PipelineResponse[Any, Any]") -> None:
    """Read an answer where the SDK still tries again if it breaks off, or if it is a refusal of the busy.

    Otherwise what is tried again would leave its connection open. Nor does the SDK hear when to try again: it would
    sleep for as long as whoever answered says, however long that is.
    """
    answer = response.http_response
    for name in ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms"):
        answer.headers.pop(name, None)
    _read(answer)


def _next_page(headers: Mapping[str, str]) -> str | None:
    following = {name: headers.get(f"x-ms-continuation-{name}") for name in ("NextPartitionKey", "NextRowKey")}
    if not any(following.values()):
        return None
    return "".join(f"&{name}={quote(value, safe='')}" for name, value in following.items() if value)


def _code(error: HttpResponseError) -> str:
    """The service's own error code, which is all that the SDK leaves to tell errors apart."""
    code = getattr(error, "error_code", None)
    return str(code.value if isinstance(code, Enum) else code or "")


@contextmanager
def _translated_errors(operations: Sequence[Operation] = ()) -> Iterator[None]:
    # Nothing is chained: what the SDK raises quotes answers whole, and they may repeat a URL with its signature.
    try:
        yield
    except HttpResponseError as error:
        refusal = Refusal(status=error.status_code or 0, code=_code(error), message=error.message or "")
        raise _refused(refusal, operations) from None
    except Exception as error:  # noqa: BLE001 - as the next line says
        # An answer that is cut short or no HTTP makes the SDK raise anything, from BadStatusLine to AttributeError.
        words = f"the table gave no usable answer: {type(error).__name__}: {_short(str(error))}"
        raise StoreUnavailableError(words) from None


def _refused(refusal: Refusal, operations: Sequence[Operation] = ()) -> StoreError:
    code, text = refusal.code, _short(refusal.message)
    if code == _EXISTS or code in _CHANGED or (code in _GONE and operations):
        key = _conflicting_key(refusal.message, operations)
        return RowConflictError(text, row_key=key, exists=code == _EXISTS)
    if code in _TOO_LARGE or refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TransactionTooLargeError(f"the table refused it: {text}")
    if refusal.status == HTTPStatus.BAD_REQUEST:
        return StoreError(f"the table does not understand the request: {text}")
    return StoreUnavailableError(f"the table answered {refusal.status} {code or 'without a code'}: {text}")


def _conflicting_key(message: str, operations: Sequence[Operation]) -> str | None:
    if len(operations) == 1:
        return operations[0].key
    index = _OPERATION_INDEX.match(message)
    return operations[int(index[1])].key if index and int(index[1]) < len(operations) else None


def _short(text: str) -> str:
    return one_line(text.partition("\n")[0], limit=_KEPT_MESSAGE_BYTES)
