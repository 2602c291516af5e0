"""The HTTP routes about pools: what each takes and answers.

Owns their description. Does not own what they do (`web.pools`) or the other routes (`web.operation_table`).
"""

from msgspec.structs import replace

from shared.api.pools.views import PoolNodesView, PoolsView
from shared.web.operation import ACCOUNT, ONE_ACCOUNT, SKIP, TOP, Route, answer_with, path, tagged_answers

POOLS = (
    Route(
        function="list_pools",
        method="GET",
        template="pools",
        summary="The watched pools, as their nodes were last counted",
        parameters=(ONE_ACCOUNT, TOP, SKIP),
        answers=tagged_answers(PoolsView, description="A page of pools, worst first."),
    ),
    Route(
        function="list_pool_nodes",
        method="GET",
        template="pools/{poolId}/nodes",
        summary="The nodes of a pool that can't work, as Batch answers now",
        parameters=(
            path("poolId", "The pool's id, in any case."),
            replace(ACCOUNT, description="The account's host, in any case. Needed when several accounts are watched."),
            TOP,
            SKIP,
        ),
        answers=(answer_with(PoolNodesView, "A page of nodes, what counts as a fault first."),),
        errors=(400, 401, 404, 409, 429, 500, 503),
    ),
)
