# SPDX-License-Identifier: Apache-2.0
"""A Celery application that knows nothing of Argyll but the transport; workers load it by `celery -A`.

Settings come from the environment: where the broker is, and the file in which tasks leave their traces.
"""

import json
import os
import signal
import time
from pathlib import Path

from celery import Celery

import argyll_engine.transport  # noqa: F401 - registers the scheme

BROKER = "TRANSPORT_TEST_BROKER"
OPTIONS = "TRANSPORT_TEST_OPTIONS"
PREFETCH = "TRANSPORT_TEST_PREFETCH"
TRACES = "TRANSPORT_TEST_TRACES"


def make_app(broker: str, options: dict[str, object], prefetch: int) -> Celery:
    """The application, with late acknowledgement."""
    app = Celery("transport_test", broker=broker, set_as_current=False)
    app.conf.update(
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=prefetch,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )

    @app.task(name="work", shared=False)
    def work(name: str, seconds: float = 0.0) -> None:
        """Leave a trace, take some time, leave another."""
        leave("start", name)
        time.sleep(seconds)
        leave("end", name)

    @app.task(name="die", shared=False)
    def die(name: str) -> None:
        """Kill the worker."""
        leave("start", name)
        os.kill(os.getpid(), signal.SIGKILL)

    @app.task(name="again", shared=False, bind=True, max_retries=3)
    def again(self, name: str) -> None:  # type: ignore[no-untyped-def]
        """Ask for another try, twice."""
        leave("start", name)
        if self.request.retries < 2:
            raise self.retry(countdown=0.2)
        leave("end", name)

    return app


def leave(what: str, name: str) -> None:
    """One line of what happened; lines this short are written whole."""
    with Path(os.environ[TRACES]).open("a") as file:
        file.write(f"{what} {name} {time.time()}\n")


if BROKER in os.environ:
    app = make_app(os.environ[BROKER], json.loads(os.environ[OPTIONS]), int(os.environ[PREFETCH]))
