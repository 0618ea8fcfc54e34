# SPDX-License-Identifier: Apache-2.0
"""The health of flow steps as it follows from that of the steps they would run."""

from argyll_engine.model.cluster import HealthStatus, StepHealth
from argyll_engine.model.ids import StepID
from argyll_engine.model.step import Step
from argyll_engine.plan.health import FlowHealth
from tests.definitions import a_catalog, a_flow_step, a_step, output, required

LEAF = a_step("leaf", {"x": required()})
PROVIDER = a_step("provider", {"x": output()})
FLOW = a_flow_step("flow", ["leaf"])
OUTER = a_flow_step("outer", ["flow"])
BAD = StepHealth(status=HealthStatus.UNHEALTHY, error="HTTP 503 Service Unavailable")
UNKNOWN = StepHealth(status=HealthStatus.UNKNOWN)


def derived(step_id: str, *steps: Step, **reported: StepHealth) -> tuple[str, str]:
    """Status and error of a flow step."""
    health = FlowHealth(a_catalog(*steps), lambda leaf: reported.get(leaf, UNKNOWN)).of(StepID(step_id))
    return health.status, health.error


def test_unknown_steps_are_fine() -> None:
    """A service that nobody asks how it is stands in no one's way."""
    assert ("healthy", "") == derived("flow", FLOW, LEAF)


def test_an_unhealthy_goal() -> None:
    """It is named, with its error."""
    assert ("unhealthy", "step leaf: HTTP 503 Service Unavailable") == derived("flow", FLOW, LEAF, leaf=BAD)


def test_an_unhealthy_step_without_an_error() -> None:
    """It is named all the same."""
    silent = StepHealth(status=HealthStatus.UNHEALTHY)
    assert ("unhealthy", "step leaf unhealthy") == derived("flow", FLOW, LEAF, leaf=silent)


def test_providers_count() -> None:
    """Every planned step does, not only the goals."""
    assert ("unhealthy", "step provider: HTTP 503 Service Unavailable") == derived(
        "flow", FLOW, LEAF, PROVIDER, provider=BAD
    )


def test_an_unknown_step_with_an_error() -> None:
    """It makes the flow step unknown; an unhealthy one goes first, wherever it stands in the plan."""
    odd = StepHealth(status=HealthStatus.UNKNOWN, error="odd")
    assert ("unknown", "odd") == derived("flow", FLOW, LEAF, PROVIDER, provider=odd)
    assert "unhealthy" == derived("flow", FLOW, LEAF, PROVIDER, provider=odd, leaf=BAD)[0]


def test_x29_what_was_reported_of_a_flow_step_does_not_count() -> None:
    """Inner flow steps are derived too, whatever was said of them before."""
    fine = StepHealth(status=HealthStatus.HEALTHY)
    found = derived("outer", OUTER, FLOW, LEAF, leaf=BAD, flow=fine, outer=fine)
    assert ("unhealthy", "step flow: step leaf: HTTP 503 Service Unavailable") == found


def test_goals_that_are_gone() -> None:
    """No plan, so nothing is known."""
    expected = "flow preview failed for flow: step not found: [leaf]"
    assert ("unknown", expected) == derived("flow", FLOW)
    assert ("unknown", expected) == derived("outer", OUTER, FLOW)


def test_a_cycle() -> None:
    """It is told, not followed."""
    outer = a_flow_step("flow", ["outer"])
    assert ("unknown", "flow health cycle at step outer") == derived("outer", OUTER, outer)
    assert ("unknown", "flow health cycle at step self") == derived("self", a_flow_step("self", ["self"]))


def test_deep_nesting() -> None:
    """Thousands of flow steps, each around the next, need no deep stack."""
    depth = 2_000
    nested = [a_flow_step(f"n{level}", [f"n{level + 1}"]) for level in range(depth)]
    status, error = derived("n0", *nested, a_step(f"n{depth}"), **{f"n{depth}": BAD})
    assert ("unhealthy", True) == (status, error.endswith(f"step n{depth}: HTTP 503 Service Unavailable"))
