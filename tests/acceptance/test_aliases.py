# SPDX-License-Identifier: Apache-2.0
"""Definitions and starts as older clients write them run as their new form does. Source: the contract, http §7."""

from typing import Any

import pytest

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import attributes, const, flow_step, optional, output, required, retries, script, sync

OLD_AND_NEW = [
    ("A1", {"work_config": {"backoff_ms": 5}}, {"work_config": {"init_backoff": 5}}),
    ("A2", {"work_config": {"max_backoff_ms": 5000}}, {"work_config": {"max_backoff": 5000}}),
    ("A3", {"work_config": {"backoff": 5}}, {"work_config": {"init_backoff": 5}}),
    ("A4", {"attributes": {"x": {"role": "optional", "default": "1"}}}, {"attributes": {"x": optional(default="1")}}),
    ("A4", {"attributes": {"x": {"role": "const", "default": "1"}}}, {"attributes": {"x": const(1)}}),
    (
        "A5",
        {"attributes": {"x": {"role": "required", "for_each": True}}},
        {"attributes": {"x": required(for_each=True)}},
    ),
    (
        "A6",
        {"attributes": {"x": {"role": "output", "mapping": {"name": "y"}}}},
        {"attributes": {"x": output(mapping={"name": "y"})}},
    ),
    ("A7", {"attributes": {"x": {"role": "optional", "timeout": 7}}}, {"attributes": {"x": optional(deadline=7)}}),
]


@pytest.mark.parametrize(("alias", "old", "new"), OLD_AND_NEW)
def test_old_definitions(client: Client, alias: str, old: Any, new: Any) -> None:
    """Are kept in the new form, so that registering that is a repeat."""
    step = script("old", "return {}", attributes())
    assert [201, 201] == [client.post("/engine/step", step | form).status for form in (old, new)]
    kept = client.get("/engine/step/old").json
    for part, members in new.items():
        assert members == {name: kept[part][name] for name in members}


def test_the_new_form_wins(client: Client) -> None:
    """Where both are given."""
    specs = {"x": {"default": "1"} | optional(default="2")}
    work = {"backoff_ms": 5, "backoff": 6, "init_backoff": 7}
    assert 201 == client.post("/engine/step", script("both", "return {}", specs, work_config=work)).status
    kept = client.get("/engine/step/both").json
    assert (optional(default="2"), 7) == (kept["attributes"]["x"], kept["work_config"]["init_backoff"])


def test_a_flow_written_the_old_way_runs(client: Client, services: StepServices) -> None:
    """Backoff, defaults, fan-out, flow maps and plain initial values of one flow."""
    services["busy"].answers(Reply(status=503), Reply(body={"y": 1}))
    old = {
        "x": {"role": "required", "for_each": True},
        "k": {"role": "optional", "default": "5"},
        "y": {"role": "output"},
    }
    inner = flow_step("wrap", ["busy"], attributes(["list"], ["out"]))
    inner["flow"] |= {"input_map": {"list": "x"}, "output_map": {"y": "out"}}
    client.register(sync("busy", services["busy"].url, old, work_config={"backoff_ms": 5, "max_retries": 3}), inner)
    answer = client.post("/engine/flow", {"id": fresh_id("old"), "goals": ["wrap"], "init": {"list": [[7]]}})
    assert 201 == answer.status
    state = client.checked_end(answer.json["flow_id"])
    assert ("completed", {"out": 1}) == (state["status"], state["executions"]["wrap"]["outputs"])
    assert [{"x": 7, "k": 5}] * 2 == [call.arguments for call in services["busy"].calls]


@pytest.mark.parametrize(("value", "values"), [(5, [5]), ("a", ["a"]), ({"k": 1}, [{"k": 1}]), ([1, 2], [1, 2])])
def test_plain_initial_values(client: Client, value: Any, values: list[Any]) -> None:
    """What is no list is the one candidate; a list is a list of candidates; both forms are the same start."""
    client.register(script("plain", "return {}", attributes(["n"]), work_config=retries(1, 1)))
    body = {"id": fresh_id("plain"), "goals": ["plain"], "init": {"n": value}}
    assert [201, 201] == [client.post("/engine/flow", form).status for form in (body, body | {"init": {"n": values}})]
    state = client.checked_end(str(body["id"]))
    assert values == [candidate["value"] for candidate in state["attributes"]["n"]]
