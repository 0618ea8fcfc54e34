# SPDX-License-Identifier: Apache-2.0
"""Label values that users choose are bounded, and children are found once."""

from prometheus_client import CollectorRegistry, Counter

from argyll_engine.metrics.labels import OTHER, Children, StepChildren, StepNames


def counter(*labels):
    """A metric of its own registry."""
    return Counter("counted", "Counted.", labels, registry=CollectorRegistry())


def test_the_first_steps_are_shown_by_name_and_the_rest_together():
    """Two names fit; a third and a fourth step share one child, and the first keep theirs."""
    children = StepChildren(counter("step_id", "status"), StepNames(limit=2))
    shown = [children.of(step_id, "completed") for step_id in ("a", "b", "c", "d", "a")]
    labels = [child._labelvalues for child in shown]
    assert [(name, "completed") for name in ("a", "b", OTHER, OTHER, "a")] == labels
    assert shown[0] is shown[4]


def test_names_are_bounded_over_all_metrics_that_share_them():
    """A step that one metric shows by name has its name in the others, and no other step has."""
    names = StepNames(limit=1)
    StepChildren(counter("step_id"), names).of("a")
    assert [("a",), (OTHER,)] == [StepChildren(counter("step_id"), names).of(step)._labelvalues for step in "ab"]


def test_what_is_not_shown_by_name_is_not_remembered_either():
    """A thousand steps beyond the bound leave nothing behind."""
    children = StepChildren(counter("step_id"), StepNames(limit=1))
    for number in range(1_000):
        children.of(f"step-{number}").inc()
    assert 1 == len(children._children)


def test_a_child_is_the_same_each_time():
    """Who asks again gets what was made before."""
    children = Children(counter("kind"))
    children.of("root").inc()
    children.of("root").inc()
    assert 2.0 == children.of("root")._value.get()
