# SPDX-License-Identifier: Apache-2.0
"""A deployment as production wants it: TLS with client certificates and an ACL user on Redis, the password in a file,
JSON lines without secrets, and traces that go to a collector."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from argyll_engine.model.ids import FlowID
from argyll_engine.tracing.ids import place_of_flow
from tests.acceptance.client import eventually, fresh_id, request
from tests.acceptance.collector import Collector, ReceivedSpan, collecting
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import asynchronous, attributes, retries, script, sync
from tests.acceptance.tls_proxy import CA, CLIENT, CLIENT_KEY, tls_before

USER, PASSWORD = "argyll", "pa/ss:w@rd-7"
ACL = ("on", f">{PASSWORD}", "resetkeys", "~{argyll:*", "resetchannels", "&{argyll:*", "+@all", "-@dangerous", "+info")
"""What docs/operations.md says that the engine needs."""
IBAN = "CH9300762011623852957"
CLIENT_KIND, SERVER_KIND = 3, 2


@dataclass(frozen=True)
class Observed:
    """The stack, where its spans go, and its log."""

    stack: Stack
    collector: Collector

    def lines(self) -> list[dict[str, Any]]:
        """Every line that any process wrote."""
        return [json.loads(line) for line in self.stack.log.read_text().splitlines() if line.strip()]

    def lines_about(self, flow_id: str, message: str) -> list[dict[str, Any]]:
        """The lines of one kind about a flow."""
        return [line for line in self.lines() if line.get("flow_id") == flow_id and line["msg"] == message]

    def spans(self, flow_id: str, count: int) -> list[ReceivedSpan]:
        """The spans of a flow's trace, once there are so many."""
        trace = f"{place_of_flow(FlowID(flow_id)).trace_id:032x}"

        def arrived() -> list[ReceivedSpan]:
            found = self.collector.of_trace(trace)
            return found if len(found) >= count else []

        return eventually(f"{count} spans of {flow_id}", arrived)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A running stack of this kind."""
    folder: Path = tmp_path_factory.mktemp("observed")
    (folder / "password").write_text(PASSWORD + "\n")
    with ExitStack() as exits:
        collector = exits.enter_context(collecting())
        port = exits.enter_context(tls_before(folder / "redis" / "redis.sock"))
        redis = {"ADDR": f"rediss://localhost:{port}", "USER": USER, "PASSWORD_FILE": str(folder / "password")}
        redis |= {"CA_PATH": str(CA), "CERT_PATH": str(CLIENT), "KEY_PATH": str(CLIENT_KEY)}
        variables = {f"{store}_REDIS_{name}": text for store in ("ENGINE", "FLOW") for name, text in redis.items()}
        variables |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        variables |= {"LOG_FORMAT": "json", "LOG_REDACT": "iban, card"}
        stack = Stack(folder, **variables)
        exits.callback(stack.stop)
        stack.redis.start()
        with Redis(unix_socket_path=str(stack.redis.socket)) as admin:
            admin.execute_command("ACL", "SETUSER", USER, *ACL)
        stack.mend()
        yield Observed(stack, collector)


@pytest.fixture
def stack(observed: Observed) -> Stack:
    """The same, without steps."""
    observed.stack.client.forget_steps()
    return observed.stack


def test_a_flow_is_one_trace(observed: Observed, stack: Stack, services: StepServices) -> None:
    """Flow, steps, work items and calls are spans below each other, and services can go on from theirs."""
    services["call"].answers(Reply(status=503), Reply(body={"called": 2}))
    services["pay"].answers(Reply(status=202, before=lambda call: request(call.webhook_url, "POST", {"paid": 3})))
    stack.client.register(
        script("first", "return {begun = seed}", attributes(["seed"], ["begun"])),
        sync("call", services["call"].url, attributes(["begun"], ["called"]), work_config=retries(3, 50)),
        asynchronous("pay", services["pay"].url, attributes(["called"], ["paid"])),
    )
    flow_id = fresh_id("traced")
    stack.client.run(flow_id, ["pay"], {"seed": 1})

    spans = observed.spans(flow_id, 13)
    above = {span.id: span.name for span in spans}
    tree = sorted((span.name, above.get(span.parent, "")) for span in spans)
    assert tree == [
        ("POST /webhook/<flow_id>/<step_id>/<token>", "step pay"),
        ("call call", "work call"),
        ("call call", "work call"),
        ("call first", "work first"),
        ("call pay", "work pay"),
        ("flow pay", ""),
        ("step call", "flow pay"),
        ("step first", "flow pay"),
        ("step pay", "flow pay"),
        ("work call", "step call"),
        ("work call", "step call"),
        ("work first", "step first"),
        ("work pay", "step pay"),
    ]
    seen = [call.headers["traceparent"].split("-")[2] for name in ("call", "pay") for call in services[name].calls]
    assert sorted(seen) == sorted(s.id for s in spans if s.name in ("call call", "call pay"))
    assert {"argyll-api", "argyll-worker"} == {span.service for span in spans}


def test_a_start_within_a_trace_leads_to_the_flow(observed: Observed, stack: Stack) -> None:
    """The request's span is part of the caller's trace and links to the flow's."""
    stack.client.register(script("one", "return {x = 1}", attributes([], ["x"])))
    flow_id, trace, caller = fresh_id("linked"), "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    body = json.dumps({"id": flow_id, "goals": ["one"], "init": {}}).encode()
    headers = {"Content-Type": "application/json", "traceparent": f"00-{trace}-{caller}-01"}
    with urllib.request.urlopen(urllib.request.Request(stack.client.base_url + "/engine/flow", body, headers)) as res:
        assert 201 == res.status

    (span,) = eventually("the request's span", lambda: observed.collector.of_trace(trace))
    expected = f"{place_of_flow(FlowID(flow_id)).trace_id:032x}"
    assert ("POST /engine/flow", caller, (expected,), SERVER_KIND) == (span.name, span.parent, span.links, span.kind)


def test_failures_are_told_without_secrets(observed: Observed, stack: Stack, services: StepServices) -> None:
    """Log lines and spans of a failed flow say why, but for the values of redacted attributes and passwords."""
    refusal = {"title": "refused", "detail": f'bad "iban": "{IBAN}" at http://u:hunter22@bank/', "status": 422}
    services["bank"].answers(Reply(status=422, body=refusal, content_type="application/problem+json"))
    stack.client.register(sync("bank", services["bank"].url, attributes(["iban"], ["ok"])))
    flow_id = fresh_id("refused")
    assert "failed" == stack.client.run(flow_id, ["bank"], {"iban": IBAN})["status"]

    def written() -> list[dict[str, Any]]:
        return observed.lines_about(flow_id, "flow failed")

    (failed,) = eventually("the line", written)
    (work,) = observed.lines_about(flow_id, "step execution failed")
    ids = {"step_id": "bank", "trace_id": f"{place_of_flow(FlowID(flow_id)).trace_id:032x}", "level": "error"}
    assert ids | {"task": "argyll.run_work"} == {name: work.get(name) for name in (*ids, "task")}
    assert ("error", True) == (failed["level"], "bad" in failed["error"])
    errors = [span.error for span in observed.spans(flow_id, 4)]
    told = json.dumps([failed, work, errors])
    assert (4, False, False) == (sum(map(bool, errors)), IBAN in told, "hunter22" in told)


def test_requests_are_found_by_their_id(stack: Stack) -> None:
    """An id that a client sends comes back."""
    wanted = urllib.request.Request(stack.client.base_url + "/engine/flow", headers={"X-Request-ID": "req-7"})
    with urllib.request.urlopen(wanted) as res:
        assert "req-7" == res.headers["X-Request-ID"]


def test_every_line_of_every_process_is_json_without_the_password(observed: Observed, stack: Stack) -> None:
    """Celery, the server and the supervisors write as we do; the password is nowhere, nor in what they were told."""
    lines = observed.lines()
    assert {"argyll-api", "argyll-worker"} <= {line["service"] for line in lines} | {"argyll-api"}
    assert [] == [line for line in lines if not {"time", "level", "msg", "logger", "version"} <= set(line)]
    text = stack.log.read_text()
    assert [False] * 3 == [part in text for part in (PASSWORD, "ss:w@rd", IBAN)]


def test_redis_is_reached_as_the_user_alone(stack: Stack) -> None:
    """Every connection through TLS is the user's."""
    if not stack.config.on_streams:
        pytest.skip("a stock broker has an address of its own, here without a user")
    with Redis(unix_socket_path=str(stack.redis.socket)) as admin:
        users = [client["user"] for client in admin.client_list() if client["addr"].endswith(":0")]
    assert {USER, "default"} == set(users)
    assert users.count(USER) > users.count("default")
