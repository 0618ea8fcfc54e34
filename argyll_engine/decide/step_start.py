# SPDX-License-Identifier: Apache-2.0
"""A pending step starts, is skipped, or fails before it could start. Source: the contract, execution §2.9, §3.1."""

from argyll_engine.decide.step_inputs import Assessment, Readiness, assess, constants, mapped
from argyll_engine.decide.step_stop import complete_step
from argyll_engine.decide.turn import Turn
from argyll_engine.errors import ScriptCompileError, ScriptError, TooManyWorkItemsError
from argyll_engine.model.events import StepFailed, StepSkipped, StepStarted
from argyll_engine.model.flow import UNREACHABLE_ERROR, SkipReason
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.policy.work import expand


def settle_pending(turn: Turn, step_id: StepID) -> None:
    """Take a pending step as far as its inputs allow: start, skip or fail it, or leave it waiting."""
    found = assess(turn, step_id)
    if found.wait_until is not None:
        turn.wakes[step_id] = found.wait_until
    match found.readiness:
        case Readiness.READY:
            _start(turn, step_id, found)
        case Readiness.PRUNED:
            inputs = mapped(turn, turn.step(step_id), found.values)
            _skip(turn, step_id, SkipReason.MATCH_FAILED, inputs, found.unsatisfied)
        case Readiness.UNREACHABLE | Readiness.BROKEN:
            fail_pending(turn, step_id, found)


def fail_pending(turn: Turn, step_id: StepID, found: Assessment) -> None:
    """Fail a step that can never start."""
    turn.raise_event(
        StepFailed(
            flow_id=turn.flow_id,
            step_id=step_id,
            error=found.error or UNREACHABLE_ERROR,
            inputs=mapped(turn, turn.step(step_id), found.values),
            unsatisfied=found.unsatisfied,
        )
    )


def skip_unneeded(turn: Turn, step_id: StepID) -> None:
    """Skip a step whose outputs nobody waits for any more."""
    turn.raise_event(StepSkipped(flow_id=turn.flow_id, step_id=step_id, reason=SkipReason.OUTPUTS_UNNEEDED))


def _start(turn: Turn, step_id: StepID, found: Assessment) -> None:
    step = turn.step(step_id)
    inputs = mapped(turn, step, found.values)
    try:
        inputs |= constants(step)
        if not _predicate_holds(turn, step_id, inputs):
            _skip(turn, step_id, SkipReason.PREDICATE_FALSE, inputs)
            return
        items = expand(step, inputs)
    except (ScriptError, TooManyWorkItemsError, ValueError) as exc:
        if isinstance(exc, TooManyWorkItemsError) and turn.is_starting:
            raise  # the contract, execution §3.1: such a start is refused, and no flow exists
        error = f"invalid const value\n{exc}" if isinstance(exc, ValueError) else str(exc)
        turn.raise_event(StepFailed(flow_id=turn.flow_id, step_id=step_id, error=error, inputs=inputs))
        return
    tokens = {turn.facts.new_token(step_id, index): item for index, item in enumerate(items)}
    turn.raise_event(StepStarted(flow_id=turn.flow_id, step_id=step_id, inputs=inputs, work_items=tokens))
    if not tokens:
        complete_step(turn, step_id)


def _predicate_holds(turn: Turn, step_id: StepID, inputs: dict[Name, JSONValue]) -> bool:
    step = turn.step(step_id)
    if step.predicate is None or not step.predicate.script:
        return True
    try:
        return turn.facts.scripts.predicate(step.predicate, step.argument_names(), inputs)
    except ScriptCompileError as exc:
        raise ScriptError(f"predicate compilation failed\n{exc}") from exc
    except ScriptError as exc:
        raise ScriptError(f"predicate evaluation failed\n{exc}") from exc


def _skip(
    turn: Turn, step_id: StepID, reason: SkipReason, inputs: dict[Name, JSONValue], names: tuple[Name, ...] = ()
) -> None:
    turn.raise_event(
        StepSkipped(flow_id=turn.flow_id, step_id=step_id, reason=reason, inputs=inputs, unsatisfied=names)
    )
