# SPDX-License-Identifier: Apache-2.0
"""The tasks. Each is safe to run twice, late or never: the log decides what is still wanted."""

from typing import Any

from celery import Celery

from argyll_engine import log as logs
from argyll_engine.dispatch import (
    CHECK_HEALTH,
    COMPLETE_PARENT,
    RELEASE_HELD,
    RUN_COMPENSATION,
    RUN_WORK,
    SWEEP,
    WAKE_STEP,
)
from argyll_engine.errors import TransientError
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.tasks.batches import MemberRequest, Together
from argyll_engine.tasks.calls import ByPool
from argyll_engine.wiring import Worker

log = logs.get(__name__)

# A store that does not answer is the one fault that Celery repeats; outcomes of steps have their own retries.
_WHEN_AWAY: dict[str, Any] = {
    "autoretry_for": (TransientError,),
    "retry_backoff": True,
    "retry_backoff_max": 30,
    "max_retries": None,
}


def register_tasks(app: Celery, worker: Worker, *, commits_settle: bool = False) -> None:
    """Give the app its tasks, bound to the parts of one worker process.

    Args:
        commits_settle: whether a commit acknowledges the messages that caused it.
    """
    together = Together(worker.runner.run_together, settles=commits_settle, along=worker.along)
    strategy = ByPool(together, worker.calls, settles=commits_settle)

    @app.task(name=RUN_WORK, shared=False, bind=True, Strategy=strategy, Request=MemberRequest, **_WHEN_AWAY)
    def run_work(self: Any, flow_id: str, step_id: str, token: str, attempt: int) -> None:
        """Invoke one attempt of a work item."""
        tag = (self.request.properties or {}).get("delivery_tag", "")
        worker.runner.run(FlowID(flow_id), StepID(step_id), Token(token), attempt, tag)

    @app.task(name=RUN_COMPENSATION, shared=False, **_WHEN_AWAY)
    def run_compensation(flow_id: str, step_id: str, token: str, retry_count: int) -> None:
        """Undo a work item."""
        worker.compensator.run(FlowID(flow_id), StepID(step_id), Token(token), retry_count)

    @app.task(name=COMPLETE_PARENT, shared=False, **_WHEN_AWAY)
    def complete_parent(child_id: str) -> None:
        """Bring the outcome of a child flow to its parent."""
        worker.children.complete_parent(FlowID(child_id))

    @app.task(name=WAKE_STEP, shared=False, **_WHEN_AWAY)
    def wake_step(flow_id: str, step_id: str) -> None:
        """Look at a step whose deadline has come."""
        worker.runner.wake(FlowID(flow_id), StepID(step_id))

    @app.task(name=RELEASE_HELD, shared=False, **_WHEN_AWAY)
    def release_held(step_id: str, watch: str) -> None:
        """Look whether a step is well again, and send what waits for it."""
        worker.held.release(StepID(step_id), watch)

    @app.task(name=CHECK_HEALTH, shared=False)
    def check_health(is_first: bool = False) -> None:
        """Begin a round of health checks."""
        worker.checks.begin(is_first=is_first)

    @app.task(name=SWEEP, shared=False)
    def sweep() -> None:
        """Look for flows without a sign of life; the next sweep makes up for one that fails."""
        try:
            worker.recovery.sweep()
            worker.held.revive()
        except TransientError as exc:
            log.warning("redis connection lost", error=str(exc))
