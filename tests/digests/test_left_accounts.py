"""An account that the settings do not name any more leaves no incident open, and in the end no row."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import JobExecutionInfo
from shared.batch.pool_model import ComputeNode
from shared.errors import AccountDeniedError
from shared.ports import Merge
from shared.state.rows import ACCOUNTS, OWN
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeSender, refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK

PAGES = "https://events.pagerduty.com/v2/enqueue"
TAKES = refusal(202, b'{"status":"success"}')


class _World:
    """An app over two accounts, the second of which has a failed job and a broken pool; then over the first alone."""

    def __init__(self) -> None:
        self.table = FakeTable()
        self.sender = FakeSender(refusal(200, b"ok"), by_url={PAGES: TAKES})
        self.app = deploy(SIGNED, SLACK, PAGER, accounts=2, table=self.table, sender=self.sender)
        self.clock = self.app.clock
        other = self.app.batches[OTHER_ACCOUNT]
        job = replace(a_job("nightly"), execution_info=JobExecutionInfo(pool_id="pool-1"))
        other.add(job, a_node(preparation=a_run(failed=True)))
        other.node_counts = {"pool-1": {"starttaskfailed": 4, "idle": 4}}
        other.pool_nodes["pool-1"] = [
            ComputeNode(id=f"n-{number}", state="starttaskfailed", state_transition_time=self.clock.now)
            for number in range(4)
        ]
        self.poll(5, ACCOUNT, OTHER_ACCOUNT)
        self.app.app.purger.run()

    def poll(self, minutes: int, *accounts: str) -> None:
        for _ in range(minutes):
            for account in accounts:
                self.app.poll(account)
                self.app.deliver(account)
            self.clock.advance(minutes=1)

    def leave(self, after: timedelta = timedelta(hours=2)) -> None:
        """Remove the account from the settings; the purge comes so long after."""
        self.app = self.over(1)
        self.clock.advance(after)
        self.purge()

    def over(self, accounts: int) -> Deployment:
        batches = dict(list(self.app.batches.items())[:accounts])
        return deploy(SIGNED, SLACK, PAGER, batches=batches, table=self.table, clock=self.clock, sender=self.sender)

    def purge(self) -> None:
        self.sender.sent.clear()
        self.app.app.purger.run()

    @property
    def ended(self) -> list[str]:
        """The incidents that the pager was told the end of since the last purge began."""
        pages = [json.loads(request.body) for request in self.sender.sent if request.url == PAGES]
        assert {page["event_action"] for page in pages} <= {"resolve"}
        return sorted(page["dedup_key"] for page in pages)

    def kinds(self) -> set[str]:
        return {key.partition("|")[0] for key in self.table.partitions.get(OTHER_ACCOUNT, {})}


def test_its_incidents_are_ended_by_the_next_purge() -> None:
    """Each that a pager has open is ended once; of what chat and pager knew nothing is left, of the jobs everything."""
    world = _World()
    opened = {json.loads(request.body)["dedup_key"] for request in world.sender.sent if request.url == PAGES}
    assert len(opened) == 2
    world.leave()
    assert world.ended == sorted(opened)
    assert {"cycle", "job", "node", "event"} <= world.kinds()
    assert not {"digest", "incidents"} & world.kinds()
    world.clock.advance(days=1)
    world.purge()
    assert world.ended == []
    assert [request.url for request in world.sender.sent] == []


def test_a_pager_that_does_not_listen_is_told_the_next_day() -> None:
    """While it refuses the end its incidents are remembered."""
    world = _World()
    world.sender.by_url[PAGES] = refusal(500)
    world.leave()
    assert {"digest", "incidents"} <= world.kinds()
    world.sender.by_url[PAGES] = TAKES
    world.clock.advance(days=1)
    world.purge()
    assert len(world.ended) == 2


def test_what_ran_an_hour_ago_is_not_left_yet() -> None:
    """Another version of the app, with other settings, may be running beside this one."""
    world = _World()
    world.leave(timedelta(minutes=30))
    assert world.sender.sent == []
    assert {"digest", "incidents"} <= world.kinds()


def test_that_it_was_out_of_reach_is_over_too() -> None:
    """Its own incident ends with those of its jobs."""
    world = _World()
    refused = AccountDeniedError("AuthorizationFailure", "You may not.", status=403)
    world.app.batches[OTHER_ACCOUNT].failures["list_jobs"] = refused
    world.poll(5, OTHER_ACCOUNT)
    world.leave()
    assert f"prepwatch:account:{OTHER_ACCOUNT}" in world.ended
    world.clock.advance(days=1)
    world.purge()
    assert world.ended == []


def test_all_its_rows_go_once_they_are_old() -> None:
    """After RETENTION_DAYS without a cycle nothing is left of it, and nobody remembers its name."""
    world = _World()
    world.leave()
    world.clock.advance(days=31)
    world.poll(1, ACCOUNT)
    world.purge()
    assert world.kinds() == set()
    world.purge()
    row = world.table.get(OWN, ACCOUNTS)
    assert row is not None
    assert OTHER_ACCOUNT not in str(row.columns)


@pytest.mark.parametrize("hook", ["hooks.slack.com", "pagerduty.com"])
def test_named_again_it_is_told_as_what_stands(hook: str) -> None:
    """What still fails when the account comes back is told once, to whoever had been told that it is over."""
    world = _World()
    batches = world.app.batches
    world.leave()
    world.app = deploy(SIGNED, SLACK, PAGER, batches=batches, table=world.table, clock=world.clock, sender=world.sender)
    world.sender.sent.clear()
    world.poll(10, OTHER_ACCOUNT)
    told = [request.body for request in world.sender.sent if hook in request.url]
    assert sum(b"nightly" in body for body in told) == 1


def test_a_row_of_names_that_cannot_be_read_is_left_as_it_is() -> None:
    """The purge goes on without it, and ends nothing."""
    world = _World()
    world.table.transact(OWN, [Merge(key=ACCOUNTS, columns={"v": 99})])
    before = world.table.get(OWN, ACCOUNTS)
    world.leave()
    assert world.sender.sent == []
    assert world.table.get(OWN, ACCOUNTS) == before
