"""What the HTTP functions about mutes answer: parses, calls the use case, forms the answer.

Owns the translation between HTTP and use cases, route by route. Does not own the other routes or any rule.
"""

from msgspec import Struct

from shared.api.mutes import MuteRequest, Mutes, MutesView
from shared.web.http import Answer, Request, json_answer, tagged_answer
from shared.web.operation_table import ROUTE
from shared.web.reading import Query, read_body, read_paging


class MuteRoutes(Struct, frozen=True, kw_only=True):
    """The handlers of the HTTP functions about mutes, by function name."""

    mutes: Mutes

    def list_mutes(self, request: Request) -> Answer:
        """GET /api/mutes."""
        paging = read_paging(Query(request, ROUTE["list_mutes"]))
        value, more = paging.cut(request, self.mutes.list_mutes())
        return tagged_answer(request, MutesView(value=value, next_link=more))

    def put_mute(self, request: Request) -> Answer:
        """PUT /api/mutes/{name}."""
        Query(request, ROUTE["put_mute"])
        return json_answer(self.mutes.put_mute(request.route["name"], read_body(request, MuteRequest)))

    def delete_mute(self, request: Request) -> Answer:
        """DELETE /api/mutes/{name}."""
        Query(request, ROUTE["delete_mute"])
        self.mutes.delete_mute(request.route["name"])
        return Answer(status=204, headers={"cache-control": "no-store"})
