# SPDX-License-Identifier: Apache-2.0
"""A real Celery worker inside of a test, which notes what it is told to run. No assertions here."""

import threading

from celery import Celery
from celery.contrib.testing.worker import start_worker

from argyll_engine.dispatch import RUN_WORK

PATIENCE_SECONDS = 20


class NotingWorker:
    """Takes messages of the queue `work`; its task only notes its arguments.

    Args:
        count: After so many it ends.
    """

    def __init__(self, app: Celery, count: int) -> None:
        self._app, self._count = app, count
        self._received: list[tuple[object, ...]] = []
        self._enough = threading.Event()
        app.task(name=RUN_WORK, shared=False)(self._note)

    def run(self) -> list[tuple[object, ...]]:
        """The arguments of all that it was sent, in order; it has ended and acknowledged them when this returns."""
        options = {"pool": "solo", "queues": ["work"], "perform_ping_check": False}
        with start_worker(self._app, shutdown_timeout=PATIENCE_SECONDS, **options):
            self._enough.wait(PATIENCE_SECONDS)
        return self._received

    def _note(self, *args: object) -> None:
        self._received.append(args)
        if len(self._received) == self._count:
            self._enough.set()
