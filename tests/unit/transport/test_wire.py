# SPDX-License-Identifier: Apache-2.0
"""How messages lie in Redis."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from argyll_engine.transport.wire import (
    DEFAULT_PRIORITIES,
    Delayed,
    Keys,
    Ready,
    decode,
    due_at,
    encode,
    priority_step,
    seal,
    split_tag,
    tag_of,
)

NOW = datetime(2026, 7, 15, 10, 0, tzinfo=UTC)
KEYS = Keys("{p}:")


def message(eta: Any = None, priority: Any = 0) -> dict[str, Any]:
    """A message as kombu hands it over."""
    return {"body": "[]", "headers": {"task": "t", "eta": eta}, "properties": {"priority": priority}}


def test_a_message_without_eta_is_ready() -> None:
    """It goes into the stream of its queue as it is."""
    sealed = seal(KEYS, "q", message(), DEFAULT_PRIORITIES, NOW)
    assert isinstance(sealed, Ready)
    assert ("{p}:queue:q:0", message()) == (sealed.key, decode(sealed.payload))


@pytest.mark.parametrize("seconds", [0, -1, -3600])
def test_a_message_whose_time_has_come_is_ready(seconds: int) -> None:
    """The worker gets no ETA, for it would set a timer of its own."""
    sealed = seal(KEYS, "q", message((NOW + timedelta(seconds=seconds)).isoformat()), DEFAULT_PRIORITIES, NOW)
    assert isinstance(sealed, Ready)
    assert decode(sealed.payload)["headers"]["eta"] is None


def test_a_message_with_a_future_eta_waits() -> None:
    """It waits in the sorted set under its time, with its priority before it; the original is unchanged."""
    original = message((NOW + timedelta(milliseconds=1500)).isoformat(), priority=4)
    sealed = seal(KEYS, "q", original, DEFAULT_PRIORITIES, NOW)
    assert isinstance(sealed, Delayed)
    priority, _, payload = sealed.member.partition(b" ")
    due_ms = int(NOW.timestamp() * 1000) + 1500
    assert ("{p}:delayed:q", due_ms, "{p}:wake", b"3") == (sealed.key, sealed.due_ms, sealed.wake, priority)
    assert (None, (NOW + timedelta(milliseconds=1500)).isoformat()) == (
        decode(payload)["headers"]["eta"],
        original["headers"]["eta"],
    )


@pytest.mark.parametrize(
    ("eta", "due"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("2026-07-15T10:00:00", NOW),
        ("2026-07-15T10:00:00Z", NOW),
        ("2026-07-15T12:00:00+02:00", NOW),
        (NOW, NOW),
    ],
)
def test_etas_are_read(eta: object, due: datetime | None) -> None:
    """A time without a zone is UTC; what is no time is no ETA."""
    assert due == due_at(message(eta))


@pytest.mark.parametrize(
    ("priority", "step"), [(0, 0), (2, 0), (3, 3), (5, 3), (9, 9), (255, 9), (-1, 0), (None, 0), ("high", 0)]
)
def test_priorities_have_steps(priority: object, step: int) -> None:
    """A priority belongs to the largest step that is not above it, a nonsensical one to the first."""
    assert step == priority_step(message(priority=priority), DEFAULT_PRIORITIES)


def test_every_queue_has_keys_of_its_own() -> None:
    """What came back is consumed first, then the priorities; no two keys are the same."""
    streams = KEYS.streams("q", DEFAULT_PRIORITIES)
    assert ("{p}:queue:q:returned", "{p}:queue:q:0", "{p}:queue:q:3", "{p}:queue:q:6", "{p}:queue:q:9") == streams
    others = (KEYS.delayed("q"), KEYS.dead("q"), KEYS.alive("q"), KEYS.pulse("q"), KEYS.guard("q"), KEYS.wake())
    assert len({*streams, *others}) == len(streams) + len(others)


@pytest.mark.parametrize("queue", ["q", "a|b", "ä:{x}"])
def test_a_tag_leads_back_to_its_entry(queue: str) -> None:
    """A delivery tag holds stream and entry, whatever the queue is called."""
    stream = KEYS.stream(queue)
    assert (stream, "17-3") == split_tag(tag_of(stream, "17-3"))


def test_a_foreign_tag_is_refused() -> None:
    """The tags of broadcasts and of other transports are none of ours."""
    with pytest.raises(ValueError, match="not a delivery tag"):
        split_tag("5f8c-uuid")


def test_values_that_plain_json_lacks_survive() -> None:
    """Headers of applications may hold more than JSON does."""

    class Odd:
        def __json__(self) -> str:
            return "odd"

    assert "odd" == decode(encode(message() | {"headers": {"kind": Odd()}}))["headers"]["kind"]


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"properties": 1}', b"\xff"])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    """Anything in a stream that is not a message is a ValueError and no other fault."""
    with pytest.raises(ValueError):
        decode(payload)
