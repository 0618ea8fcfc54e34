# SPDX-License-Identifier: Apache-2.0
"""What keeps a step from running: gates, predicates, providers that fail, outputs that nobody needs any more.

Source: the contract, execution §2.4, §2.6, §2.7 and §2.9.
"""

from typing import Any

import pytest

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import ale, attributes, jpath, lua, output, required, script, sync

IS_POST = lua("return value == 'post'")


def gated(spec: Any, *more: str) -> Any:
    """A step `gated` with a gate on `kind`, and required inputs beside it."""
    return script("gated", "return {done = true}", attributes(more, ["done"]) | {"kind": spec})


def kinds(*values: str) -> list[Any]:
    """Steps that give these values of `kind`, one after the other."""
    return [
        script(
            f"kind-{n}",
            f"return {{kind = '{value}', go{n} = 1}}",
            attributes([f"go{n - 1}"] if n else [], ["kind", f"go{n}"]),
        )
        for n, value in enumerate(values)
    ]


def outcome(state: Any, step_id: str = "gated") -> tuple[str, str]:
    """How a step ended, and why."""
    ex = state["executions"][step_id]
    return ex["status"], ex.get("error", "")


PRUNED = ("skipped", "required match did not match")


@pytest.mark.parametrize(
    ("collect", "values", "expected"),
    [
        ("first", ["mail", "post"], "post"),  # waits past what does not match
        ("last", ["post", "mail"], "post"),
        ("some", ["post", "mail", "post"], ["post", "post"]),
        ("all", ["post", "post"], ["post", "post"]),
        ("none", ["mail", "fax"], None),
    ],
)
def test_a_gate_that_matches(client: Client, collect: str, values: list[str], expected: Any) -> None:
    """The step runs with the values that match."""
    client.register(*kinds(*values), gated(required(collect=collect, match=IS_POST)))
    state = client.run(f"match-{collect}", ["gated", f"kind-{len(values) - 1}"])
    assert (("completed", ""), expected) == (outcome(state), state["executions"]["gated"]["inputs"].get("kind"))


@pytest.mark.parametrize(
    ("collect", "values"),
    [
        ("first", ["mail", "fax"]),
        ("last", ["mail", "fax"]),
        ("some", ["mail", "fax"]),
        ("all", ["post", "mail"]),
        ("none", ["mail", "post"]),
    ],
)
def test_a_gate_that_does_not_match(client: Client, collect: str, values: list[str]) -> None:
    """The step is skipped with what it could collect and the name of the gate; the flow goes on with other goals."""
    client.register(*kinds(*values), gated(required(collect=collect, match=IS_POST), "extra"))
    state = client.run(f"mismatch-{collect}", ["gated", "kind-1"], {"extra": 5})
    skipped = state["executions"]["gated"]
    assert (PRUNED, ["kind"], 5) == (outcome(state), skipped["unsatisfied"], skipped["inputs"]["extra"])
    assert "completed" == state["status"]


def test_all_goals_behind_closed_gates(client: Client) -> None:
    """Nothing is left to reach: the flow fails without naming a step."""
    client.register(gated(required(match=IS_POST)))
    state = client.run("all-pruned", ["gated"], {"kind": "mail"})
    assert (PRUNED, "failed", "flow failed") == (outcome(state), state["status"], state["error"])


@pytest.mark.parametrize("match", [IS_POST, ale('(eq value "post")'), jpath("$[?@ == 'post']")])
def test_gates_in_every_language(client: Client, match: Any) -> None:
    """Lua, Ale and jpath see the candidate."""
    kind = ["post"] if match["language"] == "jpath" else "post"
    client.register(gated(required(match=match)))
    state = client.run(f"gate-{match['language']}", ["gated"], {"kind": kind})
    assert ("completed", "") == outcome(state)


def test_x26_a_gate_whose_script_fails(client: Client) -> None:
    """The step fails and says why, and so does the flow."""
    client.register(gated(required(match=lua("error('boom')"))))
    state = client.run("gate-error", ["gated"], {"kind": 1})
    status, error = outcome(state)
    assert ("failed", True, "failed") == (status, error.startswith("match evaluation failed\n"), state["status"])
    assert "boom" in error


def test_x32_an_open_gate_before_an_input_that_cannot_come(client: Client) -> None:
    """The step fails as unreachable before the flow fails."""
    client.register(*kinds("post"), gated(required(match=IS_POST), "missing"))
    state = client.run("gate-opens-late", ["gated"])
    assert (("failed", "required input no longer available"), "failed") == (outcome(state), state["status"])
    assert ["missing"] == state["executions"]["gated"]["unsatisfied"]


def test_a_closed_gate_spares_the_providers_of_its_step(client: Client, services: StepServices) -> None:
    """What was only to feed the step, and has not begun, is skipped."""
    gate = services.gate()
    services["begun"].answers(Reply(body={"p": 1}, gate=gate))
    client.register(
        *kinds("mail"),
        sync("begun", services["begun"].url, attributes(gives=["p"])),
        script("behind", "return {q = p}", attributes(["p"], ["q"])),
        gated(required(match=IS_POST), "q"),
    )
    flow_id = client.start("spared", ["gated", "kind-0"])
    client.await_event(flow_id, "step_skipped")
    gate.set()
    state = client.checked_end(flow_id)
    assert (PRUNED, ("skipped", "outputs not needed")) == (outcome(state), outcome(state, "behind"))
    assert ("completed", {}) == (state["status"], state["executions"]["behind"]["inputs"])


def test_siblings_of_the_first_provider(client: Client, services: StepServices) -> None:
    """One that has not begun is skipped; one that runs is waited for, and its value is kept beside the first."""
    gate = services.gate()
    services["running"].answers(Reply(body={"x": "second"}, gate=gate))
    services["blocker"].answers(Reply(body={"b": 1}, gate=gate))
    client.register(
        script("fast", "return {x = 'first'}", attributes(gives=["x"])),
        sync("running", services["running"].url, attributes(gives=["x"])),
        sync("blocker", services["blocker"].url, attributes(gives=["b"])),
        script("behind", "return {x = 'third'}", attributes(["b"], ["x"])),
        script("goal", "return {got = x}", attributes(["x"], ["got"])),
    )
    flow_id = client.start("siblings", ["goal"])
    client.await_event(flow_id, "step_skipped")
    gate.set()
    state = client.checked_end(flow_id)
    assert ("skipped", "outputs not needed") == outcome(state, "behind")
    assert ({"got": "first"}, "completed") == (state["executions"]["goal"]["outputs"], state["status"])
    assert ["first", "second"] == [value["value"] for value in state["attributes"]["x"]]


# ---- predicates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predicate", "amount", "runs"),
    [
        (lua("return amount > 10"), 15, True),
        (lua("return amount > 10"), 5, False),
        (lua("return nothing"), 5, False),
        (lua("return 0"), 5, True),
        (ale("(> amount 10)"), 15, True),
        (ale("(> amount 10)"), 5, False),
        (ale("null"), 5, True),
        (jpath("$.amount"), None, True),
        (jpath("$.other"), 5, False),
    ],
)
def test_predicates(client: Client, predicate: Any, amount: Any, runs: bool) -> None:
    """What a language calls true lets the step run; otherwise it is skipped with the inputs it would have had."""
    specs = {"outer": required(mapping={"name": "amount"}), "done": output()}
    client.register(script("checked", "return {done = 1}", specs, predicate=predicate))
    state = client.run(fresh_id("predicate"), ["checked"], {"outer": amount})
    expected = ("completed", "") if runs else ("skipped", "predicate returned false")
    assert (expected, {"amount": amount}) == (outcome(state, "checked"), state["executions"]["checked"]["inputs"])
    assert "completed" == state["status"]


def test_a_predicate_that_fails(client: Client) -> None:
    """Its step fails, and says that it was the predicate."""
    client.register(script("checked", "return {}", attributes(["n"]), predicate=lua("return n.x.y")))
    state = client.run("predicate-error", ["checked"], {"n": 1})
    status, error = outcome(state, "checked")
    assert ("failed", True) == (status, error.startswith("predicate evaluation failed\n"))
    assert f"step checked failed: {error}" == state["error"]


def test_x7_a_goal_that_its_predicate_skips(client: Client, services: StepServices) -> None:
    """Counts as settled while another goal still runs: the flow completes with that one's outputs."""
    gate = services.gate()
    services["other"].answers(Reply(body={"o": 1}, gate=gate))
    client.register(
        script("skipped", "return {}", attributes(), predicate=lua("return false")),
        sync("other", services["other"].url, attributes(gives=["o"])),
    )
    flow_id = client.start("skipped-goal", ["skipped", "other"])
    before = client.state(flow_id)["status"]
    gate.set()
    state = client.checked_end(flow_id)
    result = client.of_type(flow_id, "flow_completed")[0]["data"]["result"]
    assert ("active", "completed", {"o": 1}) == (before, state["status"], result)


def test_x8_skips_within_a_completion_end_the_flow_once(client: Client) -> None:
    """A chain whose last steps are skipped by their predicates has one end."""
    never = lua("return false")
    client.register(
        script("one", "return {a = 1}", attributes(gives=["a"])),
        script("two", "return {b = 1}", attributes(["a"], ["b"]), predicate=never),
        script("three", "return {c = 1}", attributes(["a"], ["c"]), predicate=never),
    )
    client.run("ends-once", ["two", "three"])
    ends = [name for name in client.types("ends-once") if name.startswith("flow_")]
    assert ["flow_started", "flow_completed", "flow_deactivated"] == ends


def test_x9_a_start_that_skips(client: Client) -> None:
    """A start in which one predicate settles what others wait for is answered 201 and settles each step once."""
    client.register(
        script("a", "return {x = 1}", attributes(gives=["x"]), predicate=lua("return false")),
        script("b", "return {y = x}", attributes(optional={"x": 3}, gives=["y"])),
        script("c", "return {z = 1}", attributes(gives=["z"])),
    )
    state = client.run("skipping-start", ["b", "c"])
    assert ("completed", {"y": 3}) == (state["status"], state["executions"]["b"]["outputs"])
