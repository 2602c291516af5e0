"""What to do when a receiver does not take what it is sent.

Owns one sentence for each way to be refused. Does not own what a refusal means for a delivery
(`delivery.answer_rules`). Pure.
"""

from shared.messages.format import JSON_TYPE
from shared.messages.format_table import format_of
from shared.webhook import SendFailure, Webhook

_BY_FAILURE = {
    SendFailure.TIMEOUT: "Let the receiver answer within 20 seconds, before it does its work; see that no firewall "
    "swallows the request.",
    SendFailure.CONNECTION: "See that something listens at that host and port, and that its firewall lets the app in.",
    SendFailure.DNS: "Correct the host name in the webhook's URL, or make it resolvable from the app's network.",
    SendFailure.TLS: "Give the receiver a certificate for this host name from a public authority, with all "
    "intermediate certificates.",
    SendFailure.BLOCKED_ADDRESS: "If the receiver belongs to you and is in a private network, name that network in "
    "WEBHOOK_ALLOWED_CIDRS.",
    SendFailure.BAD_URL: "Write the webhook's URL as https://host/path, or set WEBHOOK_ALLOW_HTTP=true for local use.",
    SendFailure.BAD_HEADER: "Copy the webhook's key again, without line breaks.",
    SendFailure.CREDENTIAL: "Give the app an identity that may send to the receiver; GET /api/diagnostics says how.",
    SendFailure.PROTOCOL: "See that an HTTP server is at that address, and no other service on the same port.",
    SendFailure.DEFECT: "Look for the line `delivery-defect` in the app's log, and report it with its traceback.",
}
_BY_STATUS = {
    401: "Compare the webhook's secret or key with the receiver's, and see that the machine's clock is right.",
    403: "Compare the webhook's secret or key with the receiver's, and see that the receiver allows the app's address.",
    404: "Copy the webhook's URL again: the host is right, the path or the token in it is not.",
    405: "Let the receiver take POST requests at this address.",
    408: "Let the receiver answer before it does its work.",
    410: "The receiver is gone for good: create it anew, set its new URL, then enable the webhook.",
    429: "Wait, and see whether the receiver's limit suits the number of events; fewer come with a filter.",
}
_BY_IDENTITY = "Give the app's identity the right to send to the receiver; GET /api/diagnostics says how."
_BY_URL = "Copy the webhook's URL again: what lets the app in is a part of it."
_TOO_LARGE = "Let the receiver take bodies of 48 KiB, or set EVENT_MAX_NODES lower."
_OTHER_TYPE = "Set the webhook's contentType to application/json, if the receiver knows no CloudEvents."
_MALFORMED = "See that the webhook's format is the receiver's, and what its answer says is wrong."
_REDIRECTED = "Set the webhook's URL to the address that the receiver redirects to: redirects are not followed."
_BROKEN = "Look into the receiver's own log: it was reached and failed."
_NOT_TAKEN = "The receiver answers, but not as this format's receivers do: see that the webhook's format is right."


def advice_on(webhook: Webhook, failure: SendFailure | None, status: int | None) -> str:
    """What to do about a webhook's answer that is no acceptance."""
    if failure is not None:
        return _BY_FAILURE[failure]
    kind, status = format_of(webhook), status or 0
    if status in {401, 403} and kind.needs_token(webhook):
        return _BY_IDENTITY
    # There is neither a secret nor a key that could be wrong.
    if status in {401, 403} and not kind.is_signed and kind.without_key is None:
        return _BY_URL
    # Only events are as large as the settings let them be.
    if status == 413 and not kind.tells_state:
        return _TOO_LARGE
    if status == 415 and kind.chooses_content_type and webhook.content_type != JSON_TYPE:
        return _OTHER_TYPE
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return _BROKEN
    if status >= 400:
        return _MALFORMED
    return _REDIRECTED if status >= 300 else _NOT_TAKEN
