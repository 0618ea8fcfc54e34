# SPDX-License-Identifier: Apache-2.0
"""Starting many flows with one request. Each start is on its own: it goes through or is refused as if posted alone."""

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer, started_to_json
from argyll_api.body import read_object
from argyll_api.current import config, engine
from argyll_api.errors import refusal_of
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.flow import StartBatchShape, load_starts
from argyll_engine.errors import ArgyllError, InvalidRequestError
from argyll_engine.model.start import Start

CREATED: Final = 201

blueprint: Final = Blueprint("flow_batches", __name__)


@blueprint.post("/engine/flows")
@describes(
    {200: Answer(form=answers.FlowStarts, says="Each start has its result.", example=examples.STARTED_BATCH)},
    body=Body(shape=StartBatchShape, limit="max_start_batch_bytes", example=examples.START_BATCH),
    errors=(InvalidRequestError,),
)
def start_flows() -> Response:
    """A result for each start, in order, once all that go through are recorded.

    A start that is repeated, in the same request too, gets the same answer and changes nothing. While the store is
    away the whole request is refused with 503, and may be repeated as it is.
    """
    asked = load_starts(read_object(config().max_start_batch_bytes))
    refused = iter(engine().start_flows([start for start in asked if isinstance(start, Start)]))
    results = [_result(start, next(refused) if isinstance(start, Start) else start) for start in asked]
    return json_answer(_results(results))


def _result(start: Start | ArgyllError, refused: ArgyllError | None) -> dict[str, Any]:
    """What became of one start; with its id, if that could be read."""
    if not isinstance(start, Start):
        return refusal_of(start)
    if refused is not None:
        return {**refusal_of(refused), "flow_id": start.flow_id}
    return {"status": CREATED, **started_to_json(start.flow_id)}


def _results(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    started = sum(result["status"] == CREATED for result in results)
    return {"flows": results, "count": len(results), "started": started}
