# SPDX-License-Identifier: Apache-2.0
"""Probes and metrics over HTTP: what is asked, what is named, which status."""

import pytest

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_api.diagnostics import Diagnostics, LateCanary
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.vitals import QueueVitals, StoreVitals, Vitals
from tests.api.recording_engine import RecordingEngine
from tests.unit.metrics.readings import growth

STORES = (StoreVitals(name="flow"), StoreVitals(name="engine"))
WELL = Vitals(stores=STORES, queues=(QueueVitals(name="steps"),), workers_alive=2, active_flows=0)
LONELY = Vitals(stores=STORES, workers_alive=0, active_flows=0)


class Surroundings:
    """What the probes find; tests change it."""

    def __init__(self):
        self.vitals = WELL
        self.canary_seconds = 0.0125
        self.canary_error = None
        self.canaries = 0

    def canary(self):
        """Seconds, None, or an error."""
        self.canaries += 1
        if self.canary_error:
            raise self.canary_error
        return self.canary_seconds


@pytest.fixture
def around():
    """What the probes find."""
    return Surroundings()


@pytest.fixture
def api(around):
    """A client of an application with these surroundings."""
    diagnostics = Diagnostics(metrics=lambda: b"# the page\n", vitals=lambda: around.vitals, canary=around.canary)
    return create_app(ApiConfig(), RecordingEngine(), diagnostics=diagnostics).test_client()


def test_a_process_that_answers_is_live_whatever_is_around_it(api, around):
    """An outage of Redis is no reason to restart the API."""
    around.vitals = Vitals(stores=(StoreVitals(name="flow", error="refused"),))
    answer = api.get("/livez")
    assert (200, {"status": "alive"}) == (answer.status_code, answer.json)


def test_all_checks_are_named(api):
    """Each with what it found, for people."""
    answer = api.get("/readyz")
    assert (200, "ready") == (answer.status_code, answer.json["status"])
    assert {"flow_store", "engine_store", "persistence", "workers", "queues"} == set(answer.json["checks"])
    assert {"ok": True, "detail": "2 alive"} == answer.json["checks"]["workers"]
    assert "no-store" == answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
def test_one_bad_check_is_503(api, around, path):
    """The body says which, and the others stay good."""
    around.vitals = LONELY
    answer = api.get(path)
    bad = [name for name, check in answer.json["checks"].items() if not check["ok"]]
    assert (503, "not ready", ["workers"]) == (answer.status_code, answer.json["status"], bad)


def test_no_flow_is_run_unless_it_is_asked_for(api, around):
    """`/healthz` is asked often."""
    for query in ("", "?deep=0", "?deep="):
        assert "canary" not in api.get(f"/healthz{query}").json["checks"]
    assert 0 == around.canaries


def test_a_deep_look_says_how_long_a_flow_takes(api):
    """In seconds, beside the check."""
    answer = api.get("/healthz?deep=1")
    assert (200, 0.0125) == (answer.status_code, answer.json["canary_seconds"])
    assert {"ok": True, "detail": "a flow took 12.5 ms"} == answer.json["checks"]["canary"]


@pytest.mark.parametrize(
    ("seconds", "error", "detail"),
    [
        (None, None, "the flow did not complete in time"),
        (0.1, StoreUnavailableError("flow", "refused"), "flow store unavailable: refused"),
    ],
)
def test_a_flow_that_does_not_run_is_503(api, around, seconds, error, detail):
    """Everything else may look well."""
    around.canary_seconds, around.canary_error = seconds, error
    answer = api.get("/healthz?deep=1")
    assert 503 == answer.status_code
    assert {"ok": False, "detail": detail} == answer.json["checks"]["canary"]
    assert "canary_seconds" not in answer.json


def test_health_is_as_clients_know_it(api, around):
    """200 whatever is around it, with the body of ever."""
    around.vitals = LONELY
    answer = api.get("/health")
    assert (200, "healthy", "argyll-engine") == (answer.status_code, answer.json["status"], answer.json["service"])


def test_the_page_of_metrics_has_its_type(api):
    """Prometheus looks at it."""
    answer = api.get("/metrics")
    assert (200, b"# the page\n") == (answer.status_code, answer.data)
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["Content-Type"]


def test_requests_are_counted_by_the_template_of_their_route(api):
    """An id makes no series of its own, and neither does a path without a route."""
    with growth() as grown:
        for path in ("/engine/flow/a/status", "/engine/flow/b/status", "/no/such/path", "/readyz", "/metrics"):
            api.get(path)
        api.post("/engine/step", data=b"no json")
    template = {"method": "GET", "path": "/engine/flow/<flow_id>/status"}
    assert 2.0 == sum(grown.of("http_requests_total", status_code=code, **template) for code in ("200", "404"))
    assert 2.0 == grown.of("http_request_duration_seconds_count", **template)
    assert 1.0 == grown.of("http_requests_total", method="GET", path="unmatched", status_code="404")
    assert 1.0 == grown.of("http_requests_total", method="POST", path="/engine/step", status_code="400")


def test_probes_are_not_among_the_requests(api, around):
    """A deployment that is not ready would look like an API that fails."""
    around.vitals = LONELY
    with growth() as grown:
        api.get("/readyz")
        api.get("/metrics")
    assert 0.0 == grown.of("http_requests_total", method="GET", path="/readyz", status_code="503")
    assert 0.0 == grown.of("http_requests_total", method="GET", path="/metrics", status_code="200")


def test_the_canary_is_made_when_it_is_wanted():
    """Once, for most processes never run one."""
    made = []

    class Made:
        def __init__(self):
            made.append(self)

        def run(self):
            return 0.5

    late = LateCanary(Made)
    assert [] == made
    assert [0.5, 0.5] == [late.run(), late.run()]
    assert 1 == len(made)
