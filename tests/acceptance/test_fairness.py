# SPDX-License-Identifier: Apache-2.0
"""A flow with thousands of items beside small ones."""

from tests.acceptance.client import Client, eventually
from tests.acceptance.steps import attributes, output, required, script

ITEMS = 3_000
SMALL = 10
EACH = {"x": required(for_each=True), "y": output()}


def test_a_large_flow_starves_nobody(client: Client) -> None:
    """Flows that were started behind a flow with thousands of items are through long before it."""
    client.register(
        script("fair-large", "return {y = x + 1}", EACH, work_config={"parallelism": 10_000}),
        script("fair-small", "return {z = n + 1}", attributes(["n"], ["z"])),
    )
    large = {"id": "fair-0", "goals": ["fair-large"], "init": {"x": [list(range(ITEMS))]}}
    small = [{"id": f"fair-{n}", "goals": ["fair-small"], "init": {"n": [n]}} for n in range(1, SMALL + 1)]
    for body in (large, *small):
        assert 201 == client.post("/engine/flow", body).status

    ids = [f"fair-{number}" for number in range(SMALL + 1)]
    eventually("the end of all", lambda: all(client.state(flow_id)["status"] != "active" for flow_id in ids), 120)
    ended = {flow_id: client.state(flow_id) for flow_id in ids}
    assert {"completed"} == {state["status"] for state in ended.values()}
    assert [] == [flow_id for flow_id in ids[1:] if ended[flow_id]["completed_at"] >= ended["fair-0"]["completed_at"]]
