"""Whatever is asked, within the document's words or beyond them, the answer is one that the document names."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

import function_app
from shared.ports import ListingPage
from shared.web.operation import Route
from shared.web.operation_table import ROUTES
from tests.support.deployment import a_job, a_node, a_run, deploy
from tests.support.wsgi import FunctionsOverWsgi

EXAMPLES = settings().max_examples // 4
CARELESS = list(HealthCheck)
load_all_checks()
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
KNOWN = {"jobId": "job-1", "nodeId": "node-1", "poolId": "pool-1", "name": "ops"}


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The document as served by an app that has told a failure."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.batch.page = ListingPage(value=b"[]")
    deployment.poll()
    monkeypatch.setattr(function_app, "prepwatch", lambda: deployment.app)
    listed = deployment.ask(lambda routes, asked: routes.events.list_events(asked))
    known = {**KNOWN, "eventId": listed.body["value"][0]["id"]}
    app = FunctionsOverWsgi(lambda name: getattr(function_app, name))
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)

    @schema.hook
    def map_path_parameters(context: object, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        # Half of what is asked for is there; guesses alone would only ever meet 404.
        if path_parameters is None:
            return None
        return {name: known[name] if len(str(value)) % 2 else value for name, value in path_parameters.items()}

    return schema


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["within", "beyond"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.function)
def test_no_answer_is_undocumented(described: Any, route: Route, mode: GenerationMode) -> None:
    """No request ends in a server error, an unnamed status, or a body of another shape."""
    operation = described[f"/{route.template}"][route.method]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=CARELESS)
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKED)  # type: ignore[arg-type]  # it takes what its own registry gives

    # What takes no input can't be asked wrongly.
    if mode is GenerationMode.POSITIVE or route.parameters or route.body:
        ask()
