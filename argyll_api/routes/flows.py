# SPDX-License-Identifier: Apache-2.0
"""Starting, listing and reading flows. Source: the contract, http §1.7."""

from typing import Any, Final

from flask import Blueprint, Response

from argyll_api.answers import events_answer, json_answer, started_to_json
from argyll_api.body import read_object
from argyll_api.current import config, engine
from argyll_api.openapi import answers, examples
from argyll_api.openapi.events import FlowLog
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.flow import StartShape, load_start
from argyll_api.schemas.query import QueryShape, load_query
from argyll_api.wait_request import APPLIED, WAIT_PARAMETERS, Waiting
from argyll_engine import errors
from argyll_engine.codec import cursor_to_text, flow_state_to_json, time_to_json
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import FlowItem, FlowPage

blueprint: Final = Blueprint("flows", __name__)

_START_ERRORS: Final = (
    errors.InvalidRequestError,
    errors.MissingInputsError,
    errors.BlockedGoalsError,
    errors.StepNotFoundError,
    errors.FlowExistsError,
    errors.PlanError,
    errors.TooManyWorkItemsError,
)


@blueprint.post("/engine/flow")
@describes(
    {
        200: Answer(
            form=answers.FlowState, says="With `wait`: the flow has ended.", example=examples.FLOW, headers=APPLIED
        ),
        201: Answer(form=answers.FlowStart, says="Started, now or before.", example=examples.STARTED),
    },
    body=Body(shape=StartShape, limit="max_start_bytes", example=examples.START),
    errors=_START_ERRORS,
    parameters=WAIT_PARAMETERS,
)
def start_flow() -> Response:
    """The id of the flow, once its start is recorded; a repeated start gets the same answer.

    With `wait` the server answers with the state of the flow instead, if it ends in time.
    """
    waiting = Waiting()
    start = load_start(read_object(config().max_start_bytes))
    engine().start_flow(start.flow_id, start.goals, start.init, start.labels)
    waiting.for_end_of(start.flow_id)
    return json_answer(started_to_json(start.flow_id), 201)


@blueprint.get("/engine/flow")
@describes({200: Answer(form=list[answers.FlowRow], example=examples.FLOW_ROWS)})
def list_flows() -> Response:
    """Every root flow: active ones first, then newest first."""
    return json_answer([_item(item) for item in engine().queries.list_flows()])


@blueprint.post("/engine/flow/query")
@describes(
    {200: Answer(form=answers.FlowRows, example=examples.FLOW_PAGE)},
    body=Body(shape=QueryShape, limit="max_query_bytes", example=examples.QUERY),
    errors=(errors.InvalidRequestError,),
)
def query_flows() -> Response:
    """One page of the root flows that match."""
    query = load_query(read_object(config().max_query_bytes))
    return json_answer(_page(engine().queries.query(query)))


@blueprint.get("/engine/flow/<flow_id>")
@describes({200: Answer(form=answers.FlowState, example=examples.FLOW)}, errors=(errors.FlowNotFoundError,))
def get_flow(flow_id: str) -> Response:
    """The full state of a flow."""
    flow = engine().queries.served_flow(FlowID(flow_id))
    return json_answer(flow_state_to_json(flow.state, is_archived=flow.is_archived))


@blueprint.get("/engine/flow/<flow_id>/status")
@describes(
    {200: Answer(form=answers.FlowIndexStatus, example=examples.FLOW_STATUS)}, errors=(errors.FlowNotFoundError,)
)
def get_status(flow_id: str) -> Response:
    """The indexed status, which stays `active` until nothing of the flow runs any more."""
    standing = engine().queries.flow_status(FlowID(flow_id))
    archived = {"archived": True} if standing.is_archived else {}
    return json_answer({"id": flow_id, "status": standing.status, **archived})


@blueprint.get("/engine/flow/<flow_id>/events")
@describes({200: Answer(form=FlowLog, example=examples.FLOW_LOG)}, errors=(errors.FlowNotFoundError,))
def get_events(flow_id: str) -> Response:
    """The complete event log of a flow."""
    log = engine().queries.flow_log(FlowID(flow_id))
    return events_answer(log.events, is_archived=log.is_archived)


def _item(item: FlowItem) -> dict[str, str]:
    return {"id": item.id, "status": item.status, "timestamp": time_to_json(item.at)}


def _page(page: FlowPage) -> dict[str, Any]:
    """The wire form of a page; `total` is absent when nothing matches, `next_cursor` at the end."""
    body: dict[str, Any] = {"flows": [_item(item) for item in page.items], "count": len(page.items)}
    if page.total:
        body["total"] = page.total
    if page.next_cursor is not None:
        body |= {"has_more": True, "next_cursor": cursor_to_text(page.next_cursor)}
    return body
