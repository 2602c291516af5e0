"""What the last step of a deployment asks Azure for, and what it says when that is refused."""

import os
from pathlib import Path

import pytest

from tests.stack.infra.deployed import App, postdeploy


def test_references_are_read_again_until_they_are(app: App) -> None:
    """Azure is asked to read the references, and again while one can't be read: its role takes minutes to arrive."""
    late, well = {"A": "Resolved", "B": "AccessToKeyVaultDenied"}, {"A": "Resolved", "B": "Resolved"}
    app.azure.references = [late, late, well]

    assert postdeploy.refresh_references(app.environment(), app.azure.run, pause=0) == []

    address = "/subscriptions/sub-x/resourceGroups/rg-x/providers/Microsoft.Web/sites/func-x/config/configreferences"
    refresh = ["rest", "--method", "post", "--url", f"{address}/appsettings/refresh?api-version=2022-03-01"]
    read = ["rest", "--method", "get", "--url", f"{address}/appsettings?api-version=2022-03-01"]
    assert app.azure.asked == [read, refresh, read, refresh, read]


def test_a_secret_that_was_rotated_is_read_again(app: App) -> None:
    """A reference that Azure has read before is read once more: it may be another secret now."""
    assert postdeploy.refresh_references(app.environment(), app.azure.run) == []

    assert ["post" in asked for asked in app.azure.asked] == [False, True, False]


def test_without_references_nothing_is_refreshed(app: App) -> None:
    """An app without secrets is left alone."""
    app.azure.references = [{}]

    assert postdeploy.refresh_references(app.environment(), app.azure.run) == []

    assert len(app.azure.asked) == 1


def test_a_reference_that_stays_unread_is_named(app: App) -> None:
    """After the wait the setting is named, with what Azure says of it and what to do."""
    app.azure.references = [{"OPS_URL": "AccessToKeyVaultDenied"}]

    (said,) = postdeploy.refresh_references(app.environment(), app.azure.run, seconds=0)

    assert "OPS_URL can't be read from the Key Vault (AccessToKeyVaultDenied: " in said
    assert "Key Vault Secrets User" in said


def _az(folder: Path, script: str) -> None:
    """An az on the path that does this."""
    folder.joinpath("az").write_text(f"#!/bin/sh\n{script}\n")
    folder.joinpath("az").chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the az in this test is a shell script")
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo WARNING: old >&2; echo 'ERROR: Please run az login' >&2; exit 1", "ERROR: Please run az login"),
        ("exit 3", "az ended with 3"),
        (None, "there is no Azure CLI"),
    ],
    ids=["signed out", "silent", "none"],
)
def test_azs_own_last_line_is_the_reason(
    script: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the Azure CLI says last is why it did not do what it was asked."""
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        _az(tmp_path, script)

    with pytest.raises(postdeploy.AzError) as refused:
        postdeploy.run_az(["account", "show"])

    assert words in str(refused.value)
