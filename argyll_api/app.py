# SPDX-License-Identifier: Apache-2.0
"""Puts the HTTP edge together: routes, errors, hooks. No route, no environment, no connection is made here.

Called by `wsgi.py` with a real engine, by tests with one on the memory store.
"""

from collections.abc import Callable

from flask import Flask

from argyll_api import current, errors, hooks, request_metrics
from argyll_api.config import ApiConfig
from argyll_api.diagnostics import NOTHING_KNOWN, Diagnostics
from argyll_api.routes import BLUEPRINTS
from argyll_engine.engine import Engine


def no_sockets() -> int:
    """0, where nothing beside the application serves WebSockets."""
    return 0


def create_app(
    config: ApiConfig,
    engine: Engine,
    count_sockets: Callable[[], int] = no_sockets,
    diagnostics: Diagnostics = NOTHING_KNOWN,
) -> Flask:
    """The WSGI application that serves an engine over HTTP; `count_sockets` is what `/health` says of WebSockets.

    The server must end the input stream of a request by itself or give its length, as WSGI servers do.
    """
    app = Flask("argyll_api", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    current.bind(app, engine, config, count_sockets, diagnostics)
    request_metrics.install(app)
    hooks.install(app)
    errors.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app
