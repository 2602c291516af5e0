"""The HTTP routes about jobs and their nodes: what each takes and answers.

Owns their description. Does not own what they do (`web.routes`) or the other routes (`web.operation_table`).
"""

from msgspec import Struct, field

from shared.api.events.views import ExplanationView
from shared.api.job_views import NodesView, SummaryView, TrackedJobsView, TrackedJobView
from shared.batch.model import NodeStatus, Outcome, Phase
from shared.web.operation import (
    ACCOUNT,
    ONE_ACCOUNT,
    SKIP,
    TOP,
    Parameter,
    Route,
    answer_with,
    choice,
    path,
    tagged_answers,
    text,
    unlisted,
    whole,
)


class LiveNodesView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of GET /api/jobs/{jobId}/live-nodes: Batch's own words, page by page.

    Hand `odata.nextLink` back as `link` for the next page; it is missing on the last one. An entry that can't be read
    is left out, and `unreadable` says of each such entry why; it is missing when there is none.
    """

    value: tuple[NodeStatus, ...]
    next_link: str | None = field(name="odata.nextLink", default=None)
    unreadable: tuple[str, ...] = ()


_JOB = path("jobId", "The job's id, in any case.")
_TRYING_BATCH = (400, 401, 404, 409, 429, 500, 503)
OPTIONS_OF_BATCH = (
    text("link", "The odata.nextLink of the page before."),
    text("$filter", "Batch's own $filter."),
    text("$select", "Batch's own $select."),
    whole("maxresults", "Batch's own page size.", 1, 1000),
    whole("timeout", "Seconds that Batch may take.", 1, 30),
)
_LIVE = Parameter(name="live", description="True: the answer of live-nodes.", schema={"type": "boolean"})

JOBS = (
    Route(
        function="summary",
        method="GET",
        template="summary",
        summary="The status of all jobs, polled first when it is too old",
        parameters=(
            whole(
                "maxAge", "Seconds: accounts that are read up to an older moment are polled first; 0 = all.", 0, 86_400
            ),
            text("job", "Only this job."),
            ONE_ACCOUNT,
            TOP,
            SKIP,
        ),
        answers=tagged_answers(SummaryView, description="How things stand, worst jobs first."),
    ),
    Route(
        function="list_jobs",
        method="GET",
        template="jobs",
        summary="The jobs that are known",
        parameters=(TOP, SKIP),
        answers=tagged_answers(TrackedJobsView, description="A page of jobs."),
    ),
    Route(
        function="track_job",
        method="PUT",
        template="jobs/{jobId}",
        summary="Start watching a job",
        parameters=(_JOB, ACCOUNT),
        answers=(
            answer_with(TrackedJobView, "It was known."),
            answer_with(TrackedJobView, "It is watched from now on.", 201),
        ),
        errors=_TRYING_BATCH,
    ),
    Route(
        function="untrack_job",
        method="DELETE",
        template="jobs/{jobId}",
        summary="Stop watching a job until it is put again",
        parameters=(_JOB, ACCOUNT),
        answers=(answer_with(TrackedJobView, "It is not watched any more; its open failures are closed."),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="list_nodes",
        method="GET",
        template="jobs/{jobId}/nodes",
        summary="The nodes of a job as of the last poll",
        parameters=(
            _JOB,
            ACCOUNT,
            choice("phase", "Only nodes on which this phase has run.", Phase),
            choice("outcome", "Only nodes with this outcome.", Outcome),
            TOP,
            SKIP,
            *map(unlisted, (_LIVE, *OPTIONS_OF_BATCH)),
        ),
        answers=tagged_answers(NodesView, description="A page of nodes, by pool and node."),
        errors=_TRYING_BATCH,
    ),
    Route(
        function="list_live_nodes",
        method="GET",
        template="jobs/{jobId}/live-nodes",
        summary="The nodes of a job as Batch answers now, asked with its own options",
        parameters=(_JOB, ACCOUNT, *OPTIONS_OF_BATCH),
        answers=(
            answer_with(LiveNodesView, "A page of nodes with every field that Batch gives, under Batch's names."),
        ),
        errors=_TRYING_BATCH,
    ),
    Route(
        function="explain_node",
        method="GET",
        template="jobs/{jobId}/nodes/{nodeId}",
        summary="Why a node was, or was not, announced, and to whom",
        parameters=(
            _JOB,
            path("nodeId", "The node's id."),
            ACCOUNT,
            text("pool", "The node's pool. Needed when several pools have a node of that id."),
        ),
        answers=tagged_answers(ExplanationView, description="What Batch said, what was decided, and who was told."),
    ),
)
