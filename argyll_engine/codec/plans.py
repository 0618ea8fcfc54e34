# SPDX-License-Identifier: Apache-2.0
"""Execution plans as JSON; lists are never null. Source: the contract, http §1.8."""

from collections.abc import Mapping
from typing import Any

from argyll_engine.codec.steps import JSONObject, step_from_json, step_to_json
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import AttributeEdges, Excluded, ExecutionPlan


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
