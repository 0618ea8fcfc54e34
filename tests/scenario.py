# SPDX-License-Identifier: Apache-2.0
"""The test verb for decisions on flows: `given(plan).when(commands).then(events)`.

Each `when` is one commit. Time stands still unless `after` moves it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from argyll_engine.aggregates import FlowAggregate
from argyll_engine.evolve.flow import replay_flow
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.commands import (
    CompleteWork,
    FailWork,
    FlowCommand,
    NotCompleteWork,
    StartFlow,
    StartWork,
)
from argyll_engine.model.effects import Effect, RunWork
from argyll_engine.model.events import Event, Recorded
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, Name, StepID, flow_stream
from argyll_engine.model.invocation import Succeeded
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.model.step import Step
from argyll_engine.plan.build import build
from argyll_engine.react import resume
from tests.definitions import a_catalog
from tests.fakes import ManualClock, TextScripts, facts_at, token_of

FLOW = FlowID("f")


def plan_of(steps: Sequence[Step], goals: Sequence[str], init: dict[str, Any] | None = None) -> ExecutionPlan:
    """The plan of a start with these steps as the whole catalog."""
    catalog: CatalogState = a_catalog(*steps)
    given = {Name(name): values for name, values in (init or {}).items()}
    return build(catalog, [StepID(goal) for goal in goals], given, TextScripts().match)


def start(plan: ExecutionPlan, init: dict[str, Any] | None = None, **more: Any) -> StartFlow:
    """The command that starts the flow of tests."""
    given = {Name(name): values for name, values in (init or {}).items()}
    return StartFlow(flow_id=FLOW, plan=plan, init=given, **more)


def complete(
    step_id: str, outputs: dict[str, Any] | None = None, attempt: int | None = None, index: int = 0
) -> CompleteWork:
    """The success of a step's work item."""
    return CompleteWork(step_id=StepID(step_id), token=token_of(step_id, index), outputs=outputs, attempt=attempt)


def fail(step_id: str, error: str = "refused", attempt: int | None = None, index: int = 0) -> FailWork:
    """The permanent failure of a step's work item."""
    return FailWork(step_id=StepID(step_id), token=token_of(step_id, index), error=error, attempt=attempt)


def not_complete(step_id: str, attempt: int = 1, error: str = "no answer", index: int = 0) -> NotCompleteWork:
    """An attempt without an answer."""
    return NotCompleteWork(step_id=StepID(step_id), token=token_of(step_id, index), attempt=attempt, error=error)


def run(step_id: str, attempt: int = 1, index: int = 0) -> StartWork:
    """A worker that is about to run an attempt."""
    return StartWork(step_id=StepID(step_id), token=token_of(step_id, index), attempt=attempt)


def to_run(
    step_id: str, attempt: int = 1, at: datetime | None = None, step_type: str = "sync", goes_on: bool = False
) -> RunWork:
    """The effect that asks a worker for an attempt."""
    return RunWork(
        flow_id=FLOW,
        step_id=StepID(step_id),
        token=token_of(step_id),
        attempt=attempt,
        step_type=step_type,
        at=at,
        goes_on=goes_on,
    )


class Scenario:
    """A flow as its commits made it: `log` is everything recorded, `last` the newest commit."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.log: list[Recorded] = []
        self.last: tuple[Recorded, ...] = ()
        self.effects: tuple[Effect, ...] = ()
        self.memo: Succeeded | None = None

    @property
    def state(self) -> FlowState:
        """The fold of the log."""
        return replay_flow(None, self.log)

    def after(self, **time: float) -> "Scenario":
        """The same flow later."""
        self.clock.move(**time)
        return self

    def remembering(self, outputs: dict[str, Any] | None) -> "Scenario":
        """The same flow, while these outputs of an earlier call like the next are remembered."""
        self.memo = Succeeded(outputs=outputs)
        return self

    def when(self, *commands: FlowCommand) -> "Scenario":
        """The flow after these commands, each a commit of its own."""
        aggregate = FlowAggregate(grace_seconds=1)
        for command in commands:
            before = self.state if self.log else None
            facts, stream = facts_at(self.clock.at, self.memo), flow_stream(FLOW)
            decision = aggregate.decide(stream, before, command, facts, len(self.log))
            self.last = decision.events
            self.effects = decision.effects + aggregate.react(before, decision.state, decision.events)
            self.log.extend(self.last)
            assert decision.state == self.state
        return self

    def resumed(self, held: Sequence[str] = (), older_than_seconds: float = 10) -> tuple[Effect, ...]:
        """What recovery would send now, when these steps' items are held by live workers."""
        stale_before = self.clock.at - timedelta(seconds=older_than_seconds)
        return resume(self.state, frozenset(token_of(step_id) for step_id in held), stale_before, self.clock.at)

    def then(self, *expected: Event) -> "Scenario":
        """Asserts that the last commit was exactly these events."""
        assert [*expected] == [recorded.event for recorded in self.last]
        return self

    def then_named(self, *expected: str) -> "Scenario":
        """Asserts the last commit in short: `StepStarted a`, `FlowCompleted`."""
        assert [*expected] == [in_short(recorded.event) for recorded in self.last]
        return self


def in_short(event: Event) -> str:
    """An event's type, and its step where it has one."""
    return " ".join([type(event).__name__, *filter(None, [getattr(event, "step_id", "")])])


def given(steps: Sequence[Step], goals: Sequence[str], init: dict[str, Any] | None = None) -> Scenario:
    """A flow just started over these steps."""
    return Scenario().when(start(plan_of(steps, goals, init), init))
