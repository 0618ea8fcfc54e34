# SPDX-License-Identifier: Apache-2.0
"""What one change means for the rest of the flow: steps become ready, unreachable or unneeded, to a fixed point.

Only neighbours of steps that changed are looked at again, so that the cost of a change does not grow with the plan.
Because a step that can no longer be reached fails at once, "can a provider still deliver" is answered by its own
status. Source: the contract, execution §2.2, §2.6 and §2.7.
"""

from collections.abc import Iterable

from argyll_engine.decide.flow_stop import stop_flow
from argyll_engine.decide.step_inputs import Readiness, assess, may_use_more
from argyll_engine.decide.step_start import fail_pending, settle_pending, skip_unneeded
from argyll_engine.decide.turn import Turn
from argyll_engine.errors import ScriptError
from argyll_engine.model.events import StepSkipped, StepStarted
from argyll_engine.model.flow import StepStatus
from argyll_engine.model.ids import Name, StepID


def continue_flow(turn: Turn, *, sweep: bool) -> None:
    """Carry the changes of this turn through the flow, up to its end if that is reached.

    Args:
        sweep: skip steps whose outputs are no longer needed. After a failure that waits for the next success,
            unless nothing else would move the flow.
    """
    while not turn.is_terminal:
        changed = turn.take_unsettled()
        if not changed:
            if sweep or _has_active_step(turn):
                return
            changed, sweep = tuple(turn.state.executions), True
        sweep = _carry(turn, changed, sweep) or sweep
    turn.take_unsettled()


def _carry(turn: Turn, changed: tuple[StepID, ...], sweep: bool) -> bool:
    """One round; True when a step was skipped, so that the next round sweeps."""
    executions = turn.state.executions
    # What has only started has given nothing yet: it concerns its suppliers, which it may no longer want.
    ended = [step_id for step_id in changed if executions[step_id].status is not StepStatus.ACTIVE]
    consumers = _pending(turn, [*ended, *_consumers(turn, ended)])
    before = len(turn.events)
    if sweep:
        _skip_unneeded(turn, [*consumers, *_suppliers(turn, [*changed, *consumers])])
    if not ended and len(turn.events) == before:
        return False
    _fail_unreachable(turn, consumers)
    stop_flow(turn)
    before = len(turn.events)
    for step_id in consumers:
        if not turn.is_terminal and _is_pending(turn, step_id) and is_needed(turn, step_id):
            settle_pending(turn, step_id)
            _stop_if_lost(turn, step_id)
    raised = [type(recorded.event) for recorded in turn.events[before:]]
    if any(kind is not StepStarted for kind in raised):  # what only starts ends nothing
        stop_flow(turn)
    return StepSkipped in raised


def _stop_if_lost(turn: Turn, step_id: StepID) -> None:
    """What failed or was skipped instead of started may end the flow; nothing starts after that."""
    if turn.state.executions[step_id].status in (StepStatus.FAILED, StepStatus.SKIPPED):
        _fail_unreachable(turn, _consumers(turn, [step_id]))
        stop_flow(turn)


def _skip_unneeded(turn: Turn, candidates: Iterable[StepID]) -> None:
    """Skip those that nobody needs, then what only they needed, and so on."""
    while True:
        unneeded = [step_id for step_id in _pending(turn, candidates) if not is_needed(turn, step_id)]
        if not unneeded:
            return
        for step_id in unneeded:
            skip_unneeded(turn, step_id)
        candidates = _suppliers(turn, unneeded)


def _fail_unreachable(turn: Turn, candidates: Iterable[StepID]) -> None:
    """Fail those that can never start, then what only they could supply, and so on."""
    while True:
        failed = []
        for step_id in _pending(turn, candidates):
            found = assess(turn, step_id)
            if found.readiness in (Readiness.UNREACHABLE, Readiness.BROKEN):
                fail_pending(turn, step_id, found)
                failed.append(step_id)
        if not failed:
            return
        candidates = _consumers(turn, failed)


def is_needed(turn: Turn, step_id: StepID) -> bool:
    """Whether the step is a goal or some pending consumer still wants one of its outputs."""
    if step_id in turn.state.plan.goals:
        return True
    return any(_wants(turn, taker, name) for name, taker in turn.state.plan.neighbours[step_id].takers)


def _wants(turn: Turn, consumer: StepID, name: Name) -> bool:
    if not _is_pending(turn, consumer):
        return False
    try:
        if not may_use_more(turn, consumer, name):
            return False
    except ScriptError:
        return True  # the consumer itself fails for it
    return not _has_gate(turn, consumer) or assess(turn, consumer).readiness is not Readiness.PRUNED


def _consumers(turn: Turn, steps: Iterable[StepID]) -> list[StepID]:
    neighbours = turn.state.plan.neighbours
    return [consumer for step_id in steps for consumer in neighbours[step_id].consumers]


def _suppliers(turn: Turn, steps: Iterable[StepID]) -> list[StepID]:
    """Providers of what the steps take, and the other providers of what they give."""
    neighbours = turn.state.plan.neighbours
    return [supplier for step_id in steps for supplier in neighbours[step_id].suppliers]


def _pending(turn: Turn, steps: Iterable[StepID]) -> list[StepID]:
    """The pending ones, each once, in plan order."""
    state = turn.state
    executions, neighbours = state.executions, state.plan.neighbours
    chosen = {step_id for step_id in steps if executions[step_id].status is StepStatus.PENDING}
    return sorted(chosen, key=lambda step_id: neighbours[step_id].place) if len(chosen) > 1 else list(chosen)


def _is_pending(turn: Turn, step_id: StepID) -> bool:
    return turn.state.executions[step_id].status is StepStatus.PENDING


def _has_gate(turn: Turn, step_id: StepID) -> bool:
    return turn.step(step_id).plain_inputs is None and any(
        spec.match is not None for _, spec in turn.step(step_id).required_inputs()
    )


def _has_active_step(turn: Turn) -> bool:
    return any(ex.status is StepStatus.ACTIVE for ex in turn.state.executions.values())
