"""An azd environment on disk, an Azure CLI whose answers were written down, and what the preflight says of them.

Whoever has an account can put its answers in the place of recorded/well.json: commands of az, and what they answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.hooks.preflight import AzError, report
from infra.hooks.variables import SECRETS, read_known
from tests.stack.infra.azd import dotenv
from tests.stack.infra.ways import MINE
from tests.support.webhook_settings import SECRET

WELL: Mapping[str, Any] = json.loads((Path(__file__).parent / "recorded" / "well.json").read_text(encoding="utf-8"))
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OWN = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_LOCATION": "westeurope",
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "BATCH_ACCOUNT_IDS": MINE,
    "WEBHOOK_URL": "https://receiver.example/hook",
    "WEBHOOK_SECRET": SECRET,
}
NAMED = {"name": "ops", "urlSetting": "OPS_URL", "format": "slack"}
NAMED_SECRETS = {"OPS_URL": "https://x.example/"}
_SET = re.compile(r"azd env set (\S+) (.*)")


def rights_on(scope: str) -> str:
    """The command that asks for one's rights on a scope."""
    rights = "providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
    return f"rest --method get --url {scope}/{rights}"


def preflight(
    root: Path,
    own: Mapping[str, str | None] | None = None,
    *,
    exported: Mapping[str, str] | None = None,
    asked: Mapping[str, str] | None = None,
    answers: Mapping[str, Any] | None = None,
) -> tuple[int, str]:
    """The report for an azd environment that is well but for these changes; a variable of None is not set."""
    folder = root / ".azure" / "prod"
    changed: dict[str, str | None] = {**OWN, **(own or {})}
    folder.mkdir(parents=True)
    written = dotenv({name: value for name, value in changed.items() if value is not None})
    (folder / ".env").write_text(written, encoding="utf-8", newline="")
    (folder / "config.json").write_text(json.dumps({"infra": {"parameters": asked or {}}}), encoding="utf-8")
    (root / ".azure" / "config.json").write_text('{"version":1,"defaultEnvironment":"prod"}', encoding="utf-8")
    recorded = {**WELL, **(answers or {})}

    def az(arguments: Sequence[str]) -> Any:
        answer = recorded[" ".join(arguments)]
        if isinstance(answer, str):
            raise AzError(answer)
        return answer

    code, said = report(root, exported or {}, az)
    whole = "\n".join(said)
    assert [line for line in _SET.findall(whole) if not _may_be_typed(*line)] == []
    return code, whole


def _may_be_typed(name: str, value: str) -> bool:
    """Whether a proposed line sets a variable of the deployment, and no secret that the shell's history would keep."""
    return name in read_known() and (name not in SECRETS or value.startswith(('"$', "'{}'")))
