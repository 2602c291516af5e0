"""What every receiver test needs: a sender that may reach this machine and gives up soon."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Final

import pytest

from shared.adapters.webhook_sender import WebhookSender

DEADLINE: Final = timedelta(seconds=0.5)


@pytest.fixture(scope="session")
def sender() -> WebhookSender:
    """Return a sender to plain http on this machine's IPv4 loopback."""
    return WebhookSender(allowed_cidrs=[ip_network("127.0.0.0/8")], allow_http=True, deadline=DEADLINE)


@pytest.fixture(scope="session")
def patient_sender() -> WebhookSender:
    """Return one that waits as long as in production: a busy machine is no fault of a receiver that answers."""
    return WebhookSender(allowed_cidrs=[ip_network("127.0.0.0/8")], allow_http=True)
