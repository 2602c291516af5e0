"""Does the work of a run, for each webhook in a lane of its own.

Owns how wide a lane is, and what becomes of a defect that is met in it. Does not own what is done (`delivery.dispatch`,
`digests.dispatch`) or the threads (`ports.Lanes`).
"""

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

from shared.delivery.credential_redaction import hide_credentials
from shared.journal import write_defect
from shared.messages.format_table import format_of
from shared.ports import Lanes
from shared.webhook import Webhook

IN_FLIGHT = 4
"""Attempts of one webhook of programs at the same time. Chat and pager, which take one a second, have one."""


class WebhookLanes:
    """The lanes of one run; what concerns a webhook that is not configured any more shares one."""

    def __init__(self, lanes: Lanes, webhooks: Mapping[str, Webhook]) -> None:
        self._lanes = lanes
        self._webhooks = webhooks
        self._lock = Lock()
        self._submitted = 0

    def submit(self, name: str, work: Callable[[], None], about: Mapping[str, str | None]) -> None:
        """Do work for a webhook; a defect met in it is logged with what it is `about`, and the other work goes on."""
        with self._lock:
            self._submitted += 1
        webhook = self._webhooks.get(name)
        width = 1 if webhook is not None and format_of(webhook).tells_state else IN_FLIGHT
        self._lanes.submit(f"webhook:{name if webhook else ''}", width, partial(self._do, name, work, about))

    def join(self) -> None:
        """Wait for all that was submitted, and for what that work submits."""
        submitted = -1
        while submitted != self._submitted:  # an attempt may make due what tells another webhook of it
            submitted = self._submitted
            for name in (*self._webhooks, ""):
                self._lanes.join(f"webhook:{name}")

    def _do(self, name: str, work: Callable[[], None], about: Mapping[str, str | None]) -> None:
        try:
            work()
        except Exception as defect:  # noqa: BLE001 - what it held is due again when the lease ends, as after a crash
            webhook = self._webhooks.get(name)
            hide = partial(hide_credentials, webhook) if webhook else str
            write_defect("delivery-defect", defect, hide, webhook=name, **about)
