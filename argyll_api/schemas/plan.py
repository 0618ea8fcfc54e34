# SPDX-License-Identifier: Apache-2.0
"""JSON of a plan preview to PlanRequest. Called by `routes/plans.py`. Source: the contract, http §1.8."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from marshmallow import post_load

from argyll_api.schemas.fields import Init, Texts
from argyll_api.schemas.shape import Shape, load, must
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.ids import JSONValue, StepID
from argyll_engine.model.plan import InitArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """Goals to plan for, and the initial values that are there."""

    goals: tuple[StepID, ...]
    init: InitArgs


class PlanShape(Shape):
    """A preview as it is posted."""

    goals = Texts(load_default=(), metadata=must(minItems=1))
    init = Init(load_default=MappingProxyType({}))

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> PlanRequest:
        """The request."""
        return PlanRequest(**members)


_plan: Final = PlanShape()


def load_plan(raw: Mapping[str, JSONValue]) -> PlanRequest:
    """The preview that a body asks for; it has no limits.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
        InvalidRequestError: There is no goal.
    """
    plan: PlanRequest = load(_plan, raw)
    if not plan.goals:
        raise InvalidRequestError("At least one goal step ID is required")
    return plan
