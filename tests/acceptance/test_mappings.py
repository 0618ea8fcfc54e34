# SPDX-License-Identifier: Apache-2.0
"""How values get from attributes to arguments and from outputs to attributes. Source: the contract, execution §2.10."""

from typing import Any

import pytest

from tests.acceptance.client import Client, eventually, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import (
    ale,
    asynchronous,
    attributes,
    const,
    jpath,
    lua,
    meta,
    optional,
    output,
    required,
    sync,
)
from tests.acceptance.steps import script as script_step

ORDER = {"id": 7, "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 3}]}


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"name": "inner"}, {"inner": ORDER}),
        ({"name": "inner", "script": jpath("$.id")}, {"inner": 7}),
        ({"script": jpath("$.lines[*].sku")}, {"order": ["a", "b"]}),  # several matches are a list
        ({"script": jpath("$.nowhere")}, {"order": ORDER}),  # no match: the value itself
        ({"script": lua("return {value = order.id, other = 1}")}, {"order": 7}),
        ({"script": lua("return {only = order.id + 1}")}, {"order": 8}),
        ({"script": lua("return {a = 1, b = other == nil}")}, {"order": {"a": 1, "b": True}}),
        ({"script": lua("error('no')")}, {"order": ORDER}),  # an error: the value itself
        ({"script": ale("(:id order)")}, {"order": 7}),
    ],
)
def test_input_mappings(client: Client, services: StepServices, mapping: Any, expected: Any) -> None:
    """The step gets the mapped value under its inner name; a mapping that fails changes nothing."""
    specs = {"order": required(mapping=mapping), "other": optional(), "done": output()}
    client.register(sync("mapped", services["mapped"].url, specs))
    client.run(fresh_id("map-in"), ["mapped"], {"order": ORDER})
    assert [expected] == [call.arguments for call in services["mapped"].calls]


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"name": "raw"}, ORDER),
        ({"name": "absent"}, None),
        ({"script": jpath("$.raw.lines[1].n")}, 3),
        ({"script": jpath("$.nowhere")}, None),
        ({"script": lua("return value.raw.id * 2")}, 14),
        ({"script": lua("error('no')")}, None),
        ({"script": ale("(+ (:count value) 1)")}, 3),
    ],
)
def test_x30_output_mappings(client: Client, services: StepServices, mapping: Any, expected: Any) -> None:
    """Every language sees the whole answer; what does not map sets nothing, and what is not declared stays behind."""
    services["answering"].answers(Reply(body={"raw": ORDER, "count": 2, "undeclared": 1}))
    client.register(sync("answering", services["answering"].url, {"out": output(mapping=mapping)}))
    state = client.run(fresh_id("map-out"), ["answering"])
    (item,) = state["executions"]["answering"]["work_items"].values()
    given = {} if expected is None else {"out": expected}
    assert given == state["executions"]["answering"].get("outputs", {})
    assert given == {name: values[0]["value"] for name, values in state["attributes"].items()}
    assert {"raw", "count", "undeclared"} == set(item["outputs"])


def test_x4_an_output_that_does_not_come_fails_its_consumer(client: Client) -> None:
    """The provider completes; who needed the value can never start."""
    client.register(
        script_step("silent", "return {}", attributes(gives=["x"])),
        script_step("waiting", "return {}", attributes(["x"])),
    )
    state = client.run("silent-provider", ["waiting"])
    assert ("failed", "completed", "required input no longer available") == (
        state["status"],
        state["executions"]["silent"]["status"],
        state["executions"]["waiting"]["error"],
    )


def test_constants_and_metadata(client: Client, services: StepServices) -> None:
    """Constants are recorded inputs; metadata is filled in for the call only, and what is not known stays away."""
    keys = {"f": "flow_id", "s": "step_id", "t": "receipt_token", "w": "webhook_url", "p": "parent_flow_id"}
    specs = attributes(gives=["o"]) | {"k": const({"deep": [1]})} | {name: meta(key) for name, key in keys.items()}
    client.register(
        sync("called", services["called"].url, specs),
        asynchronous("later", services["later"].answers(Reply(status=202)).url, specs | {"o2": output()}),
    )
    state = client.run("metadata", ["called"], {"k": "not this"})
    (call,) = services["called"].calls
    assert {"k": {"deep": [1]}, "f": "metadata", "s": "called", "t": call.token} == call.arguments
    assert {"k": {"deep": [1]}} == state["executions"]["called"]["inputs"]
    client.start("metadata-later", ["later"])
    eventually("the call", lambda: services["later"].calls)
    (call,) = services["later"].calls
    assert call.webhook_url == call.arguments["w"]


@pytest.mark.parametrize("role", ["required", "optional", "output"])
def test_a_mapping_that_does_not_compile(client: Client, role: str) -> None:
    """Is refused with its step."""
    specs = {"x": {"role": role, role: {"mapping": {"script": lua("return (")}}}}
    answer = client.post("/engine/step", script_step("unmappable", "return {}", specs))
    assert (400, True) == (answer.status, "invalid attribute mapping" in answer.json["error"])
