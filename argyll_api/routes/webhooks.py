# SPDX-License-Identifier: Apache-2.0
"""Where asynchronous steps report how a work item ended. Source: the contract, http §1.9."""

from typing import Final

from flask import Blueprint, Response, request

from argyll_api.answers import empty_answer
from argyll_api.body import read_object, read_value
from argyll_api.current import config, engine
from argyll_api.errors import PROBLEM_TYPE, WEBHOOKS
from argyll_api.openapi import examples
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.webhook import ProblemShape, load_outputs, load_problem, refused_as
from argyll_engine.errors import ExecutionNotFoundError, FlowNotFoundError, WorkItemNotFoundError
from argyll_engine.model.ids import FlowID, StepID, Token

blueprint: Final = Blueprint(WEBHOOKS, __name__)

_BODY: Final = Body(
    shape={"type": ["object", "null"], "description": "Outputs by name; null for none."},
    limit="max_webhook_bytes",
    example=examples.OUTPUTS,
    other={PROBLEM_TYPE: (ProblemShape, examples.PROBLEM)},
)


@blueprint.post("/webhook/<flow_id>/<step_id>/<token>")
@describes(
    {200: Answer(says="Recorded, or too late and ignored.")},
    body=_BODY,
    errors=(FlowNotFoundError, ExecutionNotFoundError, WorkItemNotFoundError),
)
def report_work(flow_id: str, step_id: str, token: str) -> Response:
    """200 and nothing else, whether this was the first report or a late one."""
    item = (FlowID(flow_id), StepID(step_id), Token(token))
    engine().check_work_item(*item)
    if request.mimetype == PROBLEM_TYPE:
        with refused_as("Invalid problem JSON"):
            error = load_problem(read_object(config().max_webhook_bytes))
        engine().fail_work(*item, error)
    else:
        with refused_as("Invalid JSON"):
            outputs = load_outputs(read_value(config().max_webhook_bytes))
        engine().complete_work(*item, outputs)
    return empty_answer()
