# SPDX-License-Identifier: Apache-2.0
"""The ids of the task that a log line was written in. Given to `log.configure` by the worker's entry point.

It is asked when a line is written, so a task without lines costs nothing.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final

from celery import current_task

from argyll_engine.dispatch import COMPLETE_PARENT, RELEASE_HELD, RUN_COMPENSATION, RUN_WORK, WAKE_STEP
from argyll_engine.log import fields_of

ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        RUN_WORK: ("flow_id", "step_id", "token", "attempt"),
        RUN_COMPENSATION: ("flow_id", "step_id", "token", "retry_count"),
        COMPLETE_PARENT: ("flow_id",),
        WAKE_STEP: ("flow_id", "step_id"),
        RELEASE_HELD: ("step_id",),
    }
)
"""What the arguments of each task are called in the log, in their order."""

calling: Final[dict[str, Any]] = {}
"""Tasks of this process whose calls are under way, each by the tag of its message; no thread is theirs."""

_together: ContextVar[Sequence[Any]] = ContextVar("argyll_tasks_together", default=())


def task_context(record: logging.LogRecord) -> Mapping[str, object]:
    """The ids of the task that a line is about: Celery's own lines say which, others are of the task that runs."""
    told = getattr(record, "data", None)
    if isinstance(told, Mapping) and "id" in told:
        return _ids(told.get("name"), told["id"], told.get("args"))
    task: Any = current_task  # a proxy that is false outside of tasks
    if task:
        return _ids(task.request.task, task.request.id, task.request.args)
    fields = fields_of(record)
    token, key = fields.get("token"), fields.get("token") or fields.get("flow_id")
    running = _together.get() or tuple(calling.values())
    about = [request for request in running if key is not None and key in (request.args or ())]
    is_known = len(about) == 1 or (about and token is not None)  # a message may be there twice
    return _ids(about[0].name, about[0].id, about[0].args) if is_known else {}


@contextmanager
def together(requests: Sequence[Any]) -> Iterator[None]:
    """Within the block these tasks run as one batch; a line is about the one whose token, or else flow, it names."""
    reset = _together.set(requests)
    try:
        yield
    finally:
        _together.reset(reset)


def _ids(task: Any, task_id: Any, args: Any) -> dict[str, object]:
    """Celery tells arguments as a list, or as their text, which is left alone."""
    known = args if isinstance(args, Sequence) and not isinstance(args, str) else ()
    names = ARGUMENTS.get(str(task), ())
    return {"task": task, "task_id": task_id, **dict(zip(names, known, strict=False))}
