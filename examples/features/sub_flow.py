# SPDX-License-Identifier: Apache-2.0
"""Sub-flow: a step that is a flow of its own, with goals, a plan and a log."""

from examples.features.stage import Json, Stage, perform


def script(step_id: str, text: str, takes: str, gives: str) -> Json:
    """A step in Lua with one input and one output."""
    return {
        "id": step_id,
        "name": step_id,
        "type": "script",
        "script": {"language": "lua", "script": text},
        "attributes": {takes: {"role": "required"}, gives: {"role": "output"}},
    }


def play(stage: Stage) -> None:
    """An invoice needs an address; finding one is a flow of two steps, under other names."""
    stage.register(
        script("find-buyer", "return {buyer = 'buyer of ' .. number}", "number", "buyer"),
        script("find-address", "return {address = 'address of ' .. buyer}", "buyer", "address"),
        {
            "id": "resolve-address",
            "name": "Resolve the address",
            "type": "flow",
            "flow": {"goals": ["find-address"]},
            "attributes": {
                "order_number": {"role": "required", "required": {"mapping": {"name": "number"}}},
                "send_to": {"role": "output", "output": {"mapping": {"name": "address"}}},
            },
        },
        script("write-invoice", "return {invoice = 'invoice to the ' .. send_to}", "send_to", "invoice"),
    )
    flow_id = stage.run("write-invoice", order_number="A-17")
    stage.show_values(flow_id, "send_to", "invoice")
    child_id = stage.child_of(flow_id, "resolve-address")
    stage.say(f"the child is named after its parent and its step: {child_id.startswith(flow_id + ':resolve-address:')}")
    stage.show_order(child_id, "step_completed", "flow_completed")


if __name__ == "__main__":
    perform(play)
