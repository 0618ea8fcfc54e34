# SPDX-License-Identifier: Apache-2.0
"""A strategy for tasks that run together: all messages of one read are one batch, and each is a task of its own.

Celery asks a task's strategy what to do with each message. This one only collects; when the transport has delivered
what one read brought, the batch runs. Every member is acknowledged, revoked, timed and reported by itself, and one
that does not work in a batch runs alone, as Celery would have run it. Only for processes with the solo pool on our
transport; everywhere else Celery's own strategy serves.

Source: Celery, `celery/worker/strategy.py`, whose steps these are.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery, Task, signals
from celery.concurrency.solo import TaskPool
from celery.worker.request import Request, create_request_cls  # type: ignore[attr-defined]  # celery-types lacks it
from celery.worker.state import task_ready, task_reserved
from celery.worker.strategy import default

from argyll_engine import log as logs
from argyll_engine.dispatch import FLOW_LOG
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.read_along import ReadAlong
from argyll_engine.script_runner import Fate
from argyll_engine.tasks.context import together
from argyll_engine.work_order import WorkOrder

NOTHING: Final = "None"
"""What the tasks of a batch give back, as text."""

log = logs.get(__name__)

RunTogether = Callable[[Sequence[WorkOrder]], Sequence[Fate]]
"""Runs orders and says what became of each, in their order; it must not raise."""


class MemberRequest(Request):
    """A request that is accepted once, even if it runs alone after the batch that it was in."""

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        """See Request."""
        if self.time_start is None:
            super().on_accepted(pid, time_accepted)


class Together:
    """The strategy of a task whose arguments are those of a work order.

    Args:
        run: runs a batch.
        settles: whether a commit acknowledges the messages of the orders that it records.
        along: lets such a commit bring the next messages.
    """

    def __init__(self, run: RunTogether, *, settles: bool, along: ReadAlong | None = None) -> None:
        self._run = run
        self._settles = settles
        self._along = along or ReadAlong()

    def __call__(self, task: Task[Any, Any], app: Celery, consumer: Any, **_: Any) -> Callable[..., Any]:
        """What the consumer hands each message of the task to. Celery calls this for each new connection."""
        alone = default(task, app, consumer)
        after_turn = getattr(consumer.connection.transport, "after_turn", None)
        if after_turn is None or not isinstance(consumer.pool, TaskPool):
            return alone
        batch = Batch(task, app, consumer, alone, self._run, self._settles, self._along)
        after_turn.append(batch.run)
        return batch.take


class Batch:
    """Messages of one task that were delivered in one turn of a connection's loop."""

    def __init__(
        self,
        task: Task[Any, Any],
        app: Celery,
        consumer: Any,
        alone: Callable[..., Any],
        run: RunTogether,
        settles: bool,
        along: ReadAlong,
    ) -> None:
        self._along = along
        self._consumer = consumer
        self._task = task
        self._app = app
        self._alone = alone
        self._run = run
        self._settles = settles
        self._eventer = consumer.event_dispatcher
        self._waiting: list[MemberRequest] = []
        self._request_class = create_request_cls(
            MemberRequest, task, consumer.pool, consumer.hostname, self._eventer, app=app
        )

    def take(self, message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> Any:
        """Collect a message; one that has to wait for its time or its turn goes Celery's own way."""
        is_limited = not self._consumer.disable_rate_limits and self._consumer.task_buckets[self._task.name]
        if body is not None or message.headers.get("eta") or is_limited:
            return self._alone(message, body, ack, reject, callbacks)
        request = self._request_class(
            message,
            on_ack=ack,
            on_reject=reject,
            app=self._app,
            hostname=self._consumer.hostname,
            eventer=self._eventer,
            task=self._task,
            connection_errors=self._consumer.connection_errors,
            body=message.body,
            headers=message.headers,
            decoded=False,
            utc=self._app.uses_utc_timezone(),
        )
        if request.revoked():
            return None
        signals.task_received.send(sender=self._consumer, request=request)
        if self._eventer and self._eventer.enabled and self._task.send_events:
            self._send_received(request)
        task_reserved(request)
        for callback in callbacks or ():
            callback(request)
        self._waiting.append(request)
        return None

    def run(self) -> None:
        """Run what was collected."""
        if not self._waiting:
            return
        taken, self._waiting = self._waiting, []
        members = [request for request in taken if not request.revoked()]
        pid, started = os.getpid(), time.monotonic()
        for request in members:
            request.on_accepted(pid, started)
        fates = self._fates(members)
        seconds = (time.monotonic() - started) / max(len(members), 1)
        for request, fate in zip(members, fates, strict=True):
            try:
                self._finish(request, fate, seconds)
            except Exception:  # the members after this one have run and must hear of it
                log.exception("batch_member_failed", task_id=request.id)

    def _fates(self, members: Sequence[MemberRequest]) -> Sequence[Fate]:
        orders = [order_of(request) for request in members]
        source = members[0].message.channel.next_read if members else lambda: None
        with together(members), self._along.offered(source):
            fates = iter(self._run([order for order in orders if order is not None]))
        return [Fate.ALONE if order is None else next(fates) for order in orders]

    def _finish(self, request: MemberRequest, fate: Fate, seconds: float) -> None:
        match fate:
            case Fate.ALONE:
                self._consumer.on_task_request(request)
            case Fate.LEFT:
                task_ready(request)  # closing the connection gives its message back
            case Fate.COMMITTED | Fate.DONE:
                if self._settles and fate is Fate.COMMITTED:
                    message = request.message
                    message.channel.qos.settled_elsewhere(message.delivery_tag)
                request.on_success((0, NOTHING, seconds))

    def _send_received(self, request: MemberRequest) -> None:
        expires: Any = request.expires
        self._eventer.send(
            "task-received",
            uuid=request.id,
            name=request.name,
            args=request.argsrepr,
            kwargs=request.kwargsrepr,
            root_id=request.root_id,
            parent_id=request.parent_id,
            retries=request.request_dict.get("retries", 0),
            eta=None,
            expires=expires and expires.isoformat(),
        )


def order_of(request: MemberRequest) -> WorkOrder | None:
    """What the request asks for; None if its arguments say something else."""
    match request.args:
        case [str(flow_id), str(step_id), str(token), int(attempt)]:
            return WorkOrder(
                flow_id=FlowID(flow_id),
                step_id=StepID(step_id),
                token=Token(token),
                attempt=attempt,
                delivery_tag=request.message.delivery_tag,
                log=request.message.headers.get(FLOW_LOG, ""),
            )
        case _:
            return None
