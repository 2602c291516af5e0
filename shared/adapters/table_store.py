"""The table over azure-data-tables: the only module that knows that SDK.

Owns the translation of operations, rows and errors, and how long one exchange may take. Does not own what rows mean,
nor the limits of the table (`adapters.table_limits`). No exception of the SDK leaves this module.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError
from azure.data.tables import EdmType, EntityProperty, TableClient, TableEntity, UpdateMode
from msgspec import Struct

from shared.adapters.table_limits import INT32, check_transaction
from shared.errors import NO_STORE_TOKEN, RowConflictError, StoreError, StoreUnavailableError, TransactionTooLargeError
from shared.ports import Column, Delete, Insert, Merge, Operation, Put, Replace, Row
from shared.redaction import one_line

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse

_EXISTS = "EntityAlreadyExists"
_CHANGED = frozenset({"UpdateConditionNotSatisfied", "ConditionNotMet"})
_GONE = frozenset({"ResourceNotFound", "EntityNotFound"})
_NO_TABLE = "TableNotFound"
_TOO_LARGE = frozenset({"RequestBodyTooLarge", "EntityTooLarge", "PropertyValueTooLarge", "TooManyProperties"})
_KEPT_MESSAGE_BYTES = 256
_OPERATION_INDEX = re.compile(r"(\d{1,3}):")
_RANGE: Final = "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end"

_SdkOperation = tuple[str, dict[str, Any], dict[str, Any]]


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
            try:
                return _row(self.client.get_entity(partition, key))
            except HttpResponseError as error:
                if _code(error) in {*_GONE, _NO_TABLE}:
                    return None
                raise

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows with start <= key < end, in key order, read page by page as they are taken."""
        bounds = {"partition": partition, "start": start, "end": end}
        pages = self.client.query_entities(_RANGE, parameters=bounds).by_page()
        while (rows := _next_page(pages)) is not None:
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
        asked = [_sdk_operation(partition, operation) for operation in operations]
        with _translated_errors(operations):
            try:
                answers = self._submit(asked)
            except HttpResponseError as error:
                if _code(error) != _NO_TABLE:
                    raise
                self._create_table()
                answers = self._submit(asked)
            return {
                operation.key: _etag(answer)
                for operation, answer in zip(operations, answers, strict=True)
                if not isinstance(operation, Delete)
            }

    def _submit(self, asked: Sequence[_SdkOperation]) -> Sequence[Mapping[str, Any]]:
        verb, entity, options = asked[0]
        # Each cycle inserts one row to take its turn; as a transaction that takes three times the CPU.
        if len(asked) == 1 and verb == "create":
            return [self.client.create_entity(entity, **options)]
        # Any other row alone is a transaction, too: by itself, an update whose answer is lost would be sent again, and
        # a deletion would be taken for done where the row is missing, whatever ETag it was to have.
        return self.client.submit_transaction(asked)

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


def _finish_answer(exchange: "PipelineResponse[Any, Any]") -> None:
    """Read an answer where the SDK still tries again if it breaks off, or if it is a refusal of the busy.

    Otherwise what is tried again would leave its connection open. Nor does the SDK hear when to try again: it would
    sleep for as long as whoever answered says, however long that is.
    """
    answer = exchange.http_response
    for name in ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms"):
        answer.headers.pop(name, None)
    try:
        answer.read()
    finally:
        answer.close()


def _next_page(pages: Iterator[Iterator[TableEntity]]) -> list[Row] | None:
    """The rows of the next page, None after the last."""
    with _translated_errors():
        try:
            page = next(pages, None)
        except HttpResponseError as error:
            if _code(error) == _NO_TABLE:
                return None
            raise
        return None if page is None else [_row(entity) for entity in page]


def _sdk_operation(partition: str, operation: Operation) -> _SdkOperation:
    entity: dict[str, Any] = {"PartitionKey": partition, "RowKey": operation.key}
    if not isinstance(operation, Delete):
        entity.update((name, _sdk_value(value)) for name, value in operation.columns.items())
    match operation:
        case Insert():
            return "create", entity, {"response_preference": "return-no-content"}
        case Put():
            return "upsert", entity, {"mode": UpdateMode.REPLACE}
        case Merge():
            return "upsert", entity, {"mode": UpdateMode.MERGE}
        case Replace(etag=etag):
            return "update", entity, {"mode": UpdateMode.REPLACE, **_if_match(etag)}
        case Delete(etag=etag):
            return "delete", entity, _if_match(etag) if etag is not None else {}


def _if_match(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _sdk_value(value: Column) -> Column | EntityProperty:
    """A value as the SDK takes it: of a number it has to be told that it needs 64 bits."""
    if isinstance(value, int) and value not in INT32:
        return EntityProperty(value, EdmType.INT64)
    return value


def _row(entity: TableEntity) -> Row:
    columns = {name: _column(value) for name, value in entity.items() if name not in {"PartitionKey", "RowKey"}}
    return Row(key=entity["RowKey"], columns=columns, etag=_etag(entity.metadata))


def _etag(metadata: Mapping[str, Any]) -> str:
    etag = metadata["etag"]
    if etag is None:
        raise ValueError("a row without ETag")
    return str(etag)


def _column(value: Any) -> Any:
    """A value without the SDK's wrappers; one of a type that we never write stays, for whoever decodes the row."""
    match value:
        case EntityProperty():
            return value.value
        case datetime():
            return datetime.combine(value.date(), value.timetz())
        case _:
            return value


def _code(error: HttpResponseError) -> str:
    return _said(error)[0]


def _said(error: HttpResponseError) -> tuple[str, str]:
    """The service's own error code, which is all that the SDK leaves to tell errors apart, and its words."""
    code, words = getattr(error, "error_code", None), error.message
    if code is None and error.response is not None:
        # Of a row that is inserted by itself the SDK leaves in the answer why it was refused.
        with suppress(msgspec.DecodeError, KeyError, TypeError):
            refusal = msgspec.json.decode(error.response.text())["odata.error"]
            code, words = refusal["code"], refusal["message"]["value"]
    return str(code.value if isinstance(code, Enum) else code or ""), str(words)


@contextmanager
def _translated_errors(operations: Sequence[Operation] = ()) -> Iterator[None]:
    # Nothing is chained: what the SDK raises quotes answers whole, and they may repeat a URL with its signature.
    try:
        yield
    except HttpResponseError as error:
        raise _translated(error, operations) from None
    except Exception as error:  # noqa: BLE001 - as the next line says
        # An answer that is cut short or no HTTP makes the SDK raise anything, from BadStatusLine to AttributeError.
        words = f"the table gave no usable answer: {type(error).__name__}: {_short(str(error))}"
        raise StoreUnavailableError(words) from None


def _translated(error: HttpResponseError, operations: Sequence[Operation]) -> StoreError:
    # It never came to the table; the SDK's words name endpoints and tenants, its own log has them.
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return StoreUnavailableError(f"{NO_STORE_TOKEN}: {type(error).__name__}")
    code, words = _said(error)
    text = _short(words)
    if code == _EXISTS or code in _CHANGED or (code in _GONE and operations):
        key = _conflicting_key(error.message, operations)
        return RowConflictError(text, row_key=key, exists=code == _EXISTS)
    if code in _TOO_LARGE or error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TransactionTooLargeError(f"the table refused it: {text}")
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return StoreError(f"the table does not understand the request: {text}")
    return StoreUnavailableError(f"the table answered {error.status_code} {code or 'without a code'}: {text}")


def _conflicting_key(message: str, operations: Sequence[Operation]) -> str | None:
    # The SDK's own index is 0 also when the service named none.
    if len(operations) == 1:
        return operations[0].key
    index = _OPERATION_INDEX.match(message)
    return operations[int(index[1])].key if index and int(index[1]) < len(operations) else None


def _short(text: str) -> str:
    return one_line(text.partition("\n")[0], limit=_KEPT_MESSAGE_BYTES)
