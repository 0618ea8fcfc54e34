# SPDX-License-Identifier: Apache-2.0
"""What stands between a plan and its start: inputs still to be given, goals that a given value blocks."""

from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import ExecutionPlan, InitArgs


def missing_inputs(plan: ExecutionPlan, init: InitArgs) -> tuple[Name, ...]:
    """Names that the plan requires and the initial values do not give. Source: the contract, execution §2.1."""
    return tuple(name for name in plan.required if not init.get(name))


def blocked_goals(plan: ExecutionPlan) -> tuple[tuple[StepID, tuple[Name, ...]], ...]:
    """Goals that cannot run because an input that must stay empty has a value, each with those inputs.

    In the order requested; a start is refused if there is one. Source: the contract, execution §12 X1.
    """
    blocked = plan.excluded.blocked
    return tuple((goal, blocked[goal]) for goal in dict.fromkeys(plan.goals) if goal in blocked)
