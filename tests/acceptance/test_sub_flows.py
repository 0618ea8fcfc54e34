# SPDX-License-Identifier: Apache-2.0
"""Steps whose work is a flow of its own. Source: the contract, execution §1.5 and §6."""

from typing import Any

from tests.acceptance.client import Client, eventually, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import attributes, const, flow_step, meta, optional, output, required, retries, script, sync

DOUBLE = script("double", "return {twice = n * 2}", attributes(["n"], ["twice"]))
FINISH = script("finish", "return {done = 'yes'}", attributes(["twice"], ["done"]))


def children_of(state: Any, step_id: str = "outer") -> list[str]:
    """The ids of a step's child flows."""
    return [f"{state['id']}:{step_id}:{token}" for token in state["executions"][step_id]["work_items"]]


def test_a_child_and_its_parent(client: Client) -> None:
    """The child starts with the arguments as init and knows where it comes from; the parent picks from all it has."""
    specs = {
        "outer_n": required(mapping={"name": "n"}),
        "k": const(1),
        "absent": optional(),
        "fallback": optional(default="3"),
        "done": output(),
        "result": output(mapping={"name": "twice"}),
        "given": output(mapping={"name": "n"}),
    }
    client.register(DOUBLE, FINISH, flow_step("outer", ["finish"], specs))
    state = client.run(fresh_id("parent"), ["outer"], {"outer_n": 21})
    (child_id,) = children_of(state)
    child = client.checked_end(child_id)
    assert {"done": "yes", "result": 42, "given": 21} == state["executions"]["outer"]["outputs"]
    (token,) = state["executions"]["outer"]["work_items"]
    parent = {"parent_flow_id": state["id"], "parent_step_id": "outer", "parent_work_item_token": token}
    assert (parent, None) == (child["metadata"], child.get("labels"))
    assert {"n": [21], "k": [1], "fallback": [3]} == client.events(child_id)[0]["data"]["init"]


def test_a_child_ends_before_its_parent_goes_on(client: Client) -> None:
    """Its deactivation is recorded first."""
    client.register(DOUBLE, FINISH, flow_step("outer", ["finish"], attributes(["n"], ["done"])))
    state = client.run(fresh_id("order"), ["outer"], {"n": 1})
    (child_id,) = children_of(state)
    (deactivated,) = client.of_type(child_id, "flow_deactivated")
    (succeeded,) = client.of_type(state["id"], "work_succeeded")
    assert deactivated["timestamp"] <= succeeded["timestamp"]


def test_children_are_hidden_and_readable(client: Client) -> None:
    """Not in lists and queries; by their id with state, status and log."""
    client.register(DOUBLE, FINISH, flow_step("outer", ["finish"], attributes(["n"], ["done"])))
    state = client.run(fresh_id("hidden"), ["outer"], {"n": 1})
    (child_id,) = children_of(state)
    listed = (
        client.get("/engine/flow").json + client.post("/engine/flow/query", {"id_prefix": state["id"]}).json["flows"]
    )
    paths = ("", "/status", "/events")
    assert [200, 200, 200] == [client.get(f"/engine/flow/{child_id}{path}").status for path in paths]
    assert [] == [item["id"] for item in listed if ":" in item["id"]]


def test_one_child_for_each_item(client: Client) -> None:
    """Fanned out, with the results gathered."""
    specs = {"n": required(for_each=True), "result": output(mapping={"name": "twice"})}
    client.register(DOUBLE, FINISH, flow_step("outer", ["finish"], specs, work_config={"parallelism": 2}))
    state = client.run(fresh_id("fanned"), ["outer"], {"n": [1, 2, 3]})
    assert [2, 4, 6] == [entry["twice"] for entry in state["executions"]["outer"]["outputs"]["result"]]
    assert {"completed"} == {client.state(child_id)["status"] for child_id in children_of(state)}


def test_children_of_children(client: Client) -> None:
    """Ids nest, metadata is that of the nearest parent, outcomes come all the way up."""
    client.register(
        DOUBLE,
        FINISH,
        flow_step("inner", ["finish"], attributes(["n"], ["done"])),
        flow_step("outer", ["inner"], attributes(["n"], ["done"])),
    )
    state = client.run(fresh_id("nested"), ["outer"], {"n": 1})
    (child_id,) = children_of(state)
    child = client.state(child_id)
    (grandchild_id,) = children_of(child, "inner")
    assert {"done": "yes"} == state["executions"]["outer"]["outputs"]
    assert (child_id, "inner") == tuple(
        client.state(grandchild_id)["metadata"][name] for name in ("parent_flow_id", "parent_step_id")
    )


def test_a_failed_child_fails_its_item_for_good(client: Client, services: StepServices) -> None:
    """With the child's error; retries are for calls, not for flows."""
    services["refusing"].answers(Reply(status=422))
    client.register(
        sync("refuse", services["refusing"].url, attributes(gives=["o"])),
        flow_step("outer", ["refuse"], attributes(gives=["o"]), work_config=retries(5, 1)),
    )
    state = client.run(fresh_id("failing"), ["outer"])
    assert "step outer failed: step refuse failed: step returned HTTP error: status 422" == state["error"]
    assert 1 == len(services["refusing"].calls)


def test_a_child_that_cannot_start(client: Client) -> None:
    """An input that it needs was not given."""
    client.register(DOUBLE, FINISH, flow_step("outer", ["finish"], attributes(gives=["done"])))
    assert (
        "step outer failed: required inputs not provided: [twice]" == client.run(fresh_id("lack"), ["outer"])["error"]
    )


def test_an_output_that_the_child_does_not_have(client: Client) -> None:
    """A renamed output is a promise."""
    specs = attributes(["n"]) | {"o": output(mapping={"name": "nowhere"})}
    client.register(DOUBLE, FINISH, flow_step("outer", ["finish"], specs))
    state = client.run(fresh_id("promise"), ["outer"], {"n": 1})
    assert "step outer failed: flow output missing: nowhere" == state["error"]


def test_a_child_runs_the_plan_of_its_parent(client: Client, services: StepServices) -> None:
    """A step that was changed after the parent's start, but before the child's, is the old one."""
    gate = services.gate()
    services["before"].answers(Reply(body={"n": 4}, gate=gate))
    client.register(
        sync("before", services["before"].url, attributes(gives=["n"])),
        DOUBLE,
        FINISH,
        flow_step("outer", ["finish"], attributes(["n"]) | {"result": output(mapping={"name": "twice"})}),
    )
    flow_id = client.start(fresh_id("frozen-child"), ["outer"])
    changed = DOUBLE | {"script": {"language": "lua", "script": "return {twice = 0}"}}
    assert 200 == client.put("/engine/step/double", changed).status
    gate.set()
    assert {"result": 8} == client.checked_end(flow_id)["executions"]["outer"]["outputs"]


def test_metadata_of_a_child_reaches_its_steps(client: Client, services: StepServices) -> None:
    """What parent it has is there to be asked for; what the engine itself knows comes first."""
    specs = attributes(gives=["o"]) | {"p": meta("parent_step_id"), "f": meta("flow_id")}
    services["told"].answers(Reply(body={"o": 1}))
    client.register(sync("told", services["told"].url, specs), flow_step("outer", ["told"], attributes(gives=["o"])))
    state = client.run(fresh_id("telling"), ["outer"])
    assert [{"p": "outer", "f": children_of(state)[0]}] == [call.arguments for call in services["told"].calls]


def test_a_parent_that_fails_leaves_its_children_alone(client: Client, services: StepServices) -> None:
    """They run to their end, and the parent waits for them before it is deactivated."""
    gate = services.gate()
    services["slow"].answers(Reply(body={"o": 1}, gate=gate))
    refusal = services.gate()
    services["refusing"].answers(Reply(status=400, gate=refusal))
    client.register(
        sync("slow", services["slow"].url, attributes(gives=["o"])),
        flow_step("outer", ["slow"], attributes(gives=["o"])),
        sync("refusing", services["refusing"].url, attributes(gives=["r"])),
    )
    flow_id = client.start(fresh_id("left-alone"), ["outer", "refusing"])
    eventually("the child's call", lambda: services["slow"].calls)
    refusal.set()
    client.await_event(flow_id, "flow_failed")
    gate.set()
    state = client.checked_end(flow_id)
    (child_id,) = children_of(state)
    assert ("failed", "completed") == (state["status"], client.checked_end(child_id)["status"])


def test_x11_a_child_with_leftovers_ends(client: Client, services: StepServices) -> None:
    """Items that a failure left over do not keep a child, and so its parent, open."""
    services["refusing"].answers(Reply(status=400))
    client.register(
        sync("each", services["refusing"].url, {"x": required(for_each=True), "y": output()}),
        flow_step("outer", ["each"], attributes(["x"], ["y"])),
    )
    state = client.run(fresh_id("leftovers"), ["outer"], {"x": [1, 2, 3]})
    assert ("failed", 1) == (state["status"], len(services["refusing"].calls))
