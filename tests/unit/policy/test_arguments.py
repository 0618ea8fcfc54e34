# SPDX-License-Identifier: Apache-2.0
"""Arguments, metadata and URLs of invocations."""

from datetime import UTC, datetime

import pytest

from argyll_engine.model.attribute import AttributeSpec, MetaConfig, Role
from argyll_engine.model.flow import FlowState
from argyll_engine.model.invocation import Failed
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.model.step import Step, StepType
from argyll_engine.policy.arguments import build_arguments, build_metadata, resolve_url

AT = datetime(2026, 1, 2, tzinfo=UTC)


def a_flow(**metadata: object) -> FlowState:
    """A flow with this metadata."""
    return FlowState(id="f", plan=ExecutionPlan(goals=()), created_at=AT, last_updated_at=AT, metadata=metadata)


def test_metadata_of_a_work_item() -> None:
    """The engine's keys win over those of the flow, which are kept otherwise."""
    expected = {"flow_id": "f", "step_id": "s", "receipt_token": "t", "tenant": 7}
    assert expected == build_metadata(a_flow(tenant=7, flow_id="forged"), "s", "t")


def test_metadata_of_an_asynchronous_work_item() -> None:
    """The webhook URL is there where there is one."""
    assert build_metadata(a_flow(), "s", "t", "http://w")["webhook_url"] == "http://w"


def test_meta_attributes_are_filled() -> None:
    """A meta attribute takes the value of its key, and is left out where the metadata has no such key."""
    attributes = {
        "id": AttributeSpec(role=Role.META, meta=MetaConfig(key="flow_id")),
        "hook": AttributeSpec(role=Role.META, meta=MetaConfig(key="webhook_url")),
    }
    step = Step(id="s", name="S", type=StepType.SYNC, attributes=attributes)
    assert build_arguments(step, {"x": 1}, {"flow_id": "f", "tenant": 1}) == {"x": 1, "id": "f"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a b/c?d", "a%20b%2Fc%3Fd"),
        ("-_.~$&+:=@", "-_.~$&+:=@"),
        (";,!*'()", "%3B%2C%21%2A%27%28%29"),
        ("ü", "%C3%BC"),
        ("..", ".."),
        ("", ""),
        (5, "5"),
        (5.0, "5"),
        (1.5, "1.5"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        (None, "null"),
        ({"b": 1, "a": [1, 2]}, "%7B%22a%22:%5B1%2C2%5D%2C%22b%22:1%7D"),
    ],
)
def test_a_placeholder(value: object, text: str) -> None:
    """A string goes in as it is, anything else as compact JSON, both escaped as one path segment."""
    assert f"http://h/{text}/x?q={text}" == resolve_url("http://h/{v}/x?q={v}", {"v": value})


def test_a_placeholder_without_an_argument() -> None:
    """The first missing argument is named."""
    assert Failed(error="missing endpoint argument: b") == resolve_url("http://h/{a}/{b}/{c}", {"a": 1})


@pytest.mark.parametrize("endpoint", ["http://h/", "http://h/{}", "http://h/}{"])
def test_no_placeholder(endpoint: str) -> None:
    """Braces that enclose nothing are left alone."""
    assert endpoint == resolve_url(endpoint, {})


def test_a_value_that_looks_like_a_placeholder() -> None:
    """What was filled in is not filled again."""
    assert resolve_url("http://h/{a}", {"a": "{b}", "b": 1}) == "http://h/%7Bb%7D"
