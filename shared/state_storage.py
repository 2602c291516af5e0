"""Owns which settings say where the state is stored, and in which order they count.

It does not open the storage.
"""

from msgspec import Struct

from shared.http_address import parse_address
from shared.reprs import repr_without
from shared.setting_parsers import matching
from shared.setting_reader import InvalidValueError, SettingReader

_DEVELOPMENT = "UseDevelopmentStorage=true"
_CONNECTIONS = ("STATE_STORAGE", "AzureWebJobsStorage")


class StateStorage(Struct, frozen=True, kw_only=True):
    """The storage account of the state: exactly one of the two is set."""

    connection_string: str | None = None
    table_service_uri: str | None = None

    __repr__ = repr_without("connection_string")
    """Reached with the app's identity."""


def read_state_storage(reader: SettingReader) -> StateStorage:
    """The first of STATE_STORAGE and AzureWebJobsStorage that is given; empty after a problem, kept by the reader."""
    for connection in _CONNECTIONS:
        if reader.given(connection):
            return StateStorage(connection_string=reader.optional(connection, _connection_string))
        for suffix, parse in (("tableServiceUri", _table_service_uri), ("accountName", _account_uri)):
            if reader.given(f"{connection}__{suffix}"):
                return StateStorage(table_service_uri=reader.optional(f"{connection}__{suffix}", parse))
    reader.refuse(
        "STATE_STORAGE",
        "is missing, and so is AzureWebJobsStorage",
        "set STATE_STORAGE or AzureWebJobsStorage to a connection string, or STATE_STORAGE__tableServiceUri, "
        "AzureWebJobsStorage__tableServiceUri or AzureWebJobsStorage__accountName to use the app's identity",
    )
    return StateStorage()


def _connection_string(text: str) -> str:
    parts = [part.partition("=") for part in text.split(";") if part.strip()]
    names = {name.strip().lower() for name, _, value in parts if value.strip()}
    if names == {"usedevelopmentstorage"}:
        return _DEVELOPMENT  # the only spelling that azure-data-tables knows
    if {"accountname", "accountkey"} <= names or {"tableendpoint", "sharedaccesssignature"} <= names:
        return text
    raise InvalidValueError(
        "is not a connection string for tables",
        "copy it again, whole: it has AccountName and AccountKey, or TableEndpoint and SharedAccessSignature",
    )


def _table_service_uri(text: str) -> str:
    return parse_address(text).url.rstrip("/")


def _account_uri(text: str) -> str:
    name = matching("[a-z0-9]{3,24}", "write the storage account's name: 3 to 24 lower-case letters and digits")(text)
    return f"https://{name}.table.core.windows.net"
