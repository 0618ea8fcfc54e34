# SPDX-License-Identifier: Apache-2.0
"""Which spans committed events come to."""

from datetime import timedelta

from msgspec.structs import replace

from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.tracing.flows import FlowTraces, nanoseconds, spans_of
from argyll_engine.tracing.ids import place_of_flow, place_of_step, place_of_work
from argyll_engine.tracing.port import Span
from tests.definitions import a_step
from tests.fakes import token_of
from tests.scenario import FLOW, Scenario, complete, fail, given, not_complete, run
from tests.unit.tracing.recording import RecordingTraces

STEP = StepID("a")
TOKEN = token_of("a")


def _spans(scenario: Scenario) -> list[Span]:
    return list(spans_of(scenario.state, scenario.last))


def _started() -> Scenario:
    return given([a_step("a")], ["a"]).after(seconds=1).when(run("a")).after(seconds=2)


def test_the_end_of_a_flow_ends_its_work_its_step_and_itself() -> None:
    """One commit sends the spans of all that it ends, each below what it is part of, with its own times."""
    scenario = _started().when(complete("a", {}))
    began = scenario.log[0].at
    expected = [
        ("work a", place_of_work(FLOW, STEP, TOKEN, 1), place_of_step(FLOW, STEP), 1),
        ("step a", place_of_step(FLOW, STEP), place_of_flow(FLOW), 0),
        ("flow a", place_of_flow(FLOW), None, 0),
    ]
    spans = _spans(scenario)
    assert expected == [(s.name, s.place, s.above, (s.start_ns - nanoseconds(began)) // 10**9) for s in spans]
    assert [("", nanoseconds(began + timedelta(seconds=3)))] * 3 == [(span.error, span.end_ns) for span in spans]


def test_failures_are_told_by_every_span() -> None:
    """Work, step and flow carry the error that failed them, and their outcome."""
    spans = _spans(_started().when(fail("a", "refused")))
    assert [True] * 3 == ["refused" in span.error for span in spans]
    assert ["failed"] * 3 == [span.attributes["argyll.outcome"] for span in spans]


def test_each_attempt_has_a_span_of_its_own() -> None:
    """An attempt without an answer ends its span; the next one has another."""
    scenario = _started().when(not_complete("a"))
    (first,) = _spans(scenario)
    scenario.after(hours=1).when(run("a", attempt=2), complete("a", {}))
    second = _spans(scenario)[0]
    assert [(1, "not_completed", "no answer"), (2, "succeeded", "")] == [
        (span.attributes["argyll.attempt"], span.attributes["argyll.outcome"], span.error) for span in (first, second)
    ]
    assert first.place != second.place


def test_labels_are_attributes_of_the_flow_and_values_are_not() -> None:
    """Labels are there to find flows by; inputs and outputs belong to the user."""
    state = _started().when(complete("a", {"x": "s3cret"})).state
    scenario = _started().when(complete("a", {"x": "s3cret"}))
    spans = list(spans_of(replace(state, labels={"team": "blue"}), scenario.last))
    assert ("blue", False) == (spans[-1].attributes["argyll.label.team"], "s3cret" in repr(spans))


def test_flows_of_probes_are_not_traced() -> None:
    """A canary sends nothing."""
    scenario = _started().when(complete("a", {}))
    canary: FlowState = replace(scenario.state, id=FlowID(":canary:1"))
    assert [] == list(spans_of(canary, scenario.last))


def test_commits_are_sent_together() -> None:
    """The spans of a batch go in one piece; commits that end nothing send nothing."""
    ended, traces = _started().when(complete("a", {})), RecordingTraces()
    FlowTraces(traces).committed([(ended.state, ended.last), (None, ended.last), (_started().state, _started().last)])
    assert ["work a", "step a", "flow a"] == [span.name for span in traces.spans]
