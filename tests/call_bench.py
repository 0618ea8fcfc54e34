# SPDX-License-Identifier: Apache-2.0
"""A runner of calls on the memory store, whose calls wait until a test answers them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from argyll_engine.call_runner import CallRunner
from argyll_engine.executor import Request
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.model.invocation import Invocation, Outcome, Succeeded
from argyll_engine.model.step import StepType, WorkConfig
from argyll_engine.script_runner import Fate
from argyll_engine.work_order import WorkOrder
from tests.counting import CountingStore
from tests.definitions import a_script_step, a_step, output, required
from tests.workshop import Workshop

SECONDS = 20
CALL = a_step("call", {"y": output()})
KNOWN = a_step("known", {"y": output()}, memoizable=True)
FAN = a_step("fan", {"x": required(for_each=True), "y": output()}, work_config=WorkConfig(parallelism=100))
WELL = Succeeded(outputs={"y": 1})

Done = Callable[[Outcome | Exception], None]


class WaitingClient:
    """Calls that wait until the test answers them; `on_begin` may answer at once, or raise."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple[Invocation, Done]] = {}
        self.on_begin: Callable[[Invocation, Done], None] = lambda _, __: None
        self.changed = threading.Condition()

    def invoke(self, invocation: Invocation) -> Outcome:
        """Nobody calls here and waits."""
        raise AssertionError(invocation)

    def begin(self, invocation: Invocation, done: Done) -> None:
        """Keep it."""
        with self.changed:
            self.calls[invocation.flow_id] = invocation, done
            self.changed.notify_all()
        self.on_begin(invocation, done)

    def wait_for(self, *flow_ids: str) -> None:
        """Until the steps of these flows are being called."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.calls.keys() >= {*flow_ids}, SECONDS)

    def answer(self, flow_id: str, outcome: Outcome | Exception = WELL) -> None:
        """The call of a flow's step has ended."""
        self.calls[flow_id][1](outcome)


class Bench:
    """A workshop, flows that wait for their calls, and a runner with a cache and counters of its own."""

    def __init__(self) -> None:
        self.shop = Workshop()
        self.client = WaitingClient()
        self.parts = self.shop.parts_of_another_process()
        self.store = CountingStore(self.shop.backend)
        self.parts.flows._store = self.parts.flow_executor._store = self.store
        self.fates: dict[str, Fate] = {}
        self.ended = threading.Condition()
        self.crash: Callable[[WorkOrder, Exception], None] = self.shop.runner.record_crash
        self.runner = CallRunner(
            worker_id=self.shop.runner.worker_id,
            flows=self.parts.flow_executor,
            projections=self.parts.flows,
            held=self.shop.held,
            memo=self.parts.memo,
            clients={StepType.SYNC: self.client, StepType.ASYNC: self.client},
            webhook_base_url="http://engine",
            crash=lambda order, exc: self.crash(order, exc),
        )
        for step in (CALL, FAN, KNOWN, a_step("ack", type=StepType.ASYNC), a_script_step("script", {"y": output()})):
            self.shop.engine.register_step(step)

    def orders(self, *flow_ids: str, goal: str = "call", x: object = 1) -> list[WorkOrder]:
        """The orders that starting these flows leads to."""
        for flow_id in flow_ids:
            self.shop.engine.start_flow(FlowID(flow_id), (StepID(goal),), {"x": (x,)} if goal == "fan" else {}, {})
        self.store.loads, self.store.commits = [], []
        return [
            WorkOrder(flow_id=flow_id, step_id=step_id, token=token, attempt=attempt, delivery_tag=f"tag-{token}")
            for flow_id, step_id, token, attempt in self.shop.messages()
        ]

    def begin(self, orders: Sequence[WorkOrder]) -> None:
        """Hand them to the runner."""
        self.runner.begin(orders, self.hear)

    def hear(self, ended: Sequence[tuple[WorkOrder, Fate]]) -> None:
        """What became of them."""
        with self.ended:
            self.fates |= {order.delivery_tag: fate for order, fate in ended}
            self.ended.notify_all()

    def await_fates(self, orders: Sequence[WorkOrder]) -> list[Fate]:
        """Of these orders, once all have ended."""
        tags = [order.delivery_tag for order in orders]
        with self.ended:
            assert self.ended.wait_for(lambda: self.fates.keys() >= {*tags}, SECONDS)
        return [self.fates[tag] for tag in tags]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the block the runner records nothing, so that everything gathers for its next turn."""
        resumed, reached = threading.Event(), threading.Event()

        def hold(_ended: object) -> None:
            reached.set()
            assert resumed.wait(SECONDS)

        self.runner.begin([an_order("nobody")], hold)
        assert reached.wait(SECONDS)
        self.store.loads, self.store.commits = [], []
        yield
        resumed.set()

    def lose_answers(self, *flow_ids: str) -> None:
        """The next execution records all and does not answer for these flows, which nobody foresaw."""
        executor, execute = self.parts.flow_executor, self.parts.flow_executor.execute

        def forgetful(requests: Sequence[Request]) -> object:
            executor.execute = execute  # type: ignore[method-assign]
            answers = zip(requests, execute(requests), strict=True)
            return [answer for request, answer in answers if request.stream_id[1] not in flow_ids]

        executor.execute = forgetful  # type: ignore[method-assign, assignment]

    def status(self, flow_id: str) -> FlowStatus:
        """Of a flow, as of now."""
        return self.shop.engine.queries.flow(FlowID(flow_id)).status


@contextmanager
def a_bench() -> Iterator[Bench]:
    """A bench whose thread ends with the block."""
    made = Bench()
    yield made
    for _, done in made.client.calls.values():
        done(WELL)
    made.runner.finish()


def an_order(flow_id: str, step_id: str = "call") -> WorkOrder:
    """An order that no flow has given."""
    return WorkOrder(
        flow_id=FlowID(flow_id), step_id=StepID(step_id), token=Token("t"), attempt=1, delivery_tag=f"tag-{flow_id}"
    )
