# SPDX-License-Identifier: Apache-2.0
"""The strategy of work in a pool of threads: calls of one read begin together, and none of them keeps a thread.

What Celery sees of each is a task of its own, as in `batches.py`. As many calls run at once as the pool has threads:
the transport delivers no more. Where messages do not come from our transport, each runs in a thread, as with Celery.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from celery import Celery, Task, bootsteps
from celery.concurrency.thread import TaskPool
from celery.worker.strategy import default

from argyll_engine import log as logs
from argyll_engine.call_runner import CallRunner
from argyll_engine.read_along import ReadAlong
from argyll_engine.script_runner import Fate
from argyll_engine.tasks.batches import Batch, MemberRequest, Together, order_of
from argyll_engine.tasks.context import calling
from argyll_engine.work_order import WorkOrder

log = logs.get(__name__)


class ByPool:
    """The strategy of a task whose arguments are those of a work order: calls in threads, else as `together` has it."""

    def __init__(self, together: Together, calls: CallRunner, *, settles: bool) -> None:
        self._together = together
        self._calls = calls
        self._settles = settles

    def __call__(self, task: Task[Any, Any], app: Celery, consumer: Any, **_: Any) -> Callable[..., Any]:
        """What the consumer hands each message of the task to. Celery calls this for each new connection."""
        after_turn = getattr(consumer.connection.transport, "after_turn", None)
        if after_turn is None or not isinstance(consumer.pool, TaskPool):
            return self._together(task, app, consumer)
        batch = CallBatch(self._calls, task, app, consumer, default(task, app, consumer), self._settles)
        after_turn.append(batch.run)
        return batch.take


class CallBatch(Batch):
    """Messages of one task that were delivered in one turn; each ends when its call has ended."""

    def __init__(
        self,
        calls: CallRunner,
        task: Task[Any, Any],
        app: Celery,
        consumer: Any,
        alone: Callable[..., Any],
        settles: bool,
    ) -> None:
        super().__init__(task, app, consumer, alone, _nothing, settles, ReadAlong())
        self._calls = calls

    def run(self) -> None:
        """Begin what was collected."""
        if not self._waiting:
            return
        taken, self._waiting = self._waiting, []
        pid, now = os.getpid(), time.monotonic()
        begun: dict[WorkOrder, MemberRequest] = {}
        for request in taken:
            if request.revoked():
                continue
            request.on_accepted(pid, now)
            order = order_of(request)
            if order is None:
                self._finish(request, Fate.ALONE, 0.0)
            else:
                begun[order] = calling[order.delivery_tag] = request
        if begun:
            self._calls.begin(tuple(begun), partial(self._ended, begun, now))

    def _ended(
        self, begun: dict[WorkOrder, MemberRequest], begun_at: float, ended: Sequence[tuple[WorkOrder, Fate]]
    ) -> None:
        """In the thread that records."""
        committed = [order.delivery_tag for order, fate in ended if fate is Fate.COMMITTED]
        if committed and self._settles:  # all at once, so that as many can be read at once
            begun[ended[0][0]].message.channel.qos.settled_elsewhere(*committed)
        seconds = time.monotonic() - begun_at
        for order, fate in ended:
            calling.pop(order.delivery_tag, None)
            try:
                self._finish(begun[order], fate, seconds)
            except Exception:  # the members after this one have run and must hear of it
                log.exception("batch_member_failed", task_id=begun[order].id)


def _nothing(_orders: Sequence[WorkOrder]) -> Sequence[Fate]:
    """Nothing runs in the thread that reads."""
    return ()


def last_calls(calls: CallRunner) -> type[bootsteps.StartStopStep]:
    """A step of a worker's life: it stops only after its calls have ended. Source: Celery, extending workers."""

    class LastCalls(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def stop(self, parent: Any) -> None:
            calls.finish()

        def terminate(self, parent: Any) -> None:
            calls.stop()

    return LastCalls
