# SPDX-License-Identifier: Apache-2.0
"""Entry point of the HTTP server: environment → configuration → engine → `app` and `application`. Import to serve.

`argyll api` serves `application`, which knows the WebSocket as well, in each server process. `app` is HTTP alone,
for any WSGI server.
"""

import os

from argyll_api.app import create_app
from argyll_api.asgi import Application
from argyll_api.config import ApiConfig
from argyll_api.subscriptions import Switchboard
from argyll_engine import log
from argyll_engine.config import EngineConfig
from argyll_engine.wiring import build_engine, build_hub

_config = EngineConfig.from_env(os.environ)
log.configure(_config.log_level, _config.log_format, environment=_config.environment)

_engine, _api_config = build_engine(_config), ApiConfig.from_engine(_config)
_switchboard = Switchboard(build_hub(_config), _engine.queries)

app = create_app(_api_config, _engine, _switchboard.count)


def application(threads: int) -> Application:
    """The whole application for one server process; `threads` requests are answered at the same time."""
    return Application(
        app,
        _switchboard,
        threads=threads,
        max_body_bytes=_api_config.max_body_bytes,
        max_buffer_bytes=_config.max_socket_buffer_bytes,
    )
