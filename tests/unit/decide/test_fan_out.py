# SPDX-License-Identifier: Apache-2.0
"""Steps with several work items: expansion, parallelism, failure, what their results amount to."""

from dataclasses import replace

import pytest

from argyll_engine.errors import TooManyWorkItemsError
from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.flow import FlowStatus, StepStatus, WorkStatus
from argyll_engine.model.step import MAX_WORK_ITEMS, WorkConfig
from argyll_engine.policy.work import MOST_OFFERED
from tests.definitions import a_step, lua, output, required
from tests.fakes import token_of
from tests.scenario import complete, fail, given, not_complete, run


def fanned(parallelism=0, **attributes):
    """A step `s` over the array `x`, with one output `o` and these settings."""
    work = WorkConfig(max_retries=3, init_backoff_ms=100, max_backoff_ms=100, parallelism=parallelism)
    return a_step("s", {"x": required(for_each=True), "o": output()} | attributes, work_config=work)


def indexes(effects):
    """The places of the items that effects ask for."""
    return [int(effect.token.rpartition("#")[2]) for effect in effects]


def test_one_item_for_each_element():
    """In the order of the array; duplicates are items of their own; the inputs of the step keep the whole array."""
    flow = given([fanned()], ["s"], {"x": ([1, 1, None],)})

    ex = flow.state.executions["s"]
    assert [{"x": 1}, {"x": 1}, {"x": None}] == [item.inputs for item in ex.work_items.values()]
    assert {"x": [1, 1, None]} == ex.inputs


def test_product_of_several_arrays():
    """Nested in the order of the attribute names."""
    flow = given([fanned(w=required(for_each=True))], ["s"], {"x": ([1, 2],), "w": (["a", "b"],)})

    items = flow.state.executions["s"].work_items.values()
    assert [("a", 1), ("a", 2), ("b", 1), ("b", 2)] == [(item.inputs["w"], item.inputs["x"]) for item in items]


def test_x20_a_renamed_input_fans_out_by_its_inner_name():
    """Items and aggregated entries use the inner name."""
    step = fanned(x=required(for_each=True, mapping=MappingConfig(name="n")))
    flow = given([step], ["s"], {"x": ([1, 2],)})

    flow.when(complete("s", {"o": "a"}), complete("s", {"o": "b"}, index=1))

    assert {"o": [{"n": 1, "o": "a"}, {"n": 2, "o": "b"}]} == flow.state.executions["s"].outputs


@pytest.mark.parametrize("value", [5, "text", {"a": 1}, None])
def test_what_is_no_array_does_not_fan_out(value):
    """It is passed on as it is, to one item."""
    flow = given([fanned()], ["s"], {"x": (value,)})

    assert [{}] == [item.inputs for item in flow.state.executions["s"].work_items.values()]


def test_x3_an_empty_array_completes_the_step():
    """Without items, without outputs."""
    flow = given([fanned()], ["s"], {"x": ([],)})

    flow.then_named("FlowStarted", "StepStarted s", "StepCompleted s", "FlowCompleted", "FlowDeactivated")


def test_a_single_item_gives_its_plain_output():
    """Even from an array of one element."""
    flow = given([fanned()], ["s"], {"x": ([7],)}).when(complete("s", {"o": "plain"}))

    assert {"o": "plain"} == flow.state.executions["s"].outputs


def test_results_are_aggregated_in_item_order():
    """Whatever the order in which they come; items that gave nothing are left out."""
    flow = given([fanned(parallelism=3)], ["s"], {"x": ([1, 2, 3],)})

    flow.when(complete("s", {"o": "c"}, index=2), complete("s", {}, index=1), complete("s", {"o": "a"}))

    assert {"o": [{"x": 1, "o": "a"}, {"x": 3, "o": "c"}]} == flow.state.executions["s"].outputs


def test_one_at_a_time_unless_said_otherwise():
    """The next item gets its message with the result of the one before."""
    flow = given([fanned()], ["s"], {"x": ([1, 2, 3],)})
    assert [0] == indexes(flow.effects)

    assert [] == indexes(flow.when(run("s")).effects)
    assert [1] == indexes(flow.when(complete("s")).effects)


def test_parallelism_limits_active_items():
    """A message beyond the limit starts nothing; a finished item lets the next in."""
    flow = given([fanned(parallelism=2)], ["s"], {"x": ([1, 2, 3, 4],)})
    assert [0, 1] == indexes(flow.effects)

    flow.when(run("s"), run("s", index=1), run("s", index=2)).then()
    assert [2] == indexes(flow.when(complete("s", index=1)).effects)


def test_an_item_that_waits_for_its_retry_holds_no_slot():
    """Its sibling runs meanwhile; the retry that came due takes the next free slot."""
    flow = given([fanned()], ["s"], {"x": ([1, 2, 3],)}).when(run("s"), not_complete("s"))
    assert [0, 1] == indexes(flow.effects)  # the timer of the first, the turn of the second

    flow.when(run("s", index=1)).after(milliseconds=100).when(run("s", attempt=2)).then()
    assert [0] == indexes(flow.when(complete("s", index=1)).effects)


def test_the_first_failure_fails_the_step():
    """Items that were not started never are; those that run end on their own and change nothing."""
    flow = given([fanned(parallelism=2)], ["s"], {"x": ([1, 2, 3],)}).when(run("s"), run("s", index=1), fail("s"))
    flow.then_named("WorkFailed s", "StepFailed s", "FlowFailed")

    flow.when(run("s", index=2)).then()
    flow.when(complete("s", {"o": 1}, index=1)).then_named("WorkSucceeded s", "FlowDeactivated")
    assert WorkStatus.PENDING == flow.state.executions["s"].work_items[token_of("s", 2)].status


@pytest.mark.parametrize(("outcome", "name"), [(complete, "WorkSucceeded s"), (fail, "WorkFailed s")])
def test_x10_a_late_result_of_a_sibling_is_recorded(outcome, name):
    """After step and flow have failed: the item ends, the step stays as it is, and the flow is deactivated."""
    flow = given([fanned(parallelism=2)], ["s"], {"x": ([1, 2],)}).when(run("s"), run("s", index=1), fail("s"))
    assert flow.state.deactivated_at is None

    flow.when(outcome("s", index=1)).then_named(name, "FlowDeactivated")
    assert "refused" == flow.state.executions["s"].error


def test_x11_items_that_were_never_started_keep_no_flow_open():
    """What fail-fast left over is nobody's to wait for."""
    flow = given([fanned()], ["s"], {"x": ([1, 2, 3],)}).when(run("s"), fail("s"))

    flow.then_named("WorkFailed s", "StepFailed s", "FlowFailed", "FlowDeactivated")
    statuses = [item.status for item in flow.state.executions["s"].work_items.values()]
    assert [WorkStatus.FAILED, WorkStatus.PENDING, WorkStatus.PENDING] == statuses


def test_x11_items_that_wait_for_a_retry_keep_no_flow_open():
    """The flow is deactivated when its goal fails, and the retry finds nothing to do."""
    flow = given([fanned(), a_step("z")], ["s", "z"], {"x": ([1],)}).when(run("s"), not_complete("s"), fail("z"))

    flow.then_named("WorkFailed z", "StepFailed z", "FlowFailed", "FlowDeactivated")
    flow.after(seconds=1).when(run("s", attempt=2)).then()


@pytest.mark.parametrize("predicate", ["[1, 2]", "true"])
def test_x15_a_predicate_is_asked_once(predicate):
    """About the whole arrays, when the step starts; its items and their retries run without it."""
    step = replace(fanned(parallelism=2), predicate=lua(predicate))
    flow = given([step], ["s"], {"x": ([1, 2],)})

    flow.when(run("s"), not_complete("s")).after(seconds=1).when(run("s", attempt=2)).then_named("WorkStarted s")
    flow.when(complete("s"), run("s", index=1), complete("s", index=1))

    assert FlowStatus.COMPLETED == flow.state.status


def test_x33_exhausted_retries_start_no_sibling():
    """The step fails first."""
    step = a_step("s", {"x": required(for_each=True)}, work_config=WorkConfig(max_retries=1, init_backoff_ms=1))
    flow = given([step], ["s"], {"x": ([1, 2],)}).when(run("s"), not_complete("s")).after(seconds=1)

    flow.when(run("s", attempt=2), not_complete("s", attempt=2))

    flow.then_named("WorkNotCompleted s", "WorkFailed s", "StepFailed s", "FlowFailed", "FlowDeactivated")
    assert () == flow.effects


def test_too_many_items_refuse_the_start():
    """No flow exists then."""
    with pytest.raises(TooManyWorkItemsError, match="too many work items: 10001"):
        given([fanned()], ["s"], {"x": ([0] * (MAX_WORK_ITEMS + 1),)})


def test_x25_too_many_items_later_fail_the_step():
    """The provider completes; the step that would fan out fails with the reason."""
    steps = [a_step("p", {"x": output()}), fanned()]

    flow = given(steps, ["s"]).when(complete("p", {"x": [0] * (MAX_WORK_ITEMS + 1)}))

    assert (StepStatus.COMPLETED, StepStatus.FAILED) == tuple(ex.status for ex in flow.state.executions.values())
    assert "step s failed: too many work items: 10001 (max 10000)" == flow.state.error


def test_many_items_run_to_the_end():
    """Ten thousand items, one after the other, without counting them anew each time."""
    flow = given([fanned(parallelism=4)], ["s"], {"x": (list(range(200)),)})

    while flow.state.status is FlowStatus.ACTIVE:
        for effect in flow.effects or flow.resumed():
            index = int(effect.token.rpartition("#")[2])
            flow.when(run("s", index=index), complete("s", {"o": index}, index=index))

    assert list(range(200)) == [entry["o"] for entry in flow.state.executions["s"].outputs["o"]]


def test_thousands_of_items_are_offered_in_parts():
    """However many may run at once, only so many wait in queues; each that starts makes place for the next."""
    count = MOST_OFFERED + 50
    flow = given([fanned(parallelism=10_000)], ["s"], {"x": (list(range(count)),)})
    assert list(range(MOST_OFFERED)) == indexes(flow.effects)

    assert [MOST_OFFERED] == indexes(flow.when(run("s")).effects)
    assert [] == indexes(flow.when(complete("s")).effects)
    assert [MOST_OFFERED + 1] == indexes(flow.when(run("s", index=1)).effects)
