# SPDX-License-Identifier: Apache-2.0
"""Has the pure core decide again what the whole system recorded: same commands, same times, same tokens.

Each event of a log is either the cause of its commit, then it says which command that was, or a consequence, then the
core must have decided it. Called by the test of random flows.
"""

from collections.abc import Sequence
from typing import Any

from argyll_engine.aggregates import FlowAggregate
from argyll_engine.codec import decode_recorded, encode, flow_state_to_json
from argyll_engine.model.commands import (
    CompleteCompensation,
    CompleteWork,
    FailCompensation,
    FailWork,
    FlowCommand,
    NotCompleteCompensation,
    NotCompleteWork,
    StartCompensation,
    StartFlow,
    StartWork,
    WakeStep,
)
from argyll_engine.model.events import (
    CompFailed,
    CompRetryScheduled,
    CompStarted,
    CompSucceeded,
    Event,
    FlowStarted,
    Recorded,
    StepFailed,
    StepSkipped,
    StepStarted,
    WorkFailed,
    WorkNotCompleted,
    WorkStarted,
    WorkSucceeded,
)
from argyll_engine.model.facts import Facts
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, StepID, StreamID, Token, flow_stream
from argyll_engine.scripting.registry import ScriptRegistry


def faults_of_replay(flow_id: str, served: Sequence[Any], state: Any) -> list[str]:
    """Where the pure core disagrees with the log that is served of a flow, and with the state beside it."""
    stream = flow_stream(FlowID(flow_id))
    log = [decode_recorded(stream, event["sequence"], encode(event)) for event in served]
    core = _Core(stream, log)
    while core.place < len(log):
        recorded = log[core.place]
        expected = core.decided(recorded)
        actual = log[core.place : core.place + max(1, len(expected))]
        if expected != actual:
            return [f"at {core.place} the core decides {expected}, recorded is {actual}"]
        core.place += len(actual)
    if core.state is None or flow_state_to_json(core.state) != state:
        return ["the core's state is not the one that is served"]
    return []


class _Core:
    """The pure core on the way through a log."""

    def __init__(self, stream: StreamID, log: Sequence[Recorded]) -> None:
        self.place = 0
        self.state: FlowState | None = None
        self._stream, self._log = stream, log
        self._aggregate = FlowAggregate(grace_seconds=1)
        self._scripts = ScriptRegistry(timeout_ms=1_000, memory_mb=64)

    def decided(self, cause: Recorded) -> list[Recorded]:
        """What the core decides when what this event records is asked of it."""
        command = _command_of(cause.event, self.state)
        facts = Facts(now=cause.at, new_token=self._token, scripts=self._scripts)
        decision = self._aggregate.decide(self._stream, self.state, command, facts, self.place)
        self.state = decision.state
        return list(decision.events)

    def _token(self, step_id: StepID, index: int) -> Token:
        """The token that was drawn for a work item of a step that starts from here on."""
        tokens = next(
            tuple(recorded.event.work_items)
            for recorded in self._log[self.place :]
            if isinstance(recorded.event, StepStarted) and recorded.event.step_id == step_id
        )
        return tokens[index]


def _command_of(event: Event, state: FlowState | None) -> FlowCommand:
    """The command that this event answers."""
    match event:
        case FlowStarted(plan=plan, init=init, labels=labels, metadata=metadata):
            return StartFlow(flow_id=event.flow_id, plan=plan, init=init, labels=labels, metadata=metadata)
        case WorkStarted(step_id=step_id, token=token):
            return StartWork(step_id=step_id, token=token, attempt=_attempt(state, step_id, token) + 1)
        case WorkSucceeded(step_id=step_id, token=token, outputs=outputs):
            return CompleteWork(step_id=step_id, token=token, outputs=outputs)
        case WorkFailed(step_id=step_id, token=token, error=error):
            return FailWork(step_id=step_id, token=token, error=error)
        case WorkNotCompleted(step_id=step_id, token=token, error=error):
            attempt = _attempt(state, step_id, token)
            return NotCompleteWork(step_id=step_id, token=token, attempt=attempt, error=error)
        case StepStarted(step_id=step_id) | StepSkipped(step_id=step_id) | StepFailed(step_id=step_id):
            return WakeStep(step_id=step_id)
        case _:
            return _compensation_of(event, state)


def _compensation_of(event: Event, state: FlowState | None) -> FlowCommand:
    match event:
        case CompStarted(step_id=step_id, token=token):
            return StartCompensation(step_id=step_id, token=token, retry_count=_retries(state, step_id, token))
        case CompSucceeded(step_id=step_id, token=token):
            return CompleteCompensation(step_id=step_id, token=token)
        case CompFailed(step_id=step_id, token=token, error=error):
            return FailCompensation(step_id=step_id, token=token, error=error)
        case CompRetryScheduled(step_id=step_id, token=token, error=error):
            retry_count = _retries(state, step_id, token)
            return NotCompleteCompensation(step_id=step_id, token=token, retry_count=retry_count, error=error)
        case _:
            raise AssertionError(f"no command leads to {event} alone")


def _attempt(state: FlowState | None, step_id: StepID, token: Token) -> int:
    assert state is not None
    return state.executions[step_id].work_items[token].attempt


def _retries(state: FlowState | None, step_id: StepID, token: Token) -> int:
    assert state is not None
    return state.executions[step_id].work_items[token].retry_count
