# SPDX-License-Identifier: Apache-2.0
"""The document of the API says what is there: every route, every member of every answer, and examples that hold."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct, structs
from openapi_spec_validator import validate

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import UNKNOWN, operation_of
from argyll_engine.codec import (
    catalog_to_json,
    cluster_to_json,
    decode,
    encode,
    encode_recorded,
    flow_state_to_json,
)
from argyll_engine.model.attribute import AttributeSpec, InputConfig
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState
from argyll_engine.model.events import CATALOG_EVENTS, CLUSTER_EVENTS, FLOW_EVENTS, Recorded
from argyll_engine.model.flow import FlowState
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.model.work_items import WorkItems
from tests.api.described import Description
from tests.workshop import Workshop

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENTS = (*FLOW_EVENTS, *CATALOG_EVENTS, *CLUSTER_EVENTS)
UNDESCRIBED_METHODS = {"HEAD", "OPTIONS"}
PARENT = dict.fromkeys(answers.Parent.__annotations__, "x")


@pytest.fixture(scope="module")
def app():
    """An application over an engine in memory, with one registered step and one flow."""
    app = create_app(ApiConfig(), Workshop().engine)
    api = app.test_client()
    assert 201 == api.post("/engine/step", json=examples.STEP).status_code
    assert 201 == api.post("/engine/flow", json=examples.START).status_code
    return app


@pytest.fixture(scope="module")
def described() -> Description:
    """The document of an application."""
    app = create_app(ApiConfig(), None)
    return Description(app.test_client().get("/openapi.json").json)


# ---- routes ----------------------------------------------------------------------------------


def test_every_route_is_described_and_nothing_else(described) -> None:
    """Path for path and method for method."""
    app = create_app(ApiConfig(), None)
    routes = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - UNDESCRIBED_METHODS
    }
    assert routes == set(described.operations)


def test_every_view_says_what_it_answers() -> None:
    """None is left with what can be told of any view."""
    app = create_app(ApiConfig(), None)
    assert [] == [name for name, view in app.view_functions.items() if operation_of(view) is UNKNOWN]


def test_the_document_keeps_to_the_specification(described) -> None:
    """Of OpenAPI 3.1; and each operation has a name of its own."""
    validate(described.document)
    names = [operation["operationId"] for operation in described.operations.values()]
    assert sorted(set(names)) == sorted(names)


def test_every_body_has_its_limit(described) -> None:
    """Those of the configuration."""
    limits = {
        operation["operationId"]: operation["requestBody"]["x-max-bytes"]
        for operation in described.operations.values()
        if "requestBody" in operation
    }
    assert (ApiConfig().max_step_bytes, ApiConfig().max_start_bytes) == (limits["register_step"], limits["start_flow"])


def test_a_route_that_says_nothing_is_described_all_the_same() -> None:
    """With its path, its parameter and its docstring."""
    app = create_app(ApiConfig(), None)

    def get_tea(pot):
        """A cup."""

    app.add_url_rule("/tea/<pot>", "tea.get_tea", get_tea, methods=["GET"])
    operation = Description(app.test_client().get("/openapi.json").json).operation("GET", "/tea/brown")
    assert ("get_tea", "A cup.", "pot") == (
        operation["operationId"],
        operation["description"],
        operation["parameters"][0]["name"],
    )


# ---- the page --------------------------------------------------------------------------------


def test_the_page_has_an_anchor_for_each_operation_and_schema(described) -> None:
    """And links to nothing that it has not."""
    page = create_app(ApiConfig(), None).test_client().get("/docs")
    assert "text/html; charset=utf-8" == page.headers["Content-Type"]
    anchors = re.findall(r'id="([^"]+)"', page.text)
    names = [operation["operationId"] for operation in described.operations.values()]
    assert set() == {*names, *(f"schema-{name}" for name in described.document["components"]["schemas"])} - set(anchors)
    assert set() == set(re.findall(r'href="#([^"]+)"', page.text)) - set(anchors)


def test_the_page_asks_no_other_host() -> None:
    """No script, no style sheet, no picture, no font."""
    page = create_app(ApiConfig(), None).test_client().get("/docs").text
    assert [] == re.findall(r"<script|<link|<img|@import|url\(|src=", page)


def test_the_page_escapes_what_it_shows() -> None:
    """Texts are texts, whatever is in them."""

    def get_cup(name):
        """<script>alert(1)</script>"""

    other = create_app(ApiConfig(), None)
    other.blueprints["<b>"] = other.blueprints["steps"]
    other.add_url_rule("/<name>", "<b>.get_cup", get_cup)
    page = other.test_client().get("/docs").text
    assert ("&lt;script&gt;" in page, "<script>" in page) == (True, False)


# ---- answers ---------------------------------------------------------------------------------


def full(hint: Any, levels: int = 6) -> Any:
    """A value of a type of the model, with something in each of its members; plans end after some levels."""
    if get_origin(hint) is UnionType:
        return full(next(part for part in get_args(hint) if part is not NoneType), levels)
    if get_origin(hint) in (Mapping, WorkItems):
        inner = get_args(hint)[-1]
        return {} if inner is ExecutionPlan and not levels else {"x": full(inner, levels - 1)}
    if get_origin(hint) is tuple:
        return (full(get_args(hint)[0], levels),)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if is_dataclass(hint):
        return _full(hint, levels, [member.name for member in fields(hint) if member.init])
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _full(hint, levels, hint.__struct_fields__)
    plain = {int: 1, bool: True, datetime: AT, NoneType: None, Any: 1}
    return plain.get(hint, "x")


def _full(cls: Any, levels: int, members: Iterable[str]) -> Any:
    hints = get_type_hints(cls)
    values = {name: full(hints[name], levels - 1) for name in members}
    if "metadata" in values:
        values["metadata"] = PARENT
    if cls is AttributeSpec:
        settings: InputConfig = values["required"]
        values |= {
            "required": structs.replace(settings, default="", deadline_ms=0),
            "optional": structs.replace(settings, match=None),
        }
    return cls(**values)


def without_leaf_plans(description: Description) -> Description:
    """The same, but for plans at the end of the line, which have no children."""
    plan = description.document["components"]["schemas"]["ExecutionPlan"]
    plan["required"].remove("children")
    return description


@pytest.fixture(scope="module")
def strict(described) -> Description:
    """The document, taken at its word: nothing is missing and nothing beside."""
    return without_leaf_plans(described.closed())


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
def test_every_event_has_just_the_members_of_the_document(strict, cls) -> None:
    """A full one has all of them and no other."""
    event = decode(encode_recorded(("x",), Recorded(event=full(cls), sequence=0, at=AT)))
    assert "" == strict.mismatch({"$ref": f"#/components/schemas/{cls.__name__}Event"}, event)


@pytest.mark.parametrize(
    ("name", "to_json", "cls"),
    [
        ("FlowState", partial(flow_state_to_json, is_archived=True), FlowState),
        ("Catalog", catalog_to_json, CatalogState),
        ("Cluster", cluster_to_json, ClusterState),
    ],
)
def test_every_state_has_just_the_members_of_the_document(strict, name, to_json, cls) -> None:
    """The same for what events are folded into, with steps and plans inside."""
    value = decode(encode(to_json(full(cls))))
    assert "" == strict.mismatch({"$ref": f"#/components/schemas/{name}"}, value)


def test_what_the_document_does_not_know_is_found(strict) -> None:
    """The check above can fail: for a member too many, and for one that is missing."""
    schema = {"$ref": "#/components/schemas/Message"}
    assert "" != strict.mismatch(schema, {"message": "", "more": 1})
    assert "" != strict.mismatch(schema, {})


# ---- examples and requests -------------------------------------------------------------------


def test_every_example_holds(described) -> None:
    """Against the schema that it stands beside."""
    faults = {name: described.mismatch(content["schema"], content["example"]) for name, content in _examples(described)}
    assert {} == {name: fault for name, fault in faults.items() if fault}


def test_every_body_and_every_answer_has_an_example(described) -> None:
    """But errors, which all look the same, and the two documents themselves."""
    bare = {name for name, content in described.media_types() if "example" not in content and not _is_error(content)}
    assert {"get_document", "get_page"} == bare


def _examples(described: Description) -> list[tuple[str, dict[str, Any]]]:
    return [(name, content) for name, content in described.media_types() if "example" in content]


def _is_error(content: dict[str, Any]) -> bool:
    return content["schema"] == {"$ref": "#/components/schemas/Error"}


PATHS = {"{flow_id}": "tea-1", "{step_id}": "boil-water"}


def test_answers_are_as_documented(app, described) -> None:
    """Of every operation, asked with its examples about what is there and about what is not."""
    faults = []
    for (method, template), operation in described.operations.items():
        for known in (True, False):
            path = template.replace("{token}", _token(app))
            for name, value in PATHS.items():
                path = path.replace(name, value if known else "nothing")
            if method == "DELETE" and known:
                continue
            for body, media in _bodies(operation):
                answer = app.test_client().open(path, method=method, json=body, content_type=media)
                value = answer.json if answer.is_json else answer.data
                faults.append(described.fault(method, path, answer.status_code, answer.content_type or "", value))
    assert [] == [fault for fault in faults if fault]


def _bodies(operation: dict[str, Any]) -> list[tuple[Any, str | None]]:
    contents = operation.get("requestBody", {}).get("content", {})
    bodies = [(content["example"], media) for media, content in contents.items()]
    return [*bodies, ({"goals": 5, "id": []}, "application/json")] if bodies else [(None, None)]


def _token(app) -> str:
    flow = app.test_client().get("/engine/flow/tea-1").json
    return next(iter(flow["executions"]["boil-water"]["work_items"]))


@pytest.mark.parametrize(
    ("name", "body", "fine"),
    [
        ("StartRequest", examples.START, True),
        ("StartRequest", {"id": "a", "goals": ["b"], "init": None, "labels": {"x": None}}, True),
        ("StartRequest", {"id": "a", "goals": []}, False),
        ("StartRequest", {"id": "a", "goals": "b"}, False),
        ("StepRequest", {"id": "a", "name": "A", "type": "sync", "http": {"endpoint": "x", "timeout": None}}, True),
        ("StepRequest", {"id": "a", "name": "A", "type": "batch"}, False),
        ("StepRequest", {"id": "a", "name": "A", "type": "sync", "attributes": {"x": {"role": "input"}}}, False),
        ("QueryRequest", {"sort": "", "limit": 1000}, True),
        ("QueryRequest", {"limit": 1001}, False),
        ("QueryRequest", {"statuses": ["pending"]}, False),
    ],
)
def test_schemas_of_bodies_know_the_rules_of_single_members(described, name, body, fine) -> None:
    """Null counts as absent; choices and limits are those of the code."""
    assert fine == (described.mismatch({"$ref": f"#/components/schemas/{name}"}, body) == "")


def test_old_forms_are_marked(described) -> None:
    """They are read, and nobody should write them."""
    members = described.document["components"]["schemas"]["WorkRequest"]["properties"]
    assert {"backoff_ms", "backoff", "max_backoff_ms"} == {name for name in members if members[name].get("deprecated")}
