"""Owns how `BATCH_ACCOUNT_URLS` becomes the watched accounts, and where the Azure portal shows each of them."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from shared.settings.address import HttpAddress, parse_address
from shared.settings.reader import InvalidValueError, SettingReader, listed

_URLS_MEND = "write the accounts' addresses, for example https://myaccount.westeurope.batch.azure.com"
_IDS_MEND = "copy each from: az batch account show -n NAME -g GROUP --query id -o tsv"
_RESOURCE_ID = (
    r"(?i)/subscriptions/[0-9a-f-]{36}/resourcegroups/[^/?#\s]{1,90}"
    r"/providers/microsoft\.batch/batchaccounts/([a-z0-9]{3,24})"
)
_PORTALS = (
    (".batch.azure.com", "https://portal.azure.com"),
    (".batch.usgovcloudapi.net", "https://portal.azure.us"),
    (".batch.chinacloudapi.cn", "https://portal.azure.cn"),
)


class BatchAccount(Struct, frozen=True, kw_only=True):
    """A Batch account that is watched."""

    label: str
    """The URL's host, with the port if it is not the default: the account's name in all the product says."""
    url: str
    """Without a slash at the end."""
    portal_url: str | None = None
    """Its page in the Azure portal; None while its resource id is not known."""

    @property
    def host_name(self) -> str:
        """The host without its port, and without the brackets of IPv6."""
        return urlsplit(self.url).hostname or ""


def load_accounts(reader: SettingReader) -> tuple[BatchAccount, ...]:
    """The accounts that the settings name; what is wrong with them is left with the reader."""
    addresses = reader.optional("BATCH_ACCOUNT_URLS", _addresses) or ()
    if not reader.given("BATCH_ACCOUNT_URLS"):
        reader.refuse("BATCH_ACCOUNT_URLS", "is missing", _URLS_MEND)
    ids = reader.optional("BATCH_ACCOUNT_IDS", _resource_ids) or ()
    accounts = tuple(BatchAccount(label=address.host, url=address.origin) for address in addresses)
    return tuple(replace(account, portal_url=_portal_url(account, ids)) for account in accounts)


def _addresses(text: str) -> tuple[HttpAddress, ...]:
    urls = listed(text)
    if not urls:
        raise InvalidValueError("has no address", _URLS_MEND)
    accounts = tuple(parse_address(url, allow_path=False) for url in urls)
    if len({account.host for account in accounts}) < len(accounts):
        raise InvalidValueError("has an account twice", "leave each account there once")
    return accounts


def _resource_ids(text: str) -> tuple[str, ...]:
    ids = listed(text)
    if not all(re.fullmatch(_RESOURCE_ID, one) for one in ids):
        raise InvalidValueError("holds what is no resource id of a Batch account", _IDS_MEND)
    return ids


def _portal_url(account: BatchAccount, ids: Sequence[str]) -> str | None:
    """The page of the account's resource: names of Batch accounts are unique in a region only, so two ids are none.

    The form of the link is that of `portalLink` in what Azure Monitor sends:
    https://learn.microsoft.com/azure/azure-monitor/autoscale/autoscale-webhook-email
    """
    name = account.label.partition(".")[0]
    found = [one for one in ids if one.lower().rpartition("/")[2] == name]
    portal = next((portal for suffix, portal in _PORTALS if account.label.endswith(suffix)), None)
    return f"{portal}/#resource{found[0]}" if portal is not None and len(found) == 1 else None
