# SPDX-License-Identifier: Apache-2.0
"""What inputs collect from several providers, and how long optional ones are waited for.

Source: the contract, execution §2.3 and §2.5.
"""

from typing import Any

import pytest

from tests.acceptance.client import Client
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import attributes, optional, output, required, script, sync


def providers(first: str, second: str) -> list[Any]:
    """Two steps that give `x` by these members of a Lua table, one after the other."""
    return [
        script("one", f"return {{go = true, {first}}}", attributes(gives=["x", "go"])),
        script("two", f"return {{{second}}}", attributes(["go"], ["x", "also"])),
    ]


def collector(spec: Any, *more: str) -> Any:
    """A step `all-in` with an input `x`, and required ones beside it."""
    return script("all-in", "return {done = true}", attributes(more, ["done"]) | {"x": spec})


def inputs_of(state: Any, step_id: str = "all-in") -> Any:
    """What a step was started with."""
    return state["executions"][step_id]["inputs"]


@pytest.mark.parametrize(
    ("collect", "init", "expected"),
    [
        ("first", [], 1),
        ("first", [0], 0),
        ("last", [], 2),
        ("last", [0], 2),
        ("some", [], [1, 2]),
        ("some", [0], [0, 1, 2]),
        ("all", [], [1, 2]),
        ("all", [0, -1], [0, -1, 1, 2]),
    ],
)
def test_policies(client: Client, collect: str, init: list[int], expected: Any) -> None:
    """Each policy passes its value or values, initial ones first, then in the order in which they came."""
    client.register(*providers("x = 1", "x = 2"), collector(required(collect=collect)))
    flow_id = client.start_with(f"collect-{collect}-{len(init)}", ["all-in", "two"], {"x": init})
    state = client.checked_end(flow_id)
    assert ("completed", expected) == (state["status"], inputs_of(state)["x"])
    assert [*init, 1, 2] == [value["value"] for value in state["attributes"]["x"]]


def test_one_value_is_a_list_too(client: Client) -> None:
    """`some` passes a list of one when the other provider gives nothing."""
    client.register(*providers("", "x = 2"), collector(required(collect="some")))
    assert {"x": [2]} == inputs_of(client.run("collect-one", ["all-in"]))


@pytest.mark.parametrize("spec", [required(collect="none"), optional(collect="none", default="7")])
def test_none_is_met_by_silence(client: Client, spec: Any) -> None:
    """What must stay empty did: a required input is left out, an optional one has its default."""
    client.register(*providers("", ""), collector(spec))
    state = client.run(f"collect-none-{spec['role']}", ["all-in"])
    expected = {"x": 7} if spec["role"] == "optional" else {}
    assert ("completed", expected) == (state["status"], inputs_of(state))


@pytest.mark.parametrize(("collect", "first", "second"), [("all", "x = 1", ""), ("none", "x = 1", "")])
def test_an_input_that_cannot_be_fulfilled_fails_its_step(
    client: Client, collect: str, first: str, second: str
) -> None:
    """`all` without the value of one provider, `none` with one."""
    client.register(*providers(first, second), collector(required(collect=collect)))
    state = client.run(f"collect-dead-{collect}", ["all-in"])
    failed = state["executions"]["all-in"]
    assert ("failed", "required input no longer available", ["x"]) == (
        state["status"],
        failed["error"],
        failed["unsatisfied"],
    )


@pytest.mark.parametrize(
    ("collect", "expected"), [("first", 1), ("last", 1), ("some", [1]), ("all", "default"), ("none", "default")]
)
def test_optional_inputs_when_a_provider_fails(
    client: Client, services: StepServices, collect: str, expected: Any
) -> None:
    """What came is used as far as the policy allows, else the default."""
    services["broken"].answers(Reply(status=400))
    client.register(
        script("one", "return {x = 1}", attributes(gives=["x"])),
        sync("broken", services["broken"].url, attributes(gives=["x"])),
        collector(optional(collect=collect, default='"default"', deadline=60_000)),
    )
    state = client.run(f"collect-optional-{collect}", ["all-in", "one"])
    assert ("completed", {"x": expected}) == (state["status"], inputs_of(state))


# ---- deadlines -------------------------------------------------------------------------------


def slow_provider(services: StepServices, *gates: Any) -> Any:
    """A step that gives `x` when its gate opens."""
    services["slow"].answers(Reply(body={"x": "late"}, gate=gates[0] if gates else None))
    return sync("slow", services["slow"].url, attributes(gives=["x"]))


@pytest.mark.parametrize(("default", "expected"), [('"none"', {"x": "none"}), ("null", {"x": None}), ("", {})])
def test_without_a_deadline_nothing_is_waited_for(
    client: Client, services: StepServices, default: str, expected: Any
) -> None:
    """The default is passed at once, null too; it becomes no attribute of the flow, and the straggler is waited for."""
    gate = services.gate()
    client.register(slow_provider(services, gate), collector(optional(default=default)))
    flow_id = client.start(f"no-deadline-{default.strip(chr(34)) or 'absent'}", ["all-in"])
    client.await_event(flow_id, "step_completed")
    before = client.state(flow_id)
    gate.set()
    state = client.checked_end(flow_id)
    assert ("active", {}, expected) == (before["status"], before["attributes"].get("x", {}), inputs_of(state))
    assert ("completed", ["late"]) == (state["status"], [value["value"] for value in state["attributes"]["x"]])


def test_a_value_within_the_deadline_is_used(client: Client, services: StepServices) -> None:
    """The step waits for it."""
    client.register(slow_provider(services), collector(optional(default='"none"', deadline=60_000)))
    assert {"x": "late"} == inputs_of(client.run("in-time", ["all-in"]))


def test_at_the_deadline_the_step_starts_without(client: Client, services: StepServices) -> None:
    """With the default; another consumer gets the value when it comes, and what was not started yet is skipped."""
    gate = services.gate()
    services["slow"].answers(Reply(body={"x": "late", "y": 1}, gate=gate))
    client.register(
        sync("slow", services["slow"].url, attributes(gives=["y"])),
        script("behind", "return {x = y}", attributes(["y"], ["x"])),
        collector(optional(default='"none"', deadline=150)),
    )
    flow_id = client.start("deadline", ["all-in"])
    started = client.await_event(flow_id, "step_completed")
    skipped = client.await_event(flow_id, "step_skipped")
    gate.set()
    state = client.checked_end(flow_id)
    assert ({"x": "none"}, "completed") == (inputs_of(state), state["status"])
    assert ("all-in", "behind", "outputs not needed") == (
        started["data"]["step_id"],
        skipped["data"]["step_id"],
        skipped["data"]["reason"],
    )


def test_the_window_opens_with_the_required_inputs(client: Client, services: StepServices) -> None:
    """An optional value that came before the required one is in time, without any deadline."""
    gate = services.gate()
    services["needed"].answers(Reply(body={"r": 1}, gate=gate))
    client.register(
        script("early", "return {x = 5}", attributes(gives=["x"])),
        sync("needed", services["needed"].url, attributes(gives=["r"])),
        collector(optional(default="0"), "r"),
    )
    flow_id = client.start("window", ["all-in"])
    client.await_event(flow_id, "attribute_set")
    gate.set()
    assert {"x": 5, "r": 1} == inputs_of(client.checked_end(flow_id))


def test_x21_values_of_one_commit_are_not_late(client: Client) -> None:
    """One provider gives the required and the optional input."""
    client.register(
        script("both", "return {r = 1, x = 2}", attributes(gives=["r", "x"])), collector(optional(default="0"), "r")
    )
    assert {"x": 2, "r": 1} == inputs_of(client.run("same-commit", ["all-in"]))


def test_a_value_reaches_every_consumer_in_its_own_way(client: Client) -> None:
    """Outer and inner names, with and without policy, over one attribute."""
    client.register(
        *providers("x = 1", "x = 2"),
        collector(required(collect="last", mapping={"name": "newest"})),
        script("other", "return {seen = #list}", {"x": required(collect="all", mapping={"name": "list"})}
               | {"seen": output()}),
    )  # fmt: skip
    state = client.run("two-consumers", ["all-in", "other"])
    assert ({"newest": 2}, {"list": [1, 2]}) == (inputs_of(state), inputs_of(state, "other"))
    assert {"seen": 2} == state["executions"]["other"]["outputs"]
