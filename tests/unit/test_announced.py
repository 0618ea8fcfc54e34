# SPDX-License-Identifier: Apache-2.0
"""Events that notes of the feed bring: those of a flow's end, which hold nothing but its id and how it ended."""

import pytest
from msgspec.structs import fields

from argyll_engine.aggregates import Aggregate, CatalogAggregate, ClusterAggregate, FlowAggregate
from argyll_engine.codec import decode
from argyll_engine.codec.events import CODECS
from argyll_engine.model.invocation import Succeeded
from tests.definitions import a_step, output
from tests.workshop import Workshop


def test_the_note_of_a_flows_end_brings_it() -> None:
    """As the log has it; no other note brings anything."""
    shop = Workshop(lambda _: Succeeded(outputs={"y": "secret"}))
    shop.start([a_step("a", {"y": output()})], ["a"])
    shop.deliver_all()
    *others, end = shop.backend.feed
    assert ("flow_deactivated", "flow_deactivated") == (end.last_type, decode(end.last)["type"])
    assert shop.engine.queries.flow_log(end.stream_id[1]).events[-1] == end.last
    assert {("", b"")} == {(note.last_type, note.last) for note in others}


@pytest.mark.parametrize("aggregate", [FlowAggregate(1.0), CatalogAggregate(), ClusterAggregate()])
def test_notes_bring_nothing_that_is_to_be_erased(aggregate: Aggregate) -> None:
    """Every type is one that there is, and has no member for a value or a reason."""
    types = {codec.name: event_type for event_type, codec in CODECS.items()}
    for name in aggregate.announced:
        assert {"flow_id", "status"} == {field.name for field in fields(types[name])}
