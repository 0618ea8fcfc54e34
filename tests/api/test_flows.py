# SPDX-License-Identifier: Apache-2.0
"""Routes of flows: start, list, query, read, and the preview of plans."""

from datetime import UTC, datetime

import pytest

from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.listing import Cursor, FlowItem, FlowPage, FlowQuery, Sort
from argyll_engine.model.plan import ExecutionPlan

NINE = datetime(2026, 7, 2, 9, 0, 0, tzinfo=UTC)
ROW = FlowItem(id="tea-1", status=FlowStatus.ACTIVE, at=NINE)
ROW_JSON = {"id": "tea-1", "status": "active", "timestamp": "2026-07-02T09:00:00Z"}


def refusal(res):
    """The text of a 400."""
    assert res.status_code == 400
    return res.json["error"]


def test_starting_a_flow(api, engine):
    """201 with an empty message and the sanitised id, and nothing else."""
    res = api.post(
        "/engine/flow",
        json={"id": "My Tea!", "goals": ["b", "a"], "init": {"x": [1, 2], "y": []}, "labels": {"k": "v"}},
    )
    assert (res.status_code, res.data) == (201, b'{"message":"","flow_id":"my-tea"}')
    assert engine.calls == [("start_flow", "my-tea", ("b", "a"), {"x": (1, 2), "y": ()}, {"k": "v"})]


@pytest.mark.parametrize("body", [{}, {"init": None, "labels": None}])
def test_init_and_labels_are_optional(api, engine, body):
    """Null counts as not given."""
    api.post("/engine/flow", json={"id": "f", "goals": ["g"], **body})
    assert engine.calls == [("start_flow", "f", ("g",), {}, {})]


@pytest.mark.parametrize(
    "value,candidates",
    [("v", ("v",)), (0, (0,)), (False, (False,)), ({"a": 1}, ({"a": 1},)), ([[1]], ([1],)), (None, None)],
)
def test_an_initial_value_that_is_no_list_is_wrapped(api, engine, value, candidates):
    """Null stays null: it is no value, yet told apart from a name that is absent."""
    api.post("/engine/flow", json={"id": "f", "goals": ["g"], "init": {"x": value}})
    assert engine.calls[0][3] == {"x": candidates}


MANY_GOALS = {"goals": ["g"] * 65}
MANY_INIT = {"init": {f"k{i}": [1] for i in range(129)}}
MANY_LABELS = {"labels": {f"k{i}": "v" for i in range(33)}}


@pytest.mark.parametrize(
    "body,text",
    [
        ({"id": "@", **MANY_GOALS, **MANY_INIT, **MANY_LABELS}, "flow ID empty"),
        ({**MANY_GOALS, **MANY_INIT, **MANY_LABELS}, "flow ID empty"),
        ({"id": "a" * 257, **MANY_GOALS, **MANY_INIT, **MANY_LABELS}, "flow ID too long"),
        ({"id": "f", **MANY_INIT, **MANY_LABELS}, "at least one goal step is required"),
        ({"id": "f", "goals": None, **MANY_INIT}, "at least one goal step is required"),
        ({"id": "f", **MANY_GOALS, **MANY_INIT, **MANY_LABELS}, "too many goals"),
        ({"id": "f", "goals": ["g"], **MANY_INIT, **MANY_LABELS}, "too many init keys"),
        ({"id": "f", "goals": ["g"], **MANY_LABELS}, "too many labels"),
    ],
)
def test_limits_of_a_start_in_their_order(api, engine, body, text):
    """The first broken one is named and the engine is not asked."""
    assert text in refusal(api.post("/engine/flow", json=body))
    assert engine.calls == []


def test_limits_are_inclusive(api):
    """256 bytes after sanitising, 64 goals, 128 names, 32 labels."""
    body = {
        "id": "!" + "a" * 256,
        "goals": ["g"] * 64,
        "init": {f"k{i}": [1] for i in range(128)},
        "labels": {f"k{i}": "v" for i in range(32)},
    }
    assert api.post("/engine/flow", json=body).status_code == 201


def test_a_preview(api, engine):
    """The plan as it is; no limits hold."""
    res = api.post("/engine/plan", json={"goals": ["g"] * 100, "init": {"x": "plain"}})
    assert res.json == {"goals": ["g"] * 100, "required": [], "steps": {}, "attributes": {}, "excluded": {}}
    assert engine.calls == [("preview_plan", ("g",) * 100, {"x": ("plain",)})]


@pytest.mark.parametrize("body", [{}, {"goals": []}, {"goals": None}])
def test_a_preview_without_goals(api, body):
    """400 in words of its own."""
    assert refusal(api.post("/engine/plan", json=body)) == "At least one goal step ID is required"


def test_listing_flows(api, engine):
    """A bare list in the order of the index."""
    engine.queries.items = (ROW, FlowItem(id="b", status=FlowStatus.FAILED, at=NINE))
    assert api.get("/engine/flow").json == [ROW_JSON, {**ROW_JSON, "id": "b", "status": "failed"}]


def test_listing_no_flows(api):
    """An empty list."""
    assert api.get("/engine/flow").data == b"[]"


def test_a_query_reaches_the_index(api, engine):
    """Every filter, and the defaults of an empty query."""
    api.post("/engine/flow/query", json={})
    api.post(
        "/engine/flow/query",
        json={
            "id_prefix": "te",
            "labels": {"k": "v"},
            "statuses": ["active", "active"],
            "limit": 1000,
            "sort": "recent_desc",
        },
    )
    assert [query for _, query in engine.queries.asked] == [
        FlowQuery(),
        FlowQuery(
            id_prefix="te", labels={"k": "v"}, statuses=(FlowStatus.ACTIVE,) * 2, limit=1000, sort=Sort.RECENT_DESC
        ),
    ]


def test_the_last_page(api, engine):
    """No cursor where nothing follows, no total where nothing matches."""
    assert api.post("/engine/flow/query", json={}).json == {"flows": [], "count": 0}
    engine.queries.page = FlowPage(items=(ROW,), total=1)
    assert api.post("/engine/flow/query", json={}).json == {"flows": [ROW_JSON], "count": 1, "total": 1}


def test_a_cursor_comes_back_as_it_was_given(api, engine):
    """The next query starts where the page ended."""
    cursor = Cursor(id="tea-1", group=0, recent_ms=1_783_000_000_123)
    engine.queries.page = FlowPage(items=(ROW,), total=7, next_cursor=cursor)
    body = api.post("/engine/flow/query", json={"limit": 1}).json
    assert (body["has_more"], body["total"]) == (True, 7)
    api.post("/engine/flow/query", json={"cursor": body["next_cursor"]})
    assert engine.queries.asked[-1] == ("query", FlowQuery(cursor=cursor))


@pytest.mark.parametrize(
    "body,text",
    [
        ({"id_prefix": "a:b", "limit": -1}, "Invalid ID prefix"),
        ({"limit": -1, "sort": "x"}, "Limit must be between 0 and 1000"),
        ({"limit": 1001}, "Limit must be between 0 and 1000"),
        ({"sort": "x", "labels": {"": "v"}}, "Invalid sort"),
        ({"labels": {"": "v"}, "statuses": ["x"]}, "Invalid labels"),
        ({"labels": {"k": ""}}, "Invalid labels"),
        ({"statuses": ["active", "pending"], "cursor": "!"}, "Invalid statuses"),
        ({"cursor": "!"}, "invalid flow cursor"),
    ],
)
def test_faults_of_a_query_in_their_order(api, engine, body, text):
    """The first one is named and nothing is asked."""
    assert text in refusal(api.post("/engine/flow/query", json=body))
    assert engine.queries.asked == []


def test_reading_a_flow(api, engine):
    """The full state of the flow with exactly this id."""
    engine.queries.flow_state = FlowState(
        id="tea-1", plan=ExecutionPlan(goals=("g",)), created_at=NINE, last_updated_at=NINE
    )
    body = api.get("/engine/flow/tea-1").json
    assert (body["id"], body["status"], body["completed_at"]) == ("tea-1", "active", "0001-01-01T00:00:00Z")
    assert engine.queries.asked == [("flow", "tea-1")]


def test_reading_a_status(api):
    """Id and indexed status."""
    assert api.get("/engine/flow/p:s:t/status").json == {"id": "p:s:t", "status": "active"}


def test_reading_a_log(api, engine):
    """The stored envelopes, joined without being read; none means that there is no such flow."""
    assert api.get("/engine/flow/query/events").json == {"error": "flow not found: query", "status": 404}
    engine.queries.log = (b'{"n":1.50}', b"{}")
    assert api.get("/engine/flow/tea-1/events").data == b'{"events":[{"n":1.50},{}],"count":2}'
