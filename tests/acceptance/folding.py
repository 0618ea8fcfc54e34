# SPDX-License-Identifier: Apache-2.0
"""What a served log must amount to, worked out from the JSON alone; the engine's own fold is not used here.

Source: the contract, execution §9.1, §9.4, §9.5 and http §1.10.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

State = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"
OMITTED_WHEN_EMPTY = ("error", "metadata", "labels", "outputs", "work_items", "unsatisfied", "duration", "retry_count")


def fold(events: Sequence[Any]) -> State:
    """The flow state that `GET /engine/flow/<id>` must serve beside this log."""
    state: State = {}
    for event in events:
        at, data = event["timestamp"], event["data"]
        if event["type"] == "flow_started":
            state = _flow_started(at, data)
        elif event["type"] in FOLDS:
            FOLDS[event["type"]](state, at, data)
            if event["type"] != "comp_started":
                state["last_updated"] = at
    return _trimmed(state)


def _trimmed(state: State) -> State:
    """Without what is not served while it is empty."""
    served = {name: value for name, value in state.items() if value or name not in OMITTED_WHEN_EMPTY}
    served["executions"] = {step_id: _trimmed_execution(ex) for step_id, ex in state["executions"].items()}
    return served


def _trimmed_execution(ex: State) -> State:
    kept = {name: value for name, value in ex.items() if value or name not in OMITTED_WHEN_EMPTY}
    items = {
        token: {name: value for name, value in item.items() if value or name not in OMITTED_WHEN_EMPTY}
        for token, item in kept.get("work_items", {}).items()
    }
    return kept | ({"work_items": items} if items else {})


def _flow_started(at: str, data: Any) -> State:
    pending = {"status": "pending", "started_at": NEVER, "completed_at": NEVER, "inputs": {}}
    return {
        "id": data["flow_id"],
        "status": "active",
        "created_at": at,
        "completed_at": NEVER,
        "deactivated_at": NEVER,
        "last_updated": at,
        "plan": data["plan"],
        "metadata": data.get("metadata", {}),
        "labels": data.get("labels", {}),
        "attributes": {
            name: [{"value": value, "set_at": at} for value in values]
            for name, values in data["init"].items()
            if values
        },
        "executions": {step_id: dict(pending) for step_id in data["plan"]["steps"]},
    }


def _flow_ended(status: str) -> Callable[[State, str, Any], None]:
    def apply(state: State, at: str, data: Any) -> None:
        state.update(status=status, completed_at=at, error=data.get("error", ""))

    return apply


def _flow_deactivated(state: State, at: str, data: Any) -> None:
    state["deactivated_at"] = at


def _attribute_set(state: State, at: str, data: Any) -> None:
    value = {"value": data["value"], "set_at": at, "step": data["step_id"]}
    state["attributes"].setdefault(data["key"], []).append(value)


def _step_started(state: State, at: str, data: Any) -> None:
    item = {"status": "pending", "started_at": NEVER, "completed_at": NEVER, "next_retry_at": NEVER}
    state["executions"][data["step_id"]] = {
        "status": "active",
        "started_at": at,
        "completed_at": NEVER,
        "inputs": data["inputs"],
        "work_items": {token: item | {"inputs": inputs} for token, inputs in data["work_items"].items()},
    }


def _step_completed(state: State, at: str, data: Any) -> None:
    fields = {"status": "completed", "completed_at": at, "outputs": data["outputs"], "duration": data["duration"]}
    state["executions"][data["step_id"]].update(fields)


def _step_stopped(status: str, reason: str) -> Callable[[State, str, Any], None]:
    def apply(state: State, at: str, data: Any) -> None:
        ex = state["executions"][data["step_id"]]
        ex.update(status=status, completed_at=at, error=data[reason], unsatisfied=data.get("unsatisfied", []))
        ex["inputs"] = data.get("inputs", ex["inputs"])

    return apply


def _work(**names: str) -> Callable[[State, str, Any], None]:
    """A fold of one work item: fields by the name of what they take: a datum, `at`, `never`, or a status."""

    def apply(state: State, at: str, data: Any) -> None:
        item = state["executions"][data["step_id"]].get("work_items", {}).get(data["token"])
        if item is not None:
            known = {"at": at, "never": NEVER} | data
            item.update({name: known.get(source, source) for name, source in names.items()})

    return apply


FOLDS: dict[str, Callable[[State, str, Any], None]] = {
    "flow_completed": _flow_ended("completed"),
    "flow_failed": _flow_ended("failed"),
    "flow_deactivated": _flow_deactivated,
    "attribute_set": _attribute_set,
    "step_started": _step_started,
    "step_completed": _step_completed,
    "step_failed": _step_stopped("failed", "error"),
    "step_skipped": _step_stopped("skipped", "reason"),
    "work_started": _work(status="active", started_at="at", completed_at="never", next_retry_at="never"),
    "work_succeeded": _work(status="succeeded", completed_at="at", outputs="outputs"),
    "work_failed": _work(status="failed", completed_at="at", error="error"),
    "work_not_completed": _work(status="not_completed", completed_at="at", error="error"),
    "work_retry_scheduled": _work(
        status="pending", error="error", retry_count="retry_count", next_retry_at="next_retry_at"
    ),
    "comp_started": _work(status="compensating", next_retry_at="never"),
    "comp_retry_scheduled": _work(
        status="compensating", error="error", retry_count="retry_count", next_retry_at="next_retry_at"
    ),
    "comp_succeeded": _work(status="compensated", completed_at="at"),
    "comp_failed": _work(status="compensation_failed", completed_at="at", error="error"),
}


def faults_of_log(events: Sequence[Any]) -> list[str]:
    """What is wrong with the log of a flow that has ended: gaps, clocks that run back, effects recorded twice."""
    faults = []
    if [event["sequence"] for event in events] != list(range(len(events))):
        faults.append("sequences are not contiguous from 0")
    times = [datetime.fromisoformat(event["timestamp"]) for event in events]
    if times != sorted(times):
        faults.append("timestamps run back")
    once = Counter(_key(event) for event in events if event["type"] in ONCE)
    faults += [f"{key} is recorded {count} times" for key, count in once.items() if count > 1]
    ends = [event["type"] for event in events if event["type"] in ("flow_completed", "flow_failed")]
    if len(ends) != 1:
        faults.append(f"terminal events: {ends}")
    if [event["type"] for event in events].count("flow_deactivated") != 1:
        faults.append("flow_deactivated is not recorded once")
    return faults


ONCE = (
    "step_started",
    "step_completed",
    "step_failed",
    "step_skipped",
    "work_succeeded",
    "work_failed",
    "attribute_set",
)


def _key(event: Any) -> tuple[str, ...]:
    data = event["data"]
    subject = data.get("token") or data["step_id"] + data.get("key", "")
    return event["type"], subject
