"""What is wrong with a variable ends the deployment before it begins, by name and with the way to mend it."""

import json

import pytest

from tests.stack.infra.azd import parameters
from tests.stack.infra.bicep import INFRA, Bicep, RefusedError
from tests.stack.infra.conftest import Compile
from tests.stack.infra.mistakes import MISTAKES
from tests.stack.infra.ways import ONE
from tests.support.app_settings import CANARY

MAIN = INFRA / "main.bicep"


def _refusal(bicep: Bicep, compiled: Compile, variables: dict[str, str]) -> str:
    """What a deployment with these variables is refused with."""
    with pytest.raises(RefusedError) as refused:
        bicep.snapshot(compiled(MAIN), parameters({**ONE, **variables}, compiled(MAIN)))
    return str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize(("variables", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(variables: dict[str, str], sentence: str, bicep: Bicep, compiled: Compile) -> None:
    """Azure refuses the deployment with the name of the variable, what is wrong with it and how to mend it."""
    assert sentence in _refusal(bicep, compiled, variables)


def test_all_mistakes_are_named_at_once(bicep: Bicep, compiled: Compile) -> None:
    """Whoever made three mistakes learns of three, not of one in each attempt; and no secret is shown beside them."""
    wrong = {"BATCH_ACCOUNT_IDS": "x", "VNET_ENABLED": "yes", "MAXIMUM_INSTANCE_COUNT": "many"}
    secrets = {"WEBHOOK_URL": f"https://a.example/{CANARY}", "BATCH_ACCOUNT_KEY": CANARY, "STATE_STORAGE": CANARY}
    more = {"WEBHOOK_SECRETS": json.dumps({"OPS_URL": CANARY}), "WEBHOOK_SECRET": CANARY, "HEARTBEAT_URL": CANARY}

    refusal = _refusal(bicep, compiled, {**wrong, **secrets, **more})

    assert [name for name in wrong if name not in refusal] == []
    assert CANARY not in refusal


def test_the_topics_name_is_free_without_a_topic(bicep: Bicep, compiled: Compile) -> None:
    """Without EVENT_GRID_TOPIC a webhook may be called event-grid."""
    variables = {**ONE, "WEBHOOKS": '[{"name":"event-grid","format":"teams","url":"https://a.example"}]'}

    assert bicep.snapshot(compiled(MAIN), parameters(variables, compiled(MAIN))).resources
