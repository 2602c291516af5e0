"""Where the Azure portal shows the watched accounts."""

import pytest

from shared.errors import SettingsError
from shared.settings.settings import load_settings
from tests.support.app_settings import LEAST

URL = "https://myaccount.westeurope.batch.azure.com"
ID = (
    "/subscriptions/00001111-2222-3333-4444-555566667777/resourceGroups/render/providers/Microsoft.Batch"
    "/batchAccounts/myaccount"
)
OTHER = ID.replace("render", "tests")


@pytest.mark.parametrize(
    ("url", "ids", "page"),
    [
        pytest.param(URL, ID, f"https://portal.azure.com/#resource{ID}", id="its id"),
        pytest.param(URL, f" {ID.lower()} ,", f"https://portal.azure.com/#resource{ID.lower()}", id="in lower case"),
        pytest.param(URL, "", None, id="no id"),
        pytest.param(URL, ID + "2", None, id="the id of another account"),
        pytest.param(URL, f"{ID},{OTHER}", None, id="two of one name, each of a region"),
        pytest.param(
            "https://myaccount.usgovvirginia.batch.usgovcloudapi.net",
            ID,
            f"https://portal.azure.us/#resource{ID}",
            id="US Government",
        ),
        pytest.param(
            "https://myaccount.chinanorth2.batch.chinacloudapi.cn",
            ID,
            f"https://portal.azure.cn/#resource{ID}",
            id="China",
        ),
        pytest.param("http://127.0.0.1:8000", ID, None, id="the simulator"),
    ],
)
def test_an_account_is_shown_in_the_portal_of_its_cloud(url: str, ids: str, page: str | None) -> None:
    """The link leads to the account's resource, and there is none where nobody knows which resource that is."""
    environment = {**LEAST, "BATCH_ACCOUNT_URLS": url, "BATCH_ACCOUNT_IDS": ids, "BATCH_ACCOUNT_NAME": "myaccount"}
    (account,) = load_settings(environment).accounts
    assert account.portal_url == page


@pytest.mark.parametrize("ids", ["myaccount", ID[1:], f"{ID}/pools/p", f"{ID}?x=1", f"{ID},javascript:alert(1)"])
def test_what_is_no_resource_id_is_refused(ids: str) -> None:
    """A wrong id is named with the command that gives the right one, and never becomes a link."""
    with pytest.raises(SettingsError, match=r"BATCH_ACCOUNT_IDS holds what is no resource id .* az batch account show"):
        load_settings({**LEAST, "BATCH_ACCOUNT_IDS": ids})
