# SPDX-License-Identifier: Apache-2.0
"""Steps as they are registered, changed, read and removed, and the views and logs of catalog and health.

Source: the contract, http §1.5, §1.6 and §2, execution §0, §7, §9.2 and §9.3.
"""

from typing import Any

import pytest

from tests.acceptance.client import Client
from tests.acceptance.folding import NEVER
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import (
    attributes,
    const,
    flow_step,
    lua,
    meta,
    optional,
    output,
    required,
    retries,
    script,
    sync,
)

DEFAULTS = {"max_retries": 10, "init_backoff": 1000, "max_backoff": 60000, "backoff_type": "exponential"}
STEP = sync("brew", "http://kitchen/brew", attributes(["leaf"], ["tea"]))


def catalog_events(client: Client) -> list[tuple[str, str]]:
    """Type and step of the catalog's events so far."""
    events = client.get("/engine/catalog/events").json["events"]
    return [(event["type"], event["data"].get("step_id") or event["data"]["step"]["id"]) for event in events]


def test_registering(client: Client) -> None:
    """The answer echoes what was sent, its id made proper; what is kept has all its work settings."""
    before = len(catalog_events(client))
    answer = client.post("/engine/step", STEP | {"id": "  My Brew! "})
    assert (201, "Step registered") == (answer.status, answer.json["message"])
    assert ("my-brew", False) == (answer.json["step"]["id"], "work_config" in answer.json["step"])
    kept = client.get("/engine/step/my-brew").json
    assert (DEFAULTS, 0) == (kept["work_config"], kept["http"]["timeout"])
    assert [("step_registered", "my-brew")] == catalog_events(client)[before:]
    assert (404, 404) == tuple(client.get(f"/engine/step/{name}").status for name in ("My-Brew", "brew"))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 201),
        ({"labels": {}}, 201),
        ({"labels": None, "memoizable": False}, 201),
        ({"http": {"endpoint": "http://kitchen/brew", "method": "POST", "timeout": 0}}, 201),
        ({"work_config": {"max_retries": 10}}, 201),
        ({"http": {"endpoint": "http://kitchen/brew", "timeout": 30000}}, 409),
        ({"name": "other"}, 409),
        ({"attributes": {}}, 409),
        ({"work_config": {"parallelism": 2}}, 409),
        ({"name": ""}, 400),  # invalid beats conflict
    ],
)
def test_registering_again(client: Client, change: Any, status: int) -> None:
    """The same step is fine and leaves no event; another one under its id is a conflict."""
    client.register(STEP)
    before = catalog_events(client)
    answer = client.post("/engine/step", STEP | change)
    assert (status, before) == (answer.status, catalog_events(client))
    if status == 409:
        assert "step exists: brew" == answer.json["error"]


def test_updating(client: Client) -> None:
    """A change is one event, none is none; the id must be the path's, and the step must be there."""
    client.register(STEP)
    before = len(catalog_events(client))
    answers = [client.put("/engine/step/brew", STEP), client.put("/engine/step/brew", STEP | {"name": "new"})]
    assert [(200, "Step updated")] * 2 == [(answer.status, answer.json["message"]) for answer in answers]
    assert ("new", [("step_updated", "brew")]) == (answers[1].json["step"]["name"], catalog_events(client)[before:])
    mismatch, absent = client.put("/engine/step/other", STEP), client.put("/engine/step/gone", STEP | {"id": "gone"})
    assert (400, True) == (mismatch.status, "does not match" in mismatch.json["error"])
    assert (404, "step not found: gone") == (absent.status, absent.json["error"])


def test_x24_an_update_leaves_no_edges_behind(client: Client) -> None:
    """Attributes that a step gave up do not make it a provider any more, neither in the view nor in a plan."""
    client.register(STEP, script("drink", "return {}", attributes(["tea"])))
    assert 200 == client.put("/engine/step/brew", sync("brew", "http://kitchen/brew", attributes(["leaf"]))).status
    graph = client.get("/engine/catalog").json["attributes"]
    plan = client.post("/engine/plan", {"goals": ["drink"], "init": {"leaf": [1]}}).json
    assert {"tea": {"providers": [], "consumers": ["drink"]}, "leaf": {"providers": [], "consumers": ["brew"]}} == graph
    assert (["tea"], ["drink"]) == (plan["required"], [*plan["steps"]])


def test_listing_and_removing(client: Client) -> None:
    """An empty catalog has empty lists and no time; removing answers in JSON and needs nobody's leave."""
    assert ([], 0) == ((empty := client.get("/engine/step").json)["steps"], empty["count"])
    client.register(STEP, script("drink", "return {}", attributes(["tea"])))
    listed = client.get("/engine/step").json
    assert ({"brew", "drink"}, 2) == ({step["id"] for step in listed["steps"]}, listed["count"])
    removed, again = client.delete("/engine/step/brew"), client.delete("/engine/step/brew")
    assert (200, {"message": "Step unregistered"}) == (removed.status, removed.json)
    assert (404, "step not found: brew") == (again.status, again.json["error"])
    assert ("step_unregistered", "brew") == catalog_events(client)[-1]


def test_what_a_step_keeps(client: Client) -> None:
    """Every member comes back as it was sent."""
    specs = {
        "a": {"type": "array"} | required(collect="some", for_each=True, mapping={"name": "b"}),
        "c": {"type": "string"} | optional(default='"x"', deadline=5),
        "d": {"type": "number"} | const(1),
        "e": meta("flow_id"),
        "f": required(match=lua("return value == 1")),
        "g": output(mapping={"script": {"language": "jpath", "script": "$.g"}}),
    }
    step = sync("full", "http://kitchen/{b}", specs, labels={"team": "x"}, predicate=lua("return true"))
    step |= {"work_config": retries(-1, 5, "linear", 7) | {"parallelism": 3}}
    step["http"] |= {"method": "PUT", "compensate": "http://kitchen/undo/{g}", "timeout": 12}
    step["http"] |= {"health_check": "http://127.0.0.1:9/health"}
    client.register(step)
    assert step == client.get("/engine/step/full").json


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"id": "!"}, "step ID empty"),
        ({"name": ""}, "step name empty"),
        ({"http": None}, "http required"),
        ({"flow": {"goals": ["x"]}}, "flow not allowed"),
        ({"http": {"endpoint": ""}}, "step endpoint empty"),
        ({"http": {"endpoint": "http://k", "method": "post"}}, "invalid HTTP method: post"),
        ({"http": {"endpoint": "http://k/{nobody}"}}, "nobody"),
        ({"attributes": {"x": {"role": "input"}}}, "invalid attribute role: input"),
        ({"attributes": {"x": {"role": "required", "type": "text"}}}, "invalid attribute type: text"),
        ({"attributes": {"x": {"role": "required", "output": {}}}}, "x"),
        ({"attributes": {"x": required(collect="any")}}, "invalid input collect: any"),
        ({"attributes": {"x": required(mapping={})}}, 'invalid attribute mapping: "x"'),
        ({"attributes": {"x": {"role": "const", "const": {"value": ""}}}}, "const value required"),
        ({"attributes": {"x": meta("")}}, "meta key required"),
        ({"attributes": {"x": {"type": "number"} | optional(default='"a"')}}, "invalid default value for type"),
        ({"attributes": {"x": optional(deadline=-1)}}, "deadline"),
        ({"work_config": {"init_backoff": 120_000}}, "max_backoff"),  # beside the default of the other
        ({"work_config": {"backoff_type": "random"}}, "invalid backoff type"),
        ({"work_config": {"parallelism": -1}}, "parallelism"),
        ({"predicate": lua("return (")}, "invalid step"),
        ({"predicate": {"language": "perl", "script": "1"}}, "invalid script language: perl"),
        ({"type": "batch"}, "invalid step type: batch"),
    ],
)
def test_rules(client: Client, change: Any, text: str) -> None:
    """A step that breaks a rule is refused with the rule, and nothing is kept."""
    before = catalog_events(client)
    answer = client.post("/engine/step", STEP | change)
    assert (400, 400, before) == (answer.status, answer.json["status"], catalog_events(client))
    assert answer.json["error"].startswith("invalid step\n") and text in answer.json["error"]


def test_rules_between_steps(client: Client) -> None:
    """One name has one type; neither attributes nor goals go round in a ring."""
    client.register(
        script("a", "return {}", {"x": required(), "y": output()}), flow_step("f", ["g"], attributes(gives=["z"]))
    )
    refused = [
        script("b", "return {}", {"x": {"type": "string"} | required()}),
        script("b", "return {}", {"y": required(), "x": output()}),
        flow_step("g", ["f"], attributes()),
    ]
    answers = [client.post("/engine/step", step) for step in refused]
    assert [400, 400, 400] == [answer.status for answer in answers]
    texts = ["attribute type conflict: x", "circular dependency detected: step ", "circular dependency detected: step "]
    assert [True] * 3 == [text in answer.json["error"] for text, answer in zip(texts, answers, strict=True)]


# ---- views -----------------------------------------------------------------------------------


def test_the_catalog_view(client: Client) -> None:
    """Steps, and who gives and takes each attribute; constants and metadata have an entry without either."""
    assert ({}, {}) == tuple(client.get("/engine/catalog").json[name] for name in ("steps", "attributes"))
    client.register(sync("brew", "http://k", attributes(["leaf"], ["tea"]) | {"k": const(1), "m": meta("flow_id")}))
    view, engine = client.get("/engine/catalog").json, client.get("/engine").json
    nobody: dict[str, list[str]] = {"providers": [], "consumers": []}
    assert {
        "leaf": {"providers": [], "consumers": ["brew"]},
        "tea": {"providers": ["brew"], "consumers": []},
        "k": nobody,
        "m": nobody,
    } == view["attributes"]
    assert (view["steps"], view["attributes"]) == (engine["steps"], engine["attributes"])
    assert {"last_updated", "steps", "attributes"} == set(view)
    assert engine == client.get("/engine/").json


def test_health_views(stack: Stack, services: StepServices) -> None:
    """One node; gaps are filled where the contract says so; scripts are checked when they are registered."""
    client = stack.client
    client.register(STEP, script("fine", "return {}", attributes()))
    cluster, health, engine = (client.get(f"/engine{path}").json for path in ("/cluster", "/health", ""))
    node_id = stack.config.node_id
    assert [{node_id}] * 3 == [set(cluster["nodes"]), set(health["nodes"]), set(engine["health"])]
    filled = health["nodes"][node_id]["health"]
    assert ("unknown", "healthy") == (filled["brew"]["status"], filled["fine"]["status"])
    assert filled == engine["health"][node_id]["health"]
    one = {name: client.get(f"/engine/health/{name}") for name in ("brew", "fine", "gone")}
    assert [("unknown", 200), ("healthy", 200)] == [(one[n].json["status"], one[n].status) for n in ("brew", "fine")]
    assert (404, "Health not found for step: gone") == (one["gone"].status, one["gone"].json["error"])


def test_a_script_that_fails_is_unhealthy(client: Client) -> None:
    """Once, in the log of the cluster, whatever node saw it; and healthy again when it works."""
    client.register(script("moody", "if n > 0 then error('boom') end return {}", attributes(["n"])))
    before = client.get("/engine/cluster/events").json["count"]
    client.run("moody-fails", ["moody"], {"n": 1})
    events = client.get("/engine/cluster/events").json
    (event,) = events["events"][before - events["count"] :]
    assert ("step_health_changed", "moody", "unhealthy") == (
        event["type"],
        event["data"]["step_id"],
        event["data"]["status"],
    )
    assert ("unhealthy", True) == (
        (told := client.get("/engine/health/moody").json)["status"],
        told["error"].startswith(f"node {event['data']['node_id']}: "),
    )


def test_the_log_of_the_catalog_is_the_catalog(client: Client) -> None:
    """Events have an envelope, and the view's time is that of the last one."""
    client.register(STEP)
    log = client.get("/engine/catalog/events").json
    last = log["events"][-1]
    assert {"timestamp", "type", "aggregate_id", "data", "sequence"} == set(last)
    assert (["catalog"], log["count"]) == (last["aggregate_id"], len(log["events"]))
    assert last["timestamp"] == client.get("/engine/catalog").json["last_updated"] != NEVER
    assert DEFAULTS == last["data"]["step"]["work_config"]


def test_a_step_that_is_gone_is_not_missed_by_its_flows(client: Client, services: StepServices) -> None:
    """Running flows have their copy."""
    gate = services.gate()
    services["slow"].answers(Reply(body={"o": 1}, gate=gate))
    client.register(sync("slow", services["slow"].url, attributes(gives=["o"])))
    flow_id = client.start("step-gone", ["slow"])
    assert 200 == client.delete("/engine/step/slow").status
    gate.set()
    assert "completed" == client.checked_end(flow_id)["status"]
