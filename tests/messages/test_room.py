"""However many jobs fail, and however differently, a message fits a phone and says how many it leaves out."""

from msgspec.structs import replace

from shared.digests.job_notices import jobs_notice
from shared.messages.notices import ALSO
from shared.messages.room import MAX_LINES, fitted, lines_of
from tests.support.told_jobs import ACCOUNT, LINKS, head, news


def _notice(jobs: int) -> tuple[str, ...]:
    told = [news(replace(head(f"job-{number}", failed=9), pool_id=f"pool-{number}")) for number in range(jobs)]
    notice = fitted(jobs_notice(ACCOUNT, told, LINKS))
    assert lines_of(notice) <= MAX_LINES
    listed = sum(len(section.facts) for section in notice.sections if section.title == ALSO)
    assert listed + sum(section.title != ALSO for section in notice.sections) + notice.left_out == jobs
    return tuple(section.title for section in notice.sections)


def test_the_worst_is_told_in_full() -> None:
    """Of jobs with nothing in common the first is told with why, the next in a line each, and the rest is counted."""
    assert _notice(1)[0].startswith("Preparation failed on")
    assert _notice(3) == ("job-0: preparation failed on 9 of 5000 nodes", ALSO)
    assert _notice(30) == ("job-0: preparation failed on 9 of 5000 nodes", ALSO)
