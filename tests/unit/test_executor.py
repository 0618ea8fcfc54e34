# SPDX-License-Identifier: Apache-2.0
"""Batches, races between processes, tokens, snapshots."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest

from argyll_engine.errors import (
    BrokenError,
    FlowExistsError,
    StepExistsError,
    StoreUnavailableError,
    WorkItemNotFoundError,
)
from argyll_engine.executor import LEAST_SHARE, Done, Executor, Request
from argyll_engine.model.commands import CompleteWork, RegisterStep, StartFlow, StartWork
from argyll_engine.model.events import StepRegistered, WorkSucceeded
from argyll_engine.model.ids import CATALOG_STREAM, FlowID, StepID, Token, flow_stream
from argyll_engine.ports import LoadRequest, Snapshot
from argyll_engine.seeds import token_source
from argyll_engine.store.memory import MemoryEventStore
from argyll_engine.wiring import Parts
from tests.definitions import a_step
from tests.fakes import START
from tests.scenario import plan_of
from tests.workshop import Workshop

PLAN = plan_of([a_step("a"), a_step("b")], ["a", "b"])


def start(flow_id: str, init=None) -> Request:
    """The start of a flow over PLAN."""
    return Request(
        stream_id=flow_stream(flow_id), command=StartFlow(flow_id=FlowID(flow_id), plan=PLAN, init=init or {})
    )


def catalog_executor(shop: Workshop, parts: Parts) -> Executor:
    """What writes to the catalog in another process."""
    return Executor(
        store=parts.stores.engine,
        projections=parts.catalog,
        leases=shop.leases,
        clock=shop.clock,
        scripts=parts.scripts,
        dispatcher=parts.dispatcher,
    )


def tokens_of(shop: Workshop, flow_id: str = "f") -> dict[str, Token]:
    """The token of each step's only work item."""
    executions = shop.engine.queries.flow(FlowID(flow_id)).executions
    return {step_id: next(iter(ex.work_items)) for step_id, ex in executions.items()}


def test_a_batch_answers_each_request():
    """A refused member does not stop its neighbours, before it or behind it."""
    executor = Workshop().parts.flow_executor

    first, refused, second = executor.execute([start("f"), start("f", {"x": (1,)}), start("g")])

    assert isinstance(first, Done) and isinstance(second, Done)
    assert isinstance(refused, FlowExistsError)


def test_what_cannot_be_written_stops_no_neighbour():
    """A value that no event can hold is refused; the other streams of the batch are committed."""
    shop = Workshop()

    bad, good = shop.parts.flow_executor.execute([start("f", {"x": (object(),)}), start("g")])

    assert isinstance(bad, BrokenError) and isinstance(good, Done)


def test_commands_of_one_stream_are_one_commit():
    """They are decided one after the other, and their events follow each other."""
    shop = Workshop()
    executor = shop.parts.flow_executor
    seed = b"s" * 16
    request = Request(stream_id=flow_stream("f"), command=start("f").command, seed=seed)
    token = token_source(seed)(StepID("a"), 0)
    claim = StartWork(step_id=StepID("a"), token=token, attempt=1)
    complete = CompleteWork(step_id=StepID("a"), token=token, outputs={}, attempt=1)

    executor.execute([request, *(Request(stream_id=flow_stream("f"), command=c) for c in (claim, complete))])

    assert ["flow_started", "step_started", "step_started", "work_started", "work_succeeded", "step_completed"] == (
        shop.log_of()
    )


def test_an_old_state_is_noticed():
    """A process that has not seen the newest events decides again on them, without an error."""
    shop = Workshop()
    shop.parts.flow_executor.execute([start("f")])
    other: Executor = shop.parts_of_another_process().flow_executor
    tokens = tokens_of(shop)
    command = CompleteWork(step_id=StepID("a"), token=tokens["a"], outputs={})
    other.execute_one(Request(stream_id=flow_stream("f"), command=command))

    done = shop.parts.flow_executor.execute_one(
        Request(stream_id=flow_stream("f"), command=CompleteWork(step_id=StepID("b"), token=tokens["b"], outputs={}))
    )

    assert done.state.deactivated_at is not None


def test_a_repeat_on_an_old_state_is_still_a_repeat():
    """What another process has done is seen before answering that there is something to do."""
    shop = Workshop()
    shop.parts.flow_executor.execute([start("f")])
    other = shop.parts_of_another_process().flow_executor
    command = CompleteWork(step_id=StepID("a"), token=tokens_of(shop)["a"], outputs={})
    request = Request(stream_id=flow_stream("f"), command=command)
    assert [WorkSucceeded] == [type(r.event) for r in other.execute_one(request).events[:1]]

    assert () == shop.parts.flow_executor.execute_one(request).events


def test_a_refusal_is_not_given_on_an_old_state():
    """A step that another process has registered meanwhile is a conflict with that, not with what was before."""
    shop = Workshop()
    shop.engine.register_step(a_step("a"))
    other = catalog_executor(shop, shop.parts_of_another_process())
    other.execute_one(Request(stream_id=CATALOG_STREAM, command=RegisterStep(step=a_step("b", name="theirs"))))

    with pytest.raises(StepExistsError):
        shop.engine.register_step(a_step("b", name="ours"))


def test_x28_who_fell_behind_a_trimmed_log_loads_again():
    """A lost race that brings no events back, because a snapshot has replaced them, is no error either."""
    shop = Workshop()
    shop.engine.register_step(a_step("a"))
    elsewhere = shop.parts_of_another_process()
    theirs = Request(stream_id=CATALOG_STREAM, command=RegisterStep(step=a_step("b")))
    state = catalog_executor(shop, elsewhere).execute_one(theirs).state
    snapshot = Snapshot(sequence=2, payload=elsewhere.catalog.aggregate.to_snapshot(state))
    MemoryEventStore(shop.backend, trimmed=True).save_snapshot(CATALOG_STREAM, snapshot)

    shop.engine.register_step(a_step("c"))

    assert {"a", "b", "c"} == {*shop.engine.queries.catalog().steps}


def test_threads_of_two_processes_lose_nothing():
    """However often they race for one stream, every command is carried out, and the log is whole."""
    shop = Workshop()
    executors = [shop.parts_of_another_process() for _ in range(2)]

    def register(number: int) -> int:
        executor = catalog_executor(shop, executors[number % 2])
        command = RegisterStep(step=a_step(f"s{number}"))
        done = executor.execute_one(Request(stream_id=CATALOG_STREAM, command=command))
        return sum(isinstance(recorded.event, StepRegistered) for recorded in done.events)

    with ThreadPoolExecutor(8) as pool:
        assert 100 == sum(pool.map(register, range(100)))
    assert {f"s{n}" for n in range(100)} == {*shop.engine.queries.catalog().steps}


class BusyStore(MemoryEventStore):
    """A store on which somebody else is always a little faster than a commit of many events."""

    def __init__(self, backend, others):
        super().__init__(backend)
        self.others, self.sizes = iter(others), []

    def commit(self, commits):
        """Lets the others commit first, unless it is quickly done."""
        self.sizes.append(len(commits[0].events))
        if self.sizes[-1] > LEAST_SHARE:
            next(self.others)()
        return super().commit(commits)


def test_many_commands_win_against_a_stream_of_single_ones():
    """Each lost race makes the next try smaller, until it is fast enough; all are carried out at last."""
    shop = Workshop()
    ours, theirs = (catalog_executor(shop, shop.parts_of_another_process()) for _ in range(2))

    def requests(name: str, count: int) -> list[Request]:
        steps = (a_step(f"{name}{number}") for number in range(count))
        return [Request(stream_id=CATALOG_STREAM, command=RegisterStep(step=step)) for step in steps]

    others = [partial(theirs.execute_one, request) for request in requests("theirs", 20)]
    ours._store = store = BusyStore(shop.backend, others)
    answers = ours.execute(requests("ours", 100))

    assert [Done] * 100 == [type(answer) for answer in answers]
    assert ([100, 50, 25, 12], LEAST_SHARE) == (store.sizes[:4], max(store.sizes[4:]))
    assert 104 == len(shop.engine.queries.catalog().steps)


def test_time_never_runs_backwards_in_a_log():
    """A clock that is behind the last event's is taken to be at it."""
    shop = Workshop()
    shop.parts.flow_executor.execute([start("f")])
    token = tokens_of(shop)["a"]
    shop.clock.at -= timedelta(hours=1)

    command = CompleteWork(step_id=StepID("a"), token=token, outputs={})
    shop.parts.flow_executor.execute_one(Request(stream_id=flow_stream("f"), command=command))

    assert START == shop.engine.queries.flow(FlowID("f")).last_updated_at


def test_tokens_are_unguessable_and_repeatable():
    """The same seed gives the same UUIDs, another seed others; steps and items differ."""
    one, again, other = token_source(b"1" * 16), token_source(b"1" * 16), token_source(b"2" * 16)

    tokens = [one(StepID("a"), 0), one(StepID("a"), 1), one(StepID("b"), 0), other(StepID("a"), 0)]

    assert one(StepID("a"), 0) == again(StepID("a"), 0)
    assert 4 == len({*tokens})
    assert {"4"} == {token[14] for token in tokens}


def test_a_store_that_is_away_is_said_so():
    """Nothing is kept of what was not committed; the same command succeeds when the store is back."""
    shop = Workshop()
    store = shop.parts.stores.flows
    commit = store.commit

    def away(commits):
        raise StoreUnavailableError("flow", "away")

    store.commit = away
    with pytest.raises(StoreUnavailableError):
        shop.parts.flow_executor.execute([start("f")])
    store.commit = commit

    assert isinstance(shop.parts.flow_executor.execute([start("f")])[0], Done)


def test_an_unknown_token_is_refused_only_when_that_is_certain():
    """The store is asked before a refusal."""
    shop = Workshop()
    shop.parts.flow_executor.execute([start("f")])
    command = CompleteWork(step_id=StepID("a"), token=Token("nope"), outputs={})

    with pytest.raises(WorkItemNotFoundError):
        shop.parts.flow_executor.execute_one(Request(stream_id=flow_stream("f"), command=command))


# ---- snapshots -------------------------------------------------------------------------------


def test_a_long_log_is_loaded_from_its_snapshot():
    """Loading enough events keeps a snapshot; the next process folds only what came after it, to the same state."""
    shop = Workshop()
    shop.parts.flow_executor.execute([start("f")])
    first = shop.parts_of_another_process()
    first.flows.aggregate.snapshot_every = 2
    first.flows.load([flow_stream("f")])
    command = CompleteWork(step_id=StepID("a"), token=tokens_of(shop)["a"], outputs={"x": [1.5, 2**70]})
    after = shop.parts.flow_executor.execute_one(Request(stream_id=flow_stream("f"), command=command)).state

    second = shop.parts_of_another_process()
    (stream,) = second.stores.flows.load([LoadRequest(stream_id=flow_stream("f"))])
    (loaded,) = second.flows.load([flow_stream("f")])

    assert (3, 2) == (stream.snapshot.sequence, len(stream.events))
    assert after == loaded.state


def test_a_snapshot_of_another_version_is_passed_over():
    """The log is the truth: it is folded from its beginning."""
    shop = Workshop()
    shop.parts.flow_executor.execute([start("f")])
    shop.parts.stores.flows.save_snapshot(flow_stream("f"), Snapshot(sequence=2, payload=b'{"schema":0}'))

    (loaded,) = shop.parts_of_another_process().flows.load([flow_stream("f")])

    assert shop.engine.queries.flow(FlowID("f")) == loaded.state


def test_no_two_requests_share_a_seed() -> None:
    """Nor those of a process and of its child: tokens follow from seeds."""
    command = start("f").command
    mine = {Request(stream_id=flow_stream("f"), command=command).seed for _ in range(100)}
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, Request(stream_id=flow_stream("f"), command=command).seed)
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 16)
    os.close(read)
    os.close(write)
    own = Request(stream_id=flow_stream("f"), command=command).seed
    assert (100, True, True) == (len(mine), theirs not in mine, theirs != own)
