# SPDX-License-Identifier: Apache-2.0
"""The whole engine on the memory store, without processes: tests deliver the messages themselves.

Time stands still unless a test moves `clock`; steps answer what a test says.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from argyll_engine.child_flows import ChildFlows
from argyll_engine.codec import decode, encode
from argyll_engine.compensator import Compensator
from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import COMPLETE_PARENT, RELEASE_HELD, RENDERERS, RUN_COMPENSATION, RUN_WORK, WAKE_STEP
from argyll_engine.engine import Engine
from argyll_engine.executor import Executor
from argyll_engine.model.effects import Effect
from argyll_engine.model.ids import FlowID, Name, StepID, Token
from argyll_engine.model.invocation import Compensation, Invocation, Outcome, Succeeded
from argyll_engine.model.step import Step, StepType
from argyll_engine.ports import Message, QueueEntry
from argyll_engine.script_health import ScriptHealth
from argyll_engine.store.memory import (
    MemoryBackend,
    MemoryEventStore,
    MemoryFlowIndex,
    MemoryHeldFlows,
    MemoryMemo,
    MemoryWorkLeases,
)
from argyll_engine.store.memory_archive import MemoryArchiveStore
from argyll_engine.wiring import (
    Parts,
    Stores,
    assemble_engine,
    assemble_health_checks,
    assemble_held_work,
    assemble_parts,
    assemble_recovery,
)
from argyll_engine.work_runner import WorkRunner
from tests.fakes import ManualClock

Answers = Callable[[Invocation], Outcome]
GRACE_SECONDS = 15.0


class MemoryDispatcher:
    """Keeps messages in the queues of the memory backend, as part of the commit or beside it."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    def render(self, effects: Sequence[Effect], now: object) -> tuple[Message, ...]:
        """The messages of these effects."""
        return tuple(RENDERERS[type(effect)](effect) for effect in effects)

    def seal(self, messages: Sequence[Message], _log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        """Entries that tests can read."""
        return tuple(
            QueueEntry(key=message.queue, payload=encode([message.task, list(message.args)])) for message in messages
        )

    def publish(self, messages: Sequence[Message]) -> None:
        """Puts the messages into the queues at once."""
        for entry in self.seal(messages):
            self._backend.queues.setdefault(entry.key, []).append(entry.payload)


class AnsweringClient:
    """A step client whose answers a test gives."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.calls: list[Invocation] = []
        self.faults: dict[str, str] = {}
        self.probed: list[str] = []
        self.undoing: Callable[[Compensation], Outcome] = lambda _: Succeeded(outputs=None)
        self.undone: list[Compensation] = []

    def probe(self, url: str, timeout_ms: int) -> str:
        """What the test says is wrong under a URL."""
        self.probed.append(url)
        return self.faults.get(url, "")

    def compensate(self, compensation: Compensation) -> Outcome:
        """What the test says of undoing."""
        self.undone.append(compensation)
        return self.undoing(compensation)

    def invoke(self, invocation: Invocation) -> Outcome:
        """What the test says."""
        self.calls.append(invocation)
        return self.answers(invocation)


class Workshop:
    """Engine, one worker and recovery on one memory backend."""

    def __init__(self, answers: Answers = lambda _: Succeeded(outputs={}), **settings: Any) -> None:
        self.clock = ManualClock()
        self.backend = MemoryBackend()
        self.config = EngineConfig(recovery_grace_seconds=GRACE_SECONDS, **settings)
        self.leases = MemoryWorkLeases(self.backend, self._now_ms)
        self.parts = self.parts_of_another_process()
        self.engine: Engine = assemble_engine(self.config, self.parts)
        self.client = AnsweringClient(answers)
        self.recovery = assemble_recovery(self.config, self.parts)
        self.held = assemble_held_work(self.config, self.parts, self.recovery)
        self.checks = assemble_health_checks(self.config, self.parts, self.client)
        self.runner = self.another_worker("w1")
        self.compensator = Compensator(
            flows=self.parts.flow_executor,
            projections=self.parts.flows,
            leases=self.leases,
            client=self.client,
            held=self.held,
        )
        self.children = ChildFlows(flows=self.parts.flow_executor, projections=self.parts.flows, memo=self.parts.memo)

    def _now_ms(self) -> int:
        return int(self.clock.at.timestamp() * 1000)

    def parts_of_another_process(self) -> Parts:
        """Parts with caches of their own on the same backend."""
        store = MemoryEventStore(self.backend)
        stores = Stores(
            engine=store,
            flows=store,
            index=MemoryFlowIndex(self.backend),
            archive=MemoryArchiveStore(self.backend, self._now_ms),
            held=MemoryHeldFlows(self.backend),
            memo=MemoryMemo(self.backend, capacity=self.config.memo_cache_size),
            engine_leases=self.leases,
            flow_leases=self.leases,
        )
        return assemble_parts(self.config, stores, MemoryDispatcher(self.backend), self.clock)

    def another_worker(self, worker_id: str) -> WorkRunner:
        """A worker process of this name, alive until the clock is moved far."""
        self.leases.refresh_worker(worker_id, int(self.clock.at.timestamp() * 1000) + 15_000)
        parts = self.parts_of_another_process()
        return WorkRunner(
            worker_id=worker_id,
            flows=parts.flow_executor,
            projections=parts.flows,
            leases=self.leases,
            children=ChildFlows(flows=parts.flow_executor, projections=parts.flows, memo=parts.memo),
            memo=parts.memo,
            health=ScriptHealth(
                cluster=Executor(
                    store=parts.stores.engine,
                    projections=parts.cluster,
                    leases=self.leases,
                    clock=self.clock,
                    scripts=parts.scripts,
                    dispatcher=parts.dispatcher,
                ),
                view=parts.health,
            ),
            held=assemble_held_work(self.config, parts, self.recovery),
            clients=dict.fromkeys(StepType, self.client),
            webhook_base_url="http://engine",
        )

    def start(self, steps: Sequence[Step], goals: Sequence[str], init: Mapping[str, Any] | None = None) -> FlowID:
        """A flow `f` over these steps, just registered."""
        for step in steps:
            self.engine.register_step(replace(step, work_config=None))
        given = {Name(name): values for name, values in (init or {}).items()}
        self.engine.start_flow(FlowID("f"), tuple(StepID(goal) for goal in goals), given, {})
        return FlowID("f")

    def messages(self) -> deque[tuple[FlowID, StepID, Token, int]]:
        """Takes all messages that ask for work, whatever their time; those that ask for something else are obeyed."""
        taken: deque[tuple[FlowID, StepID, Token, int]] = deque()
        for queue in sorted(self.backend.queues):
            for payload in self.backend.queues.pop(queue):
                task, args = decode(payload)
                if task == RUN_WORK:
                    taken.append(tuple(args))
                else:
                    others = {
                        COMPLETE_PARENT: self.children.complete_parent,
                        WAKE_STEP: self.runner.wake,
                        RUN_COMPENSATION: self.compensator.run,
                        RELEASE_HELD: self.held.release,
                    }
                    others[task](*args)
        return taken

    def deliver_all(self) -> None:
        """Lets the worker run messages until none waits."""
        while self.backend.queues:
            for message in self.messages():
                self.runner.run(*message)

    def deliver_some(self) -> None:
        """Lets the worker run the messages that wait now, and not those that follow from them."""
        for message in self.messages():
            self.runner.run(*message)

    def log_of(self, flow_id: str = "f") -> list[str]:
        """The event types of a flow, in order."""
        return [decode(raw)["type"] for raw in self.engine.queries.flow_log(FlowID(flow_id)).events]
