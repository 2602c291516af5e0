"""Jobs as heads describe them, webhooks of every format, and the news that they make together."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.chat_rules import KnownToWebhook, News, news_of
from shared.digests.incidents.notices import incident_notice
from shared.digests.incidents.rules import decide_pages
from shared.digests.message_intervals import Occasion
from shared.digests.mutes import Mute
from shared.messages.events import Origin
from shared.messages.notices import Notice
from shared.state.jobs import Cause, JobHead, PhaseCounts
from shared.state.telling import Pace, Told
from shared.webhook import Webhook

NOW = datetime(2026, 11, 5, 22, 0, tzinfo=UTC)
ACCOUNT = "acc.westeurope.batch.azure.com"
LINKS = {"dashboard": "https://prepwatch.example/api/dashboard?account=a&job=b"}
CHAT = ("teams", "slack")


def webhook(
    kind: str, *, name: str | None = None, events: tuple[str, ...] = ("*",), jobs: tuple[str, ...] = ("*",)
) -> Webhook:
    """A webhook of a format, named after it."""
    return Webhook(
        name=name or kind,
        format=kind,
        url=f"https://{name or kind}.example/hook",
        jobs=jobs,
        key="r" * 32 if kind == "pagerduty" else None,
        events=events,
        content_type="application/json",
    )


def head(
    job_id: str = "nightly", *, failed: int = 12, opened: int | None = None, text: str = "no such blob"
) -> JobHead:
    """A job of 5,000 nodes on which preparation failed, with as many causes as a head keeps."""
    causes = tuple(
        Cause(
            phase=Phase.PREPARATION,
            code="BlobNotFound" if number == 0 else f"Code{number}{text}",
            message=text,
            nodes=max(1, failed // (number + 1)),
            example=(f"pool{text}", f"node{number}"),
            first_seen=NOW,
            last_seen=NOW,
        )
        for number in range(20)
    )
    return JobHead(
        job_id=job_id,
        first_seen_at=NOW,
        state="active",
        pool_id="pool",
        nodes=5000,
        preparation=PhaseCounts(failed=failed, open=failed if opened is None else opened),
        preparation_failed_ever=failed,
        causes=causes,
        generation=1,
    )


def occasion(kind: str, now: datetime = NOW, *, mutes: Sequence[Mute] = (), probe: bool = False) -> Occasion:
    """A moment at which a webhook of a format, which was told nothing yet, may be told."""
    return Occasion(webhook=webhook(kind), account=ACCOUNT, now=now, pace=Pace(), mutes=mutes, probe=probe)


def page_of(*jobs: JobHead, nodes: Sequence[tuple[str, str]] = ()) -> Notice:
    """What a pager that knows nothing is told of the worst incident that these jobs make, `nodes` being some of it."""
    known = [KnownToWebhook(told=Told(job_id=job.job_id), head=job, wanted=1, wanted_at=NOW) for job in jobs]
    later = NOW + timedelta(minutes=1)
    plan = decide_pages(occasion("pagerduty", later, probe=True), known, {})
    origin = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s", public_url="https://prepwatch.example")
    return incident_notice(origin, plan.pages[0], nodes, later)


def news(job: JobHead, *, nodes: tuple[tuple[str, str], ...] = (), told: Told | None = None) -> News:
    """What a chat webhook that knows `told` is to be told about a job."""
    known = KnownToWebhook(told=told or Told(job_id=job.job_id), head=job, wanted=1, wanted_at=NOW)
    found = news_of(webhook("slack"), ACCOUNT, known, NOW)
    assert found is not None
    return replace(found, nodes=nodes)
