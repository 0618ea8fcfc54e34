# SPDX-License-Identifier: Apache-2.0
"""Child plans: every planned flow step carries the plan of its goals, frozen with the parent's.

The plan of a flow step depends on its definition and the catalog only, so it is made once, however often the
step occurs. Called by `build.py`, which says how one plan is made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from argyll_engine.errors import PlanError
from argyll_engine.model.attribute import AttributeSpec, Role
from argyll_engine.model.ids import StepID
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.step import Step, StepType


def placeholder_init(step: Step) -> InitArgs:
    """Stand-ins for what a flow step will hand to its child, by inner name.

    Optional inputs without a default may stay away, so they are not counted on.
    Source: the contract, execution §1.5.
    """
    return {spec.inner_name(name): (True,) for name, spec in sorted(step.attributes.items()) if _is_certain(spec)}


def _is_certain(spec: AttributeSpec) -> bool:
    if spec.role == Role.OPTIONAL:
        return bool(spec.optional and spec.optional.default)
    return spec.is_argument


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A plan whose flow steps are being expanded; `step_id` is None for the root."""

    step_id: StepID | None
    plan: ExecutionPlan
    open_steps: Iterator[Step]

    @classmethod
    def of(cls, step_id: StepID | None, plan: ExecutionPlan) -> "_Frame":
        return cls(step_id=step_id, plan=plan, open_steps=_flow_steps(plan))


def with_children(root: ExecutionPlan, make: Callable[[Step], ExecutionPlan]) -> ExecutionPlan:
    """The plan with the plans of its flow steps in it, and theirs in them.

    Args:
        make: the plan of one flow step, without children.

    Raises:
        PlanError: a flow step contains itself.
    """
    finished: dict[StepID, ExecutionPlan] = {}
    path = [_Frame.of(None, root)]
    open_: set[StepID] = set()  # the steps on the path
    while True:
        frame = path[-1]
        step = next(frame.open_steps, None)
        if step is None:
            path.pop()
            plan = _closed(frame.plan, finished)
            if frame.step_id is None:
                return plan
            finished[frame.step_id] = plan
        elif step.id not in finished:
            if step.id in open_:
                raise PlanError(f"circular dependency detected: step {step.id}")
            open_.add(step.id)
            path.append(_Frame.of(step.id, make(step)))


def _flow_steps(plan: ExecutionPlan) -> Iterator[Step]:
    return (step for step in plan.steps.values() if step.type == StepType.FLOW)


def _closed(plan: ExecutionPlan, finished: dict[StepID, ExecutionPlan]) -> ExecutionPlan:
    children = {step.id: finished[step.id] for step in _flow_steps(plan)}
    return replace(plan, children=MappingProxyType(children)) if children else plan
