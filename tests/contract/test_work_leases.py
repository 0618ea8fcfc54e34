# SPDX-License-Identifier: Apache-2.0
"""What claims, workers, due times and leases promise, memory and Redis alike."""

import time

from argyll_engine.model.ids import FlowID, Token
from argyll_engine.ports import Claim
from tests.contract.commits import a_commit, an_index, commit_one
from tests.contract.conftest import Backend

FLOW, NOW_MS = FlowID("wf"), 1_000
ONE, TWO = Token("one"), Token("two")


def _claim(backend: Backend, token: Token, worker_id: str) -> None:
    """Commits a claim without an event, at the flow's sequence after its start."""
    commit_one(backend.store, a_commit(expected=1, count=0, claims=(Claim(token=token, worker_id=worker_id),)))


def _started(backend: Backend) -> Backend:
    commit_one(backend.store, a_commit(index=an_index("wf")))
    return backend


def test_claim_holds_as_long_as_its_worker_lives(backend: Backend) -> None:
    """A claim is held until the moment to which its worker was said to live."""
    _claim(_started(backend), ONE, "w1")
    backend.leases.refresh_worker("w1", NOW_MS)
    assert {ONE} == backend.leases.held(FLOW, NOW_MS - 1)
    assert set() == backend.leases.held(FLOW, NOW_MS)
    backend.leases.refresh_worker("w1", NOW_MS + 1)
    assert {ONE} == backend.leases.held(FLOW, NOW_MS)


def test_refreshing_never_shortens_a_life(backend: Backend) -> None:
    """An older promise that arrives late does not take back a newer one."""
    _claim(_started(backend), ONE, "w1")
    backend.leases.refresh_worker("w1", NOW_MS + 9)
    backend.leases.refresh_worker("w1", NOW_MS)
    assert {ONE} == backend.leases.held(FLOW, NOW_MS)


def test_worker_nobody_knows_holds_nothing(backend: Backend) -> None:
    """A claim whose worker was never refreshed, or has retired, is free; that of its neighbour is not."""
    _started(backend)
    for token, worker in ((ONE, "w1"), (TWO, "w2")):
        _claim(backend, token, worker)
    assert set() == backend.leases.held(FLOW, NOW_MS)
    for worker in ("w1", "w2"):
        backend.leases.refresh_worker(worker, NOW_MS + 1)
    backend.leases.retire_worker("w1")
    assert {TWO} == backend.leases.held(FLOW, NOW_MS)


def test_claims_of_flows_are_apart(backend: Backend) -> None:
    """A flow's claims say nothing of another flow."""
    _claim(_started(backend), ONE, "w1")
    backend.leases.refresh_worker("w1", NOW_MS + 1)
    assert set() == backend.leases.held(FlowID("other"), NOW_MS)


def test_accepted_call_outlives_its_worker(backend: Backend) -> None:
    """An accepted call stays held when its worker is long gone."""
    _claim(_started(backend), ONE, "w1")
    backend.leases.accept(FLOW, ONE)
    backend.leases.retire_worker("w1")
    assert {ONE} == backend.leases.held(FLOW, NOW_MS)


def test_accepted_call_is_released_by_its_commit(backend: Backend) -> None:
    """The webhook's commit ends what accepting began."""
    _claim(_started(backend), ONE, "w1")
    backend.leases.accept(FLOW, ONE)
    commit_one(backend.store, a_commit(expected=1, released=(ONE,)))
    assert set() == backend.leases.held(FLOW, NOW_MS)


def test_webhook_before_the_acceptance_wins(backend: Backend) -> None:
    """Accepting a call whose claim a commit has ended leaves nothing behind."""
    _claim(_started(backend), ONE, "w1")
    commit_one(backend.store, a_commit(expected=1, released=(ONE,)))
    backend.leases.accept(FLOW, ONE)
    assert set() == backend.leases.held(FLOW, NOW_MS)


def test_new_claim_replaces_that_of_a_dead_worker(backend: Backend) -> None:
    """Who takes over an attempt holds it."""
    _claim(_started(backend), ONE, "dead")
    _claim(backend, ONE, "w1")
    backend.leases.refresh_worker("w1", NOW_MS + 1)
    assert {ONE} == backend.leases.held(FLOW, NOW_MS)


def test_due_flows_come_longest_overdue_first(backend: Backend) -> None:
    """Only flows due by now are listed, the oldest first, no more than asked for."""
    for name, due_at_ms in (("b", 20), ("c", 30), ("a", 10), ("d", 40)):
        commit_one(backend.store, a_commit(name, due_at_ms=due_at_ms))
    assert ("a", "b", "c") == backend.leases.due_flows(30, 10)
    assert ("a", "b") == backend.leases.due_flows(30, 2)


def test_postponing_brings_nothing_back(backend: Backend) -> None:
    """A listed flow is looked at later; one that has left the list stays away."""
    commit_one(backend.store, a_commit("a", due_at_ms=10))
    backend.leases.postpone({FlowID("a"): 50, FlowID("gone"): 50})
    backend.leases.postpone({})
    assert () == backend.leases.due_flows(49, 10)
    assert ("a",) == backend.leases.due_flows(50, 10)


def test_lease_has_one_owner_until_released(backend: Backend) -> None:
    """A held lease is refused to others, prolonged for its owner, and free once its owner lets go."""
    leases = backend.leases
    assert leases.acquire_lease("sweep", "a", 60_000)
    assert not leases.acquire_lease("sweep", "b", 60_000)
    assert leases.acquire_lease("sweep", "a", 60_000)
    assert leases.acquire_lease("other", "b", 60_000)
    leases.release_lease("sweep", "b")
    assert not leases.acquire_lease("sweep", "b", 60_000)
    leases.release_lease("sweep", "a")
    assert leases.acquire_lease("sweep", "b", 60_000)


def test_lease_is_taken_over_only_after_its_end(backend: Backend) -> None:
    """A lease that ran out is anybody's, and its old owner can no longer end it."""
    leases = backend.leases
    started = time.monotonic()
    assert leases.acquire_lease("sweep", "a", 100)
    while not leases.acquire_lease("sweep", "b", 60_000):
        time.sleep(0.005)
    assert time.monotonic() - started >= 0.09
    leases.release_lease("sweep", "a")
    assert not leases.acquire_lease("sweep", "a", 60_000)
