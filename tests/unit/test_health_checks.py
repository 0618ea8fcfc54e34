# SPDX-License-Identifier: Apache-2.0
"""Rounds of health checks: who is asked, what is recorded, and what is left alone."""

from dataclasses import replace

from argyll_engine.model.ids import StepID
from argyll_engine.model.step import HttpConfig, Step
from tests.definitions import a_flow_step, a_script_step, a_step, lua
from tests.workshop import Workshop

URL = "http://steps/health"
ASKED = a_step("asked", http=HttpConfig(endpoint="http://steps/run", health_check=URL))
FAULT = "HTTP 503 Service Unavailable"


def shop_of(*steps: Step) -> Workshop:
    """An engine with these steps, whose rounds take no time."""
    shop = Workshop(health_check_interval_seconds=0.1)
    for step in steps:
        shop.engine.register_step(replace(step, work_config=None))
    return shop


def recorded(shop: Workshop, step_id: str) -> tuple[str, str]:
    """What the node says of a step."""
    health = shop.engine.queries.cluster().nodes[shop.engine.node_id].health[StepID(step_id)]
    return health.status, health.error


def test_a_service_is_asked() -> None:
    """Its answer is recorded when it differs from the one before, and only then."""
    shop = shop_of(ASKED)
    shop.checks.check()
    assert (("healthy", ""), [URL]) == (recorded(shop, "asked"), shop.client.probed)
    shop.client.faults[URL] = FAULT
    shop.checks.check()
    shop.checks.check()
    assert ("unhealthy", FAULT) == recorded(shop, "asked")
    assert 3 == len(shop.engine.queries.cluster_log())


def test_a_service_without_an_address_stays_unknown() -> None:
    """It is not asked, and a late answer about its older definition is taken back."""
    shop = shop_of(ASKED)
    shop.client.faults[URL] = FAULT
    shop.checks.check()
    shop.engine.update_step(replace(ASKED, work_config=None, http=HttpConfig(endpoint="http://steps/run")))
    shop.checks.check()
    assert (("unknown", ""), [URL]) == (recorded(shop, "asked"), shop.client.probed)


def test_a_script_that_compiles_is_well_again() -> None:
    """What a run showed holds until the next round at most."""
    shop = shop_of(a_script_step("s", script=lua("return {}")))
    shop.runner._scripts._health.note(StepID("s"), "boom")
    assert ("unhealthy", "boom") == recorded(shop, "s")
    shop.checks.check()
    assert ("healthy", "") == recorded(shop, "s")


def test_x29_flow_steps_follow_from_all_others_of_the_round() -> None:
    """Derived after their steps were asked, in either direction, whatever was recorded of them before."""
    shop = shop_of(ASKED, a_flow_step("flow", ["asked"]), a_flow_step("outer", ["flow"]))
    shop.checks.check()
    assert ("healthy", "") == recorded(shop, "outer")
    shop.client.faults[URL] = FAULT
    shop.checks.check()
    assert ("unhealthy", f"step asked: {FAULT}") == recorded(shop, "flow")
    assert ("unhealthy", f"step flow: step asked: {FAULT}") == recorded(shop, "outer")
    shop.client.faults.clear()
    shop.checks.check()
    assert ("healthy", "") == recorded(shop, "outer")


def test_one_round_at_a_time() -> None:
    """While another process is in one, this one asks nobody."""
    shop = shop_of(ASKED)
    shop.leases.acquire_lease("health", "another", 60_000)
    shop.checks.check()
    assert [] == shop.client.probed


def test_a_step_that_changed_meanwhile_is_left_alone() -> None:
    """An answer about a definition that is no longer registered is not recorded."""
    shop = shop_of(ASKED)

    def update_and_fail(url: str, timeout_ms: int) -> str:
        shop.engine.update_step(replace(ASKED, work_config=None, name="new"))
        return FAULT

    shop.client.probe = update_and_fail
    shop.checks.check()
    assert ("unknown", "") == recorded(shop, "asked")


def test_the_health_of_a_flow_step_is_derived_when_it_is_read() -> None:
    """Merged over the nodes, without waiting for a round."""
    shop = shop_of(ASKED, a_flow_step("flow", ["asked"]))
    shop.client.faults[URL] = FAULT
    shop.checks.check()
    shop.engine.update_step(replace(ASKED, work_config=None, name="new"))
    health = shop.engine.queries.step_health(StepID("flow"))
    assert ("healthy", "") == (health.status, health.error)
    assert ("unhealthy", f"step asked: {FAULT}") == recorded(shop, "flow")


def begin(shop: Workshop, *, is_first: bool = False) -> int:
    """How often services were asked so far, once the round that was begun is over."""
    shop.checks.begin(is_first=is_first)
    with shop.checks._running:
        return len(shop.client.probed)


def test_rounds_of_several_schedulers_keep_their_distance() -> None:
    """Only the first round of each goes ahead; services are asked no more often than the interval says."""
    shop = Workshop(health_check_interval_seconds=3_600)
    shop.engine.register_step(replace(ASKED, work_config=None))
    assert [1, 1, 2, 2] == [begin(shop, is_first=is_first) for is_first in (False, False, True, False)]
