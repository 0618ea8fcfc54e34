# SPDX-License-Identifier: Apache-2.0
"""The catalog as a whole, alone or beside the health of its steps. Source: the contract, http §1.5."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import events_answer, json_answer
from argyll_api.current import engine
from argyll_api.node_health import with_gaps_filled
from argyll_api.openapi import answers, examples
from argyll_api.openapi.events import CatalogLog
from argyll_api.openapi.operation import Answer, describes
from argyll_engine.codec import catalog_to_json, cluster_to_json, time_to_json

blueprint: Final = Blueprint("catalog", __name__)


@blueprint.get("/engine")
@blueprint.get("/engine/")
@describes({200: Answer(form=answers.Engine, example=examples.ENGINE)})
def get_engine() -> Response:
    """Steps, attribute graph, and what every node says of every step."""
    catalog, cluster = engine().queries.catalog(), engine().queries.cluster()
    changed = [at for at in (catalog.last_updated_at, cluster.last_updated_at) if at is not None]
    nodes = cluster_to_json(with_gaps_filled(cluster, engine().node_id, catalog.steps))["nodes"]
    last_updated = time_to_json(max(changed, default=None))
    return json_answer({**catalog_to_json(catalog), "last_updated": last_updated, "health": nodes})


@blueprint.get("/engine/catalog")
@describes({200: Answer(form=answers.Catalog, example=examples.CATALOG)})
def get_catalog() -> Response:
    """Steps and attribute graph."""
    return json_answer(catalog_to_json(engine().queries.catalog()))


@blueprint.get("/engine/catalog/events")
@describes({200: Answer(form=CatalogLog, example=examples.CATALOG_LOG)})
def get_catalog_events() -> Response:
    """The event log of the catalog, as far back as it is kept."""
    return events_answer(engine().queries.catalog_log())
