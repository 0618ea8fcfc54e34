# SPDX-License-Identifier: Apache-2.0
"""`/metrics` and the probes of a command that serves no API, on WORKER_METRICS_PORT. One thread beside the supervisor.

Liveness is that of the children: each runs, and shows signs of life.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from argyll_api.cli.startup import check_port
from argyll_engine import log
from argyll_engine.config import EngineConfig
from argyll_engine.policy.readiness import Check, readiness

JSON_TYPE: Final = "application/json; charset=utf-8"
_log = log.get(__name__)

Unwell = Callable[[], Sequence[str]]
"""Names of the children that do not run or show no sign of life."""


@contextmanager
def probes_served(config: EngineConfig, folder: str, unwell: Unwell) -> Iterator[None]:
    """A block during which the port is served, if there is one.

    Raises:
        Refusal: The port cannot be had.
    """
    if not config.worker_metrics_port:
        yield
        return
    address = check_port(config.api_host, config.worker_metrics_port, variable="WORKER_METRICS_PORT")
    server = _Server((address, config.worker_metrics_port), _handler(_Answers(config, folder, unwell)))
    Thread(target=server.serve_forever, name="probes", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Answers:
    """Status, content type and body of each path."""

    def __init__(self, config: EngineConfig, folder: str, unwell: Unwell) -> None:
        # Late: what has been imported before the folder was known would count elsewhere, and Redis, Celery and the
        # rest are of no use to a supervisor that serves nothing.
        from argyll_engine.diagnostics_wiring import build_page, build_vitals
        from argyll_engine.metrics.page import CONTENT_TYPE

        self._vitals = build_vitals(config)
        self._page = build_page(self._vitals, folder, "supervisor")
        self._content_type = CONTENT_TYPE
        self._max_age_seconds = config.ready_max_queue_age_seconds
        self._unwell = unwell

    def of(self, path: str) -> tuple[int, str, bytes]:
        """The answer to a GET."""
        match path.partition("?")[0]:
            case "/metrics":
                return 200, self._content_type, self._page.text()
            case "/livez":
                return _answer([self._processes()])
            case "/readyz" | "/healthz":
                return _answer([self._processes(), *readiness(self._vitals.read(), self._max_age_seconds)])
        return 404, "text/plain; charset=utf-8", b"404 page not found"

    def _processes(self) -> Check:
        names = ", ".join(self._unwell())
        return Check(name="processes", is_good=not names, detail=names and f"without a sign of life: {names}")


def _answer(checks: Sequence[Check]) -> tuple[int, str, bytes]:
    is_good = all(check.is_good for check in checks)
    body = {
        "status": "ready" if is_good else "not ready",
        "checks": {check.name: {"ok": check.is_good, "detail": check.detail or "ok"} for check in checks},
    }
    return (200 if is_good else 503), JSON_TYPE, json.dumps(body).encode()


def _handler(answers: _Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        timeout = 10

        def do_GET(self) -> None:
            """Answers it."""
            status, content_type, body = answers.of(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """No line for each probe."""

    return Handler
