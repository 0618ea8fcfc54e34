# SPDX-License-Identifier: Apache-2.0
"""The preview of a plan; nothing is stored. Source: the contract, http §1.8."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.body import read_object
from argyll_api.current import config, engine
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.plan import PlanShape, load_plan
from argyll_engine.codec import plan_to_json
from argyll_engine.errors import InvalidRequestError, PlanError, StepNotFoundError

blueprint: Final = Blueprint("plans", __name__)


@blueprint.post("/engine/plan")
@describes(
    {200: Answer(form=answers.ExecutionPlan, example=examples.PLAN)},
    body=Body(shape=PlanShape, limit="max_plan_bytes", example=examples.PLAN_REQUEST),
    errors=(InvalidRequestError, StepNotFoundError, PlanError),
)
def preview_plan() -> Response:
    """What a start with these goals and initial values would run."""
    wanted = load_plan(read_object(config().max_plan_bytes))
    return json_answer(plan_to_json(engine().preview_plan(wanted.goals, wanted.init)))
