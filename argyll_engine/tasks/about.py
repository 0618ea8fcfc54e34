# SPDX-License-Identifier: Apache-2.0
"""What a worker process tells of itself when it is asked over Celery's remote control. Asked by `argyll doctor`.

The workers' entry point registers the command.
"""

import importlib.metadata
import time
from typing import Any, Final

from celery import Celery
from celery.worker.control import inspect_command
from kombu.exceptions import KombuError

from argyll_engine.model.process import ProcessAbout

COMMAND: Final = "argyll_about"
_MS: Final = 1000


def register_about() -> None:
    """Teach Celery the command, in this process."""
    inspect_command(name=COMMAND)(about)


def about(state: Any, **_arguments: object) -> dict[str, Any]:
    """The version, the time of its clock (Unix ms), and the queues that it takes messages from."""
    queues = [queue.name for queue in state.consumer.task_consumer.queues] if state.consumer else []
    version = importlib.metadata.version("argyll")
    return {"version": version, "time_ms": time.time() * _MS, "queues": sorted(queues)}


def broker_fault(app: Celery) -> str:
    """Why the broker cannot be used, its library missing or a login refused among the reasons; empty if it can."""
    errors: tuple[type[BaseException], ...] = (KombuError, OSError, ImportError, LookupError)
    try:
        with app.connection_for_write() as connection:
            errors += (*connection.connection_errors, *connection.channel_errors)
            connection.ensure_connection(max_retries=1, interval_start=0)
    except errors as exc:
        return str(exc) or type(exc).__name__
    return ""


def ask_about(app: Celery, patience_seconds: float) -> tuple[ProcessAbout, ...]:
    """What every worker that answers in time tells, by its name. A broker that is away has none."""
    if broker_fault(app):
        return ()
    asked_ms, found = time.time() * _MS, dict[str, ProcessAbout]()

    def take(reply: dict[str, Any]) -> None:
        now_ms = time.time() * _MS
        for name, told in reply.items():
            if isinstance(told, dict) and "version" in told:
                skew = skew_seconds(told["time_ms"], asked_ms, now_ms)
                queues = tuple(told["queues"])
                found[name] = ProcessAbout(name=name, version=told["version"], queues=queues, skew_seconds=skew)

    try:
        app.control.broadcast(COMMAND, reply=True, timeout=patience_seconds, callback=take)
    except (KombuError, OSError):  # it went just now
        return ()
    return tuple(found[name] for name in sorted(found))


def skew_seconds(time_ms: float, asked_ms: float, answered_ms: float) -> float:
    """By how much a clock surely differs from ours, if it showed this between question and answer; positive: ahead."""
    if time_ms > answered_ms:
        return (time_ms - answered_ms) / _MS
    return min(0.0, (time_ms - asked_ms) / _MS)
