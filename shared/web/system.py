"""What the HTTP functions about Prepwatch itself answer: its metrics, its description, its diagnostics.

Owns the translation between HTTP and use cases, route by route. Does not own the other routes or any rule.
"""

from msgspec import Struct

from shared.api.diagnostics import Diagnostics, DiagnosticsView
from shared.api.metrics import Metrics
from shared.api.openmetrics import CONTENT_TYPE, to_text
from shared.web.http import Answer, Request, json_answer, tagged
from shared.web.operation_table import ROUTE
from shared.web.reading import Query


class SystemRoutes(Struct, frozen=True, kw_only=True):
    """The handlers of the HTTP functions about the app, by function name."""

    metrics_source: Metrics
    checks: Diagnostics
    public_url: str | None

    def metrics(self, request: Request) -> Answer:
        """GET /api/metrics."""
        Query(request, ROUTE["metrics"])
        headers = {"content-type": CONTENT_TYPE, "cache-control": "no-store"}
        return Answer(headers=headers, body=to_text(self.metrics_source.run()))

    def openapi(self, request: Request) -> Answer:
        """GET /api/openapi.json."""
        from shared.web.openapi import document  # most instances are never asked for it

        Query(request, ROUTE["openapi"])
        body = document(self.public_url)
        return tagged(request, Answer(headers={"content-type": "application/json"}, body=body), body)

    def diagnostics(self, request: Request) -> Answer:
        """GET /api/diagnostics."""
        Query(request, ROUTE["diagnostics"])
        return json_answer(DiagnosticsView(value=self.checks.run()))
