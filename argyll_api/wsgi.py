# SPDX-License-Identifier: Apache-2.0
"""Entry point of the HTTP server: environment → configuration → engine → `app`. Import it only to serve.

`argyll api` loads `app` in each server process; any other WSGI server may do the same.
"""

import os

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_engine import log
from argyll_engine.config import EngineConfig
from argyll_engine.wiring import build_engine

_config = EngineConfig.from_env(os.environ)
log.configure(_config.log_level, _config.log_format, environment=_config.environment)

app = create_app(ApiConfig.from_engine(_config), build_engine(_config))
