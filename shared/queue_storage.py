"""Owns which settings say where the platform keeps the app's queues, and with what it is let in.

It opens nothing. The platform reads the same settings for its triggers and bindings.
"""

import base64
import binascii

from msgspec import Struct

from shared.http_address import parse_address
from shared.reprs import repr_without
from shared.setting_reader import SettingReader

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
