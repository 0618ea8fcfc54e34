# SPDX-License-Identifier: Apache-2.0
"""What a running Argyll answers is what its document says: in the life of real flows, and to thousands of requests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from argyll_api.openapi import examples
from tests.acceptance.client import Answer, Client, eventually
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, retries, script, sync
from tests.api.described import Description

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
"""All that make sense here. Left out: that a wrong method is 405, for it is 404; that whatever has the right shape is
taken, for definitions have meaning too; and what is about authentication and about links between operations."""

EXAMPLES_EACH = 60
SECONDS = 80


@pytest.fixture
def described(client: Client) -> Description:
    """The document."""
    return Description(client.get("/openapi.json").json)


def fault(described: Description, method: str, path: str, answer: Answer) -> str:
    """What is not as documented."""
    content_type = answer.headers.get("content-type", "")
    body = answer.json if "json" in content_type else answer.body
    return described.fault(method, path.partition("?")[0], answer.status, content_type, body)


READS = (
    *("/health", "/engine", "/engine/", "/engine/catalog", "/engine/catalog/events", "/engine/cluster"),
    *("/engine/cluster/events", "/engine/health", "/engine/step", "/engine/flow", "/engine/ws", "/openapi.json"),
    "/docs",
)
"""Paths without an id."""


def test_answers_about_real_flows_are_as_documented(
    client: Client, described: Description, services: StepServices
) -> None:
    """Flows that complete, retry, skip and fail; lists, logs, health, and what is not there."""
    fails = services["fails"].answers(Reply(status=503), Reply(status=422))
    client.register(
        script("add", "return {sum = a + 1}", attributes(["a"], ["sum"])),
        sync("fails", fails.url, attributes(["sum"], ["never"]), work_config=retries(2, 1)),
        sync("after", fails.url, attributes(["never"], ["end"])),
    )
    client.start("doc-good", ["add"], {"a": 1})
    client.start("doc-bad", ["after"], {"a": 1})
    states = [client.await_end(flow_id)["status"] for flow_id in ("doc-good", "doc-bad")]
    assert ["completed", "failed"] == states
    flows = [f"/engine/flow/{flow_id}" for flow_id in ("doc-good", "doc-bad", "no")]
    ids = [flow + part for flow in flows for part in ("", "/status", "/events")]
    ids += [f"/engine/{kind}/{step_id}" for kind in ("step", "health") for step_id in ("add", "no")]
    faults = [fault(described, "GET", path, client.get(path)) for path in (*READS, *ids)]
    assert [] == [found for found in faults if found]


def test_answers_to_bodies_are_as_documented(client: Client, described: Description) -> None:
    """Starts, plans, queries and registrations that are fine, in conflict, incomplete and unknown."""
    posts = [
        ("/engine/step", examples.STEP, 201),
        ("/engine/step", {**examples.STEP, "name": "other"}, 409),
        ("/engine/step", {**examples.STEP, "name": ""}, 400),
        ("/engine/plan", examples.PLAN_REQUEST, 200),
        ("/engine/plan", {"goals": ["no"]}, 404),
        ("/engine/plan", {"goals": []}, 400),
        ("/engine/flow", {**examples.START, "id": "doc-start"}, 201),
        ("/engine/flow", {**examples.START, "id": "doc-start", "init": {"litres": [3]}}, 409),
        ("/engine/flow", {**examples.START, "id": "doc-other", "init": {}}, 400),
        ("/engine/flow", {**examples.START, "id": "doc-other", "goals": ["no"]}, 404),
        ("/engine/flow/query", {**examples.QUERY, "statuses": [], "limit": 1}, 200),
        ("/engine/flow/query", {"cursor": "?"}, 400),
        ("/engine/script/test", {**examples.TRIAL, "script": "("}, 400),
        ("/webhook/no/no/no", {}, 400),
    ]
    for path, body, status in posts:
        answer = client.post(path, body)
        assert (status, "") == (answer.status, fault(described, "POST", path, answer)), path


# ---- schemathesis ----------------------------------------------------------------------------


@pytest.fixture
def api_alone(tmp_path: Path) -> Iterator[Stack]:
    """Redis and API without workers: nobody calls the addresses that are made up, and no wait ends well."""
    stack = Stack(tmp_path, START_MAX_WAIT="1s")
    try:
        stack.redis.start()
        stack.api.start()
        eventually("an answer of the API", lambda: _is_serving(stack.client))
        yield stack
    finally:
        stack.stop()


def _is_serving(client: Client) -> bool:
    try:
        return client.get("/engine/step").status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_no_request_finds_an_answer_that_is_not_documented(api_alone: Stack, tmp_path: Path) -> None:
    """Requests that keep to the document and requests that break it, for every operation; no fault of the server."""
    pid, client = api_alone.api.pid, api_alone.client
    client.register(examples.STEP)
    client.start(examples.START["id"], ["boil-water"], {"litres": 2})
    words = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{client.base_url}/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all", "--checks", ",".join(CHECKS)),
        *("--max-examples", str(EXAMPLES_EACH), "--seed", "1", "--continue-on-failure", "--no-color"),
        *("--suppress-health-check", "all", "--request-timeout", "30", "--generation-database", "none"),
        *("--max-redirects", "0", "--warnings", "off", "--max-time", str(SECONDS)),
        *("--exclude-path-regex", "^/(readyz|healthz)$"),  # they say 503, as there are no workers
    ]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=2 * SECONDS, check=False)
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert (200, pid) == (client.get("/health").status, api_alone.api.pid)
