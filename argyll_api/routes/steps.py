# SPDX-License-Identifier: Apache-2.0
"""Registering, updating, reading and removing steps. Source: the contract, http §1.6."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.body import read_object
from argyll_api.current import config, engine
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.step import StepShape, load_step, load_update
from argyll_engine.codec import step_to_json
from argyll_engine.errors import InvalidRequestError, InvalidStepError, StepExistsError, StepNotFoundError
from argyll_engine.model.ids import StepID

blueprint: Final = Blueprint("steps", __name__)

_BODY: Final = Body(shape=StepShape, limit="max_step_bytes", example=examples.STEP)


@blueprint.get("/engine/step")
@describes({200: Answer(form=answers.StepList, example=examples.STEP_LIST)})
def list_steps() -> Response:
    """Every registered step, by id."""
    steps = [step_to_json(step) for _, step in sorted(engine().queries.catalog().steps.items())]
    return json_answer({"steps": steps, "count": len(steps)})


@blueprint.post("/engine/step")
@describes(
    {201: Answer(form=answers.StepSaved, says="Registered, now or before.", example=examples.STEP_REGISTERED)},
    body=_BODY,
    errors=(InvalidStepError, StepExistsError),
)
def register_step() -> Response:
    """The step as it was sent, once it is registered."""
    step = load_step(read_object(config().max_step_bytes))
    engine().register_step(step)
    return json_answer({"message": "Step registered", "step": step_to_json(step)}, 201)


@blueprint.get("/engine/step/<step_id>")
@describes({200: Answer(form=answers.Step, example=examples.STORED_STEP)}, errors=(StepNotFoundError,))
def get_step(step_id: str) -> Response:
    """One step as it is stored."""
    step = engine().queries.catalog().steps.get(StepID(step_id))
    if step is None:
        raise StepNotFoundError(step_id)
    return json_answer(step_to_json(step))


@blueprint.put("/engine/step/<step_id>")
@describes(
    {200: Answer(form=answers.StepSaved, example=examples.STEP_UPDATED)},
    body=_BODY,
    errors=(InvalidRequestError, InvalidStepError, StepNotFoundError),
)
def update_step(step_id: str) -> Response:
    """The step as it was sent, once it has replaced the registered one."""
    step = load_update(read_object(config().max_step_bytes), step_id)
    engine().update_step(step)
    return json_answer({"message": "Step updated", "step": step_to_json(step)})


@blueprint.delete("/engine/step/<step_id>")
@describes({200: Answer(form=answers.Message, example=examples.STEP_UNREGISTERED)}, errors=(StepNotFoundError,))
def unregister_step(step_id: str) -> Response:
    """A message, once the step is gone."""
    engine().unregister_step(StepID(step_id))
    return json_answer({"message": "Step unregistered"})
