# SPDX-License-Identifier: Apache-2.0
"""Counts and times every request by the template of its route. Installed by `app.create_app`, before other hooks.

Probes and the metrics page itself are left out: a deployment that says it is not ready answers them with 503, and that
is no failing of the API.
"""

from time import perf_counter
from typing import Final

from flask import Flask, Response, request

from argyll_engine.metrics import instruments as all_metrics
from argyll_engine.metrics.labels import OTHER, Children

UNMATCHED: Final = "unmatched"
"""Stands for all paths without a route, of which there is no end."""
LEFT_OUT: Final = frozenset({"probes", "metrics"})
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"})
_STARTED_AT: Final = "argyll.started_at"

_requests: Final = Children(all_metrics.HTTP_REQUESTS)
_durations: Final = Children(all_metrics.HTTP_REQUEST_DURATION)


def install(app: Flask) -> None:
    """Gives an application these hooks."""
    app.before_request(_begin)
    app.after_request(_end)


def count_request(method: str, path: str, status: int, seconds: float) -> None:
    """Counts one request; also called by what answers requests without the application.

    Args:
        path: the template of its route.
        seconds: from the request read whole to its answer.
    """
    _requests.of(method, path, str(status)).inc()
    _durations.of(method, path).observe(seconds)


def _begin() -> None:
    request.environ[_STARTED_AT] = perf_counter()


def _end(response: Response) -> Response:
    if request.blueprint not in LEFT_OUT:
        rule = request.url_rule
        method = request.method if request.method in _METHODS else OTHER
        seconds = perf_counter() - request.environ[_STARTED_AT]
        count_request(method, UNMATCHED if rule is None else rule.rule, response.status_code, seconds)
    return response
