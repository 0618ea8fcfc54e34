# SPDX-License-Identifier: Apache-2.0
"""How keys are spelled."""

import pytest

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import CATALOG_STREAM, flow_stream
from argyll_engine.store.keys import Keys, escape

KEYS = Keys("argyll:flow")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("order-1", "order-1"),
        ("order:pay:tok", "order%3Apay%3Atok"),
        ("100%", "100%25"),
        ("a%3Ab", "a%253Ab"),
        ("", ""),
    ],
)
def test_escape_keeps_parts_apart(part: str, expected: str) -> None:
    """A part holds no separator, and no two parts become the same."""
    assert escape(part) == expected


def test_keys_of_a_stream_name_its_path() -> None:
    """The path of an aggregate is the middle of its keys."""
    assert KEYS.events(CATALOG_STREAM) == "{argyll:flow}:catalog:events"
    assert KEYS.snapshot(flow_stream("wf")) == "{argyll:flow}:flow:wf:snapshot"
    assert KEYS.claims(flow_stream("a:b")) == "{argyll:flow}:flow:a%3Ab:claims"


def test_index_keys_name_what_they_list() -> None:
    """Statuses and labels each have a key; a label's name and value cannot run into each other."""
    assert KEYS.statuses() == "{argyll:flow}:idx:status"
    assert KEYS.status(FlowStatus.ACTIVE) == "{argyll:flow}:idx:status:active"
    assert KEYS.label("a:b", "c") == "{argyll:flow}:idx:label:a%3Ab:c"
    assert KEYS.label("a", "b:c") == "{argyll:flow}:idx:label:a:b%3Ac"


def test_keys_of_work_are_one_a_store() -> None:
    """What is due and who lives is kept once a store, leases by name."""
    assert KEYS.due() == "{argyll:flow}:due"
    assert KEYS.workers() == "{argyll:flow}:workers"
    assert KEYS.lease("recovery:sweep") == "{argyll:flow}:lease:recovery%3Asweep"
