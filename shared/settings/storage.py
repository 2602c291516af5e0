"""Which settings say where the state and the app's queues are stored, and with what the app is let in.

Owns the order in which they count. Opens nothing; the platform reads the same settings for its triggers.
"""

import base64
import binascii
from urllib.parse import urlsplit

from msgspec import Struct

from shared.reprs import repr_without
from shared.settings.address import is_loopback, parse_address
from shared.settings.reader import InvalidValueError, SettingReader, matching

_CONNECTION = "AzureWebJobsStorage"
_EMULATOR = (
    "AccountName=devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # published
)


class QueueStorage(Struct, frozen=True, kw_only=True):
    """A queue service; without `key` and `signature` the app's identity is let in.

    `url` is without a slash at the end, `account` the storage account's name, `signature` a shared access signature.
    """

    url: str
    account: str
    key: bytes | None = None
    signature: str = ""

    __repr__ = repr_without("key", "signature")

    @property
    def uses_identity(self) -> bool:
        """Whether a role decides what the app may do."""
        return self.key is None and not self.signature


def read_queue_storage(reader: SettingReader) -> QueueStorage | None:
    """The queue service of AzureWebJobsStorage; None when nothing of it names one."""
    # What is wrong with a connection string, the platform says before the app begins.
    if text := reader.environment.get(_CONNECTION, "").strip():
        return _of_connection_string(_EMULATOR if text.lower().startswith("usedevelopmentstorage=true") else text)
    if address := reader.optional(f"{_CONNECTION}__queueServiceUri", parse_address):
        return QueueStorage(url=address.url.rstrip("/"), account=address.name.partition(".")[0])
    if name := reader.environment.get(f"{_CONNECTION}__accountName", "").strip():
        return QueueStorage(url=f"https://{name}.queue.core.windows.net", account=name)
    return None


def _of_connection_string(text: str) -> QueueStorage | None:
    pairs = (part.partition("=") for part in text.split(";"))
    parts = {name.strip().lower(): value.strip() for name, _, value in pairs}
    account, suffix = parts.get("accountname", ""), parts.get("endpointsuffix", "core.windows.net")
    scheme = parts.get("defaultendpointsprotocol", "https")
    url = parts.get("queueendpoint") or (f"{scheme}://{account}.queue.{suffix}" if account else "")
    try:
        key = base64.b64decode(parts.get("accountkey", ""), validate=True)
    except binascii.Error:
        return None
    signature = parts.get("sharedaccesssignature", "").removeprefix("?")
    if not url or not (signature or (account and key)):
        return None
    return QueueStorage(url=url.rstrip("/"), account=account, key=key or None, signature=signature)


_DEVELOPMENT = "UseDevelopmentStorage=true"
_OTHER_SERVICES = (["blob"], ["queue"], ["file"], ["dfs"], ["web"])
_CONNECTIONS = ("STATE_STORAGE", "AzureWebJobsStorage")


class StateStorage(Struct, frozen=True, kw_only=True):
    """The storage account of the state: one of the two is set, none after a problem."""

    connection_string: str | None = None
    table_service_uri: str | None = None
    """Reached with the app's identity."""

    __repr__ = repr_without("connection_string")

    @property
    def account(self) -> str | None:
        """The storage account's name where a role decides what the app may do; None where a key does."""
        host = urlsplit(self.table_service_uri or "").hostname or ""
        return host.partition(".")[0] or None


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
    if parse_address(text).name.split(".")[1:2] in _OTHER_SERVICES:
        wrong = "is the address of another service of the storage account"
        raise InvalidValueError(wrong, "write that of its tables, such as https://account.table.core.windows.net")
    # Only the emulator has its account in the path.
    return parse_address(text, allow_path=is_loopback(parse_address(text).name)).url.rstrip("/")


def _account_uri(text: str) -> str:
    name = matching("[a-z0-9]{3,24}", "write the storage account's name: 3 to 24 lower-case letters and digits")(text)
    return f"https://{name}.table.core.windows.net"
