# SPDX-License-Identifier: Apache-2.0
"""The smallest commits that tests of the stores need; keywords say more. No assertions here."""

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.ports import Commit, CommitResult, EventStore, IndexChange, LoadRequest, Stream


def some_events(count: int, start: int = 0) -> tuple[bytes, ...]:
    """So many events, told apart by their sequence."""
    return tuple(b'{"sequence":%d}' % number for number in range(start, start + count))


def a_commit(flow_id: str = "wf", expected: int = 0, count: int = 1, **others: object) -> Commit:
    """A commit of `count` events to a flow."""
    return Commit(
        stream_id=flow_stream(flow_id),
        expected_sequence=expected,
        events=some_events(count, expected),
        **others,  # type: ignore[arg-type]  # whatever a Commit takes
    )


def an_index(flow_id: str, status: str = "active", at_ms: int = 1_000, **labels: str) -> IndexChange:
    """A change of the flow index."""
    return IndexChange(flow_id=FlowID(flow_id), status=FlowStatus(status), at_ms=at_ms, labels=labels)


def commit_one(store: EventStore, commit: Commit) -> CommitResult:
    """The result of a batch of one."""
    (result,) = store.commit([commit])
    return result


def load_one(store: EventStore, request: LoadRequest) -> Stream:
    """The stream of a batch of one."""
    (stream,) = store.load([request])
    return stream
