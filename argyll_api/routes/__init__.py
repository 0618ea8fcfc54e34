# SPDX-License-Identifier: Apache-2.0
"""Every route of the API, grouped by what it is about: parse, one verb of the engine, encode."""

from typing import Final

from flask import Blueprint

from argyll_api.routes import (
    archive,
    catalog,
    cluster,
    document,
    flow_batches,
    flows,
    health,
    liveness,
    metrics,
    plans,
    probes,
    scripts,
    sockets,
    steps,
    webhooks,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = tuple(
    module.blueprint
    for module in (
        liveness,
        steps,
        scripts,
        plans,
        flows,
        flow_batches,
        archive,
        webhooks,
        catalog,
        cluster,
        health,
        sockets,
        document,
        probes,
        metrics,
    )
)
