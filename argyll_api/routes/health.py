# SPDX-License-Identifier: Apache-2.0
"""Health of the steps: a word for every step of every node, or one step merged over all nodes.

Source: the contract, http §1.5.
"""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.current import engine
from argyll_api.errors import HEALTH
from argyll_api.node_health import with_gaps_filled
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, describes
from argyll_engine.codec import cluster_to_json
from argyll_engine.errors import StepNotFoundError
from argyll_engine.model.ids import StepID

blueprint: Final = Blueprint(HEALTH, __name__)


@blueprint.get("/engine/health")
@describes({200: Answer(form=answers.Cluster, example=examples.CLUSTER)})
def get_health() -> Response:
    """What every node says of every registered step, `unknown` where it has said nothing."""
    steps = engine().queries.catalog().steps
    return json_answer(cluster_to_json(with_gaps_filled(engine().queries.cluster(), engine().node_id, steps)))


@blueprint.get("/engine/health/<step_id>")
@describes({200: Answer(form=answers.StepHealth, example=examples.STEP_HEALTH)}, errors=(StepNotFoundError,))
def get_step_health(step_id: str) -> Response:
    """The worst that any node says of a step."""
    health = engine().queries.step_health(StepID(step_id))
    return json_answer({"status": health.status, **({"error": health.error} if health.error else {})})
