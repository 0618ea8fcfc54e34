# SPDX-License-Identifier: Apache-2.0
"""Starting many flows at once: each goes through or is refused as if alone."""

import pytest

from argyll_engine.errors import (
    BrokenError,
    FlowExistsError,
    MissingInputsError,
    PlanError,
    StepNotFoundError,
    StoreUnavailableError,
)
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.model.start import Start
from argyll_engine.store.memory import MemoryEventStore
from argyll_engine.wiring import assemble_engine
from tests.definitions import a_step, output, required
from tests.workshop import Workshop

STEP = a_step("a", {"x": required(), "y": output()})


class CountingStore(MemoryEventStore):
    """Notes how many commits each call brings, and how many streams are looked for; fails when told to."""

    def __init__(self, backend, trimmed=False):
        super().__init__(backend, trimmed=trimmed)
        self.commits, self.loads = [], []
        self.broken_for = ""

    def commit(self, commits):
        """The results."""
        self.commits.append(len(commits))
        if any(self.broken_for and self.broken_for in commit.stream_id for commit in commits):
            raise RuntimeError("nobody foresaw this")
        return super().commit(commits)

    def load(self, requests):
        """The streams."""
        self.loads.append(len(requests))
        return super().load(requests)


@pytest.fixture
def shop():
    """An engine with one step that needs x, whose calls to the flow store are counted."""
    shop = Workshop()
    store = CountingStore(shop.backend)
    shop.parts.flow_executor._store = store
    shop.parts.flows._store = store
    shop.store = store
    shop.engine = assemble_engine(shop.config, shop.parts)
    shop.engine.register_step(STEP)
    return shop


def start(flow_id, x=1, goals=("a",)):
    """A start of the step."""
    init = {} if x is None else {"x": (x,)}
    return Start(flow_id=FlowID(flow_id), goals=tuple(map(StepID, goals)), init=init)


def kinds(refused):
    """The classes of the refusals."""
    return [None if error is None else type(error) for error in refused]


def test_many_new_flows_are_one_call_to_the_store(shop):
    """They are committed together, with their first messages, and nobody looks for them first."""
    assert [None] * 50 == shop.engine.start_flows([start(f"f{n}") for n in range(50)])
    assert ([50], []) == (shop.store.commits, shop.store.loads)
    assert 50 == len(shop.backend.queues["work"])
    assert 50 == len(shop.engine.queries.list_flows())


def test_each_is_refused_on_its_own(shop):
    """What is wrong with one stops no other, before it or behind it."""
    refused = shop.engine.start_flows(
        [start("f"), start("g", x=None), start("h", goals=("gone",)), start("i", goals=()), start("j")]
    )
    assert [None, MissingInputsError, StepNotFoundError, PlanError, None] == kinds(refused)
    assert {"f", "j"} == {item.id for item in shop.engine.queries.list_flows()}


def test_repeats_within_one_batch(shop):
    """The same start twice is started once and fine twice; another one of the id is refused; order decides."""
    refused = shop.engine.start_flows([start("f", 1), start("f", 1), start("f", 2), start("f", 1)])
    assert [None, None, FlowExistsError, None] == kinds(refused)
    assert 1 == len(shop.backend.queues["work"])


def test_repeats_of_flows_that_are_there(shop):
    """A start that this process does not know of yet is found by the commit and answered as always."""
    shop.engine.start_flow(FlowID("f"), (StepID("a"),), {"x": (1,)}, {})
    log = shop.engine.queries.flow_log(FlowID("f"))
    other = assemble_engine(shop.config, shop.parts_of_another_process())
    assert [None, FlowExistsError, None] == kinds(other.start_flows([start("f", 1), start("f", 2), start("g")]))
    assert log == other.queries.flow_log(FlowID("f"))


def test_a_start_sees_what_another_process_has_registered(shop):
    """Plans are of the catalog as it is now: what was answered to whoever registered is true for every start."""
    shop.engine.start_flow(FlowID("f"), (StepID("a"),), {"x": (1,)}, {})
    other = assemble_engine(shop.config, shop.parts_of_another_process())
    other.register_step(a_step("b", {"y": required(), "z": output()}))
    assert [None] == shop.engine.start_flows([start("g", goals=("b",))])
    other.unregister_step(StepID("a"))
    assert [StepNotFoundError] == kinds(shop.engine.start_flows([start("h")]))
    assert [MissingInputsError] == kinds(shop.engine.start_flows([start("h", goals=("b",))]))


def test_what_nobody_foresaw_is_the_fault_of_one(shop):
    """The others are started, and the one says that something is broken; alone it raises what it is."""
    shop.store.broken_for = "bad"
    refused = shop.engine.start_flows([start("f"), start("bad"), start("g")])
    assert [None, BrokenError, None] == kinds(refused)
    assert {"f", "g"} == {item.id for item in shop.engine.queries.list_flows()}
    with pytest.raises(RuntimeError):
        shop.engine.start_flows([start("bad")])


def test_a_store_that_is_away_refuses_all(shop, monkeypatch):
    """Nobody knows what became of any of them, and repeating the batch is safe."""
    commit = shop.store.commit

    def lost(commits):
        commit(commits)
        raise StoreUnavailableError("flow", "gone")

    monkeypatch.setattr(shop.store, "commit", lost)
    with pytest.raises(StoreUnavailableError):
        shop.engine.start_flows([start("f"), start("g")])
    monkeypatch.undo()
    assert [None, None] == shop.engine.start_flows([start("f"), start("g")])
    assert 2 == len(shop.backend.queues["work"])


def test_nothing_is_asked_for_no_start(shop):
    """An empty batch has no results."""
    assert [] == shop.engine.start_flows([])
