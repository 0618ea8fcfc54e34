# SPDX-License-Identifier: Apache-2.0
"""Answers as values: nulls and missing members are empty, unset times are None."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest

from argyll_api.client import Catalog, Event, Flow, FlowStatus, Node, Plan, StepStatus, WorkStatus
from argyll_api.client.answers import HealthStatus, time_of
from argyll_engine.model import cluster, flow

ZERO = "0001-01-01T00:00:00Z"
NINE = datetime(2026, 7, 2, 9, 10, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ours", "engine"),
    [
        (FlowStatus, flow.FlowStatus),
        (StepStatus, flow.StepStatus),
        (WorkStatus, flow.WorkStatus),
        (HealthStatus, cluster.HealthStatus),
    ],
)
def test_the_client_has_every_status_of_the_engine(ours: type[StrEnum], engine: type[StrEnum]) -> None:
    """It loads no engine, so it spells them itself."""
    assert dict(engine.__members__) == dict(ours.__members__)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-07-02T09:10:11Z", NINE),
        ("2026-07-02T11:10:11+02:00", NINE.astimezone(timezone(timedelta(hours=2)))),
        ("2026-07-02T09:10:11.123456789Z", NINE.replace(microsecond=123_456)),
        ("2026-07-02T09:10:11.5Z", NINE.replace(microsecond=500_000)),
        (ZERO, None),
        ("", None),
        (None, None),
    ],
)
def test_times(text: str | None, at: datetime | None) -> None:
    """With up to nine digits of a second, of which Python keeps six."""
    assert at == time_of(text)


def test_a_flow_with_everything_in_it() -> None:
    """Every part of a state has its place."""
    item = {"status": "pending", "started_at": ZERO, "completed_at": ZERO, "next_retry_at": "2026-07-02T09:10:11Z"}
    execution = {"status": "active", "started_at": "2026-07-02T09:10:11Z", "inputs": None, "duration": 3}
    execution |= {"work_items": {"t": item | {"inputs": {}, "error": "e", "retry_count": 2}}, "unsatisfied": ["x"]}
    flow = Flow.from_json(
        {
            "id": "f",
            "status": "active",
            "created_at": "2026-07-02T09:10:11Z",
            "completed_at": ZERO,
            "plan": {"goals": ["g"], "required": None, "attributes": {"a": {"providers": ["s"], "consumers": None}}},
            "attributes": {"a": [{"value": None, "step": "s", "set_at": ZERO}, {"value": 2, "set_at": ZERO}]},
            "executions": {"s": execution},
            "later": "unknown",
        }
    )
    found = flow.executions["s"].work_items["t"]
    assert (FlowStatus.ACTIVE, False, NINE, None) == (flow.status, flow.has_ended, flow.created_at, flow.completed_at)
    assert (None, "s", "none") == (flow.value("a"), flow.attributes["a"][0].step_id, flow.value("b", "none"))
    assert (StepStatus.ACTIVE, 3, {}, ("x",)) == (
        flow.executions["s"].status,
        flow.executions["s"].duration_ms,
        flow.executions["s"].inputs,
        flow.executions["s"].unsatisfied,
    )
    assert (WorkStatus.PENDING, NINE, 2, "e") == (found.status, found.next_retry_at, found.retry_count, found.error)
    assert ((), ("s",), ()) == (
        flow.plan.required,
        flow.plan.attributes["a"].providers,
        flow.plan.attributes["a"].consumers,
    )
    assert "unknown" == flow.answer["later"]


def test_an_event_of_a_log_and_of_a_socket() -> None:
    """They are one; a socket tells the time in milliseconds."""
    said = {"sequence": 4, "type": "step_failed", "data": {"step_id": "s"}}
    logged = Event.from_json(said | {"timestamp": "2026-07-02T09:10:11Z", "aggregate_id": ["flow", "f"]})
    sent = Event.from_json(said | {"timestamp": 1_782_983_411_000, "id": ["flow", "f"], "sub_id": "x"})
    assert logged == sent
    assert ("s", NINE) == (sent.step_id, sent.at)


def test_what_is_empty_may_be_null() -> None:
    """Some engines say so."""
    assert {} == Catalog.from_json({"steps": None, "attributes": None, "last_updated": ZERO}).steps
    assert {} == Node.from_json({"last_seen": ZERO, "health": None}).health
    plan = Plan.from_json({"goals": None, "children": {"s": {"required": None}}, "excluded": {"missing": {"s": ["x"]}}})
    assert ((), (), ("x",)) == (plan.goals, plan.children["s"].required, plan.excluded["missing"]["s"])
