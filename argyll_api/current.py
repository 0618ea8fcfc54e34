# SPDX-License-Identifier: Apache-2.0
"""The engine and the configuration of the application that serves the current request.

`app.create_app` binds them, the routes ask for them. No globals: each application has its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, current_app

from argyll_api.config import ApiConfig
from argyll_api.diagnostics import Diagnostics
from argyll_engine.engine import Engine

_KEY: Final = "argyll"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    engine: Engine
    config: ApiConfig
    count_sockets: Callable[[], int]
    diagnostics: Diagnostics


def bind(
    app: Flask, engine: Engine, config: ApiConfig, count_sockets: Callable[[], int], diagnostics: Diagnostics
) -> None:
    """Gives an application its engine, its configuration, who counts the sockets beside it, and what probes ask."""
    app.extensions[_KEY] = _Bound(engine=engine, config=config, count_sockets=count_sockets, diagnostics=diagnostics)


def engine() -> Engine:
    """The engine behind the current request."""
    return _bound().engine


def config() -> ApiConfig:
    """The configuration of the edge."""
    return _bound().config


def open_sockets() -> int:
    """How many WebSockets this process serves now."""
    return _bound().count_sockets()


def diagnostics() -> Diagnostics:
    """What probes and the metrics page ask."""
    return _bound().diagnostics


def _bound() -> _Bound:
    bound: _Bound = current_app.extensions[_KEY]
    return bound
