# SPDX-License-Identifier: Apache-2.0
"""What is stored comes back as it was: events, snapshots."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from argyll_engine.codec import decode_recorded, encode_recorded, flow_from_snapshot, flow_to_snapshot
from argyll_engine.model.flow import AttributeValue
from argyll_engine.model.ids import flow_stream
from tests.definitions import a_step
from tests.fakes import START
from tests.property.test_decide import open_items, results, run_to_its_end, started_flows
from tests.scenario import FLOW
from tests.scenario import given as a_flow

STREAM = flow_stream(FLOW)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_events_come_back_as_they_were(data: st.DataObject) -> None:
    """Every event of every flow survives being written and read."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    run_to_its_end(flow, data)

    for recorded in flow.log:
        again = decode_recorded(STREAM, recorded.sequence, encode_recorded(STREAM, recorded))
        assert recorded == again


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_snapshots_come_back_as_they_were(data: st.DataObject) -> None:
    """A flow in any state survives being kept as a snapshot, the attempts of its work items included."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    for _ in range(data.draw(st.integers(0, 6))):
        run_some(flow, data)

    assert flow.state == flow_from_snapshot(flow_to_snapshot(flow.state))


def run_some(flow, data) -> None:
    """One more result, if something is open."""
    if open_items(flow.state):
        flow.after(milliseconds=10).when(data.draw(results(flow)))


@given(st.text(max_size=5), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
def test_values_keep_their_kind(text: str, whole: int, broken: float) -> None:
    """Integers stay exact at any size, floats stay floats, text stays text."""
    flow = replace_value([text.encode("utf-8", "replace").decode(), whole, broken, {"n": None, "t": True}])

    again = flow_from_snapshot(flow_to_snapshot(flow))

    assert again is not None
    values = again.attributes["x"][0].value
    assert flow.attributes["x"][0].value == values
    assert [type(v) for v in flow.attributes["x"][0].value] == [type(v) for v in values]


def replace_value(value):
    """A flow whose attribute x has this value."""
    state = a_flow([a_step("a")], ["a"]).state
    return replace(state, attributes={"x": (AttributeValue(value=value, set_at=START),)})
