# SPDX-License-Identifier: Apache-2.0
"""Entry point of the HTTP server: environment → configuration → engine → `app` and `application`. Import to serve.

`argyll api` serves `application`, which knows the WebSocket as well, in each server process. `app` is HTTP alone,
for any WSGI server.
"""

import os
from functools import partial
from typing import Final

from argyll_api import request_spans
from argyll_api.app import create_app
from argyll_api.asgi import Application
from argyll_api.config import ApiConfig
from argyll_api.diagnostics import Diagnostics, LateCanary
from argyll_api.request_id import request_context
from argyll_api.starts import Starts
from argyll_api.subscriptions import Switchboard
from argyll_archiver.wiring import archiver_config, build_access
from argyll_engine import log
from argyll_engine.config import EngineConfig
from argyll_engine.diagnostics_wiring import build_canary, build_page, build_vitals
from argyll_engine.metrics.places import number
from argyll_engine.metrics.signs import FOLDER_VARIABLE, NAME_VARIABLE, Signer
from argyll_engine.progress import PROGRESS
from argyll_engine.redaction import Redactor
from argyll_engine.tracing.opening import open_traces, wish_of, with_trace_ids
from argyll_engine.wiring import build_engine, build_hub

SERVICE: Final = "argyll-api"
NAME: Final = "api"

_config, _wish = EngineConfig.from_env(os.environ), wish_of(os.environ)
log.configure(_config.log_settings(SERVICE, with_trace_ids(request_context, _wish)))
log.catch_crashes()

_traces = open_traces(_wish, SERVICE, Redactor(_config.secrets, _config.log_redact).text)
_archive = build_access(archiver_config(os.environ))
_engine, _api_config = build_engine(_config, _traces, _archive), ApiConfig.from_engine(_config)
_switchboard = Switchboard(build_hub(_config), _engine.queries)

_vitals = build_vitals(_config)
_folder = os.environ.get(FOLDER_VARIABLE, "")
_page = build_page(_vitals, _folder, NAME)
_diagnostics = Diagnostics(
    metrics=_page.text,
    vitals=_vitals.read,
    canary=LateCanary(partial(build_canary, _config)).run,
)

app = create_app(_api_config, _engine, _switchboard.count, _diagnostics)
request_spans.install(app, _traces)


def application(threads: int) -> Application:
    """The whole application for one server process; `threads` requests are answered at the same time."""
    if _folder:
        name = os.environ.get(NAME_VARIABLE, f"{NAME}-{number()}")
        Signer(_folder, name, lambda: (str(PROGRESS.turns), "")).start()
    return Application(
        app,
        _switchboard,
        threads=threads,
        max_body_bytes=_api_config.max_body_bytes,
        longer_bodies=_api_config.longer_bodies,
        max_buffer_bytes=_config.max_socket_buffer_bytes,
        starts=None if _traces else Starts(_engine, _api_config),  # each request has a span of its own then
    )
