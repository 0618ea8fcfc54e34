# SPDX-License-Identifier: Apache-2.0
"""Every route of the API, grouped by what it is about: parse, one verb of the engine, encode."""

from typing import Final

from flask import Blueprint

from argyll_api.routes import (
    catalog,
    cluster,
    document,
    flows,
    health,
    liveness,
    plans,
    scripts,
    sockets,
    steps,
    webhooks,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = tuple(
    module.blueprint
    for module in (liveness, steps, scripts, plans, flows, webhooks, catalog, cluster, health, sockets, document)
)
