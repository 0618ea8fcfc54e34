# SPDX-License-Identifier: Apache-2.0
"""Which steps a flow gets, what it still asks for, and what a preview shows. Source: the contract, execution §1."""

from typing import Any

import pytest

from tests.acceptance.client import Client
from tests.acceptance.steps import attributes, const, flow_step, lua, meta, optional, output, required, script

A = script("a", "return {value = seed}", attributes(["seed"], ["value"]))
B = script("b", "return {result = value}", attributes(["value"], ["result"]))


def preview(client: Client, goals: list[str], init: dict[str, Any] | None = None) -> Any:
    """The plan that a preview shows."""
    answer = client.post("/engine/plan", {"goals": goals, "init": init or {}})
    assert 200 == answer.status, answer.body
    return answer.json


def start(client: Client, goals: list[str], init: dict[str, Any] | None = None) -> Any:
    """Status and error of a start that is expected to fail, which leaves no flow."""
    answer = client.post("/engine/flow", {"id": "refused", "goals": goals, "init": init or {}})
    assert 404 == client.get("/engine/flow/refused").status
    return answer.status, answer.json["error"]


@pytest.mark.parametrize("path", ["/engine/plan", "/engine/flow"])
def test_goals_that_cannot_be_planned(client: Client, path: str) -> None:
    """None, unknown ones, and a flow step that contains itself by way of steps that came later."""
    client.register(A, flow_step("outer", ["inner"], attributes(gives=["o"])))
    none = client.post(path, {"id": "no-goals", "goals": []})
    unknown = client.post(path, {"id": "unknown", "goals": ["a", "nowhere"], "init": {"seed": [1]}})
    nested = client.post(path, {"id": "nested", "goals": ["outer"]})
    assert (400, True) == (none.status, "goal step" in none.json["error"])
    assert (404, "step not found: [a nowhere]") == (unknown.status, unknown.json["error"])
    assert (404, "step not found: [outer]") == (nested.status, nested.json["error"])


def test_the_fewest_steps(client: Client) -> None:
    """From the goals back to what init gives; steps beside the way do not appear."""
    client.register(A, B, script("beside", "return {}", attributes(["seed"], ["extra"])))
    whole, half = preview(client, ["b"], {"seed": [1]}), preview(client, ["b"], {"value": [1]})
    assert ({"a", "b"}, [], {}) == (set(whole["steps"]), whole["required"], whole["excluded"])
    assert ({"b"}, {"satisfied": {"a": ["value"]}}) == (set(half["steps"]), half["excluded"])
    assert {"providers": ["a"], "consumers": ["b"]} == whole["attributes"]["value"]
    assert {"providers": [], "consumers": ["a"]} == whole["attributes"]["seed"]


def test_a_start_asks_for_the_nearest_input_and_a_preview_for_the_first(client: Client) -> None:
    """A start does not follow providers that cannot run."""
    client.register(A, B)
    assert (400, "required inputs not provided: [value]") == start(client, ["b"])
    assert (400, "required inputs not provided: [value]") == start(client, ["b"], {"value": []})
    assert (["seed"], {"a", "b"}) == ((plan := preview(client, ["b"]))["required"], set(plan["steps"]))


def test_alternatives(client: Client) -> None:
    """All providers that can run are planned; the others are listed with what they lack."""
    client.register(
        A, B, script("also", "return {value = 2}", attributes(gives=["value"])),
        script("lacking", "return {value = 3}", attributes(["nowhere"], ["value"])),
    )  # fmt: skip
    plan = preview(client, ["b"], {"seed": [1]})
    assert ({"a", "also", "b"}, {"missing": {"lacking": ["nowhere"]}}) == (set(plan["steps"]), plan["excluded"])


@pytest.mark.parametrize(
    ("collect", "steps"), [("first", {"b"}), ("last", {"a", "b"}), ("some", {"a", "b"}), ("all", {"a", "b"})]
)
def test_initial_values_replace_providers_of_first_only(client: Client, collect: str, steps: set[str]) -> None:
    """The other policies want the providers' values too."""
    spec = {"value": required(collect=collect), "result": output()}
    client.register(A, script("b", "return {result = 1}", spec))
    plan = preview(client, ["b"], {"value": [1], "seed": [1]})
    assert (steps, []) == (set(plan["steps"]), plan["required"])


@pytest.mark.parametrize("spec", [required(collect="none"), optional(collect="none")])
def test_a_blocked_goal_is_shown_and_refused(client: Client, spec: Any) -> None:
    """Init has a value for what must stay empty."""
    client.register(script("blocked", "return {}", attributes() | {"flag": spec}))
    assert {"blocked": {"blocked": ["flag"]}} == preview(client, ["blocked"], {"flag": [1]})["excluded"]
    status, error = start(client, ["blocked"], {"flag": [1]})
    assert (400, True, True) == (status, "blocked" in error, "flag" in error)


def test_x1_a_goal_that_init_satisfies_is_complete(client: Client) -> None:
    """Nothing runs, and the flow ends in its first commit."""
    client.register(B)
    state = client.run("satisfied", ["b"], {"result": 1})
    assert ("completed", {}) == (state["status"], state["executions"])
    assert ["flow_started", "flow_completed", "flow_deactivated"] == client.types("satisfied")


@pytest.mark.parametrize("goals", [["c", "p"], ["p", "c"]])
def test_x37_a_goal_that_another_goal_rejects_as_provider(client: Client, goals: list[str]) -> None:
    """Is planned as a goal in whatever order they are named: its inputs are asked for."""
    client.register(
        script("p", "return {}", attributes(["pid"], ["value"])),
        script("q", "return {value = 1}", attributes(gives=["value"])),
        script("c", "return {}", attributes(["value"])),
    )
    assert (400, "required inputs not provided: [pid]") == start(client, goals)


def test_gates_in_a_plan(client: Client) -> None:
    """A gate that init closes asks for nothing; one that is undecided asks only for what the gate itself needs."""
    is_post = lua("return value == 'post'")
    client.register(script("g", "return {}", attributes(["more"], ["o"]) | {"kind": required(match=is_post)}))
    closed, undecided = preview(client, ["g"], {"kind": ["mail"]}), preview(client, ["g"])
    opened = preview(client, ["g"], {"kind": ["post"]})
    assert ([[], ["kind"], ["more"]], {"g"}) == (
        [closed["required"], undecided["required"], opened["required"]],
        set(closed["steps"]),
    )


def test_optional_const_and_meta_inputs_in_a_plan(client: Client) -> None:
    """Providers of optional inputs are planned and nothing of it is required; const and meta take no part."""
    specs = attributes(gives=["o"]) | {"value": optional(), "k": const(1), "m": meta("flow_id")}
    client.register(A, script("k", "return {}", attributes(gives=["k", "m"])), script("c", "return {}", specs))
    with_seed, without = preview(client, ["c"], {"seed": [1]}), preview(client, ["c"])
    assert ({"a", "c"}, []) == (set(with_seed["steps"]), with_seed["required"])
    assert {"c"} <= set(without["steps"]) and "k" not in without["steps"]


def test_children_of_a_plan(client: Client) -> None:
    """A flow step has the plan of its goals, made with its inputs by inner name; the child's may lack something."""
    outer = flow_step("outer", ["b"], attributes(gives=["result"]) | {"n": required(mapping={"name": "seed"})})
    lacking = flow_step("lacking", ["b"], attributes(gives=["other"]))
    client.register(A, B, outer, lacking)
    plan = preview(client, ["outer", "lacking"], {"n": [1]})
    assert ({"a", "b"}, []) == (set(plan["children"]["outer"]["steps"]), plan["children"]["outer"]["required"])
    assert ({"outer", "lacking"}, ["seed"]) == (set(plan["steps"]), plan["children"]["lacking"]["required"])


def test_a_plan_is_frozen_at_the_start(client: Client) -> None:
    """A flow keeps the steps it was planned with, whatever becomes of the catalog."""
    client.register(A, B)
    plan = preview(client, ["b"], {"seed": [1]})
    flow_id = client.start("frozen", ["b"], {"seed": 1})
    assert 200 == client.put("/engine/step/b", B | {"name": "changed"}).status
    assert 200 == client.delete("/engine/step/a").status
    state = client.checked_end(flow_id)
    assert plan["steps"] == state["plan"]["steps"] == client.events(flow_id)[0]["data"]["plan"]["steps"]
    assert "completed" == state["status"]


def test_a_preview_stores_nothing(client: Client) -> None:
    """Neither a flow nor a step nor an event."""
    client.register(A)
    before = client.get("/engine/catalog/events").json, client.get("/engine/flow").json
    preview(client, ["a"])
    assert before == (client.get("/engine/catalog/events").json, client.get("/engine/flow").json)
