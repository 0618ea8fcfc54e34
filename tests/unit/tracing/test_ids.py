# SPDX-License-Identifier: Apache-2.0
"""Which ids traces and spans get."""

import pytest

from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.tracing.ids import (
    Place,
    parse_header,
    place_above,
    place_of_call,
    place_of_flow,
    place_of_step,
    place_of_work,
    trace_id_of,
)

FLOW, CHILD = FlowID("f"), FlowID("f:s:t")
GRANDCHILD = FlowID("f:s:t:s2:t2")
STEP, TOKEN = StepID("s"), Token("t")


def test_ids_follow_from_names() -> None:
    """Every process finds the same ids, which only a change of this rule would change."""
    assert "00-0f32adf272f1aedef1ae645d888292dd-abb1c92649b40a10-01" == place_of_flow(FLOW).header()
    places = [
        place_of_flow(FLOW),
        place_of_step(FLOW, STEP),
        place_of_work(FLOW, STEP, TOKEN, 1),
        place_of_work(FLOW, STEP, TOKEN, 2),
        place_of_call(FLOW, STEP, TOKEN, "1"),
        place_of_flow(CHILD),
    ]
    assert (6, 1) == (len({place.span_id for place in places}), len({place.trace_id for place in places}))


def test_a_sub_flow_is_part_of_the_trace_at_its_top_below_the_step_that_started_it() -> None:
    """One trace holds a flow and all flows below it; other flows have other traces."""
    above = [place_above(flow_id) for flow_id in (FLOW, CHILD, GRANDCHILD)]
    assert [None, place_of_step(FLOW, STEP), place_of_step(CHILD, StepID("s2"))] == above
    assert trace_id_of(FLOW) == trace_id_of(GRANDCHILD) != trace_id_of(FlowID("g"))


def test_a_place_comes_through_its_header() -> None:
    """What goes out as `traceparent` is read back as the same place."""
    place = Place(1, 2, 1)
    assert ("00-00000000000000000000000000000001-0000000000000002-01", place) == (
        place.header(),
        parse_header(place.header()),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "00-00000000000000000000000000000000-0000000000000002-01",
        "00-00000000000000000000000000000001-0000000000000000-01",
        "ff-00000000000000000000000000000001-0000000000000002-01",
        "00-0000000000000000000000000000001-0000000000000002-01",
        "00-0000000000000000000000000000000G-0000000000000002-01",
    ],
)
def test_what_is_no_traceparent_is_ignored(text: str) -> None:
    """Headers of another form, and ids of zero, name no place."""
    assert parse_header(text) is None


def test_later_versions_of_the_header_are_read_by_their_first_parts() -> None:
    """A version that we do not know begins with what we know."""
    assert parse_header("01-00000000000000000000000000000001-0000000000000002-00-more") == Place(1, 2, 0)
