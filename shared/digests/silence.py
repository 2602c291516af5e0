"""What keeps chat and pager from being told of any job of an account: a row that can't be read.

Owns which rows these are, and who counts as not heard because of them or of a setting. Does not own the health that
attempts show (`delivery.webhook_states`) or single jobs and pools that can't be told of (`digests.untold`). The
heartbeat asks after every cycle, so nothing of the telling itself is imported here.
"""

from collections.abc import Iterable, Mapping, Sequence

from shared.delivery.failing_rules import listens
from shared.delivery.webhook_states import read_states
from shared.errors import UnreadableRowError
from shared.messages.format_table import format_of
from shared.ports import Rows, Table
from shared.state.rows import from_row, incidents_key, mend_of, pace_key
from shared.state.telling import Incidents, Pace, WebhookState
from shared.webhook import Webhook


def why_silent(table: Rows, account: str, webhook: Webhook) -> str | None:
    """Why a chat or pager webhook can't be told of any job of an account: a row that can't be read, None for no reason.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    try:
        for key, kind in ((pace_key(webhook.name), Pace), (incidents_key(webhook.name), Incidents)):
            if (row := table.get(account, key)) is not None:
                from_row(row, kind)
    except UnreadableRowError as error:
        return mend_of(error, account, _begun_anew(webhook))
    return None


def _begun_anew(webhook: Webhook) -> str:
    """What comes of deleting the rows that hold a webhook up."""
    told = "the webhook is then told what stands there, as if it were new."
    return (
        f"{told} Incidents that it has open are to be resolved by hand." if format_of(webhook).opens_incidents else told
    )


def states_as_heard(
    table: Table, accounts: Sequence[str], webhooks: Iterable[Webhook]
) -> Mapping[str, WebhookState | None]:
    """How healthy these webhooks are; None of those that can't be told of jobs, or of which nobody can tell.

    So is one that waits for a setting: it was never tried, and nobody knows since when.

    Raises:
        StoreError: Their states can't be read.
    """
    hooks = {webhook.name: webhook for webhook in webhooks}
    states = read_states(table, hooks)
    for name, hook in hooks.items():
        if not listens(hook, states[name]):
            continue
        tells = format_of(hook).tells_state
        if hook.waits_for is not None or (tells and any(why_silent(table, each, hook) for each in accounts)):
            states[name] = None
    return states
