# SPDX-License-Identifier: Apache-2.0
"""Whether a deployment is ready, by its vitals: each fault names its check."""

import pytest
from msgspec.structs import replace

from argyll_engine.model.vitals import QueueVitals, StoreVitals, Vitals
from argyll_engine.policy.readiness import readiness

FLOW, ENGINE = StoreVitals(name="flow"), StoreVitals(name="engine")
STEPS = QueueVitals(name="steps", ready=3, oldest_seconds=10.0)


def faults(vitals, max_queue_age_seconds=60.0):
    """The checks that are not good, with what they say."""
    return {check.name: check.detail for check in readiness(vitals, max_queue_age_seconds) if not check.is_good}


def test_all_is_well():
    """Every check is there by name, in a fixed order."""
    vitals = Vitals(stores=(FLOW, ENGINE), queues=(STEPS,), workers_alive=1, active_flows=0)
    names = [check.name for check in readiness(vitals, 60.0)]
    assert ["flow_store", "engine_store", "persistence", "workers", "queues"] == names
    assert {} == faults(vitals)


@pytest.mark.parametrize(
    ("vitals", "expected"),
    [
        (
            Vitals(stores=(StoreVitals(name="flow", error="refused"), ENGINE)),
            {"flow_store": "refused", "workers": "not known while the flow store is away"},
        ),
        (
            Vitals(stores=(FLOW, StoreVitals(name="engine", error="refused")), workers_alive=1),
            {"engine_store": "refused"},
        ),
        (
            Vitals(stores=(StoreVitals(name="flow", fault="its last write failed"), ENGINE), workers_alive=1),
            {"persistence": "flow store: its last write failed"},
        ),
        (Vitals(stores=(FLOW, ENGINE), workers_alive=0), {"workers": "no worker has shown a sign of life lately"}),
        (
            Vitals(stores=(FLOW, ENGINE), workers_alive=1, queues=(STEPS, QueueVitals(name="work", oldest_seconds=61))),
            {"queues": "the oldest of 0 messages in work has waited for 61 s"},
        ),
    ],
)
def test_a_fault_names_its_check(vitals, expected):
    """What is wrong fails its own check and no other."""
    assert expected == faults(vitals)


def test_no_limit_of_age_is_no_fault():
    """With 0 a deployment is ready however old its messages are."""
    old = QueueVitals(name="work", ready=1, oldest_seconds=1e6)
    assert {} == faults(Vitals(stores=(FLOW, ENGINE), workers_alive=1, queues=(old,)), 0.0)


@pytest.mark.parametrize(
    ("vitals", "expected"),
    [
        (Vitals(stores=(FLOW, ENGINE), workers_alive=1), "ages are not known on this broker"),
        (
            Vitals(stores=(replace(FLOW, error="refused"), ENGINE)),
            "ages are not known while the flow store is away",
        ),
    ],
)
def test_ages_that_are_not_known_are_no_fault(vitals, expected):
    """The check is good, and says why nothing is known."""
    (check,) = (check for check in readiness(vitals, 60.0) if check.name == "queues")
    assert (True, expected) == (check.is_good, check.detail)


ONE, TWO = StoreVitals(name="flow-1"), StoreVitals(name="flow-2")


@pytest.mark.parametrize(
    ("vitals", "expected"),
    [
        (Vitals(stores=(ONE, replace(TWO, error="refused"), ENGINE), workers_alive=2), {}),
        (
            Vitals(stores=(replace(ONE, error="gone"), replace(TWO, error="refused"), ENGINE)),
            {"flow-1_store": "gone", "flow-2_store": "refused", "workers": "not known while the flow store is away"},
        ),
        (Vitals(stores=(ONE, TWO, replace(ENGINE, error="away")), workers_alive=2), {"engine_store": "away"}),
        (
            Vitals(stores=(ONE, TWO, ENGINE), workers_alive=2, unserved=("flow-2",)),
            {"workers": "no worker has shown a sign of life lately on flow-2"},
        ),
    ],
)
def test_one_of_several_flow_stores_can_be_spared(vitals, expected):
    """While another answers, for its flows go on; each needs workers."""
    assert expected == faults(vitals)


def test_a_flow_store_that_is_spared_is_named():
    """With what is wrong, though that is no fault of the deployment."""
    vitals = Vitals(stores=(ONE, replace(TWO, error="refused"), ENGINE), workers_alive=2)
    details = {check.name: check.detail for check in readiness(vitals, 60.0)}
    assert ("ok", "its flows wait: refused") == (details["flow-1_store"], details["flow-2_store"])
