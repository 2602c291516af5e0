"""What the HTTP functions about pools answer: parses, calls the use case, forms the answer.

Owns the translation between HTTP and use cases, route by route. Does not own the other routes or any rule.
"""

from msgspec import Struct

from shared.api.pools.listing import PoolLister
from shared.api.pools.views import PoolNodesView, PoolsView
from shared.web.http import Answer, Request, json_answer, tagged_answer
from shared.web.operation_table import ROUTE
from shared.web.reading import Query, read_paging


class PoolRoutes(Struct, frozen=True, kw_only=True):
    """The handlers of the HTTP functions about pools, by function name."""

    lister: PoolLister

    def list_pools(self, request: Request) -> Answer:
        """GET /api/pools."""
        query = Query(request, ROUTE["list_pools"])
        value, more = read_paging(query).cut(request, self.lister.list_pools(query.host("account")))
        return tagged_answer(request, PoolsView(value=value, next_link=more))

    def list_pool_nodes(self, request: Request) -> Answer:
        """GET /api/pools/{poolId}/nodes."""
        query = Query(request, ROUTE["list_pool_nodes"])
        paging = read_paging(query)
        pool_id = request.route["poolId"]
        origin, nodes = self.lister.list_nodes(pool_id, query.host("account"))
        value, more = paging.cut(request, nodes)
        view = PoolNodesView(account=origin.partition, pool_id=pool_id, value=value, next_link=more)
        return json_answer(view)
