"""What the HTTP functions about webhooks answer: parses, calls the use case, forms the answer.

Owns the translation between HTTP and use cases, route by route. Does not own the other routes (`web.routes`,
`web.events`) or any rule.
"""

from msgspec import Struct
from msgspec.structs import replace

from shared.api.webhook_admin import WebhookAdmin
from shared.api.webhook_views import MessagesView, WebhooksListView
from shared.digests.sent import MESSAGE_ID
from shared.web.http import Answer, Request, json_answer, tagged_answer
from shared.web.operation import SKIP_TOKEN
from shared.web.operation_table import ROUTE
from shared.web.reading import DEFAULT_TOP, Query, next_token_link, read_paging, wrong_token


class WebhookRoutes(Struct, frozen=True, kw_only=True):
    """The handlers of the HTTP functions about webhooks, by function name."""

    admin: WebhookAdmin

    def list_webhooks(self, request: Request) -> Answer:
        """GET /api/webhooks."""
        paging = read_paging(Query(request, ROUTE["list_webhooks"]))
        value, more = paging.cut(request, self.admin.list_webhooks())
        return tagged_answer(request, WebhooksListView(value=value, next_link=more))

    def list_messages(self, request: Request) -> Answer:
        """GET /api/webhooks/{name}/messages."""
        query = Query(request, ROUTE["list_messages"])
        after = query.text(SKIP_TOKEN.name)
        if after is not None and MESSAGE_ID.fullmatch(after) is None:
            raise wrong_token()
        value, last = self.admin.list_messages(
            request.route["name"], query.host("account"), top=query.number("top") or DEFAULT_TOP, after=after
        )
        return tagged_answer(
            request, MessagesView(value=value, next_link=next_token_link(request, last) if last else None)
        )

    def ping_webhook(self, request: Request) -> Answer:
        """POST /api/webhooks/{name}/ping; what waits is then tried soon, if it was taken."""
        Query(request, ROUTE["ping_webhook"])
        ping = self.admin.ping(request.route["name"])
        return replace(json_answer(ping), nudges=tuple(self.admin.accounts) if ping.delivered else ())

    def enable_webhook(self, request: Request) -> Answer:
        """POST /api/webhooks/{name}/enable; what waits for it is then tried soon."""
        Query(request, ROUTE["enable_webhook"])
        answer = json_answer(self.admin.enable(request.route["name"]))
        return replace(answer, nudges=tuple(self.admin.accounts))

    def disable_webhook(self, request: Request) -> Answer:
        """POST /api/webhooks/{name}/disable; the others are told soon."""
        Query(request, ROUTE["disable_webhook"])
        answer = json_answer(self.admin.disable(request.route["name"]))
        return replace(answer, nudges=tuple(self.admin.accounts[:1]))
