# SPDX-License-Identifier: Apache-2.0
"""Execution plans as JSON; lists are never null. Source: the contract, http §1.8."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from argyll_engine.codec.steps import JSONObject, step_from_json, step_to_json
from argyll_engine.codec.wire import encode
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import AttributeEdges, Excluded, ExecutionPlan

WRITTEN_PLANS: Final = 32
"""Plans whose text is kept."""


def plan_to_json(plan: ExecutionPlan) -> JSONObject:
    """The wire form of a plan and of its child plans."""
    out: JSONObject = {
        "goals": list(plan.goals),
        "required": list(plan.required),
        "steps": {step_id: step_to_json(step) for step_id, step in plan.steps.items()},
        "attributes": edges_to_json(plan.attributes),
        "excluded": _excluded_to_json(plan.excluded),
    }
    if plan.children:
        out["children"] = {step_id: plan_to_json(child) for step_id, child in plan.children.items()}
    return out


class _Shared:
    """A plan as a key: itself, and no other one that is equal. Held while it is a key, so that no other gets its id."""

    __slots__ = ("plan",)

    def __init__(self, plan: ExecutionPlan) -> None:
        self.plan = plan

    def __hash__(self) -> int:
        return id(self.plan)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shared) and other.plan is self.plan


@lru_cache(maxsize=WRITTEN_PLANS)
def _written(shared: _Shared) -> msgspec.Raw:
    return msgspec.Raw(encode(plan_to_json(shared.plan)))


def plan_text(plan: ExecutionPlan) -> msgspec.Raw:
    """The wire form of a plan as JSON text, to be put into another text; written once for many flows."""
    return _written(_Shared(plan))


def plan_from_json(raw: JSONObject) -> ExecutionPlan:
    """The plan of a stored wire form."""
    return ExecutionPlan(
        goals=tuple(raw["goals"]),
        required=tuple(raw["required"]),
        steps={StepID(step_id): step_from_json(step) for step_id, step in raw["steps"].items()},
        attributes=edges_from_json(raw["attributes"]),
        excluded=_excluded_from_json(raw["excluded"]),
        children={StepID(step_id): plan_from_json(child) for step_id, child in raw.get("children", {}).items()},
    )


def edges_to_json(attributes: Mapping[Name, AttributeEdges]) -> JSONObject:
    """The wire form of an attribute graph."""
    return {
        name: {"providers": list(edges.providers), "consumers": list(edges.consumers)}
        for name, edges in attributes.items()
    }


def edges_from_json(raw: JSONObject) -> dict[Name, AttributeEdges]:
    """The attribute graph of a stored wire form."""
    return {
        Name(name): AttributeEdges(providers=tuple(edges["providers"]), consumers=tuple(edges["consumers"]))
        for name, edges in raw.items()
    }


def _excluded_to_json(excluded: Excluded) -> JSONObject:
    members = {"satisfied": excluded.satisfied, "blocked": excluded.blocked, "missing": excluded.missing}
    return {
        reason: {step_id: list(names) for step_id, names in steps.items()} for reason, steps in members.items() if steps
    }


def _excluded_from_json(raw: JSONObject) -> Excluded:
    def read(reason: str) -> dict[StepID, tuple[Name, ...]]:
        steps: dict[str, list[Any]] = raw.get(reason, {})
        return {StepID(step_id): tuple(names) for step_id, names in steps.items()}

    return Excluded(satisfied=read("satisfied"), blocked=read("blocked"), missing=read("missing"))
