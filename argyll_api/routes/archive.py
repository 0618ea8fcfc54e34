# SPDX-License-Identifier: Apache-2.0
"""Bringing archived flows back, and erasing flows for good. Reading them is the routes' of flows."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.body import read_object_if_any
from argyll_api.current import config, engine
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.erasure import EraseShape, load_reason
from argyll_engine import errors
from argyll_engine.model.ids import FlowID

blueprint: Final = Blueprint("archive", __name__)


@blueprint.post("/engine/flow/<flow_id>/restore")
@describes(
    {200: Answer(form=answers.FlowsRestored, says="All of it is live now.", example=examples.RESTORED)},
    errors=(errors.FlowNotFoundError, errors.ArchiveUnavailableError),
)
def restore_flow(flow_id: str) -> Response:
    """How many flows came back from the archive: the root of this one and its children, all or none.

    A flow that is live stays as it is. No archiver takes a restored flow before `ARCHIVE_MAX_AGE` has passed.
    """
    restored = engine().archive.restore(FlowID(flow_id))
    return json_answer({"flow_id": flow_id, "restored": len(restored)})


@blueprint.post("/engine/flow/<flow_id>/erase")
@describes(
    {200: Answer(form=answers.FlowsErased, says="Nothing is left of it.", example=examples.ERASED)},
    body=Body(shape=EraseShape, limit="max_query_bytes", example=examples.ERASE, required=False),
    errors=(
        errors.InvalidRequestError,
        errors.FlowNotFoundError,
        errors.FlowNotEndedError,
        errors.ArchiveUnavailableError,
    ),
)
def erase_flow(flow_id: str) -> Response:
    """How many flows were erased everywhere: a deactivated root flow and its children; its id is free then.

    The audit log keeps when and why. Steps' remembered results are no part of a flow.
    """
    reason = load_reason(read_object_if_any(config().max_query_bytes))
    erased = engine().archive.erase(FlowID(flow_id), reason)
    return json_answer({"flow_id": flow_id, "erased": len(erased)})
