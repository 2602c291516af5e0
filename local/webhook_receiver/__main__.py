"""`python -m local.webhook_receiver`: a receiver of each format on a port of its own, and a record of what came.

POST to `/` what is signed, to `/teams`, `/slack`, `/pagerduty` and `/eventgrid` what those services would get. What is
signed is recorded in --out, the rest beside it: with `received.jsonl` in `received-slack.jsonl` and so on.
"""

import argparse
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from local.arguments import port, whole_number
from local.webhook_receiver.eventgrid import TOPIC_KEY, EventGridTopic
from local.webhook_receiver.pagerduty import ROUTING_KEY, PagerDutyService
from local.webhook_receiver.receiver import Answers, Receiver, remember
from local.webhook_receiver.server import ELSEWHERE, serve
from local.webhook_receiver.signed import SignedWebhook, key_of
from local.webhook_receiver.slack import SlackWebhook
from local.webhook_receiver.teams import TeamsWorkflow


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m local.webhook_receiver", description=__doc__)
    parser.add_argument("--port", type=port, required=True, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--secret", required=True, metavar="whsec_...", help="what the sender signs with")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="gets one JSON line per request")
    parser.add_argument("--status", type=whole_number(200, 599), help="answer this instead of what the service would")
    parser.add_argument(
        "--fail-every", type=whole_number(1), metavar="N", help="answer --status (500) to each Nth request only"
    )
    options = parser.parse_args()
    try:
        key = key_of(options.secret)
    except ValueError as exc:
        parser.error(f"--secret: {exc}")
    pagerduty = PagerDutyService(ROUTING_KEY)
    remember(pagerduty, record_of(options.out, "pagerduty"))
    services = (
        (ELSEWHERE, SignedWebhook(key=key)),
        ("teams", TeamsWorkflow()),
        ("slack", SlackWebhook()),
        ("pagerduty", pagerduty),
        ("eventgrid", EventGridTopic(key=TOPIC_KEY)),
    )
    failing = options.status or (500 if options.fail_every else None)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        receivers = {
            name: Receiver(
                format=name,
                service=service,
                record=files.enter_context(record_of(options.out, name).open("a", encoding="utf-8")),
                answers=Answers(status=failing, every=options.fail_every or 1),
                clock=lambda: datetime.now(UTC),
                tell=lambda line: print(f"{line}\n", end="", flush=True),
                # It gets what the signed one gets.
                quiet=name == "eventgrid",
            )
            for name, service in services
        }
        with serve(receivers, options.port) as server:
            print(f"listening on http://127.0.0.1:{server.server_port}, recording to {options.out}", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print("ended", flush=True)


def record_of(out: Path, name: str) -> Path:
    """Return the file that gets what came in a format: *out* for what is signed, else one beside it."""
    return out if name == ELSEWHERE else out.with_stem(f"{out.stem}-{name}")


if __name__ == "__main__":
    main()
