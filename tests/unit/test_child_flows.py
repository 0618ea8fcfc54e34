# SPDX-License-Identifier: Apache-2.0
"""Flow steps: children that complete, fail, cannot start, or end while nobody listens."""

from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StepID, child_flow_id
from argyll_engine.model.invocation import Failed, Succeeded
from tests.definitions import a_flow_step, a_script_step, const, optional, output, required
from tests.workshop import Workshop

INNER = [
    a_script_step("double", {"n": required(), "twice": output()}),
    a_script_step("finish", {"twice": required(), "done": output()}),
]


def answer(call):
    """What the inner steps give."""
    return Succeeded(outputs={"twice": call.arguments.get("n", 0) * 2, "done": "yes"})


def outer(**attributes):
    """A flow step `outer` whose child reaches `finish`."""
    return a_flow_step("outer", ["finish"], {"n": required(), "done": output()} | attributes)


def state_of(shop, flow_id="f"):
    """The state of a flow."""
    return shop.engine.queries.flow(FlowID(flow_id))


def child_of(shop, step_id="outer", index=0):
    """The id of the child that a step's item stands for."""
    token = list(state_of(shop).executions[StepID(step_id)].work_items)[index]
    return child_flow_id(FlowID("f"), StepID(step_id), token)


def test_a_child_gives_its_attributes_to_its_parent():
    """The parent's output mapping chooses among all attributes of the child, those of its start included."""
    shop = Workshop(answer)
    step = outer(result=output(mapping=MappingConfig(name="twice")), given=output(mapping=MappingConfig(name="n")))

    shop.start([*INNER, step], ["outer"], {"n": (21,)})
    shop.deliver_all()

    assert {"done": "yes", "result": 42, "given": 21} == state_of(shop).executions["outer"].outputs
    assert FlowStatus.COMPLETED == state_of(shop).status


def test_a_child_knows_its_parent():
    """By its metadata; its own start holds the parent's inputs by inner name, without absent optionals."""
    shop = Workshop(answer)
    shop.start([*INNER, outer(o=optional(), k=const("1"))], ["outer"], {"n": (1,)})
    shop.deliver_all()

    child = state_of(shop, child_of(shop))
    token = next(iter(state_of(shop).executions["outer"].work_items))
    parentage = {"parent_flow_id": "f", "parent_step_id": "outer", "parent_work_item_token": token}
    assert parentage == child.metadata
    assert {"n": (1,), "k": (1,)} == child.init


def test_children_are_not_listed():
    """They are found by their id alone."""
    shop = Workshop(answer)
    shop.start([*INNER, outer()], ["outer"], {"n": (1,)})
    shop.deliver_all()

    assert ["f"] == [item.id for item in shop.engine.queries.list_flows()]


def test_a_failed_child_fails_its_item():
    """With the child's error, and without another try."""
    shop = Workshop(lambda call: Failed(error="no"))
    shop.start([*INNER, outer()], ["outer"], {"n": (1,)})
    shop.deliver_all()

    assert "step outer failed: step double failed: no" == state_of(shop).error


def test_a_child_that_lacks_an_input_fails_its_item():
    """With the text that a root start would be refused with."""
    shop = Workshop(answer)
    step = a_flow_step("outer", ["finish"], {"done": output()})
    shop.start([*INNER, step], ["outer"])
    shop.deliver_all()

    assert "step outer failed: required inputs not provided: [twice]" == state_of(shop).error


def test_a_missing_output_fails_the_item():
    """A renamed output that the child does not have."""
    shop = Workshop(answer)
    shop.start([*INNER, outer(o=output(mapping=MappingConfig(name="nope")))], ["outer"], {"n": (1,)})
    shop.deliver_all()

    assert "step outer failed: flow output missing: nope" == state_of(shop).error


def test_one_child_for_each_item():
    """Fanned out, their results are aggregated."""
    shop = Workshop(answer)
    step = outer(n=required(for_each=True), result=output(mapping=MappingConfig(name="twice")))
    shop.start([*INNER, step], ["outer"], {"n": ([1, 2, 3],)})
    shop.deliver_all()

    assert [2, 4, 6] == [entry["twice"] for entry in state_of(shop).executions["outer"].outputs["result"]]


def test_children_nest():
    """A child of a child brings its outcome up through both."""
    shop = Workshop(answer)
    middle = a_flow_step("middle", ["finish"], {"n": required(), "done": output()})
    top = a_flow_step("top", ["middle"], {"n": required(), "done": output()})
    shop.start([*INNER, middle, top], ["top"], {"n": (1,)})
    shop.deliver_all()

    assert {"done": "yes"} == state_of(shop).executions["top"].outputs


def test_x22_a_lost_message_to_the_parent_is_made_up_for():
    """Recovery asks after children that may have ended."""
    shop = Workshop(answer)
    shop.start([*INNER, outer()], ["outer"], {"n": (1,)})
    shop.children.complete_parent = lambda child_id: None

    shop.deliver_all()
    assert FlowStatus.COMPLETED == state_of(shop, child_of(shop)).status
    assert FlowStatus.ACTIVE == state_of(shop).status
    del shop.children.complete_parent

    shop.clock.move(seconds=16)
    shop.recovery.sweep()
    shop.deliver_all()

    assert FlowStatus.COMPLETED == state_of(shop).status
