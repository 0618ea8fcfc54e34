# SPDX-License-Identifier: Apache-2.0
"""Metrics and probes of a whole deployment: after a flow all names are there, and the sums over processes are right."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.client import Client, eventually, fresh_id
from tests.acceptance.part import Part, free_port, processes_below
from tests.acceptance.services import StepServices
from tests.acceptance.stack import STEPS, WORK, Stack
from tests.acceptance.steps import attributes, script, sync

DOCUMENTED = re.compile(r"^\| `([a-z_]+)` \| (?:counter|gauge|histogram)", re.MULTILINE)
PAGE = Path(__file__).parents[2] / "docs/metrics.md"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Watched:
    """A stack whose workers and beat serve metrics and probes, each on a port of its own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.parts: dict[str, Part] = {**stack.workers, "beat": stack.beat}
        self.ports = {name: str(free_port()) for name in self.parts}
        for name, part in self.parts.items():
            part.environment["WORKER_METRICS_PORT"] = self.ports[name]

    def client(self, name: str) -> Client:
        """The API, or what serves for a worker or beat."""
        return self.stack.client if name == "api" else Client(f"http://127.0.0.1:{self.ports[name]}")

    def is_ready(self, name: str) -> bool:
        """Whether one says that all is well."""
        try:
            return self.client(name).get("/readyz").status == 200
        except OSError:
            return False

    def families(self, name: str) -> set[str]:
        """The names on a page, as queries have them."""
        found = set()
        for line in self.client(name).get("/metrics").body.decode().splitlines():
            if line.startswith("# TYPE "):
                found.add(line.split()[2])
        return found

    def samples(self, name: str) -> Samples:
        """The values on a page."""
        text = self.client(name).get("/metrics").body.decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum of a counter over all instances."""
        key = (name, frozenset(labels.items()))
        return sum(self.samples(instance).get(key, 0.0) for instance in ("api", *self.parts))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Such a stack, with all its parts well."""
    watched = Watched(Stack(tmp_path_factory.mktemp("watched"), WORKER_STUCK_AFTER="5s"))
    with watched.stack:
        for name in ("api", *watched.parts):
            eventually(f"readiness of {name}", lambda name=name: watched.is_ready(name))  # type: ignore[misc]
        yield watched


def test_a_flow_is_counted_once_over_all_processes(watched: Watched, services: StepServices) -> None:
    """The API starts it, two kinds of workers run it: each event counts where it was committed, once."""
    client = watched.stack.client
    double = services["double"].computes(lambda body: {"doubled": 2 * body["n"]})
    client.register(
        sync("double", double.url, attributes(["n"], ["doubled"])),
        script("shown", "return {shown = doubled}", attributes(["doubled"], ["shown"])),
    )
    flows = [fresh_id("metered") for _ in range(3)]
    for flow_id in flows:
        assert "completed" == client.run(flow_id, ["shown"], {"n": 21})["status"]
    totals = {
        "started": watched.total("argyll_flows_started_total", kind="root"),
        "completed": watched.total("argyll_flows_completed_total", kind="root"),
        "executions": watched.total("workflow_executions_total", workflow_type="flow", action="run", status="success"),
        "durations": watched.total("workflow_duration_seconds_count", workflow_type="flow", action="run"),
        "calls": watched.total("module_operations_total", module="sync", operation="invoke", status="success"),
        "scripts": watched.total("module_operations_total", module="script", operation="invoke", status="success"),
        "double": watched.total("argyll_steps_ended_total", step_id="double", status="completed"),
        "timed calls": watched.total("argyll_work_duration_seconds_count", step_id="double"),
        "timed scripts": watched.total("argyll_work_duration_seconds_count", step_id="shown"),
        "requests": watched.total("http_requests_total", method="POST", path="/engine/flow", status_code="201"),
    }
    assert dict.fromkeys(totals, 3.0) == totals
    assert watched.total("argyll_commits_total", store="flow") >= 9.0


def test_every_documented_name_is_on_every_page(watched: Watched) -> None:
    """Who writes an alert finds the metric, on the API as on workers and beat."""
    documented = set(DOCUMENTED.findall(PAGE.read_text(encoding="utf-8")))
    for instance in ("api", *watched.parts):
        assert set() == documented - watched.families(instance), instance


def test_the_deployment_is_the_same_from_everywhere(watched: Watched) -> None:
    """Workers are known, no flow is active, queues of our transport are empty, and processes have names."""
    depth = 0.0 if watched.stack.config.on_streams else None
    for instance in ("api", *watched.parts):
        samples = watched.samples(instance)
        assert 2.0 == samples["argyll_workers_alive", frozenset()]
        assert 0.0 == samples["active_workflows", frozenset({("workflow_type", "flow")})]
        assert depth == samples.get(("argyll_queue_depth", frozenset({("queue", "steps")})))
    for instance, process in ((STEPS, "steps1"), (WORK, "work1"), ("beat", "beat")):
        rows = [labels for name, labels in watched.samples(instance) if name == "process_resident_memory_bytes"]
        assert {process, "supervisor"} == {dict(labels)["process"] for labels in rows}


def test_a_deep_look_runs_a_flow_that_nobody_sees(watched: Watched) -> None:
    """It has a latency; catalog, lists, metrics and keys of the store are as before."""
    client = watched.stack.client

    def seen() -> tuple[object, ...]:
        with watched.stack.flow_redis() as redis:
            keys = {key for key in redis.keys("*") if b":flow:" in key.replace(b"{argyll:flow}", b"")}
        lists = client.get("/engine/flow").json, client.get("/engine/step").json
        return (*lists, keys, watched.total("argyll_flows_started_total", kind="child"))

    before = seen()
    answer = client.get("/healthz?deep=1")
    assert 200 == answer.status, answer.body
    assert 0.0 < answer.json["canary_seconds"] < 5.0
    assert before == seen()


@pytest.mark.slow
def test_readiness_names_what_is_gone(watched: Watched) -> None:
    """All workers, then Redis; the API stays live, and is ready again when they are back."""
    client = watched.stack.client

    def faults() -> set[str]:
        answer = client.get("/readyz")
        assert (200 if answer.json["status"] == "ready" else 503) == answer.status
        return {name for name, check in answer.json["checks"].items() if not check["ok"]}

    watched.stack.kill_worker()
    eventually("the fault of the workers", lambda: faults() == {"workers"})
    watched.stack.kill_redis()
    eventually("the fault of Redis", lambda: {"flow_store", "engine_store", "workers"} == faults())
    assert (200, 200) == (client.get("/livez").status, client.get("/health").status)
    assert b"argyll_redis_up" in client.get("/metrics").body
    watched.stack.start_redis()
    watched.stack.start_worker()
    eventually("readiness", lambda: faults() == set())


@pytest.mark.slow
@pytest.mark.parametrize("name", [STEPS, WORK])
def test_a_worker_that_hangs_is_started_again(watched: Watched, name: str) -> None:
    """Halted from outside it shows no sign of life; its supervisor says so, ends it, and counts it."""
    eventually("readiness", lambda: watched.is_ready(name))
    (halted,) = processes_below(watched.parts[name].pid)
    os.kill(halted, signal.SIGSTOP)
    eventually("another process", lambda: halted not in processes_below(watched.parts[name].pid))
    eventually("readiness", lambda: watched.is_ready(name))
    assert 1.0 == watched.total("argyll_child_restarts_total", process=f"{name}1", cause="stuck")
